/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum gt_class gt_file_class(int err)
{
	switch (err) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return GT_RESOURCE_EXHAUSTED;
	case EACCES:
	case EPERM:
	case EROFS:
		return GT_PERMISSION_DENIED;
	default:
		return GT_UNKNOWN;
	}
}

struct gt_error *gt_file_read(int dirfd, const char *path, size_t limit, struct gt_buf *out)
{
	gt_autofd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t start = out->len;
	struct stat st;

	if (fd < 0)
		return gt_error_errno(errno == ENOENT || errno == ENOTDIR ? GT_NOT_FOUND
									  : gt_file_class(errno),
				      errno, "open %s", path);
	if (fstat(fd, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s is no regular file", path);
	for (;;) {
		size_t have = out->len - start;
		size_t want = have < limit ? limit - have : 0;
		ssize_t n;

		/* One byte over the limit tells a file that is too long; files in /proc have size 0. */
		want = want + 1 < 16384 ? want + 1 : 16384;
		n = read(fd, gt_buf_reserve(out, want), want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "read %s", path);
		if (n == 0)
			return NULL;
		gt_buf_setlen(out, out->len + n);
		if (out->len - start > limit)
			return gt_error_new(GT_RESOURCE_EXHAUSTED, "%s is longer than %zu bytes",
					    path, limit);
	}
}

struct gt_error *gt_file_write_all(int fd, const void *data, size_t len, const char *what)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(gt_file_class(errno), errno, "write %s", what);
		p += n;
		len -= n;
	}
	return NULL;
}

static struct gt_error *sync_folder_of(int dirfd, const char *path)
{
	const char *slash = strrchr(path, '/');
	gt_autofree char *folder = slash ? gt_xstrndup(path, slash == path ? 1 : slash - path)
					 : gt_xstrdup(".");
	gt_autofd int fd = openat(dirfd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "sync folder of %s", path);
	return NULL;
}

struct gt_error *gt_file_write(int dirfd, const char *path, const void *data, size_t len,
			       mode_t mode, bool sync)
{
	static atomic_uint sequence;
	gt_autofree char *tmp = gt_strf("%s.%d-%u.tmp", path, (int)getpid(),
					atomic_fetch_add(&sequence, 1));
	gt_autofd int fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
				  mode);
	struct gt_error *e;

	if (fd < 0 && errno == EEXIST) { /* of a process that died and had our pid */
		unlinkat(dirfd, tmp, 0);
		fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	}
	if (fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "create %s", tmp);
	e = gt_file_write_all(fd, data, len, tmp);
	if (!e && sync && fdatasync(fd) < 0)
		e = gt_error_errno(gt_file_class(errno), errno, "sync %s", tmp);
	if (!e && renameat(dirfd, tmp, dirfd, path) < 0)
		e = gt_error_errno(gt_file_class(errno), errno, "rename %s to %s", tmp, path);
	if (e) {
		unlinkat(dirfd, tmp, 0);
		return e;
	}
	return sync ? sync_folder_of(dirfd, path) : NULL;
}

struct gt_error *gt_file_mkdirs(const char *path, mode_t mode)
{
	gt_autofree char *copy = gt_xstrdup(path);

	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return NULL;
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return gt_error_errno(gt_file_class(errno), errno, "make folder %s", copy);
		*p = '/';
	}
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return gt_error_errno(gt_file_class(errno), errno, "make folder %s", path);
	return NULL;
}

/*
 * Empties the folder 'fd' (which it takes), on the file system 'dev' only. Recursion is as deep as the
 * tree: a descriptor and a small frame a level, bounded by RLIMIT_NOFILE.
 */
static struct gt_error *empty_folder_take(int fd, dev_t dev, const char *name)
{
	DIR *d = fdopendir(fd);
	struct gt_error *e = NULL;
	struct dirent *ent;

	if (!d) {
		e = gt_error_errno(GT_UNKNOWN, errno, "read folder %s", name);
		close(fd);
		return e;
	}
	while (!e && (ent = readdir(d))) {
		struct stat st;
		int sub;

		if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
			continue;
		if (unlinkat(dirfd(d), ent->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			e = gt_error_errno(gt_file_class(errno), errno, "delete %s", ent->d_name);
			break;
		}
		if (unlinkat(dirfd(d), ent->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			continue;
		sub = openat(dirfd(d), ent->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0 || fstat(sub, &st) < 0) {
			e = gt_error_errno(gt_file_class(errno), errno, "open %s", ent->d_name);
			if (sub >= 0)
				close(sub);
			break;
		}
		if (st.st_dev != dev) {
			e = gt_error_new(GT_FAILED_PRECONDITION, "%s is a mount point", ent->d_name);
			close(sub);
			break;
		}
		e = empty_folder_take(sub, dev, ent->d_name);
		if (!e && unlinkat(dirfd(d), ent->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			e = gt_error_errno(gt_file_class(errno), errno, "delete %s", ent->d_name);
	}
	closedir(d);
	return e;
}

struct gt_error *gt_file_remove_tree(int dirfd, const char *path)
{
	struct stat st;
	int fd;

	if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT || errno == ENOTDIR)
		return NULL;
	if (unlinkat(dirfd, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return NULL;
	fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		struct gt_error *e = gt_error_errno(gt_file_class(errno), errno, "open %s", path);

		if (fd >= 0)
			close(fd);
		return e;
	}
	GT_TRY(gt_error_wrap(empty_folder_take(fd, st.st_dev, path), "delete tree %s", path));
	if (unlinkat(dirfd, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return gt_error_errno(errno == EBUSY ? GT_FAILED_PRECONDITION : gt_file_class(errno),
				      errno, "delete folder %s", path);
	return NULL;
}
