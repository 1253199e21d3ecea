/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/rootfs.h>

#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/log.h>

#include <errno.h>
#include <fcntl.h>
#include <mount/mount.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>

#define FSCONFIG_VALUE_MAX 255 /* the kernel takes no longer value by fsconfig */

static struct gt_error *open_folder(const char *path, int *fd)
{
	*fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open %s", path);
	return NULL;
}

static const char *option(const struct gt_mount *m, const char *prefix)
{
	for (size_t i = 0; i < m->options.n; i++) {
		if (!strncmp(m->options.v[i], prefix, strlen(prefix)))
			return m->options.v[i] + strlen(prefix);
	}
	return NULL;
}

/*
 * All layers of an overlay as lower ones: an upper folder must not be part of two mounts. With a
 * single layer '*layers' has no ':'.
 */
static char *overlay_layers(const struct gt_mount *m, bool fresh)
{
	const char *lower = option(m, "lowerdir=");
	const char *upper = option(m, "upperdir=");

	if (!lower)
		return NULL;
	return upper && !fresh ? gt_strf("%s:%s", upper, lower) : gt_xstrdup(lower);
}

/* A mount that belongs to its descriptor alone. '*fd' stays -1 where the kernel cannot. */
static void detached_overlay(const char *layers, int *fd)
{
	gt_autofd int fs = -1;

	if (strlen(layers) > FSCONFIG_VALUE_MAX)
		return;
	fs = fsopen("overlay", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", layers, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return;
	*fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
}

struct job {
	const struct gt_mounts *mounts;
	const char *target;
	struct gt_error *e;
	int fd;
};

/*
 * In a thread with a mount namespace of its own, which ends with the thread: the mounts then live
 * by the descriptor alone.
 */
static void *mount_job(void *arg)
{
	struct job *j = arg;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		j->e = gt_error_errno(GT_UNKNOWN, errno, "make a mount namespace");
		return NULL;
	}
	j->e = gt_mount_all(j->mounts, j->target);
	if (!j->e)
		j->e = open_folder(j->target, &j->fd);
	return NULL;
}

struct gt_error *gt_rootfs_mount(const struct gt_mounts *mounts, int *fd)
{
	const char *tmp = getenv("TMPDIR");
	gt_autofree char *target = gt_strf("%s/gantry-rootfs-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	struct job j = { .mounts = mounts, .target = target, .fd = -1 };
	sigset_t all, before;
	pthread_t thread;
	int err;

	if (!mkdtemp(target))
		return gt_error_errno(gt_file_class(errno), errno, "make folder %s", target);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, NULL, mount_job, &j);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		j.e = gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start thread");
	else
		pthread_join(thread, NULL);
	if (rmdir(target) < 0)
		gt_log_warn("delete folder %s: %s", target, strerror(errno));
	if (j.e)
		return j.e;
	*fd = j.fd;
	return NULL;
}

struct gt_error *gt_rootfs_open(const struct gt_mounts *mounts, bool fresh, int *fd)
{
	const struct gt_mount *m = mounts->v;

	if (mounts->n == 1 && !strcmp(m->type, "bind"))
		return open_folder(m->source, fd);
	if (mounts->n == 1 && !strcmp(m->type, "overlay")) {
		gt_autofree char *layers = overlay_layers(m, fresh);
		gt_auto(gt_mounts) lower = { 0 };
		int found = -1;

		/* A single layer without backslashes is a folder as it stands. */
		if (layers && *layers == '/' && !strpbrk(layers, ":\\"))
			return open_folder(layers, fd);
		if (layers && *layers == '/') {
			detached_overlay(layers, &found);
			if (found >= 0) {
				*fd = found;
				return NULL;
			}
			gt_strv_addf(&gt_mounts_add(&lower, "overlay", "overlay", "")->options,
				     "lowerdir=%s", layers);
			return gt_rootfs_mount(&lower, fd);
		}
	}
	return gt_rootfs_mount(mounts, fd);
}
