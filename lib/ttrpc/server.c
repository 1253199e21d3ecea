/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <ttrpc/server.h>

#include <gantry/call.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define READ_SIZE 4096
/* More output than this waiting for the client: nothing more is read from it until it reads. */
#define OUT_HIGH (256 * 1024)
/* A client that lets this much wait is not served any more. */
#define OUT_MAX (16 * 1024 * 1024)
#define CALLS_MAX 16384
#define CONNECTIONS_MAX 1024
#define ACCEPTS 16 /* a turn */
/* After running out of descriptors, accept again when so much time has passed. */
#define ACCEPT_PAUSE INT64_C(100000000)

struct call {
	struct gt_ttrpc_call pub; /* first */
	struct connection *conn;
	struct call *next;
	struct call **link;
	struct gt_timer timer;
	uint32_t stream;
};

struct connection {
	struct gt_ttrpc_server *server;
	struct connection *next;
	struct connection **link;
	struct gt_watch watch;
	struct gt_ttrpc_reader reader;
	struct gt_buf out;
	size_t sent; /* of 'out' */
	uint32_t last_stream;
	struct call *calls;
	size_t n_calls;
	bool broken; /* to be freed by its next event */
};

struct listener {
	struct gt_ttrpc_server *server;
	struct listener *next;
	struct gt_watch watch;
	struct gt_timer pause;
};

struct gt_ttrpc_server {
	struct gt_loop *loop;
	const struct gt_ttrpc_service *services;
	size_t n_services;
	struct listener *listeners;
	struct connection *connections;
	size_t n_connections;
};

struct gt_ttrpc_server *gt_ttrpc_server_new(struct gt_loop *loop,
					    const struct gt_ttrpc_service *services, size_t n)
{
	struct gt_ttrpc_server *s = gt_xcalloc(1, sizeof(*s));

	s->loop = loop;
	s->services = services;
	s->n_services = n;
	return s;
}

/* Takes the call out of its connection and frees it; tells its keeper if it ends unanswered. */
static void call_end(struct call *c, bool answered)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->conn->n_calls--;
	gt_timer_clear(&c->timer);
	if (!answered && c->pub.ended)
		c->pub.ended(&c->pub);
	gt_ttrpc_message_free((ProtobufCMessage *)c->pub.request);
	gt_ttrpc_message_free((ProtobufCMessage *)c->pub.envelope);
	free(c);
}

static void connection_free(struct connection *conn)
{
	struct gt_ttrpc_server *s = conn->server;

	while (conn->calls)
		call_end(conn->calls, false);
	gt_loop_unwatch(s->loop, &conn->watch);
	close(conn->watch.fd);
	*conn->link = conn->next;
	if (conn->next)
		conn->next->link = conn->link;
	s->n_connections--;
	gt_ttrpc_reader_done(&conn->reader);
	gt_buf_done(&conn->out);
	free(conn);
}

/* The connection cannot go on. The loop frees it: handlers and callers may still stand on it. */
static void connection_break(struct connection *conn)
{
	conn->broken = true;
	gt_loop_rewatch(conn->server->loop, &conn->watch, 0);
	shutdown(conn->watch.fd, SHUT_RDWR); /* makes the event */
}

static size_t out_left(const struct connection *conn)
{
	return conn->out.len - conn->sent;
}

static void connection_flush(struct connection *conn)
{
	uint32_t events = 0;

	while (out_left(conn) && !conn->broken) {
		ssize_t n = send(conn->watch.fd, conn->out.s + conn->sent, out_left(conn),
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			connection_break(conn);
			return;
		}
		conn->sent += n;
	}
	if (conn->broken)
		return;
	if (!out_left(conn)) {
		gt_buf_done(&conn->out);
		conn->sent = 0;
	} else {
		events |= EPOLLOUT;
		if (conn->sent > OUT_HIGH) {
			memmove(conn->out.s, conn->out.s + conn->sent, out_left(conn));
			gt_buf_setlen(&conn->out, out_left(conn));
			conn->sent = 0;
		}
	}
	if (out_left(conn) > OUT_MAX) {
		connection_break(conn);
		return;
	}
	if (out_left(conn) <= OUT_HIGH)
		events |= EPOLLIN;
	gt_loop_rewatch(conn->server->loop, &conn->watch, events);
}

static void refuse(struct connection *conn, uint32_t stream, enum gt_class code, const char *text)
{
	gt_ttrpc_add_status(&conn->out, stream, code, text);
	connection_flush(conn);
}

void gt_ttrpc_answer(struct gt_ttrpc_call *pub, const ProtobufCMessage *response)
{
	struct call *c = (struct call *)pub;
	struct connection *conn = c->conn;

	gt_ttrpc_add_response(&conn->out, c->stream, response);
	call_end(c, true);
	connection_flush(conn);
}

void gt_ttrpc_answer_error_take(struct gt_ttrpc_call *pub, struct gt_error *e)
{
	struct call *c = (struct call *)pub;
	struct connection *conn = c->conn;

	gt_ttrpc_add_error(&conn->out, c->stream, e);
	gt_error_free(e);
	call_end(c, true);
	connection_flush(conn);
}

static void call_expired(struct gt_timer *t)
{
	struct call *c = gt_container_of(t, struct call, timer);
	struct connection *conn = c->conn;
	uint32_t stream = c->stream;

	call_end(c, false);
	refuse(conn, stream, GT_DEADLINE_EXCEEDED, gt_class_text(GT_DEADLINE_EXCEEDED));
}

static const struct gt_ttrpc_service *service_find(const struct gt_ttrpc_server *s,
						   const char *name)
{
	for (size_t i = 0; i < s->n_services; i++)
		if (!strcmp(s->services[i].name, name))
			return &s->services[i];
	return NULL;
}

static const struct gt_ttrpc_method *method_find(const struct gt_ttrpc_service *s, const char *name)
{
	for (size_t i = 0; i < s->n_methods; i++)
		if (!strcmp(s->methods[i].name, name))
			return &s->methods[i];
	return NULL;
}

static int64_t deadline_of(int64_t timeout)
{
	int64_t at;

	if (!timeout || __builtin_add_overflow(gt_now(), timeout, &at))
		return 0;
	return at;
}

/* Takes 'envelope' and 'request'. */
static void call_start_take(struct connection *conn, uint32_t stream, Ttrpc__Request *envelope,
			    const struct gt_ttrpc_service *service,
			    const struct gt_ttrpc_method *method, ProtobufCMessage *request)
{
	struct call *c = gt_xcalloc(1, sizeof(*c));

	/* Read already; a call that waits long shall not keep the bytes. */
	free(envelope->payload.data);
	envelope->payload = (ProtobufCBinaryData){ 0 };
	c->pub.envelope = envelope;
	c->pub.request = request;
	c->pub.deadline = deadline_of(envelope->timeout_nano);
	c->conn = conn;
	c->stream = stream;
	c->timer.fn = call_expired;
	c->next = conn->calls;
	c->link = &conn->calls;
	if (c->next)
		c->next->link = &c->next;
	conn->calls = c;
	conn->n_calls++;
	if (c->pub.deadline)
		gt_loop_at(conn->server->loop, &c->timer, c->pub.deadline);
	method->handle(service->arg, &c->pub);
}

static void envelope_handle(struct connection *conn, uint32_t stream, Ttrpc__Request *envelope)
{
	const struct gt_ttrpc_service *service = service_find(conn->server, envelope->service);
	const struct gt_ttrpc_method *method =
		service ? method_find(service, envelope->method) : NULL;
	gt_autofree char *text = NULL;
	enum gt_class code = GT_UNIMPLEMENTED;
	ProtobufCMessage *request = NULL;

	if (!service) {
		text = gt_strf("service %s", envelope->service);
	} else if (!method) {
		text = gt_strf("method %s", envelope->method);
	} else if (envelope->timeout_nano < 0) {
		code = GT_DEADLINE_EXCEEDED;
		text = gt_xstrdup(gt_class_text(code));
	} else if (conn->n_calls >= CALLS_MAX) {
		code = GT_RESOURCE_EXHAUSTED;
		text = gt_strf("more than %d calls in flight on one connection", CALLS_MAX);
	} else {
		request = gt_ttrpc_message_unpack(method->request, envelope->payload.data,
						  envelope->payload.len);
		if (request) {
			call_start_take(conn, stream, envelope, service, method, request);
			return;
		}
		code = GT_INVALID_ARGUMENT;
		text = gt_strf("unmarshal request error: malformed %s", method->request->name);
	}
	refuse(conn, stream, code, text);
	gt_ttrpc_message_free(&envelope->base);
}

static bool frame_handle(void *arg, const struct gt_ttrpc_header *h, const unsigned char *body)
{
	struct connection *conn = arg;
	Ttrpc__Request *envelope;

	if (!body) {
		gt_autofree char *text =
			gt_strf("message length %u exceed maximum message size of %d", h->length,
				GT_TTRPC_BODY_MAX);

		refuse(conn, h->stream, GT_RESOURCE_EXHAUSTED, text);
	} else if (h->stream % 2 == 0) {
		refuse(conn, h->stream, GT_INVALID_ARGUMENT,
		       "StreamID must be odd for client initiated streams");
	} else if (h->type == GT_TTRPC_DATA) {
		/* All methods are unary: no stream is ever open for data. */
		refuse(conn, h->stream, GT_INVALID_ARGUMENT, "StreamID is no longer active");
	} else if (h->type != GT_TTRPC_REQUEST) {
		return true;
	} else if (h->stream <= conn->last_stream) {
		refuse(conn, h->stream, GT_INVALID_ARGUMENT,
		       "StreamID cannot be re-used and must increment");
	} else {
		conn->last_stream = h->stream;
		envelope = (Ttrpc__Request *)gt_ttrpc_message_unpack(&ttrpc__request__descriptor,
								     body, h->length);
		if (envelope)
			envelope_handle(conn, h->stream, envelope);
		else
			refuse(conn, h->stream, GT_INVALID_ARGUMENT,
			       "unmarshal request error: malformed ttrpc.Request");
	}
	return !conn->broken;
}

/*
 * At most one frame a turn: others get theirs, and what its answer leaves unsent decides whether more is
 * read.
 */
static void connection_read(struct connection *conn)
{
	unsigned char bytes[READ_SIZE];

	for (int i = 0; i < 2 && !conn->broken; i++) { /* a header, then its body */
		size_t want = gt_ttrpc_reader_lacks(&conn->reader);
		ssize_t n = recv(conn->watch.fd, bytes, want < READ_SIZE ? want : READ_SIZE,
				 MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			conn->broken = true;
			return;
		}
		gt_ttrpc_reader_feed(&conn->reader, bytes, n, frame_handle, conn);
		if (!conn->reader.part.len)
			return;
	}
}

static void connection_event(struct gt_watch *w, uint32_t events)
{
	struct connection *conn = gt_container_of(w, struct connection, watch);

	if (!conn->broken && (events & EPOLLOUT))
		connection_flush(conn);
	if (!conn->broken && (events & EPOLLIN))
		connection_read(conn);
	else if (events & (EPOLLERR | EPOLLHUP))
		conn->broken = true;
	if (conn->broken)
		connection_free(conn);
}

struct gt_error *gt_ttrpc_server_serve_take(struct gt_ttrpc_server *s, int fd)
{
	struct connection *conn = gt_xcalloc(1, sizeof(*conn));
	struct gt_error *e;

	conn->server = s;
	gt_buf_init(&conn->out);
	gt_buf_init(&conn->reader.part);
	conn->watch.fn = connection_event;
	e = gt_loop_watch(s->loop, &conn->watch, fd, EPOLLIN);
	if (e) {
		close(fd);
		free(conn);
		return e;
	}
	conn->next = s->connections;
	conn->link = &s->connections;
	if (conn->next)
		conn->next->link = &conn->next;
	s->connections = conn;
	s->n_connections++;
	return NULL;
}

static bool peer_is_us(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       peer.uid == geteuid() && peer.gid == getegid();
}

static void listener_again(struct gt_timer *t)
{
	struct listener *l = gt_container_of(t, struct listener, pause);

	gt_loop_rewatch(l->server->loop, &l->watch, EPOLLIN);
}

/* One connection; false if there was none. */
static bool listener_accept(struct listener *l)
{
	int fd = accept4(l->watch.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			gt_loop_rewatch(l->server->loop, &l->watch, 0);
			gt_loop_at(l->server->loop, &l->pause, gt_now() + ACCEPT_PAUSE);
		}
		return false;
	}
	if (!peer_is_us(fd) || l->server->n_connections >= CONNECTIONS_MAX)
		close(fd);
	else /* what cannot be watched is closed: the peer sees it */
		gt_error_free(gt_ttrpc_server_serve_take(l->server, fd));
	return true;
}

static void listener_event(struct gt_watch *w, uint32_t events)
{
	struct listener *l = gt_container_of(w, struct listener, watch);

	(void)events;
	for (int i = 0; i < ACCEPTS && listener_accept(l); i++)
		;
}

struct gt_error *gt_ttrpc_server_listen_take(struct gt_ttrpc_server *s, int fd)
{
	struct listener *l = gt_xcalloc(1, sizeof(*l));
	struct gt_error *e;

	l->server = s;
	l->watch.fn = listener_event;
	l->pause.fn = listener_again;
	e = gt_loop_watch(s->loop, &l->watch, fd, EPOLLIN);
	if (e) {
		close(fd);
		free(l);
		return e;
	}
	l->next = s->listeners;
	s->listeners = l;
	return NULL;
}

void gt_ttrpc_server_free(struct gt_ttrpc_server *s)
{
	if (!s)
		return;
	while (s->connections)
		connection_free(s->connections);
	while (s->listeners) {
		struct listener *l = s->listeners;

		s->listeners = l->next;
		gt_timer_clear(&l->pause);
		gt_loop_unwatch(s->loop, &l->watch);
		close(l->watch.fd);
		free(l);
	}
	free(s);
}

bool gt_ttrpc_server_is_flushed(const struct gt_ttrpc_server *s)
{
	for (const struct connection *c = s->connections; c; c = c->next)
		if (!c->broken && out_left(c))
			return false;
	return true;
}

size_t gt_ttrpc_server_connections(const struct gt_ttrpc_server *s)
{
	return s->n_connections;
}
