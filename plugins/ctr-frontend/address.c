/* SPDX-License-Identifier: Apache-2.0 */
/* Where the services are: in this process, or in a daemon at the end of a socket. */
#include <config.h>

#include "address.h"

#include <gantry/cleanup.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_TIMEOUT (10 * INT64_C(1000000000)) /* containerd's, where none is given */
#define RETRY_MS 50

static struct gt_error *socket_name(const char *address, struct sockaddr_un *out)
{
	const char *path = strncmp(address, "unix://", 7) ? address : address + 7;

	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (*path != '/')
		return gt_error_new(GT_INVALID_ARGUMENT, "address \"%s\" is no path of a socket",
				    address);
	if (strlen(path) >= sizeof(out->sun_path))
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "the path of socket %s is longer than %zu bytes", path,
				    sizeof(out->sun_path) - 1);
	memcpy(out->sun_path, path, strlen(path) + 1);
	return NULL;
}

/* One attempt. 'errno' says why not. */
static bool answers(const struct sockaddr_un *name)
{
	gt_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)name, sizeof(*name)) == 0;
}

/* A daemon that starts again is not there for a moment: it is tried for until the time is over. */
static struct gt_error *dial(struct ctr *c, const struct sockaddr_un *name)
{
	int64_t timeout = ctr_duration(c, "connect-timeout");
	int64_t end = gt_now() + (timeout > 0 ? timeout : CONNECT_TIMEOUT);

	while (!answers(name)) {
		int err = errno;

		if (err != ECONNREFUSED && err != EAGAIN)
			return gt_error_errno(GT_UNAVAILABLE, err, "failed to dial \"%s\"",
					      name->sun_path);
		if (gt_now() >= end)
			return gt_error_errno(GT_UNAVAILABLE, err,
					      "failed to dial \"%s\": context deadline exceeded",
					      name->sun_path);
		GT_TRY(gt_call_check(&c->call));
		poll(NULL, 0, RETRY_MS);
	}
	return NULL;
}

static struct gt_error *daemon_services(struct ctr *c, const char *address,
					struct gt_services **out)
{
	struct sockaddr_un name;
	struct stat st;

	GT_TRY(socket_name(address, &name));
	if (stat(name.sun_path, &st) < 0)
		return gt_error_errno(GT_UNAVAILABLE, errno, "cannot access socket \"%s\"",
				      name.sun_path);
	if (!S_ISSOCK(st.st_mode))
		return gt_error_new(GT_UNAVAILABLE, "cannot access socket \"%s\": it is none",
				    name.sun_path);
	GT_TRY(dial(c, &name));
	return gt_error_wrap(gt_need_services(c->init, "remote", out), "talk to \"%s\"",
			     name.sun_path);
}

struct gt_error *ctr_address_services(struct ctr *c, struct gt_services **out)
{
	const char *address = ctr_string(c, "address");

	if (*address)
		return daemon_services(c, address, out);
	return gt_need_services(c->init, NULL, out);
}
