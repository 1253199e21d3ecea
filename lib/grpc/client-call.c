/* SPDX-License-Identifier: Apache-2.0 */
/* The client's calls: streams that have a request, replies and a status. */
#include <config.h>

#include <grpc/client-private.h>
#include <ttrpc/frame.h>
#include <ttrpc/status.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define INBOX_HIGH (2 * 1024 * 1024)
#define INBOX_LOW (1024 * 1024)
#define QUEUED_HIGH (1024 * 1024)
/* How long a waiting caller may not see that its call is cancelled. */
#define CANCEL_LOOK INT64_C(50000000)

static struct gt_grpc_stream *stream_of(struct gt_h2_stream *st)
{
	return gt_container_of(st, struct gt_grpc_stream, st);
}

void gt_grpc_message_free(ProtobufCMessage *m)
{
	gt_ttrpc_message_free(m);
}

/* --- how a stream ends ------------------------------------------------------------------------ */

static void inbox_drop(struct gt_grpc_stream *s)
{
	while (s->inbox) {
		struct client_message *m = s->inbox;

		s->inbox = m->next;
		free(m->data);
		free(m);
	}
	s->inbox_last = &s->inbox;
	s->inbox_bytes = 0;
}

static void stream_destroy(struct gt_grpc_stream *s)
{
	inbox_drop(s);
	gt_buf_done(&s->text);
	gt_error_free(s->error);
	if (s->cancel_fd >= 0)
		close(s->cancel_fd);
	pthread_cond_destroy(&s->cond);
	free(s);
}

/* Takes 'e'. */
static void stream_end(struct gt_grpc_stream *s, struct gt_error *e)
{
	if (s->is_ended) {
		gt_error_free(e);
		return;
	}
	s->is_ended = true;
	s->error = e;
	pthread_cond_broadcast(&s->cond);
	client_news(s);
}

void client_stream_fail(struct gt_grpc_stream *s, struct gt_error *e)
{
	stream_end(s, e);
	if (s->is_open) {
		gt_h2_stream_reset(&s->st, NGHTTP2_CANCEL);
		client_flush(s);
	}
}

static struct gt_error *reset_error(struct gt_grpc_stream *s, uint32_t code)
{
	switch (code) {
	case NGHTTP2_REFUSED_STREAM:
		s->may_retry = true;
		return gt_error_new(GT_UNAVAILABLE, "%s: the peer took no new call",
				    s->method->path);
	case NGHTTP2_CONNECT_ERROR:
		return gt_error_new(GT_UNAVAILABLE, "%s: connection to %s is lost", s->method->path,
				    s->client->address);
	case NGHTTP2_CANCEL:
		return gt_error_new(GT_CANCELED, "%s: canceled by the peer", s->method->path);
	case NGHTTP2_ENHANCE_YOUR_CALM:
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "%s: the peer has enough of it",
				    s->method->path);
	case NGHTTP2_INADEQUATE_SECURITY:
		return gt_error_new(GT_PERMISSION_DENIED, "%s: refused by the peer", s->method->path);
	default:
		return gt_error_new(GT_INTERNAL, "%s: stream ended without a status (%s)",
				    s->method->path, nghttp2_http2_strerror(code));
	}
}

/* What HTTP says where gRPC says nothing (the protocol's http-grpc-status-mapping.md). */
static struct gt_error *http_error(const struct gt_grpc_stream *s)
{
	static const struct {
		int http;
		enum gt_class cls;
	} map[] = {
		{ 400, GT_INTERNAL },	   { 401, GT_UNAUTHENTICATED }, { 403, GT_PERMISSION_DENIED },
		{ 404, GT_UNIMPLEMENTED }, { 429, GT_UNAVAILABLE },	{ 502, GT_UNAVAILABLE },
		{ 503, GT_UNAVAILABLE },   { 504, GT_UNAVAILABLE },
	};
	enum gt_class cls = GT_UNKNOWN;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (map[i].http == s->http_status)
			cls = map[i].cls;
	return gt_error_new(cls, "%s: HTTP status %d", s->method->path, s->http_status);
}

static struct gt_error *status_error(struct gt_grpc_stream *s, uint32_t code)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;

	if (s->status == 0)
		return NULL;
	if (s->status > 0) {
		gt_grpc_percent_decode(s->text.s, s->text.len, &text);
		return gt_status_error(s->status, text.s);
	}
	if (s->http_status && s->http_status != 200)
		return http_error(s);
	return reset_error(s, code);
}

static void op_closed(struct gt_h2_stream *st, uint32_t code)
{
	struct gt_grpc_stream *s = stream_of(st);

	s->is_open = false;
	s->is_sending = false;
	stream_end(s, status_error(s, code));
	if (s->is_freed && !s->is_busy && !s->has_news)
		stream_destroy(s);
}

/* --- what comes ------------------------------------------------------------------------------- */

static bool is(const char *name, size_t len, const char *what)
{
	return len == strlen(what) && !memcmp(name, what, len);
}

static int number_of(const char *value, size_t len)
{
	int n = 0;

	if (!len || len > 3)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return -1;
		n = n * 10 + (value[i] - '0');
	}
	return n;
}

static bool op_header(struct gt_h2_stream *st, const char *name, size_t name_len, const char *value,
		      size_t len)
{
	struct gt_grpc_stream *s = stream_of(st);

	if (is(name, name_len, ":status")) {
		s->http_status = number_of(value, len);
	} else if (is(name, name_len, "grpc-status")) {
		s->status = number_of(value, len);
		if (s->status < 0)
			s->status = GT_UNKNOWN;
	} else if (is(name, name_len, "grpc-message")) {
		gt_buf_setlen(&s->text, 0);
		gt_buf_add(&s->text, value, len);
	}
	return true;
}

static void op_headers_end(struct gt_h2_stream *st)
{
	(void)st;
}

static void op_message(struct gt_h2_stream *st, unsigned char *data, size_t len)
{
	struct gt_grpc_stream *s = stream_of(st);
	struct client_message *m;

	if (s->is_ended) {
		free(data);
		return;
	}
	m = gt_xcalloc(1, sizeof(*m));
	m->data = data;
	m->len = len;
	*s->inbox_last = m;
	s->inbox_last = &m->next;
	s->inbox_bytes += len + sizeof(*m);
	if (s->inbox_bytes > INBOX_HIGH && !st->is_stopped)
		gt_h2_stream_stop(st, true);
	pthread_cond_broadcast(&s->cond);
	client_news(s);
}

static void op_remote_end(struct gt_h2_stream *st)
{
	(void)st; /* the stream closes, or is ours to end */
}

static void op_refuse(struct gt_h2_stream *st, struct gt_error *e)
{
	struct gt_grpc_stream *s = stream_of(st);

	stream_end(s, e);
	gt_h2_stream_reset(st, NGHTTP2_CANCEL);
}

static void op_finish(struct gt_h2_stream *st, uint32_t *flags)
{
	(void)st, (void)flags; /* the end of the stream says it all */
}

static void op_sent(struct gt_h2_stream *st, size_t len)
{
	struct gt_grpc_stream *s = stream_of(st);

	s->queued -= len;
	if (s->queued < QUEUED_HIGH)
		pthread_cond_broadcast(&s->cond);
}

const struct gt_h2_ops client_stream_ops = {
	.header = op_header,
	.headers_end = op_headers_end,
	.message = op_message,
	.remote_end = op_remote_end,
	.refuse = op_refuse,
	.finish = op_finish,
	.sent = op_sent,
	.closed = op_closed,
};

static struct client_message *inbox_take(struct gt_grpc_stream *s)
{
	struct client_message *m = s->inbox;

	s->inbox = m->next;
	if (!s->inbox)
		s->inbox_last = &s->inbox;
	s->inbox_bytes -= m->len + sizeof(*m);
	if (s->is_open && s->st.is_stopped && s->inbox_bytes < INBOX_LOW) {
		gt_h2_stream_stop(&s->st, false);
		client_flush(s);
	}
	return m;
}

static struct gt_error *message_read(const struct gt_grpc_stream *s, struct client_message *m,
				     ProtobufCMessage **out)
{
	*out = gt_ttrpc_message_unpack(s->method->reply, m->data, m->len);
	free(m->data);
	free(m);
	return *out ? NULL : gt_error_new(GT_DATA_LOSS, "%s: malformed %s", s->method->path,
					  s->method->reply->name);
}

/* --- ops ---------------------------------------------------------------------------------------- */

void client_news(struct gt_grpc_stream *s)
{
	struct gt_grpc_client *c = s->client;

	if ((!s->ops && !s->wants_arm) || s->has_news || s->is_freed)
		return;
	s->has_news = true;
	s->next_news = NULL;
	*c->news_last = s;
	c->news_last = &s->next_news;
}

static void cancelled(struct gt_watch *w, uint32_t events)
{
	struct gt_grpc_stream *s = gt_container_of(w, struct gt_grpc_stream, cancel);
	struct gt_grpc_client *c = s->client;

	(void)events;
	pthread_mutex_lock(&c->lock);
	gt_loop_unwatch(c->loop, w);
	client_stream_fail(s, gt_error_new(GT_CANCELED, "%s: canceled", s->method->path));
	client_news_tell(c);
	pthread_mutex_unlock(&c->lock);
}

static void expired(struct gt_timer *t)
{
	struct gt_grpc_stream *s = gt_container_of(t, struct gt_grpc_stream, timer);
	struct gt_grpc_client *c = s->client;

	pthread_mutex_lock(&c->lock);
	client_stream_fail(s, gt_error_new(GT_DEADLINE_EXCEEDED, "%s: no answer in time",
					   s->method->path));
	client_news_tell(c);
	pthread_mutex_unlock(&c->lock);
}

/* The loop is this thread's: what ends a stream is watched from here. */
static void arm(struct gt_grpc_stream *s)
{
	s->wants_arm = false;
	if (s->is_ended)
		return;
	s->is_armed = true;
	if (s->deadline) {
		s->timer.fn = expired;
		gt_loop_at(s->client->loop, &s->timer, s->deadline);
	}
	s->cancel.fn = cancelled;
	if (s->cancel_fd >= 0)
		gt_error_free(gt_loop_watch(s->client->loop, &s->cancel, s->cancel_fd, EPOLLIN));
}

static void disarm(struct gt_grpc_stream *s)
{
	if (!s->is_armed)
		return;
	s->is_armed = false;
	gt_timer_clear(&s->timer);
	gt_loop_unwatch(s->client->loop, &s->cancel);
}

/* One message, or the end. False: there is nothing, or nobody to tell. */
static bool tell_one(struct gt_grpc_stream *s)
{
	struct gt_grpc_client *c = s->client;
	ProtobufCMessage *m = NULL;
	struct gt_error *e = NULL;

	if (s->is_freed || s->end_told || !s->ops || (!s->inbox && !s->is_ended))
		return false;
	if (s->inbox)
		e = message_read(s, inbox_take(s), &m);
	if (e) {
		inbox_drop(s);
		client_stream_fail(s, e);
	}
	s->is_busy = true;
	if (!m) {
		s->end_told = true;
		disarm(s);
		e = gt_steal(&s->error);
	}
	pthread_mutex_unlock(&c->lock);
	if (m)
		s->ops->message(s->arg, m);
	else
		s->ops->end(s->arg, e);
	pthread_mutex_lock(&c->lock);
	s->is_busy = false;
	pthread_cond_broadcast(&c->idle);
	return true;
}

void client_news_tell(struct gt_grpc_client *c)
{
	while (c->news) {
		struct gt_grpc_stream *s = c->news;

		c->news = s->next_news;
		if (!c->news)
			c->news_last = &c->news;
		if (s->wants_arm && !s->is_freed)
			arm(s);
		while (tell_one(s))
			;
		s->has_news = false;
		if (s->is_freed)
			disarm(s);
		if (s->is_freed && !s->is_open)
			stream_destroy(s);
	}
}

/* --- for users ---------------------------------------------------------------------------------- */

static struct gt_grpc_stream *stream_new(struct gt_grpc_client *c,
					 const struct gt_grpc_remote *method)
{
	struct gt_grpc_stream *s = gt_xcalloc(1, sizeof(*s));
	pthread_condattr_t a;

	s->client = c;
	s->method = method;
	s->status = -1;
	s->cancel_fd = -1;
	s->inbox_last = &s->inbox;
	gt_buf_init(&s->text);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&s->cond, &a);
	pthread_condattr_destroy(&a);
	return s;
}

/* With the lock held. */
static struct gt_error *stream_submit(struct gt_grpc_stream *s, const struct gt_call *call)
{
	struct client_connection *conn = s->client->conn;
	nghttp2_data_provider data = gt_h2_stream_data(&s->st);
	gt_auto(gt_buf) timeout = GT_BUF_INIT;
	nghttp2_nv nv[10] = {
		GT_H2_FIELD(":method", "POST"),
		GT_H2_FIELD(":scheme", "http"),
		GT_H2_FIELD(":path", s->method->path),
		GT_H2_FIELD(":authority", "localhost"),
		GT_H2_FIELD("content-type", "application/grpc"),
		GT_H2_FIELD("te", "trailers"),
	};
	size_t n = 6;
	int32_t id;

	if (call->deadline) {
		gt_grpc_timeout_print(call->deadline - gt_now(), &timeout);
		nv[n++] = GT_H2_FIELD("grpc-timeout", timeout.s);
	}
	if (call->ns)
		nv[n++] = GT_H2_FIELD("containerd-namespace", call->ns);
	if (call->lease)
		nv[n++] = GT_H2_FIELD("containerd-lease", call->lease);
	if (!conn || conn->h2.broken) {
		s->may_retry = true;
		return gt_error_new(GT_UNAVAILABLE, "connection to %s is lost", s->client->address);
	}
	id = nghttp2_submit_request(conn->h2.session, NULL, nv, n, &data, NULL);
	if (id < 0) {
		s->may_retry = true;
		return gt_error_new(GT_UNAVAILABLE, "%s: %s", s->method->path, nghttp2_strerror(id));
	}
	gt_h2_stream_add(&conn->h2, &s->st, id);
	s->is_open = true;
	s->is_sending = true;
	return NULL;
}

static void send_bytes(struct gt_grpc_stream *s, struct gt_grpc_bytes *b)
{
	s->queued += b->len;
	gt_h2_stream_send(&s->st, b);
}

static struct gt_error *pack(const struct gt_grpc_remote *method, const ProtobufCMessage *m,
			     struct gt_grpc_bytes **out)
{
	size_t len;

	*out = gt_grpc_bytes_pack(m, &len);
	return *out ? NULL : gt_error_new(GT_RESOURCE_EXHAUSTED,
					  "%s: message of %zu bytes is larger than %d", method->path,
					  len, GT_GRPC_MESSAGE_MAX);
}

/* Opens a stream; with a message it is a whole request. Takes a reference of 'b' if it succeeds. */
static struct gt_error *stream_begin(struct gt_grpc_stream *s, const struct gt_call *call,
				     struct gt_grpc_bytes *b)
{
	struct gt_grpc_client *c = s->client;
	struct gt_error *e;

	GT_TRY(gt_call_check(call));
	e = gt_grpc_client_connect(c, call);
	if (e)
		return e;
	pthread_mutex_lock(&c->lock);
	e = stream_submit(s, call);
	if (!e) {
		if (b) {
			send_bytes(s, gt_grpc_bytes_ref(b));
			gt_h2_stream_finish(&s->st);
			s->is_sending = false;
		}
		if (s->ops && (s->deadline || s->cancel_fd >= 0)) {
			s->wants_arm = true;
			client_news(s);
			client_wake(c);
		}
		client_flush(s);
	}
	pthread_mutex_unlock(&c->lock);
	return e;
}

/*
 * Waits on the stream's condition; false with '*e' if the call has ended. With the lock held. Who waits
 * sees a cancel within CANCEL_LOOK: no descriptor is needed for it.
 */
static bool wait_on(struct gt_grpc_stream *s, const struct gt_call *call, struct gt_error **e)
{
	int64_t now = gt_now(), until = call->deadline ? call->deadline : INT64_MAX;
	struct timespec t;

	*e = gt_call_check(call);
	if (*e) {
		*e = gt_error_wrap(*e, "%s", s->method->path);
		return false;
	}
	if (call->cancel && until > now + CANCEL_LOOK)
		until = now + CANCEL_LOOK;
	if (until == INT64_MAX) {
		pthread_cond_wait(&s->cond, &s->client->lock);
		return true;
	}
	t = (struct timespec){ .tv_sec = until / 1000000000, .tv_nsec = until % 1000000000 };
	pthread_cond_timedwait(&s->cond, &s->client->lock, &t);
	return true;
}

struct gt_error *gt_grpc_stream_recv(struct gt_grpc_stream *s, const struct gt_call *call,
				     ProtobufCMessage **out)
{
	struct gt_grpc_client *c = s->client;
	struct client_message *m = NULL;
	struct gt_error *e = NULL;

	*out = NULL;
	pthread_mutex_lock(&c->lock);
	while (!s->inbox && !s->is_ended && wait_on(s, call, &e))
		;
	if (s->inbox)
		m = inbox_take(s);
	else if (s->is_ended && !e && s->error)
		e = gt_error_new(gt_error_class(s->error), "%s", gt_error_text(s->error));
	pthread_mutex_unlock(&c->lock);
	return m ? message_read(s, m, out) : e;
}

struct gt_error *gt_grpc_stream_send(struct gt_grpc_stream *s, const struct gt_call *call,
				     const ProtobufCMessage *m)
{
	struct gt_grpc_client *c = s->client;
	struct gt_grpc_bytes *b;
	struct gt_error *e = NULL;

	GT_TRY(pack(s->method, m, &b));
	pthread_mutex_lock(&c->lock);
	while (s->is_sending && s->queued > QUEUED_HIGH && wait_on(s, call, &e))
		;
	if (!e && !s->is_sending)
		e = s->error ? gt_error_new(gt_error_class(s->error), "%s", gt_error_text(s->error))
			     : gt_error_new(GT_FAILED_PRECONDITION, "%s: the stream has ended",
					    s->method->path);
	if (e) {
		gt_grpc_bytes_unref(b);
	} else {
		send_bytes(s, b);
		client_flush(s);
	}
	pthread_mutex_unlock(&c->lock);
	return e;
}

void gt_grpc_stream_close_send(struct gt_grpc_stream *s)
{
	pthread_mutex_lock(&s->client->lock);
	if (s->is_sending) {
		s->is_sending = false;
		gt_h2_stream_finish(&s->st);
		client_flush(s);
	}
	pthread_mutex_unlock(&s->client->lock);
}

void gt_grpc_stream_free(struct gt_grpc_stream *s)
{
	struct gt_grpc_client *c;
	bool own;

	if (!s)
		return;
	c = s->client;
	pthread_mutex_lock(&c->lock);
	own = c->loop && pthread_equal(pthread_self(), c->thread);
	while (s->is_busy && !own)
		pthread_cond_wait(&c->idle, &c->lock);
	if (!s->is_ended)
		client_stream_fail(s, gt_error_new(GT_CANCELED, "%s: canceled", s->method->path));
	s->is_freed = true;
	if (!s->is_open && !s->has_news && !s->is_busy && !s->is_armed) {
		stream_destroy(s);
	} else if (s->is_armed && !s->has_news) {
		s->has_news = true; /* the client's thread takes it out of its loop */
		s->next_news = NULL;
		*c->news_last = s;
		c->news_last = &s->next_news;
		client_wake(c);
	}
	pthread_mutex_unlock(&c->lock);
}

static struct gt_error *call_once(struct gt_grpc_client *c, const struct gt_call *call,
				  const struct gt_grpc_remote *method, struct gt_grpc_bytes *b,
				  ProtobufCMessage **reply, bool *may_retry)
{
	struct gt_grpc_stream *s = stream_new(c, method);
	ProtobufCMessage *more = NULL;
	struct gt_error *e = stream_begin(s, call, b);

	*reply = NULL;
	if (!e)
		e = gt_grpc_stream_recv(s, call, reply);
	if (!e && *reply) /* the status comes behind it */
		e = gt_grpc_stream_recv(s, call, &more);
	if (!e && more)
		e = gt_error_new(GT_INTERNAL, "%s: more than one reply", method->path);
	if (!e && !*reply)
		e = gt_error_new(GT_INTERNAL, "%s: no reply", method->path);
	gt_grpc_message_free(more);
	if (e)
		gt_grpc_message_free(gt_steal(reply));
	pthread_mutex_lock(&c->lock);
	*may_retry = s->may_retry;
	pthread_mutex_unlock(&c->lock);
	gt_grpc_stream_free(s);
	return e;
}

struct gt_error *gt_grpc_call(struct gt_grpc_client *c, const struct gt_call *call,
			      const struct gt_grpc_remote *method, const ProtobufCMessage *request,
			      ProtobufCMessage **reply)
{
	ProtobufCMessage *m = NULL;
	struct gt_grpc_bytes *b;
	bool may_retry = false;
	struct gt_error *e;

	GT_TRY(pack(method, request, &b));
	e = call_once(c, call, method, b, &m, &may_retry);
	/* Nobody has seen it: a connection that was about to end is no reason to fail. */
	if (e && may_retry) {
		gt_error_free(e);
		e = call_once(c, call, method, b, &m, &may_retry);
	}
	gt_grpc_bytes_unref(b);
	if (e)
		return e;
	if (reply)
		*reply = m;
	else
		gt_grpc_message_free(m);
	return NULL;
}

static struct gt_error *open_with(struct gt_grpc_client *c, const struct gt_call *call,
				  const struct gt_grpc_remote *method, struct gt_grpc_bytes *b,
				  const struct gt_grpc_stream_ops *ops, void *arg,
				  struct gt_grpc_stream **out)
{
	struct gt_grpc_stream *s = stream_new(c, method);
	struct gt_error *e = NULL;

	s->ops = ops;
	s->arg = arg;
	if (ops && call->cancel) {
		s->cancel_fd = fcntl(gt_cancel_fd(call->cancel), F_DUPFD_CLOEXEC, 3);
		if (s->cancel_fd < 0)
			e = gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "watch a call's cancel");
	}
	s->deadline = call->deadline;
	*out = s; /* before it may end */
	if (!e)
		e = stream_begin(s, call, b);
	if (!e)
		return NULL;
	*out = NULL;
	s->ops = NULL;
	gt_grpc_stream_free(s);
	return e;
}

struct gt_error *gt_grpc_stream_open(struct gt_grpc_client *c, const struct gt_call *call,
				     const struct gt_grpc_remote *method,
				     const struct gt_grpc_stream_ops *ops, void *arg,
				     struct gt_grpc_stream **out)
{
	return open_with(c, call, method, NULL, ops, arg, out);
}

struct gt_error *gt_grpc_call_async(struct gt_grpc_client *c, const struct gt_call *call,
				    const struct gt_grpc_remote *method,
				    const ProtobufCMessage *request,
				    const struct gt_grpc_stream_ops *ops, void *arg,
				    struct gt_grpc_stream **out)
{
	struct gt_grpc_bytes *b;
	struct gt_error *e;

	GT_TRY(pack(method, request, &b));
	e = open_with(c, call, method, b, ops, arg, out);
	gt_grpc_bytes_unref(b);
	return e;
}
