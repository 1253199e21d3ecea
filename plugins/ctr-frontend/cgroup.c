/* SPDX-License-Identifier: Apache-2.0 */
/* The control groups that runtime programs leave behind when a namespace's last container is gone. */
#include <config.h>

#include "namespaces.h"

#include <gantry/buf.h>
#include <gantry/cleanup.h>
#include <gantry/strv.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"
#define DEPTH_MAX 32

/* Groups hold no files that could be deleted: only folders, the innermost first. */
static struct gt_error *group_remove(int parent, const char *name, int depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct gt_error *e = NULL;
	struct dirent *ent;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return NULL; /* no such group in this hierarchy */
	}
	while (!e && depth < DEPTH_MAX && (ent = readdir(d)))
		if (ent->d_type == DT_DIR && ent->d_name[0] != '.')
			e = group_remove(fd, ent->d_name, depth + 1);
	closedir(d);
	if (!e && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		e = gt_error_errno(errno == EBUSY ? GT_FAILED_PRECONDITION : GT_UNKNOWN, errno,
				   "delete control group %s", name);
	return e;
}

struct gt_error *ctr_cgroup_remove(const char *name)
{
	DIR *d = opendir(ROOT);
	struct gt_error *e;
	struct dirent *ent;

	if (!d)
		return errno == ENOENT ? NULL
				       : gt_error_errno(GT_UNKNOWN, errno, "read folder " ROOT);
	/* With version 2 the groups lie at the root, with version 1 below each controller's. */
	e = group_remove(dirfd(d), name, 0);
	while (!e && (ent = readdir(d))) {
		gt_autofd int controller = -1;

		if (ent->d_name[0] == '.' || (ent->d_type != DT_DIR && ent->d_type != DT_LNK))
			continue;
		controller = openat(dirfd(d), ent->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		/* Version 2 has the groups themselves there; below them the name is somebody else's. */
		if (controller >= 0 && faccessat(controller, "cgroup.procs", F_OK, 0) == 0 &&
		    faccessat(dirfd(d), "cgroup.procs", F_OK, 0) < 0)
			e = group_remove(controller, name, 0);
	}
	closedir(d);
	return e;
}
