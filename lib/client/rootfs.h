/* SPDX-License-Identifier: Apache-2.0 */
/* A container's root file system, opened to read its files. Within lib/client. */
#ifndef GANTRY_LIB_CLIENT_ROOTFS_H
#define GANTRY_LIB_CLIENT_ROOTFS_H

#include <gantry/error.h>
#include <gantry/mount.h>

#include <stdbool.h>

/*
 * '*fd' shows what 'mounts' would, to be read only; nothing is left mounted when it is closed, or
 * when this process dies. 'fresh': an active snapshot has nothing written to it yet. Paths below it
 * are opened with lib/mount/path.h.
 */
GT_MUST_USE struct gt_error *gt_rootfs_open(const struct gt_mounts *mounts, bool fresh, int *fd);

/* '*fd' is the mounts themselves, to be written to; they last as long as it. */
GT_MUST_USE struct gt_error *gt_rootfs_mount(const struct gt_mounts *mounts, int *fd);

#endif
