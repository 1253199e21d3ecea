/* SPDX-License-Identifier: Apache-2.0 */
/* Owner, mode, times and extended attributes of what the worker writes. */
#ifndef GANTRY_LIB_ARCHIVE_ATTRIBUTES_H
#define GANTRY_LIB_ARCHIVE_ATTRIBUTES_H

#include <gantry/error.h>

#include <archive_entry.h>
#include <stdbool.h>
#include <sys/stat.h>

/* What an entry says, checked: in range, and times as a file system can hold them. */
struct layer_attributes {
	uid_t uid;
	gid_t gid;
	mode_t mode; /* permissions, setuid, setgid, sticky */
	struct timespec times[2];
};

GT_MUST_USE struct gt_error *layer_attributes_get(struct archive_entry *entry,
						  struct layer_attributes *out);

/* Whether overlayfs, not an image, has the say over it. */
bool layer_xattr_is_overlays(const char *name);

/* Copies owner, mode, times and extended attributes of one folder to another; '*st' is what it has now. */
GT_MUST_USE struct gt_error *layer_attributes_copy(int from, int to, struct stat *st);

#endif
