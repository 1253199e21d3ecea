/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "console.h"

#include <gantry/buf.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static const char *folder(void)
{
	const char *const names[] = { "XDG_RUNTIME_DIR", "TMPDIR" };

	for (size_t i = 0; i < 2; i++) {
		const char *dir = getenv(names[i]);

		if (dir && dir[0] == '/')
			return dir;
	}
	return "/tmp";
}

struct gt_error *console_open(struct console *c)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	gt_autofree char *dir = gt_strf("%s/ptyXXXXXX", folder());

	if (!mkdtemp(dir))
		return gt_error_errno(GT_UNKNOWN, errno, "make a folder for the console socket");
	c->dir = gt_steal(&dir);
	c->path = gt_strf("%s/pty.sock", c->dir);
	if (strlen(c->path) >= sizeof(addr.sun_path)) {
		console_close(c);
		return gt_error_new(GT_UNKNOWN, "the path of the console socket is too long");
	}
	memcpy(addr.sun_path, c->path, strlen(c->path) + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(c->fd, 1) < 0) {
		struct gt_error *e = gt_error_errno(GT_UNKNOWN, errno, "open the console socket");

		console_close(c);
		return e;
	}
	return NULL;
}

struct gt_error *console_receive(struct console *c, int *master)
{
	gt_autofd int conn = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char data[256];
	struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (conn < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "the runtime sent no console");
	if (recvmsg(conn, &msg, MSG_CMSG_CLOEXEC) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "receive the console");
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS ||
	    cmsg->cmsg_len != CMSG_LEN(sizeof(int)))
		return gt_error_new(GT_UNKNOWN, "the runtime sent something else than one console");
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	if (!isatty(fd)) {
		close(fd);
		return gt_error_new(GT_UNKNOWN, "the runtime sent a descriptor that is no terminal");
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	*master = fd;
	return NULL;
}

void console_close(struct console *c)
{
	if (c->fd >= 0)
		close(c->fd);
	if (c->path)
		unlink(c->path);
	if (c->dir)
		rmdir(c->dir);
	free(c->path);
	free(c->dir);
	*c = (struct console)CONSOLE_INIT;
}
