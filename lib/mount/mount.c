/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "mount.h"

#include "fuse.h"
#include "loop.h"
#include "option.h"
#include "path.h"

#include <gantry/buf.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

/* A bind mount takes none of these at first: they need a remount. */
#define PER_MOUNT_FLAGS                                                                            \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | \
	 MS_STRICTATIME)

static enum gt_class mount_class(int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
		return GT_NOT_FOUND;
	case EPERM:
	case EACCES:
	case EROFS:
		return GT_PERMISSION_DENIED;
	case EINVAL:
		return GT_INVALID_ARGUMENT;
	case ENODEV: /* a file system that this kernel does not have */
	case EBUSY:
		return GT_FAILED_PRECONDITION;
	case ENOSPC: /* fs.mount-max */
		return GT_RESOURCE_EXHAUSTED;
	default:
		return GT_UNKNOWN;
	}
}

#ifdef GT_THREADS_SANITIZED
#define CHILD_MEMORY 0 /* a copy of ours */
#else
#define CHILD_MEMORY CLONE_VM
#endif

struct mount_args {
	const char *source, *target, *type, *data;
	unsigned long flags;
	const char *chdir;
};

/*
 * Runs in the caller's memory but with a working directory of its own, while the caller is
 * stopped. Returns errno, which fits into a status.
 */
__attribute__((no_sanitize("address", "thread", "undefined"))) static int mount_child(void *arg)
{
	const struct mount_args *a = arg;

	if (chdir(a->chdir) < 0 || mount(a->source, a->target, a->type, a->flags, a->data) < 0)
		return errno;
	return 0;
}

/*
 * A thread's working directory is the whole process's. The child has exit signal 0, so that only a
 * wait with __WALL sees it: no reaper of the program's takes it away, and nobody gets a SIGCHLD.
 */
static int mount_from(struct mount_args *a)
{
	enum { STACK = 64 << 10 };
	gt_autofree char *stack = gt_xmalloc(STACK);
	sigset_t all, old;
	int status = 0, err;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = clone(mount_child, stack + STACK, CHILD_MEMORY | CLONE_VFORK, a);
	while (pid >= 0 && waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	err = pid < 0 ? errno : WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

/* Flags that the mount at 'target' has from its source; a user namespace cannot take them away. */
static unsigned long flags_of(const char *target)
{
	static const struct {
		unsigned long st, ms;
	} map[] = {
		{ ST_NOSUID, MS_NOSUID },	  { ST_NODEV, MS_NODEV },
		{ ST_NOEXEC, MS_NOEXEC },	  { ST_NOATIME, MS_NOATIME },
		{ ST_NODIRATIME, MS_NODIRATIME }, { ST_RELATIME, MS_RELATIME },
	};
	struct statvfs st;
	unsigned long flags = 0;

	if (statvfs(target, &st) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (st.f_flag & map[i].st)
			flags |= map[i].ms;
	return flags;
}

static struct gt_error *bind_flags(const struct gt_mount *m, const struct mount_options *o,
				   const char *target)
{
	unsigned long kept = flags_of(target) & ~o->cleared;
	const unsigned long atime = MS_NOATIME | MS_RELATIME | MS_STRICTATIME;

	if (o->flags & atime)
		kept &= ~atime;
	if (mount(NULL, target, NULL, o->flags | kept | MS_REMOUNT, NULL) < 0)
		return gt_error_errno(mount_class(errno), errno,
				      "set the flags of the bind mount of %s at %s", m->source,
				      target);
	return NULL;
}

static struct gt_error *mount_at(const struct gt_mount *m, const struct mount_options *o,
				 const char *target)
{
	gt_auto(gt_buf) data = GT_BUF_INIT;
	gt_autofree char *device = NULL;
	gt_autofd int loop = -1;
	struct mount_args a = {
		.source = m->source,
		.target = target,
		.type = m->type,
		.flags = o->flags,
		.chdir = o->chdir,
	};
	int err = 0;

	GT_TRY(mount_options_data(o, &data));
	if (data.len)
		a.data = data.s;
	if (o->loop) {
		GT_TRY(mount_loop_attach(m->source, o->flags & MS_RDONLY, o->direct_io, NULL,
					 &device, &loop));
		a.source = device;
	}
	if (o->chdir)
		err = mount_from(&a);
	else if (mount(a.source, a.target, a.type, a.flags, a.data) < 0)
		err = errno;
	if (err)
		return gt_error_errno(mount_class(err), err, "mount %s %s at %s (%s)", m->type,
				      m->source, target, data.s);
	if ((o->flags & MS_BIND) && !(o->flags & MS_REMOUNT) && (o->flags & PER_MOUNT_FLAGS)) {
		struct gt_error *e = bind_flags(m, o, target);

		if (e) {
			umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
			return e;
		}
	}
	return NULL;
}

/* The path of 'm's target below 'target', with every link on the way resolved there. */
static struct gt_error *target_below(const struct gt_mount *m, const char *target, char **out)
{
	gt_autofd int root = -1, fd = -1;

	if (!m->target || !*m->target) {
		*out = gt_xstrdup(target);
		return NULL;
	}
	root = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return gt_error_errno(mount_class(errno), errno, "open %s", target);
	GT_TRY(gt_path_open_in_root(root, m->target, O_PATH, 0, &fd));
	return gt_path_of_fd(fd, out);
}

static struct gt_error *mount_one(const struct gt_mount *m, const char *target)
{
	struct mount_options o;
	struct gt_error *e;

	if (mount_fuse_is(m->type))
		return mount_fuse_mount(m, target);
	e = mount_options_parse(m, &o);
	if (!e)
		e = mount_at(m, &o, target);
	mount_options_done(&o);
	return e;
}

struct gt_error *gt_mount_all(const struct gt_mounts *m, const char *target)
{
	gt_auto(gt_strv) done = { 0 };
	struct gt_error *e = NULL;

	if (target[0] != '/')
		return gt_error_new(GT_INVALID_ARGUMENT, "mount target %s is not absolute", target);
	for (size_t i = 0; !e && i < m->n; i++) {
		gt_autofree char *at = NULL;

		e = target_below(&m->v[i], target, &at);
		if (!e)
			e = mount_one(&m->v[i], at);
		if (!e)
			gt_strv_add_take(&done, gt_steal(&at));
	}
	/* What is undone was there for a moment only: the cause matters, not what undoing says. */
	for (size_t i = done.n; e && i-- > 0;)
		gt_error_free(gt_mount_unmount(done.v[i], GT_UNMOUNT_LAZY));
	return e;
}
