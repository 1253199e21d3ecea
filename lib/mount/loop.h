/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GANTRY_LIB_MOUNT_LOOP_H
#define GANTRY_LIB_MOUNT_LOOP_H

#include <gantry/error.h>

#include <stdbool.h>

/*
 * A loop device for the file 'source', that detaches itself once nothing has it open or mounted:
 * keep '*fd' until it is mounted. '*device' is its path.
 */
GT_MUST_USE struct gt_error *mount_loop_attach(const char *source, bool read_only, bool direct_io,
					       char **device, int *fd);

/* The same for one that stays until it is detached. */
GT_MUST_USE struct gt_error *mount_loop_keep(const char *source, bool read_only, char **device);
/* Detaches it. Fine if it is not attached; FAILED_PRECONDITION while it is in use. */
GT_MUST_USE struct gt_error *mount_loop_detach(const char *device);

#endif
