/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the differ's suite share. */
#ifndef GANTRY_PLUGIN_TEST_DIFFER_H
#define GANTRY_PLUGIN_TEST_DIFFER_H

#include <archive/tar-bytes.h>
#include <archive/tree-text.h>
#include <gantry/differ.h>

#define OCI_LAYER "application/vnd.oci.image.layer.v1.tar"

struct differ_rig {
	struct gt_differ *d;
	const char *dir;
	struct gt_call call;
	unsigned n; /* folders made so far */
};

/* A new empty folder, as a new string. */
char *differ_folder(struct differ_rig *r, const char *name);

/* A writable bind mount of a folder; an overlay of 'upper' on 'lower' (work beside it). */
void differ_bind(struct gt_mounts *m, const char *path);
void differ_overlay(struct gt_mounts *m, const char *upper, const char *lower);

/* A reader of bytes in memory; 'as_file': one that has a descriptor. */
struct gt_reader *differ_reader(const struct gt_buf *b, bool as_file);

/* A writer that adds to 'to'; an error after 'room' bytes. */
struct gt_writer *differ_writer(struct gt_buf *to, size_t room);

/* "sha256:..." of the bytes, as a new string. */
char *differ_digest(const struct gt_buf *b);

GT_MUST_USE struct gt_error *differ_apply(struct differ_rig *r, const char *media_type,
					  const struct gt_buf *blob, const struct gt_mounts *m,
					  struct gt_diff_result *out);

/* Applies an uncompressed layer, ending it first, and expects a class; one TAP line. */
bool differ_expect(struct differ_rig *r, struct gt_buf *tar, const struct gt_mounts *m,
		   enum gt_class want, const char *what);

/* Whether 'name' below 'root' is of that type (S_IFREG ...; 0: not there), holds just that. */
bool differ_is(const char *root, const char *name, mode_t type);
bool differ_content_is(const char *root, const char *name, const char *want);

/* The parts. */
void differ_suite_apply(struct differ_rig *r);
void differ_suite_whiteouts(struct differ_rig *r);
void differ_suite_hostile(struct differ_rig *r);
void differ_suite_diff(struct differ_rig *r);

#endif
