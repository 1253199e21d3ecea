/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way to a path of somebody else's below a root: resolved once, by the kernel, beneath a
 * descriptor. What comes out is a descriptor; nothing handles such a path as a string after that.
 *
 * "in root": the root is "/" for absolute paths, links and "..", as for a process in there. Magic
 * links (/proc/PID/fd/N and the like) are refused. Classes: NOT_FOUND (also for a file where a
 * folder should be), INVALID_ARGUMENT for a path that leads out or in circles, PERMISSION_DENIED.
 */
#ifndef GANTRY_LIB_PATH_H
#define GANTRY_LIB_PATH_H

#include <gantry/buf.h>

#include <sys/types.h>

/* Flags and mode as of open(2); O_CLOEXEC is added. */
GT_MUST_USE struct gt_error *gt_path_open_in_root(int rootfd, const char *path, int flags,
						  mode_t mode, int *fd);

/*
 * The same, but a path or link that would leave the root is refused instead of turned back
 * inside.
 */
GT_MUST_USE struct gt_error *gt_path_open_beneath(int rootfd, const char *path, int flags,
						  mode_t mode, int *fd);

/*
 * Makes the folder 'path' and the missing ones above it, each with 'mode' (less the umask).
 * '*fd', if not NULL, is the folder, opened with O_PATH.
 */
GT_MUST_USE struct gt_error *gt_path_mkdirs_in_root(int rootfd, const char *path, mode_t mode,
						    int *fd);

/*
 * Adds the whole of a file to 'out'. INVALID_ARGUMENT if it is no regular file: a device or FIFO is
 * never opened. RESOURCE_EXHAUSTED if it is longer than 'limit'.
 */
GT_MUST_USE struct gt_error *gt_path_read_in_root(int rootfd, const char *path, size_t limit,
						  struct gt_buf *out);

/* Where a descriptor's file stands now, as /proc says: for calls that take no descriptor. */
GT_MUST_USE struct gt_error *gt_path_of_fd(int fd, char **out);

#endif
