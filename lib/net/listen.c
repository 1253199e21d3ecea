/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <net/listen.h>

#include <gantry/buf.h>
#include <gantry/file.h>

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 4096

static bool somebody_listens(const struct sockaddr_un *a)
{
	gt_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && (connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 || errno == EAGAIN);
}

/* Takes a dead socket away, and nothing else. */
static struct gt_error *place_clear(const char *path, const struct sockaddr_un *a)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? NULL
				       : gt_error_errno(GT_UNKNOWN, errno, "stat %s", path);
	if (!S_ISSOCK(st.st_mode))
		return gt_error_new(GT_ALREADY_EXISTS, "%s is there and no socket", path);
	if (somebody_listens(a))
		return gt_error_new(GT_ALREADY_EXISTS, "another process listens on %s", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return gt_error_errno(GT_UNKNOWN, errno, "remove the old socket %s", path);
	return NULL;
}

static struct gt_error *folder_make(const char *path)
{
	const char *slash = strrchr(path, '/');
	gt_autofree char *dir = gt_xstrndup(path, slash ? (size_t)(slash - path) : 0);
	struct stat st;

	if (!*dir || stat(dir, &st) == 0)
		return NULL;
	return gt_file_mkdirs(dir, 0711);
}

struct gt_error *gt_listen_unix(const char *path, int64_t uid, int64_t gid, int *out)
{
	gt_autofd int fd = -1;
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(a.sun_path))
		return gt_error_new(GT_INVALID_ARGUMENT, "address %s is longer than %zu bytes", path,
				    sizeof(a.sun_path) - 1);
	memcpy(a.sun_path, path, strlen(path));
	GT_TRY(folder_make(path));
	GT_TRY(place_clear(path, &a));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "socket");
	/* The umask is 077: nobody else can connect before the owner is right. */
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "bind to %s", path);
	if (chmod(path, gid ? 0660 : 0600) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "set the mode of %s", path);
	if ((uid || gid) && chown(path, (uid_t)uid, (gid_t)gid) < 0)
		return gt_error_errno(GT_PERMISSION_DENIED, errno, "give %s to %lld:%lld", path,
				      (long long)uid, (long long)gid);
	if (listen(fd, BACKLOG) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "listen on %s", path);
	*out = gt_steal_fd(&fd);
	return NULL;
}

/* "HOST:PORT" taken apart; '*host' "" where there is none. */
static struct gt_error *address_split(const char *address, char **host, const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;

	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strlen(colon + 1) > 5 || strtoul(colon + 1, NULL, 10) > 65535)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "address \"%s\": expected ADDRESS:PORT, such as 127.0.0.1:1338",
				    address);
	*port = colon + 1;
	if (len >= 2 && *address == '[' && address[len - 1] == ']')
		*host = gt_xstrndup(address + 1, len - 2);
	else
		*host = gt_xstrndup(address, len);
	return NULL;
}

struct gt_error *gt_listen_tcp(const char *address, int *out)
{
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
					.ai_socktype = SOCK_STREAM };
	gt_autofree char *host = NULL;
	struct addrinfo *found = NULL;
	gt_autofd int fd = -1;
	const char *port;
	int on = 1, err, bad;

	GT_TRY(address_split(address, &host, &port));
	err = getaddrinfo(*host ? host : NULL, port, &hints, &found);
	if (err)
		return gt_error_new(GT_INVALID_ARGUMENT, "address \"%s\": %s", address,
				    gai_strerror(err));
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bad = fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	      bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0;
	err = errno;
	freeaddrinfo(found);
	if (bad)
		return gt_error_errno(err == EADDRINUSE ? GT_ALREADY_EXISTS : GT_UNKNOWN, err,
				      "listen on %s", address);
	*out = gt_steal_fd(&fd);
	return NULL;
}
