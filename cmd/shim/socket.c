/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "socket.h"

#include <shim/socket.h>

#include <gantry/buf.h>
#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static struct gt_error *bind_listen(const struct sockaddr_un *addr, int *out)
{
	gt_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct gt_error *e;

	if (fd < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "create a socket");
	/* Before bind: so that it is never open to anybody else. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "bind to %s", addr->sun_path);
	if (chmod(addr->sun_path, 0600) < 0 || listen(fd, SOCKET_BACKLOG) < 0) {
		e = gt_error_errno(GT_UNKNOWN, errno, "listen at %s", addr->sun_path);
		unlink(addr->sun_path);
		return e;
	}
	*out = gt_steal_fd(&fd);
	return NULL;
}

/* Whatever the umask was, and whatever has become of its mode since. */
static struct gt_error *folder_close_to_others(int fd, const char *dir)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "look at folder %s", dir);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return gt_error_new(GT_FAILED_PRECONDITION, "folder %s belongs to user %u", dir,
				    (unsigned)st.st_uid);
	if ((st.st_mode & 077) && fchmod(fd, st.st_mode & 0700) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "set the mode of folder %s", dir);
	return NULL;
}

struct gt_error *socket_claim(const char *path, int *fd)
{
	gt_autofree char *dir = gt_xstrndup(path, strrchr(path, '/') - path);
	struct sockaddr_un addr;
	gt_autofd int dirfd = -1;

	GT_TRY(gt_file_mkdirs(dir, 0700));
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open folder %s", dir);
	GT_TRY(folder_close_to_others(dirfd, dir));
	if (!gt_shim_socket_address(path, dirfd, &addr))
		return gt_error_new(GT_INVALID_ARGUMENT, "socket name %s is too long", path);
	gt_shim_socket_lock(dirfd);
	if (access(path, F_OK) == 0) {
		if (gt_shim_socket_answers(&addr)) {
			*fd = -1;
			return NULL;
		}
		unlink(path);
	}
	return bind_listen(&addr, fd);
}
