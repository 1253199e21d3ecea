/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "cmd/notify.h"

#include <gantry/buf.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify_send(const struct notify *n, const char *state)
{
	const char *path = n->path;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (!len || len >= sizeof(a.sun_path) || (*path != '/' && *path != '@'))
		return;
	memcpy(a.sun_path, path, len);
	if (*path == '@') /* the manager's own choice */
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	/* A manager that does not listen is not waited for. */
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&a,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		errno = 0;
	close(fd);
}

static uint64_t number_of(const char *name)
{
	const char *s = getenv(name);
	char *end;
	unsigned long long n;

	if (!s || *s < '0' || *s > '9')
		return 0;
	errno = 0;
	n = strtoull(s, &end, 10);
	return *end || errno ? 0 : n;
}

void notify_take(struct notify *n)
{
	uint64_t pid = number_of("WATCHDOG_PID"), us = number_of("WATCHDOG_USEC");
	const char *path = getenv("NOTIFY_SOCKET");

	*n = (struct notify){ .path = path && *path ? gt_xstrdup(path) : NULL };
	if (us && us <= INT64_MAX / 1000 && (!pid || pid == (uint64_t)getpid()))
		n->watchdog = (int64_t)us * 1000 / 2; /* half of what it allows */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void notify_done(struct notify *n)
{
	free(n->path);
}
