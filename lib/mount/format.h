/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts that are written in terms of mounts before them: types "format/TYPE" of containerd 2.2. */
#ifndef GANTRY_LIB_MOUNT_FORMAT_H
#define GANTRY_LIB_MOUNT_FORMAT_H

#include <gantry/buf.h>
#include <gantry/error.h>
#include <gantry/mount.h>

/* A mount before it. */
struct gt_mount_made {
	const struct gt_mount *mount;
	const char *point;
};

/*
 * Adds 'text' to 'out' with what stands in double braces filled in: {{ source N }}, {{ target N }} and
 * {{ mount N }} of the mount of that number, {{ overlay N M }} the points of several with colons between, down
 * where N is greater than M. INVALID_ARGUMENT for anything else, and for a number that is not there.
 */
GT_MUST_USE struct gt_error *gt_mount_format(const char *text, const struct gt_mount_made *made,
					     size_t n, struct gt_buf *out);

#endif
