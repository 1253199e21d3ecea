/* SPDX-License-Identifier: Apache-2.0 */
/* A call as the loop's thread sees it: from headers to a request, from an answer to trailers. */
#include <config.h>

#include <grpc/server-private.h>
#include <ttrpc/status.h>

#include <stdio.h>
#include <string.h>

/* Messages of one stream that no handler has taken yet: beyond, the client is not asked for more. */
#define INBOX_HIGH (2 * 1024 * 1024)
/* Streams of one connection that it has given up while their handlers were at work. */
#define UNWANTED_MAX 1024
#define CALLS_MAX 200000
/* What is quick takes less; if not, others do not wait for it for a while. */
#define QUICK_NS 2000000
#define SLOW_NS INT64_C(1000000000)

static struct call *call_of(struct gt_h2_stream *st)
{
	return gt_container_of(st, struct call, stream);
}

static void message_free(struct message *m)
{
	if (m)
		free(m->data);
	free(m);
}

static void items_free(struct gt_h2_item *i)
{
	while (i) {
		struct gt_h2_item *next = i->next;

		gt_grpc_bytes_unref(i->bytes);
		free(i);
		i = next;
	}
}

/* --- the end of a call ------------------------------------------------------------ */

static void call_free(struct call *c)
{
	struct connection *conn = c->conn;

	conn->unwanted -= c->is_unwanted;
	atomic_fetch_sub(&c->server->queued, c->queued);
	grpc_inbox_drop(c);
	items_free(c->outbox);
	gt_error_free(c->result);
	gt_error_free(c->fault);
	message_free(c->request);
	gt_buf_done(&c->text);
	gt_cancel_free(c->pub.call.cancel);
	free((char *)c->pub.call.ns);
	free((char *)c->pub.call.lease);
	free(c);
	grpc_connection_release(conn);
}

static void call_reap(struct call *c)
{
	bool over;

	pthread_mutex_lock(&c->server->lock);
	over = c->is_closed && !c->is_running && !c->is_listed && (!c->is_started || c->is_answered);
	pthread_mutex_unlock(&c->server->lock);
	if (over)
		call_free(c);
}

/* Nobody waits for it any more. */
static void call_gone(struct call *c)
{
	pthread_mutex_lock(&c->server->lock);
	c->is_gone = true;
	grpc_inbox_drop(c);
	if (c->is_started && !c->is_answered) {
		gt_cancel_set(c->pub.call.cancel);
		grpc_call_post(c);
	}
	pthread_mutex_unlock(&c->server->lock);
}

static size_t head_fields(nghttp2_nv *nv)
{
	nv[0] = GT_H2_FIELD(":status", "200");
	nv[1] = GT_H2_FIELD("content-type", "application/grpc");
	return 2;
}

/* 'number' is room for the status's digits. */
static size_t status_fields(struct call *c, nghttp2_nv *nv, char number[4])
{
	snprintf(number, 4, "%d", c->status);
	nv[0] = GT_H2_FIELD("grpc-status", number);
	if (!c->text.len)
		return 1;
	nv[1] = GT_H2_FIELD("grpc-message", c->text.s);
	return 2;
}

static void reply_begin(struct call *c)
{
	nghttp2_data_provider data = gt_h2_stream_data(&c->stream);
	nghttp2_nv nv[4];

	if (c->is_replying)
		return;
	c->is_replying = true;
	if (nghttp2_submit_response(c->stream.h2->session, c->stream.id, nv, head_fields(nv), &data))
		gt_h2_stream_reset(&c->stream, NGHTTP2_INTERNAL_ERROR);
}

static void op_finish(struct gt_h2_stream *st, uint32_t *flags)
{
	struct call *c = call_of(st);
	nghttp2_nv nv[4];
	char number[4];
	size_t n = status_fields(c, nv, number);

	*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	nghttp2_submit_trailer(st->h2->session, st->id, nv, n);
}

/* A status with nothing before it. */
static void reply_status_only(struct call *c)
{
	nghttp2_nv nv[4];
	char number[4], http[16];
	size_t n = head_fields(nv);

	if (c->http_status) {
		snprintf(http, sizeof(http), "%d", c->http_status);
		nv[0] = GT_H2_FIELD(":status", http);
	}
	n += status_fields(c, nv + n, number);
	c->is_replying = true;
	if (nghttp2_submit_response(c->stream.h2->session, c->stream.id, nv, n, NULL))
		gt_h2_stream_reset(&c->stream, NGHTTP2_INTERNAL_ERROR);
}

static void reply_end_take(struct call *c, struct gt_error *e)
{
	c->is_over = true;
	c->stream.is_refused = true; /* whatever it still sends */
	c->status = gt_error_class(e);
	if (e) {
		gt_autofree char *text = gt_status_text(e);

		gt_grpc_percent_encode(text, &c->text);
	}
	if (c->text.len > 8192) /* readers have limits, too */
		gt_buf_setlen(&c->text, 8192);
	gt_error_free(e);
	grpc_deadline_remove(c);
	if (c->entry)
		atomic_fetch_add(&c->entry->counts.handled[c->status], 1);
	if (!c->is_replying && c->status)
		reply_status_only(c);
	else {
		reply_begin(c);
		gt_h2_stream_finish(&c->stream);
	}
	grpc_connection_dirty(c->conn);
}

void grpc_call_end_take(struct call *c, struct gt_error *e)
{
	if (c->is_over || c->is_closed) {
		gt_error_free(e);
		return;
	}
	reply_end_take(c, e);
	call_gone(c);
}

bool grpc_call_is_waiting(struct call *c)
{
	bool waiting;

	pthread_mutex_lock(&c->server->lock);
	waiting = !c->is_running;
	pthread_mutex_unlock(&c->server->lock);
	return waiting;
}

void grpc_call_closed(struct gt_h2_stream *st, uint32_t code)
{
	struct call *c = call_of(st);

	(void)code;
	if (!c->is_over && c->entry)
		atomic_fetch_add(&c->entry->counts.handled[GT_CANCELED], 1);
	c->is_over = true;
	c->server->n_calls--;
	c->conn->queued -= c->conn_queued;
	grpc_deadline_remove(c);
	call_gone(c);
	pthread_mutex_lock(&c->server->lock);
	c->is_closed = true;
	c->is_unwanted = c->is_started && !c->is_answered;
	pthread_mutex_unlock(&c->server->lock);
	if (c->is_unwanted)
		c->conn->unwanted++;
	call_reap(c);
}

/* --- headers ------------------------------------------------------------------------ */

static struct gt_h2_stream *op_open(struct gt_h2 *h2, int32_t id)
{
	struct connection *conn = (struct connection *)h2;
	struct gt_grpc_server *s = conn->server;
	struct call *c;

	(void)id;
	if (conn->unwanted > UNWANTED_MAX) {
		nghttp2_session_terminate_session(h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
		return NULL;
	}
	if (s->n_calls >= CALLS_MAX || s->is_draining)
		return NULL;
	c = gt_xcalloc(1, sizeof(*c));
	c->server = s;
	c->conn = conn;
	c->pub.call = (struct gt_call)GT_CALL_INIT;
	c->pub.call.cancel = gt_cancel_new();
	c->inbox_last = &c->inbox;
	c->outbox_last = &c->outbox;
	c->http_status = 415; /* until a content type says otherwise */
	gt_buf_init(&c->text);
	s->n_calls++;
	conn->n_calls++;
	return &c->stream;
}

static bool is(const char *name, size_t len, const char *what)
{
	return len == strlen(what) && !memcmp(name, what, len);
}

static void fault(struct call *c, struct gt_error *e)
{
	c->fault = gt_error_first(c->fault, e);
}

static void path_take(struct call *c, const char *path, size_t len)
{
	const char *slash = len > 1 && path[0] == '/' ? memchr(path + 1, '/', len - 1) : NULL;

	c->entry = grpc_entry_find(c->server, path, len);
	if (c->entry) {
		c->pub.method = c->entry->method;
		c->pub.arg = c->entry->service->arg;
	} else if (!slash) {
		fault(c, gt_error_new(GT_UNIMPLEMENTED, "malformed method name: \"%.*s\"",
				      (int)(len < 200 ? len : 200), path));
	} else {
		int service = (int)(slash - path - 1), method = (int)(len - (slash - path) - 1);
		bool known = grpc_service_is_known(c->server, path + 1, service);

		if (service > 200)
			service = 200;
		if (method > 200)
			method = 200;
		fault(c, known ? gt_error_new(GT_UNIMPLEMENTED, "unknown method %.*s for service %.*s",
					      method, slash + 1, service, path + 1)
			       : gt_error_new(GT_UNIMPLEMENTED, "unknown service %.*s", service,
					      path + 1));
	}
}

static void timeout_take(struct call *c, const char *value, size_t len)
{
	int64_t ns;

	if (!gt_grpc_timeout_parse(value, len, &ns))
		fault(c, gt_error_new(GT_INTERNAL, "malformed grpc-timeout"));
	else if (__builtin_add_overflow(gt_now(), ns, &c->pub.call.deadline))
		c->pub.call.deadline = 0; /* further than the clock goes */
}

static bool op_header(struct gt_h2_stream *st, const char *name, size_t name_len, const char *value,
		      size_t len)
{
	struct call *c = call_of(st);
	static const char grpc[] = "application/grpc";
	size_t n = sizeof(grpc) - 1;

	if (st->has_head) /* trailers say nothing to a server */
		return true;
	if (is(name, name_len, ":path")) {
		path_take(c, value, len);
	} else if (is(name, name_len, ":method")) {
		if (!is(value, len, "POST"))
			fault(c, gt_error_new(GT_INTERNAL, "HTTP method is not POST"));
	} else if (is(name, name_len, "content-type")) {
		if (len >= n && !memcmp(value, grpc, n) &&
		    (len == n || value[n] == '+' || value[n] == ';'))
			c->http_status = 0;
	} else if (is(name, name_len, "grpc-timeout")) {
		timeout_take(c, value, len);
	} else if (is(name, name_len, "grpc-encoding")) {
		if (!is(value, len, "identity"))
			fault(c, gt_error_new(GT_UNIMPLEMENTED,
					      "grpc: Decompressor is not installed for grpc-encoding "
					      "\"%.*s\"", (int)(len < 40 ? len : 40), value));
	} else if (is(name, name_len, "containerd-namespace")) {
		if (!c->pub.call.ns) /* the first one counts */
			c->pub.call.ns = gt_xstrndup(value, len);
	} else if (is(name, name_len, "containerd-lease")) {
		if (!c->pub.call.lease && len)
			c->pub.call.lease = gt_xstrndup(value, len);
	}
	return true;
}

static void op_headers_end(struct gt_h2_stream *st)
{
	struct call *c = call_of(st);

	if (st->has_head)
		return;
	if (c->http_status)
		grpc_call_end_take(c, gt_error_new(GT_INVALID_ARGUMENT,
						   "invalid gRPC request content-type"));
	else if (!c->fault && c->conn->queued > CONNECTION_QUEUED_MAX)
		fault(c, gt_error_new(GT_RESOURCE_EXHAUSTED,
				      "grpc: this connection's client does not read"));
	if (c->fault)
		grpc_call_end_take(c, gt_steal(&c->fault));
	if (c->is_over)
		return;
	atomic_fetch_add(&c->entry->counts.started, 1);
	if (c->pub.call.deadline)
		grpc_deadline_add(c);
}

/* --- messages ----------------------------------------------------------------------- */

static bool is_client_stream(const struct call *c)
{
	return c->pub.method->flags & GT_GRPC_CLIENT_STREAM;
}

static void inbox_add(struct call *c, struct message *m)
{
	*c->inbox_last = m;
	c->inbox_last = &m->next;
	c->inbox_bytes += m->len + sizeof(*m);
}

static void op_message(struct gt_h2_stream *st, unsigned char *data, size_t len)
{
	struct call *c = call_of(st);
	struct message *m = gt_xcalloc(1, sizeof(*m));

	m->data = data;
	m->len = len;
	if (c->is_over) {
		message_free(m);
		return;
	}
	atomic_fetch_add(&c->entry->counts.received, 1);
	if (!is_client_stream(c)) {
		if (!c->request) {
			c->request = m;
			return;
		}
		message_free(m);
		grpc_call_end_take(c, gt_error_new(GT_UNIMPLEMENTED,
						   "grpc: more than one message for a unary call"));
		return;
	}
	pthread_mutex_lock(&c->server->lock);
	inbox_add(c, m);
	if (c->inbox_bytes > INBOX_HIGH && !c->is_stopped) {
		c->is_stopped = true;
		gt_h2_stream_stop(st, true);
	}
	grpc_call_post(c);
	pthread_mutex_unlock(&c->server->lock);
}

static void run_here(struct call *c, int64_t now)
{
	grpc_call_run(c);
	if (gt_now() - now > QUICK_NS)
		c->entry->slow_until = now + SLOW_NS;
}

static void op_remote_end(struct gt_h2_stream *st)
{
	struct call *c = call_of(st);
	int64_t now;

	if (c->is_over)
		return;
	if (!is_client_stream(c) && !c->request) {
		grpc_call_end_take(c, gt_error_new(GT_UNIMPLEMENTED,
						   "grpc: no message for a unary call"));
		return;
	}
	pthread_mutex_lock(&c->server->lock);
	if (c->request)
		inbox_add(c, gt_steal(&c->request));
	c->is_ended = true;
	now = c->pub.method->flags & GT_GRPC_QUICK ? gt_now() : 0;
	if (!now || now < c->entry->slow_until)
		grpc_call_post(c);
	pthread_mutex_unlock(&c->server->lock);
	if (now && now >= c->entry->slow_until)
		run_here(c, now);
}

static void op_refuse(struct gt_h2_stream *st, struct gt_error *e)
{
	grpc_call_end_take(call_of(st), e);
}

static void op_sent(struct gt_h2_stream *st, size_t len)
{
	struct call *c = call_of(st);
	bool ready;

	c->conn_queued -= len;
	c->conn->queued -= len;
	atomic_fetch_sub(&c->server->queued, len);
	atomic_fetch_sub(&c->queued, len);
	pthread_mutex_lock(&c->server->lock);
	ready = c->wants_ready;
	if (ready)
		grpc_call_post(c);
	pthread_mutex_unlock(&c->server->lock);
}

const struct gt_h2_ops grpc_call_ops = {
	.open = op_open,
	.header = op_header,
	.headers_end = op_headers_end,
	.message = op_message,
	.remote_end = op_remote_end,
	.refuse = op_refuse,
	.finish = op_finish,
	.sent = op_sent,
	.closed = grpc_call_closed,
};

/* --- what workers leave to be done ---------------------------------------------------- */

static void outbox_move(struct call *c, struct gt_h2_item *i)
{
	while (i) {
		struct gt_h2_item *next = i->next;

		c->conn_queued += i->bytes->len;
		c->conn->queued += i->bytes->len;
		gt_h2_stream_send(&c->stream, i->bytes);
		free(i);
		i = next;
	}
}

/* Takes all. */
static void call_apply(struct call *c, struct gt_h2_item *items, bool has_result,
		       struct gt_error *result, bool go_on)
{
	if (c->is_over) {
		items_free(items);
		gt_error_free(result);
		return;
	}
	if (go_on)
		gt_h2_stream_stop(&c->stream, false);
	if (items && has_result && c->conn->queued > CONNECTION_QUEUED_MAX) {
		items_free(gt_steal(&items));
		if (!result)
			result = gt_error_new(GT_RESOURCE_EXHAUSTED,
					      "grpc: this connection's client does not read");
	}
	if (items)
		reply_begin(c);
	outbox_move(c, items);
	if (has_result)
		reply_end_take(c, result);
	grpc_connection_dirty(c->conn);
}

static void call_work(struct call *c)
{
	struct gt_grpc_server *s = c->server;
	struct gt_h2_item *items;
	struct gt_error *result;
	bool has_result, go_on;

	c->is_listed = false;
	items = gt_steal(&c->outbox);
	c->outbox_last = &c->outbox;
	has_result = c->has_result;
	result = gt_steal(&c->result);
	c->has_result = false;
	go_on = c->is_stopped && c->inbox_bytes < INBOX_HIGH / 2;
	if (go_on)
		c->is_stopped = false;
	pthread_mutex_unlock(&s->lock);
	call_apply(c, items, has_result, result, go_on);
	call_reap(c);
	pthread_mutex_lock(&s->lock);
}

void grpc_calls_work(struct gt_grpc_server *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->listed) {
		struct call *c = s->listed;

		s->listed = c->next_listed;
		if (!s->listed)
			s->listed_last = &s->listed;
		call_work(c);
	}
	pthread_mutex_unlock(&s->lock);
}
