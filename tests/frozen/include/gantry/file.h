/* SPDX-License-Identifier: Apache-2.0 */
/* Small files, read with a limit and written so that a power cut leaves the old or the new one. */
#ifndef GANTRY_FILE_H
#define GANTRY_FILE_H

#include <gantry/buf.h>

#include <sys/types.h>

/*
 * Adds the whole of a regular file to 'out'. NOT_FOUND; INVALID_ARGUMENT if it is no regular file
 * (a FIFO or device is never waited for); RESOURCE_EXHAUSTED if it is longer than 'limit'. 'dirfd' may
 * be AT_FDCWD.
 */
GT_MUST_USE struct gt_error *gt_file_read(int dirfd, const char *path, size_t limit,
					  struct gt_buf *out);
/* Writes to a temporary name beside it and renames. 'sync': the bytes and the name are on disk then. */
GT_MUST_USE struct gt_error *gt_file_write(int dirfd, const char *path, const void *data, size_t len,
					   mode_t mode, bool sync);
/* Writes all of 'data' to a descriptor; RESOURCE_EXHAUSTED for a full disk. 'what' names it. */
GT_MUST_USE struct gt_error *gt_file_write_all(int fd, const void *data, size_t len,
					       const char *what);
/* Makes 'path' and the missing folders above it, each with 'mode'; fine if it is there already. */
GT_MUST_USE struct gt_error *gt_file_mkdirs(const char *path, mode_t mode);
/* Deletes a tree without following links or crossing mounts. Fine if it is not there. */
GT_MUST_USE struct gt_error *gt_file_remove_tree(int dirfd, const char *path);
/* The class for an errno of a write: RESOURCE_EXHAUSTED for a full disk or quota, else UNKNOWN. */
enum gt_class gt_file_class(int err);

#endif
