/* SPDX-License-Identifier: Apache-2.0 */
/* Containers in a user namespace: their ids, and a root file system that belongs to those. */
#ifndef GANTRY_LIB_CLIENT_IDMAP_H
#define GANTRY_LIB_CLIENT_IDMAP_H

#include <gantry/services.h>

#include <client/container.h>

/* Whether the container has a user namespace. INVALID_ARGUMENT for one of the two lists alone. */
GT_MUST_USE struct gt_error *gt_idmaps_check(const struct gt_container_options *o, bool *wanted);

/* Adds namespace and mappings to the document; nothing where there are none. */
GT_MUST_USE struct gt_error *gt_idmaps_put(struct gt_spec *s, const struct gt_container_options *o);

/* Labels that tell a snapshotter of the mappings. */
void gt_idmaps_labels(const struct gt_container_options *o, struct gt_labels *out);

/*
 * The name of a committed snapshot with the tree of 'parent', every file owned by the host's ids for
 * those that it had; it is made if it is not there, which copies what the snapshotter cannot share.
 * Two that make it at once both succeed.
 */
GT_MUST_USE struct gt_error *gt_idmaps_snapshot(struct gt_services *s, struct gt_call *call,
						const struct gt_container_options *o,
						const char *snapshotter, const char *parent,
						char **out);

/*
 * Adds 'uid' and 'gid' to the owners of the folder 'fd' and all below it. Modes stay, and file
 * capabilities become those of the user namespace whose root is 'uid'.
 */
GT_MUST_USE struct gt_error *gt_idmaps_shift(int fd, uint32_t uid, uint32_t gid);

#endif
