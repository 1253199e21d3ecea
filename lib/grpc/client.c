/* SPDX-License-Identifier: Apache-2.0 */
/* The client's connection and its thread. */
#include <config.h>

#include <grpc/client-private.h>
#include <ttrpc/connect.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

static void connection_free(struct client_connection *conn)
{
	gt_h2_done(&conn->h2);
	close(conn->h2.fd);
	free(conn);
}

/* The client's thread closes it: its streams end there. With the lock held. */
static void connection_close(struct client_connection *conn)
{
	struct gt_grpc_client *c = conn->client;

	if (c->conn == conn)
		c->conn = NULL;
	*conn->link = conn->next;
	if (conn->next)
		conn->next->link = conn->link;
	gt_loop_unwatch(c->loop, &conn->watch);
	connection_free(conn);
}

void client_wake(struct gt_grpc_client *c)
{
	eventfd_write(c->wake_fd, 1);
}

void client_flush(struct gt_grpc_stream *s)
{
	struct gt_h2 *h2 = s->st.h2;

	gt_h2_flush(h2);
	/* The thread waits for room, or for the end. */
	if (h2->is_blocked || h2->broken)
		client_wake(s->client);
}

static void connection_settle(struct client_connection *conn)
{
	struct gt_grpc_client *c = conn->client;

	gt_h2_flush(&conn->h2);
	if (conn->h2.broken)
		connection_close(conn);
	else
		gt_loop_rewatch(c->loop, &conn->watch,
				EPOLLIN | (conn->h2.is_blocked ? EPOLLOUT : 0));
}

static void connection_event(struct gt_watch *w, uint32_t events)
{
	struct client_connection *conn = gt_container_of(w, struct client_connection, watch);
	struct gt_grpc_client *c = conn->client;

	pthread_mutex_lock(&c->lock);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		gt_h2_read(&conn->h2, c->room);
	connection_settle(conn);
	client_news_tell(c);
	pthread_mutex_unlock(&c->lock);
}

static void connection_watch(struct client_connection *conn)
{
	struct gt_error *e;

	conn->watch.fn = connection_event;
	e = gt_loop_watch(conn->client->loop, &conn->watch, conn->h2.fd, EPOLLIN);
	if (e)
		conn->h2.broken = true;
	gt_error_free(e);
}

static void wake_event(struct gt_watch *w, uint32_t events)
{
	struct gt_grpc_client *c = gt_container_of(w, struct gt_grpc_client, wake);
	eventfd_t n;

	(void)events;
	eventfd_read(w->fd, &n);
	pthread_mutex_lock(&c->lock);
	for (struct client_connection *conn = c->connections, *next; conn; conn = next) {
		next = conn->next;
		if (!conn->watch.on)
			connection_watch(conn);
		connection_settle(conn);
	}
	client_news_tell(c);
	pthread_mutex_unlock(&c->lock);
}

static void *client_thread(void *arg)
{
	struct gt_grpc_client *c = arg;
	bool end = false;

	while (!end) {
		gt_error_free(gt_loop_step(c->loop)); /* interrupted, at worst */
		pthread_mutex_lock(&c->lock);
		end = c->is_ending;
		pthread_mutex_unlock(&c->lock);
	}
	pthread_mutex_lock(&c->lock);
	while (c->connections)
		connection_close(c->connections);
	client_news_tell(c);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* With 'connecting' held. */
static struct gt_error *thread_start(struct gt_grpc_client *c)
{
	sigset_t all, old;
	int err;

	if (c->loop)
		return NULL;
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->wake_fd < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "eventfd");
	GT_TRY(gt_loop_new(&c->loop));
	c->wake.fn = wake_event;
	GT_TRY(gt_loop_watch(c->loop, &c->wake, c->wake_fd, EPOLLIN));
	c->room = gt_xmalloc(GT_H2_READ);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&c->thread, NULL, client_thread, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!err)
		return NULL;
	gt_loop_free(gt_steal(&c->loop));
	close(c->wake_fd);
	c->wake_fd = -1;
	free(gt_steal(&c->room));
	return gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start a thread");
}

static struct gt_error *connection_make(struct gt_grpc_client *c, const struct gt_call *call)
{
	struct client_connection *conn;
	struct gt_error *e;
	int fd = -1;

	GT_TRY(thread_start(c));
	e = gt_ttrpc_socket(c->address, gt_call_left(call, c->timeout), &fd);
	if (e)
		return gt_error_class(e) == GT_NOT_FOUND ? gt_error_reclass(e, GT_UNAVAILABLE) : e;
	conn = gt_xcalloc(1, sizeof(*conn));
	conn->client = c;
	e = gt_h2_init(&conn->h2, &client_stream_ops, fd, true, &c->spare);
	if (e) {
		connection_free(conn);
		return e;
	}
	pthread_mutex_lock(&c->lock);
	c->conn = conn;
	conn->next = c->connections;
	conn->link = &c->connections;
	if (conn->next)
		conn->next->link = &conn->next;
	c->connections = conn;
	client_wake(c);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static bool is_connected(struct gt_grpc_client *c)
{
	bool is;

	pthread_mutex_lock(&c->lock);
	/* One that takes no new requests is left to those that it has. */
	is = c->conn && !c->conn->h2.broken &&
	     nghttp2_session_check_request_allowed(c->conn->h2.session);
	pthread_mutex_unlock(&c->lock);
	return is;
}

struct gt_error *gt_grpc_client_connect(struct gt_grpc_client *c, const struct gt_call *call)
{
	struct gt_error *e = NULL;

	if (is_connected(c))
		return NULL;
	pthread_mutex_lock(&c->connecting);
	if (!is_connected(c))
		e = connection_make(c, call);
	pthread_mutex_unlock(&c->connecting);
	return e;
}

struct gt_grpc_client *gt_grpc_client_new(const char *address, int timeout)
{
	struct gt_grpc_client *c = gt_xcalloc(1, sizeof(*c));

	c->address = gt_xstrdup(address);
	c->timeout = timeout;
	c->wake_fd = -1;
	c->news_last = &c->news;
	gt_buf_init(&c->spare);
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->connecting, NULL);
	pthread_cond_init(&c->idle, NULL);
	return c;
}

void gt_grpc_client_free(struct gt_grpc_client *c)
{
	if (!c)
		return;
	if (c->loop) {
		pthread_mutex_lock(&c->lock);
		c->is_ending = true;
		client_wake(c);
		pthread_mutex_unlock(&c->lock);
		pthread_join(c->thread, NULL);
		gt_loop_free(c->loop);
		close(c->wake_fd);
	}
	pthread_cond_destroy(&c->idle);
	pthread_mutex_destroy(&c->connecting);
	pthread_mutex_destroy(&c->lock);
	gt_buf_done(&c->spare);
	free(c->room);
	free(c->address);
	free(c);
}
