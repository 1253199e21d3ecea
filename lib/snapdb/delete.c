/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tree.h"

#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>

static struct gt_error *remove_name(const int64_t *deadline, int dirfd, const char *name, int flags)
{
	if (unlinkat(dirfd, name, flags) < 0 && errno != ENOENT)
		return gt_error_errno(errno == EBUSY ? GT_FAILED_PRECONDITION
						     : gt_file_class(errno),
				      errno, "delete %s", name);
	if (*deadline && gt_now() > *deadline)
		return gt_error_new(GT_DEADLINE_EXCEEDED, "deleting took too long");
	return NULL;
}

static struct gt_error *delete_file(void *arg, int dirfd, const char *name, const struct stat *st)
{
	(void)st;
	return remove_name(arg, dirfd, name, 0);
}

/* Many a folder is empty: then it need not be opened and read. */
static struct gt_error *delete_empty(void *arg, int dirfd, const char *name, bool *skip)
{
	(void)arg;
	*skip = unlinkat(dirfd, name, AT_REMOVEDIR) == 0;
	return NULL;
}

static struct gt_error *delete_folder(void *arg, int dirfd, const char *name, const struct stat *st)
{
	(void)st;
	return remove_name(arg, dirfd, name, AT_REMOVEDIR);
}

struct gt_error *gt_tree_delete(int dirfd, const char *name, int64_t deadline)
{
	static const struct gt_tree_visitor visitor = {
		.file = delete_file,
		.folder = delete_empty,
		.leave = delete_folder,
		.no_stat = true,
	};
	gt_autofd int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return remove_name(&deadline, dirfd, name, 0);
	if (fd < 0)
		return errno == ENOENT
			       ? NULL
			       : gt_error_errno(gt_file_class(errno), errno, "open %s", name);
	GT_TRY(gt_error_wrap(gt_tree_walk(fd, &visitor, &deadline), "delete tree %s", name));
	return remove_name(&(int64_t){ 0 }, dirfd, name, AT_REMOVEDIR);
}
