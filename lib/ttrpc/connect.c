/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <ttrpc/connect.h>

#include <gantry/buf.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

/* A path that is too long for a socket's address is reached through its folder's descriptor. */
static struct gt_error *path_address(const char *path, struct sockaddr_un *sa, socklen_t *len,
				     int *folder)
{
	const char *slash = strrchr(path, '/');
	gt_autofree char *shorter = NULL;

	if (strlen(path) >= sizeof(sa->sun_path)) {
		gt_autofree char *dir = gt_xstrndup(path, slash - path + 1);

		*folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (*folder < 0)
			return gt_error_errno(GT_NOT_FOUND, errno, "open %s", dir);
		shorter = gt_strf("/proc/self/fd/%d/%s", *folder, slash + 1);
		path = shorter;
	}
	if (strlen(path) >= sizeof(sa->sun_path))
		return gt_error_new(GT_INVALID_ARGUMENT, "socket path %s is too long", path);
	memcpy(sa->sun_path, path, strlen(path) + 1);
	*len = offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
	return NULL;
}

static struct gt_error *parse(const char *address, struct sockaddr_un *sa, socklen_t *len,
			      int *folder)
{
	static const char *const schemes[] = { "unix://", "ttrpc+unix://" };
	size_t n;

	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (!strncmp(address, schemes[i], strlen(schemes[i])))
			address += strlen(schemes[i]);
	if (*address == '/')
		return path_address(address, sa, len, folder);
	if (strstr(address, "://"))
		return gt_error_new(GT_UNIMPLEMENTED, "address %s is of a kind not spoken here",
				    address);
	n = strlen(address);
	if (!n || n >= sizeof(sa->sun_path))
		return gt_error_new(GT_INVALID_ARGUMENT, "'%s' is no socket address", address);
	memcpy(sa->sun_path + 1, address, n);
	*len = offsetof(struct sockaddr_un, sun_path) + 1 + n;
	return NULL;
}

static struct gt_error *check_peer(int fd, const char *address)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "ask who listens on %s", address);
	if (peer.uid != 0 && peer.uid != geteuid())
		return gt_error_new(GT_PERMISSION_DENIED, "%s belongs to user %u", address,
				    (unsigned)peer.uid);
	return NULL;
}

struct gt_error *gt_ttrpc_socket(const char *address, int timeout, int *out)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	gt_autofd int folder = -1, fd = -1;
	struct timeval tv = { .tv_sec = timeout / 1000, .tv_usec = timeout % 1000 * 1000 };
	socklen_t len = 0;

	GT_TRY(parse(address, &sa, &len, &folder));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "make a socket");
	if (timeout <= 0)
		return gt_error_new(GT_DEADLINE_EXCEEDED, "connect to %s: no time left", address);
	/* A full backlog makes connect() wait and no poll tells its end: only the send timeout does. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "set up a socket");
	while (connect(fd, (struct sockaddr *)&sa, len) < 0) {
		switch (errno) {
		case EINTR:
			continue;
		case ENOENT:
		case ENOTDIR:
		case ECONNREFUSED:
			return gt_error_errno(GT_NOT_FOUND, errno, "connect to %s", address);
		case EAGAIN:
			return gt_error_new(GT_DEADLINE_EXCEEDED,
					    "connect to %s: not accepted within %d ms", address,
					    timeout);
		default:
			return gt_error_errno(GT_UNAVAILABLE, errno, "connect to %s", address);
		}
	}
	GT_TRY(check_peer(fd, address));
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "set up a socket");
	*out = gt_steal_fd(&fd);
	return NULL;
}
