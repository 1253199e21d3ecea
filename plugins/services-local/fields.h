/* SPDX-License-Identifier: Apache-2.0 */
/* Labels and extensions of objects: containerd's rules for what they may be and how masks change them. */
#ifndef SERVICES_LOCAL_FIELDS_H
#define SERVICES_LOCAL_FIELDS_H

#include <gantry/api-containers.h>
#include <gantry/call.h>
#include <gantry/strv.h>

/* INVALID_ARGUMENT if a key and its value are together over 4096 bytes, or a key is empty. */
GT_MUST_USE struct gt_error *labels_check(const struct gt_labels *l);
/* As labels are stored: without those whose value is empty. 'src' may be NULL. */
void labels_store(struct gt_labels *dst, const struct gt_labels *src);

/*
 * If the path of an update mask is 'field' or "FIELD.KEY", makes 'dst' so, from 'src' (may be NULL), and
 * returns true. A key that 'src' lacks, or has with an empty value, goes.
 */
bool mask_labels(const char *path, const char *field, struct gt_labels *dst,
		 const struct gt_labels *src);

/* An array of extensions in some object. */
struct extensions {
	struct gt_extension **v;
	size_t *n;
};
bool mask_extensions(const char *path, struct extensions dst, const struct gt_extension *src,
		     size_t n_src);
GT_MUST_USE struct gt_error *extensions_check(const struct gt_extension *v, size_t n);

/* INVALID_ARGUMENT "cannot update "PATH" field on "NAME"". */
GT_MUST_USE struct gt_error *mask_refused(const char *path, const char *name);

/* Replaces a string; NULL becomes the empty one. */
void string_replace(char **dst, const char *src);

#endif
