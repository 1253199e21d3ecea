/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "native.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <snapdb/tree.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define XATTR_MAX ((size_t)64 << 10) /* the kernel's limit, of a value and of the list */

struct copy {
	const struct gt_call *call;
	int to; /* the folder that is filled now */
	int links;
	char *list, *value; /* XATTR_MAX each */
};

static struct gt_error *copy_error(const char *what, const char *name)
{
	return gt_error_errno(gt_file_class(errno), errno, "%s %s", what, name);
}

static struct gt_error *copy_xattrs(struct copy *c, int from, const char *name)
{
	/*
	 * No call takes a descriptor of a link or device, or one and a name; this ends in 'name'
	 * itself.
	 */
	gt_autofree char *in = gt_strf("/proc/self/fd/%d/%s", from, name);
	gt_autofree char *out = gt_strf("/proc/self/fd/%d/%s", c->to, name);
	ssize_t len = llistxattr(in, c->list, XATTR_MAX);

	if (len < 0)
		return errno == ENOTSUP ? NULL : copy_error("list the attributes of", name);
	for (char *key = c->list; key < c->list + len; key += strlen(key) + 1) {
		ssize_t n = lgetxattr(in, key, c->value, XATTR_MAX);

		if (n < 0 && errno == ENODATA)
			continue;
		if (n < 0)
			return copy_error("read an attribute of", name);
		if (lsetxattr(out, key, c->value, n, 0) == 0 || errno == ENOTSUP)
			continue;
		/* The policy of this system decides about its labels, not what the image says. */
		if (strcmp(key, "security.selinux") != 0)
			return copy_error("set an attribute of", name);
	}
	return NULL;
}

static struct gt_error *copy_times(int to, const char *name, const struct stat *st)
{
	const struct timespec times[] = { st->st_atim, st->st_mtim };

	if (utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return copy_error("set the times of", name);
	return NULL;
}

/*
 * Owner first: it takes away set-id bits and capabilities. Times come last, and for folders
 * later.
 */
static struct gt_error *copy_attributes(struct copy *c, int from, const char *name,
					const struct stat *st)
{
	if (fchownat(c->to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return copy_error("set the owner of", name);
	if (!S_ISLNK(st->st_mode) && fchmodat(c->to, name, st->st_mode & 07777, 0) < 0)
		return copy_error("set the mode of", name);
	return copy_xattrs(c, from, name);
}

static struct gt_error *copy_regular(struct copy *c, int dirfd, const char *name,
				     const struct stat *st)
{
	gt_autofd int from = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	gt_autofd int to = -1;

	if (from < 0)
		return copy_error("open", name);
	to = openat(c->to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return copy_error("create", name);
	return gt_error_wrap(native_copy_data(from, to, st->st_size), "%s", name);
}

static struct gt_error *copy_link(struct copy *c, int dirfd, const char *name,
				  const struct stat *st)
{
	size_t room = st->st_size > 0 ? (size_t)st->st_size + 1 : 4096;
	gt_autofree char *target = gt_xcalloc(1, room + 1);
	ssize_t n = readlinkat(dirfd, name, target, room);

	if (n < 0 || symlinkat(target, c->to, name) < 0)
		return copy_error("copy the link", name);
	return NULL;
}

static struct gt_error *copy_new(struct copy *c, int dirfd, const char *name, const struct stat *st)
{
	if (S_ISREG(st->st_mode))
		GT_TRY(copy_regular(c, dirfd, name, st));
	else if (S_ISLNK(st->st_mode))
		GT_TRY(copy_link(c, dirfd, name, st));
	else if (mknodat(c->to, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0)
		return copy_error("make the node", name);
	GT_TRY(copy_attributes(c, dirfd, name, st));
	return copy_times(c->to, name, st);
}

/*
 * Files with several names are kept once more in the folder 'links', by their inode's number in the
 * original: there the other names find them, wherever in the tree the first one stands.
 */
static struct gt_error *copy_file(void *arg, int dirfd, const char *name, const struct stat *st)
{
	gt_autofree char *ino = NULL;
	struct copy *c = arg;

	GT_TRY(gt_call_check(c->call));
	if (st->st_nlink < 2)
		return copy_new(c, dirfd, name, st);
	ino = gt_strf("%" PRIuMAX, (uintmax_t)st->st_ino);
	if (linkat(c->links, ino, c->to, name, 0) == 0)
		return NULL;
	if (errno != ENOENT)
		return copy_error("link", name);
	GT_TRY(copy_new(c, dirfd, name, st));
	if (linkat(c->to, name, c->links, ino, 0) < 0)
		return copy_error("link", name);
	return NULL;
}

static struct gt_error *enter_folder(void *arg, int fd, const char *name, const struct stat *st)
{
	struct copy *c = arg;
	int to;

	GT_TRY(gt_call_check(c->call));
	if (mkdirat(c->to, name, 0700) < 0)
		return copy_error("make folder", name);
	to = openat(c->to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return copy_error("open folder", name);
	close(c->to);
	c->to = to;
	return gt_error_wrap(copy_attributes(c, fd, ".", st), "folder %s", name);
}

static struct gt_error *leave_folder(void *arg, int dirfd, const char *name, const struct stat *st)
{
	struct copy *c = arg;
	int up = openat(c->to, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)dirfd;
	if (up < 0)
		return copy_error("leave folder", name);
	close(c->to);
	c->to = up;
	return copy_times(c->to, name, st);
}

struct gt_error *native_copy(int from, int to, int links, const struct gt_call *call)
{
	static const struct gt_tree_visitor visitor = {
		.file = copy_file,
		.enter = enter_folder,
		.leave = leave_folder,
	};
	gt_autofree char *list = gt_xmalloc(XATTR_MAX);
	gt_autofree char *value = gt_xmalloc(XATTR_MAX);
	struct copy c = { .call = call, .links = links, .list = list, .value = value };
	struct gt_error *e;
	struct stat st;

	c.to = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c.to < 0 || fstat(from, &st) < 0) {
		e = copy_error("open", "the top folder");
	} else {
		e = copy_attributes(&c, from, ".", &st);
		if (!e)
			e = gt_tree_walk(from, &visitor, &c);
		if (!e)
			e = copy_times(c.to, ".", &st);
	}
	if (c.to >= 0)
		close(c.to);
	return e;
}
