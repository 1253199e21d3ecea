/* SPDX-License-Identifier: Apache-2.0 */
/* From a container's options to its runtime document. Within lib/client. */
#ifndef GANTRY_LIB_CLIENT_CONTAINER_SPEC_H
#define GANTRY_LIB_CLIENT_CONTAINER_SPEC_H

#include <client/container.h>

/*
 * 'image' NULL: none. 'root': its root file system, to look up users in; -1: none, then the one of
 * 'o->rootfs' serves.
 */
GT_MUST_USE struct gt_error *gt_container_spec_make(const struct gt_call *call,
						    const struct gt_container_options *o,
						    const struct gt_image_config *image, int root,
						    struct gt_spec **out);

/* Snapshot and record, without a look at the task. */
GT_MUST_USE struct gt_error *gt_container_remove_parts(struct gt_services *s, struct gt_call *call,
						       const struct gt_container *c,
						       bool keep_snapshot);

#endif
