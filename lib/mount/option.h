/* SPDX-License-Identifier: Apache-2.0 */
/* Mount options as words, and what mount(2) wants of them. Within lib/mount only. */
#ifndef GANTRY_LIB_MOUNT_OPTION_H
#define GANTRY_LIB_MOUNT_OPTION_H

#include <gantry/buf.h>
#include <gantry/mount.h>

struct mount_options {
	unsigned long flags;   /* MS_* */
	unsigned long cleared; /* flags that a word such as "dev" asks not to have */
	bool loop;
	bool direct_io;
	struct gt_strv data; /* the words that are no flags */
	char *chdir;	     /* where relative lowerdirs start; NULL: none are */
};

GT_MUST_USE struct gt_error *mount_options_parse(const struct gt_mount *m,
						 struct mount_options *out);

/* The data as one string; INVALID_ARGUMENT if the kernel takes no string as long. */
GT_MUST_USE struct gt_error *mount_options_data(const struct mount_options *o, struct gt_buf *out);

void mount_options_done(struct mount_options *o);

#endif
