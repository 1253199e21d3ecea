/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network's configuration, by the CNI specification 1.0: a list of plugins that are run one after
 * the other. A file with a single plugin is a list of one.
 */
#ifndef GANTRY_LIB_CNI_NETWORK_H
#define GANTRY_LIB_CNI_NETWORK_H

#include <gantry/error.h>

#include <jansson.h>
#include <stdbool.h>

#define GT_CNI_CONFIG_MAX (1024 * 1024)
#define GT_CNI_DEPTH 64
#define GT_CNI_PLUGINS_MAX 64

struct gt_cni_network {
	char *name;
	char *version; /* of the specification: "1.0.0" */
	bool disable_check;
	json_t *plugins; /* array of objects, each with a "type" that is a file's name */
	json_t *doc; /* the whole, as a list; what a record keeps */
};

/* INVALID_ARGUMENT says what is wrong; 'what' names the text. */
GT_MUST_USE struct gt_error *gt_cni_network_parse(const char *what, const void *data, size_t len,
						  struct gt_cni_network **out);
/* From the document of another one. */
GT_MUST_USE struct gt_error *gt_cni_network_of(const char *what, const json_t *doc,
					       struct gt_cni_network **out);
/*
 * The folder's first file by name, of those that end in .conf, .conflist or .json. NOT_FOUND where
 * there is none.
 */
GT_MUST_USE struct gt_error *gt_cni_network_load(const char *folder, struct gt_cni_network **out);
void gt_cni_network_free(struct gt_cni_network *n);
GT_DEFINE_AUTOPTR(gt_cni_network)

/* The rule for names of networks and for container ids: letters, digits and then also _.- */
bool gt_cni_is_name(const char *s);
/* For interfaces: up to 15 bytes without space, '/' and ':'. */
bool gt_cni_is_interface(const char *s);

#endif
