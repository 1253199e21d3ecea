/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GANTRY_LIB_MOUNT_LOOP_H
#define GANTRY_LIB_MOUNT_LOOP_H

#include <gantry/error.h>

#include <stdbool.h>

/*
 * A loop device for the file 'source', that detaches itself once nothing has it open or mounted: keep '*fd'
 * until it is mounted. '*device' is its path. 'name' is what the device is told to be for, at most 63 bytes;
 * NULL: 'source'.
 */
GT_MUST_USE struct gt_error *mount_loop_attach(const char *source, bool read_only, bool direct_io,
					       const char *name, char **device, int *fd);

/* From now on it stays until it is detached. */
GT_MUST_USE struct gt_error *mount_loop_keep(int fd, const char *device);
/*
 * Detaches it. Fine if it is not attached, or is for something else than 'name' by now; FAILED_PRECONDITION
 * while it is in use.
 */
GT_MUST_USE struct gt_error *mount_loop_detach(const char *device, const char *name);

#endif
