/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "path.h"

#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * EAGAIN: something was renamed or mounted while ".." was resolved. A tree in constant motion
 * ends it.
 */
#define RACE_ATTEMPTS 1000

static enum gt_class path_class(int err)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
		return GT_NOT_FOUND;
	case EEXIST:
		return GT_ALREADY_EXISTS;
	case EXDEV:
	case ELOOP:
	case ENAMETOOLONG:
		return GT_INVALID_ARGUMENT;
	case EAGAIN:
		return GT_ABORTED;
	case ENOSYS:
		return GT_FAILED_PRECONDITION;
	default:
		return gt_file_class(err);
	}
}

static int resolve(int rootfd, const char *path, int flags, mode_t mode, uint64_t how)
{
	struct open_how h = {
		.flags = (uint32_t)flags | O_CLOEXEC,
		.mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? mode & 07777 : 0,
		.resolve = how | RESOLVE_NO_MAGICLINKS,
	};
	int fd, attempts = 0;

	do
		fd = syscall(SYS_openat2, rootfd, path, &h, sizeof(h));
	while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++attempts < RACE_ATTEMPTS)));
	return fd;
}

static struct gt_error *open_how(int rootfd, const char *path, int flags, mode_t mode, uint64_t how,
				 int *fd)
{
	int got = resolve(rootfd, path, flags, mode, how);

	if (got < 0)
		return gt_error_errno(path_class(errno), errno, "open %s below its root", path);
	*fd = got;
	return NULL;
}

struct gt_error *gt_path_open_in_root(int rootfd, const char *path, int flags, mode_t mode, int *fd)
{
	return open_how(rootfd, path, flags, mode, RESOLVE_IN_ROOT, fd);
}

struct gt_error *gt_path_open_beneath(int rootfd, const char *path, int flags, mode_t mode, int *fd)
{
	return open_how(rootfd, path, flags, mode, RESOLVE_BENEATH, fd);
}

/* Opens the folder 'prefix'; where it is missing, makes its last part 'name' in 'parent'. */
static struct gt_error *step(int rootfd, int parent, const char *prefix, const char *name,
			     mode_t mode, int *fd)
{
	const int flags = O_PATH | O_DIRECTORY;
	int got = resolve(rootfd, prefix, flags, 0, RESOLVE_IN_ROOT);

	if (got < 0 && errno == ENOENT) {
		if (mkdirat(parent, name, mode) < 0 && errno != EEXIST)
			return gt_error_errno(path_class(errno), errno, "make folder %s", prefix);
		got = resolve(rootfd, prefix, flags, 0, RESOLVE_IN_ROOT);
	}
	if (got < 0)
		return gt_error_errno(path_class(errno), errno, "open folder %s", prefix);
	*fd = got;
	return NULL;
}

struct gt_error *gt_path_mkdirs_in_root(int rootfd, const char *path, mode_t mode, int *fd)
{
	gt_autofree char *copy = gt_xstrdup(path);
	gt_autofd int at = -1;
	char *p = copy;

	GT_TRY(gt_path_open_in_root(rootfd, ".", O_PATH | O_DIRECTORY, 0, &at));
	/*
	 * Each prefix is resolved anew from the root, so that links and ".." mean what they mean
	 * there.
	 */
	while (*(p += strspn(p, "/"))) {
		char *end = strchrnul(p, '/');
		char was = *end;
		int next = -1;

		*end = '\0';
		GT_TRY(step(rootfd, at, copy, p, mode, &next));
		close(at);
		at = next;
		*end = was;
		p = end;
	}
	if (fd)
		*fd = gt_steal_fd(&at);
	return NULL;
}

struct gt_error *gt_path_read_in_root(int rootfd, const char *path, size_t limit,
				      struct gt_buf *out)
{
	gt_autofd int fd = -1;
	gt_autofree char *again = NULL;
	struct stat st;

	GT_TRY(gt_path_open_in_root(rootfd, path, O_PATH, 0, &fd));
	if (fstat(fd, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s is no regular file", path);
	again = gt_strf("/proc/self/fd/%d", fd);
	return gt_error_wrap(gt_file_read(AT_FDCWD, again, limit, out), "read %s", path);
}

struct gt_error *gt_path_of_fd(int fd, char **out)
{
	gt_autofree char *link = gt_strf("/proc/self/fd/%d", fd);
	gt_auto(gt_buf) b = GT_BUF_INIT;
	size_t room = 256;

	for (;;) {
		ssize_t n = readlink(link, gt_buf_reserve(&b, room), room);

		if (n < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "read %s", link);
		if ((size_t)n < room) {
			gt_buf_setlen(&b, n);
			*out = gt_buf_detach(&b);
			return NULL;
		}
		room *= 2;
	}
}
