/* SPDX-License-Identifier: Apache-2.0 */
/* What the core knows of each kind: names, the size of its ops, which of them are required. */
#ifndef GANTRY_CORE_KIND_H
#define GANTRY_CORE_KIND_H

#include <gantry/plugin.h>

struct gt_required_op {
	const char *name; /* NULL ends the table */
	size_t offset;
};

struct gt_kind_facts {
	const char *name; /* "snapshotter" */
	const char *key; /* under `active` */
	const char *type; /* containerd's plugin type */
	size_t ops_size; /* of the host's ops struct */
	const struct gt_required_op *required;
};

const struct gt_kind_facts *gt_kind_facts(enum gt_kind kind);

/* A copy of 'ops' in the host's size, what the plugin does not have being zero. */
void *gt_kind_copy_ops(enum gt_kind kind, const void *ops);
void gt_kind_free_ops(enum gt_kind kind, void *ops);

/* Opens an instance through 'ops', the host's copy, and closes one. */
GT_MUST_USE struct gt_error *gt_kind_open(enum gt_kind kind, const void *ops,
					  const struct gt_init *init, void **out);
void gt_kind_close(enum gt_kind kind, const void *ops, void *instance);

#endif
