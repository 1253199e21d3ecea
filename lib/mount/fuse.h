/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GANTRY_LIB_MOUNT_FUSE_H
#define GANTRY_LIB_MOUNT_FUSE_H

#include <gantry/mount.h>

#include <gantry/error.h>

#include <stdbool.h>

/* Whether type is "fuse.X" or "fuse3.X": mounted by a program. */
bool mount_fuse_is(const char *type);

/* Runs mount.fuse or mount.fuse3. FAILED_PRECONDITION if there is no such program. */
GT_MUST_USE struct gt_error *mount_fuse_mount(const struct gt_mount *m, const char *target);

/* Runs fusermount3 -u, or fusermount -u: for who may not unmount by himself. */
GT_MUST_USE struct gt_error *mount_fuse_unmount(const char *target);

#endif
