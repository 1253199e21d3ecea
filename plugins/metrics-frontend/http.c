/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "http.h"

#include <gantry/call.h>

#include <dlfcn.h>
#include <microhttpd.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMORY_MAX (16 * 1024) /* of a connection: request line and headers */

/*
 * The library is loaded for the first address that is served: with what it needs itself it is larger than the
 * rest of the daemon, and most daemons serve none.
 */
#define LIBRARY "libmicrohttpd.so.12"
#define FUNCTIONS(X)                                                                              \
	X(MHD_add_response_header)                                                                 \
	X(MHD_create_response_from_buffer)                                                         \
	X(MHD_destroy_response)                                                                    \
	X(MHD_get_connection_info)                                                                 \
	X(MHD_queue_response)                                                                      \
	X(MHD_start_daemon)                                                                        \
	X(MHD_stop_daemon)

struct mhd {
#define X(name) __typeof__(&name) name;
	FUNCTIONS(X)
#undef X
};

static struct gt_error *mhd_load(struct mhd *m)
{
	void *lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL); /* stays: its threads may be the last to end */

	if (!lib)
		return gt_error_new(GT_UNAVAILABLE, "load what serves HTTP: %s", dlerror());
#define X(name)                                                                                   \
	*(void **)&m->name = dlsym(lib, #name);                                                    \
	if (!m->name)                                                                              \
		return gt_error_new(GT_UNAVAILABLE, "%s has no %s", LIBRARY, #name);
	FUNCTIONS(X)
#undef X
	return NULL;
}

/* What is connected, so that who takes too long can be told to go. */
struct connected {
	struct connected *next;
	int fd;
	int64_t until;
};

struct http {
	struct http_options options;
	struct mhd mhd;
	struct MHD_Daemon *daemon;
	pthread_mutex_t lock;
	struct connected *first;
};

bool http_sweep(struct http *h)
{
	int64_t now = gt_now();
	bool any;

	pthread_mutex_lock(&h->lock);
	for (struct connected *c = h->first; c; c = c->next)
		if (now >= c->until)
			shutdown(c->fd, SHUT_RDWR);
	any = h->first != NULL;
	pthread_mutex_unlock(&h->lock);
	return any;
}

static bool may_connect(const struct http *h, int fd)
{
	struct ucred c;
	socklen_t len = sizeof(c);
	gid_t groups[256];
	socklen_t groups_len = sizeof(groups);

	if (!h->options.is_unix)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) < 0)
		return false;
	if (c.uid == 0 || c.uid == geteuid() || (h->options.uid && c.uid == h->options.uid))
		return true;
	if (!h->options.gid)
		return false;
	if (c.gid == h->options.gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_len) < 0)
		return false;
	for (size_t i = 0; i < groups_len / sizeof(groups[0]); i++)
		if (groups[i] == h->options.gid)
			return true;
	return false;
}

static void connected_add(struct http *h, int fd, void **place)
{
	struct connected *c = gt_xcalloc(1, sizeof(*c));

	c->fd = fd;
	c->until = gt_now() + h->options.timeout;
	*place = c;
	pthread_mutex_lock(&h->lock);
	c->next = h->first;
	h->first = c;
	if (!c->next)
		eventfd_write(h->options.wake, 1);
	pthread_mutex_unlock(&h->lock);
}

static void connected_remove(struct http *h, struct connected *c)
{
	struct connected **p;

	if (!c)
		return;
	pthread_mutex_lock(&h->lock);
	for (p = &h->first; *p != c; p = &(*p)->next)
		;
	*p = c->next;
	pthread_mutex_unlock(&h->lock);
	free(c);
}

static void notified(void *arg, struct MHD_Connection *conn, void **place,
		     enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *i;
	struct http *h = arg;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		connected_remove(h, *place);
		*place = NULL;
		return;
	}
	i = h->mhd.MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (!may_connect(h, i->connect_fd)) {
		shutdown(i->connect_fd, SHUT_RDWR);
		return;
	}
	connected_add(h, i->connect_fd, place);
}

/* --- answering ------------------------------------------------------------------------ */

static unsigned status_of(const struct gt_error *e)
{
	switch (gt_error_class(e)) {
	case GT_OK:
		return MHD_HTTP_OK;
	case GT_NOT_FOUND:
		return MHD_HTTP_NOT_FOUND;
	case GT_UNIMPLEMENTED:
		return MHD_HTTP_NOT_IMPLEMENTED;
	case GT_UNAVAILABLE:
	case GT_DEADLINE_EXCEEDED:
	case GT_CANCELED:
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	default:
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

/* Answers with what is in 'body', which is empty afterwards. */
static enum MHD_Result answer(const struct http *h, struct MHD_Connection *conn, unsigned status, const char *type,
			      struct gt_buf *body)
{
	size_t len = body->len;
	struct MHD_Response *r =
		h->mhd.MHD_create_response_from_buffer(len, gt_buf_detach(body), MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	if (!r)
		return MHD_NO;
	h->mhd.MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	h->mhd.MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		h->mhd.MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = h->mhd.MHD_queue_response(conn, status, r);
	h->mhd.MHD_destroy_response(r);
	return result;
}

static enum MHD_Result asked(void *arg, struct MHD_Connection *conn, const char *url,
			     const char *method, const char *version, const char *upload,
			     size_t *upload_size, void **state)
{
	static const char plain[] = "text/plain; charset=utf-8";
	struct http *h = arg;
	const struct http_page *p = h->options.pages;
	gt_auto(gt_buf) body = GT_BUF_INIT;
	struct gt_error *e;
	unsigned status;

	(void)version, (void)upload, (void)upload_size, (void)state;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		gt_buf_adds(&body, "only GET and HEAD\n");
		return answer(h, conn, MHD_HTTP_METHOD_NOT_ALLOWED, plain, &body);
	}
	while (p->path && strcmp(p->path, url) != 0)
		p++;
	if (!p->path) {
		gt_buf_adds(&body, "404 page not found\n");
		return answer(h, conn, MHD_HTTP_NOT_FOUND, plain, &body);
	}
	e = p->make(h->options.arg, &body);
	if (!e)
		return answer(h, conn, MHD_HTTP_OK, p->type, &body);
	gt_buf_setlen(&body, 0);
	gt_buf_addf(&body, "%s\n", gt_error_text(e));
	status = status_of(e);
	gt_error_free(e);
	return answer(h, conn, status, plain, &body);
}

/* What it says is of its peers' making, and each is told by its answer. */
static void ignore(void *arg, const char *fmt, va_list ap)
{
	(void)arg, (void)fmt, (void)ap;
}

struct gt_error *http_start_take(int fd, const struct http_options *o, struct http **out)
{
	struct http *h = gt_xcalloc(1, sizeof(*h));
	struct gt_error *e;

	h->options = *o;
	pthread_mutex_init(&h->lock, NULL);
	e = mhd_load(&h->mhd);
	if (e) {
		close(fd);
		http_stop(h);
		return e;
	}
	h->daemon = h->mhd.MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL,
		asked, h, MHD_OPTION_EXTERNAL_LOGGER, ignore, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, o->connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)MEMORY_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)(o->timeout / 1000000000 + 1), MHD_OPTION_NOTIFY_CONNECTION, notified, h,
		MHD_OPTION_END);
	if (!h->daemon) {
		close(fd);
		http_stop(h);
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "start the HTTP server");
	}
	*out = h;
	return NULL;
}

void http_stop(struct http *h)
{
	if (!h)
		return;
	if (h->daemon)
		h->mhd.MHD_stop_daemon(h->daemon); /* closes its connections and the socket */
	pthread_mutex_destroy(&h->lock);
	free(h);
}
