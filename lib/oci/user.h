/* SPDX-License-Identifier: Apache-2.0 */
/*
 * USER of an image or a command line: "", "user", "uid", "user:group", "uid:gid" in any mixture. A
 * part of digits is a number, whole and in range, or refused; it is never looked up as a name.
 */
#ifndef GANTRY_LIB_OCI_USER_H
#define GANTRY_LIB_OCI_USER_H

#include <gantry/error.h>

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#define GT_USER_FILE_MAX (1024 * 1024) /* bytes of /etc/passwd or /etc/group */
#define GT_USER_GROUPS_MAX 65536

struct gt_user {
	uint32_t uid;
	uint32_t gid;
	uint32_t *groups; /* supplementary, the primary one among them: as the file lists them */
	size_t n_groups;
};
void gt_user_done(struct gt_user *u);

/*
 * Resolves 'spec' with /etc/passwd and /etc/group below the folder 'root' (a descriptor, O_PATH
 * will do; -1: there is none). Links in the way stay below it; a file that is no regular file, or
 * is too long, is an error. "" is root. The groups that list the user are its supplementary ones,
 * but only the primary one is where 'spec' names a group: who asks for a group gets that.
 * INVALID_ARGUMENT for a name that is not there; a number need not be there.
 */
GT_MUST_USE struct gt_error *gt_user_resolve(const char *spec, int root, struct gt_user *out);

/*
 * The same for the USER of an image, by containerd's rule for those: supplementary are the groups
 * that list the first user with that number, also where 'spec' names a group.
 */
GT_MUST_USE struct gt_error *gt_user_resolve_image(const char *spec, int root, struct gt_user *out);

#endif
