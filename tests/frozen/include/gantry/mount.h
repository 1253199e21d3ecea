/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mount that somebody else will make: containerd's {type, source, target, options}. Options are
 * words as mount(8) knows them; lib/mount says which become flags.
 */
#ifndef GANTRY_MOUNT_H
#define GANTRY_MOUNT_H

#include <gantry/strv.h>

struct gt_mount {
	char *type;
	char *source;
	char *target; /* below where it is mounted; "" mostly */
	struct gt_strv options;
};

struct gt_mounts {
	struct gt_mount *v;
	size_t n;
	size_t alloc;
};

/* A new element at the end, with copies of the three; its options are still empty. */
struct gt_mount *gt_mounts_add(struct gt_mounts *m, const char *type, const char *source,
			       const char *target);
void gt_mounts_done(struct gt_mounts *m);

#endif
