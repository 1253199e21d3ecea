/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <grpc/http2.h>

#include <gantry/call.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define STREAM_WINDOW (4 * 1024 * 1024)
#define CONNECTION_WINDOW (64 * 1024 * 1024)
#define FRAME_MAX (1024 * 1024)
#define STREAMS_MAX 32768
#define HEADERS_MAX (16 * 1024)
/* Partial messages of one connection. */
#define HELD_MAX (64 * 1024 * 1024)
/* Frames a second that ask for work and bring none (PING, SETTINGS, empty DATA, resets). */
#define FLOOD_MAX 20000
/* A preface or header block that has begun must be whole by then. */
#define BEGUN_TIMEOUT (20 * INT64_C(1000000000))
/* Frames that wait for a peer that reads nothing. */
#define QUEUE_MAX 100000

static struct gt_h2_stream *stream_of(struct gt_h2 *h2, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h2->session, id);
}

/* --- streams -------------------------------------------------------------------- */

void gt_h2_stream_add(struct gt_h2 *h2, struct gt_h2_stream *s, int32_t id)
{
	s->h2 = h2;
	s->id = id;
	s->last = &s->first;
	s->next = h2->streams;
	s->link = &h2->streams;
	if (s->next)
		s->next->link = &s->next;
	h2->streams = s;
	h2->n_streams++;
	nghttp2_session_set_stream_user_data(h2->session, id, s);
}

static void held_drop(struct gt_h2_stream *s)
{
	s->h2->held -= s->in.fill;
	gt_grpc_deframer_done(&s->in);
}

static void queue_drop(struct gt_h2_stream *s)
{
	while (s->first) {
		struct gt_h2_item *i = s->first;

		s->first = i->next;
		gt_grpc_bytes_unref(i->bytes);
		free(i);
	}
	s->last = &s->first;
	s->sent = 0;
}

static void stream_remove(struct gt_h2_stream *s, uint32_t code)
{
	held_drop(s);
	queue_drop(s);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	s->h2->n_streams--;
	s->h2->ops->closed(s, code);
}

static void stream_wake(struct gt_h2_stream *s)
{
	if (!s->is_waiting)
		return;
	s->is_waiting = false;
	if (nghttp2_session_resume_data(s->h2->session, s->id) == NGHTTP2_ERR_NOMEM)
		s->h2->broken = true;
}

void gt_h2_stream_send(struct gt_h2_stream *s, struct gt_grpc_bytes *bytes)
{
	struct gt_h2_item *i = gt_xmalloc(sizeof(*i));

	*i = (struct gt_h2_item){ .bytes = bytes };
	*s->last = i;
	s->last = &i->next;
	stream_wake(s);
}

void gt_h2_stream_finish(struct gt_h2_stream *s)
{
	s->end = true;
	stream_wake(s);
}

void gt_h2_stream_reset(struct gt_h2_stream *s, uint32_t code)
{
	s->is_refused = true;
	held_drop(s);
	queue_drop(s);
	nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id, code);
}

void gt_h2_stream_stop(struct gt_h2_stream *s, bool stop)
{
	s->is_stopped = stop;
	if (stop || !s->owed)
		return;
	nghttp2_session_consume_stream(s->h2->session, s->id, s->owed);
	s->owed = 0;
}

/* --- sending -------------------------------------------------------------------- */

static ssize_t data_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
			 uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct gt_h2_stream *s = source->ptr;
	size_t have = 0;

	(void)session, (void)id, (void)buf, (void)user;
	for (const struct gt_h2_item *i = s->first; i && have < length; i = i->next)
		have += i->bytes->len - (i == s->first ? s->sent : 0);
	if (!have && !s->end) {
		s->is_waiting = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (have <= length && s->end) {
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		s->h2->ops->finish(s, flags);
	}
	return (ssize_t)(have < length ? have : length);
}

nghttp2_data_provider gt_h2_stream_data(struct gt_h2_stream *s)
{
	return (nghttp2_data_provider){ .source.ptr = s, .read_callback = data_read };
}

/* Moves 'length' bytes of the stream's queue behind the frame's header into the output. */
static int data_send(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
		     size_t length, nghttp2_data_source *source, void *user)
{
	struct gt_h2_stream *s = source->ptr;
	struct gt_h2 *h2 = user;
	size_t left = length;

	(void)session, (void)frame;
	if (h2->out.len - h2->sent >= GT_H2_OUT)
		return NGHTTP2_ERR_WOULDBLOCK;
	gt_buf_reserve(&h2->out, 9 + length);
	gt_buf_add(&h2->out, head, 9);
	while (left) {
		struct gt_h2_item *i = s->first;
		size_t n = i->bytes->len - s->sent;

		if (n > left)
			n = left;
		gt_buf_add(&h2->out, i->bytes->data + s->sent, n);
		left -= n;
		s->sent += n;
		if (s->sent == i->bytes->len) {
			s->first = i->next;
			if (!s->first)
				s->last = &s->first;
			s->sent = 0;
			gt_grpc_bytes_unref(i->bytes);
			free(i);
		}
	}
	if (length)
		h2->ops->sent(s, length);
	return 0;
}

static ssize_t control_send(nghttp2_session *session, const uint8_t *data, size_t length, int flags,
			    void *user)
{
	struct gt_h2 *h2 = user;

	(void)session, (void)flags;
	if (h2->out.len - h2->sent >= GT_H2_OUT)
		return NGHTTP2_ERR_WOULDBLOCK;
	gt_buf_add(&h2->out, data, length);
	return (ssize_t)length;
}

static ssize_t frame_length(nghttp2_session *session, uint8_t type, int32_t id,
			    int32_t session_window, int32_t stream_window, uint32_t max, void *user)
{
	int64_t n = session_window < stream_window ? session_window : stream_window;

	(void)session, (void)type, (void)id, (void)user;
	if (n > max)
		n = max;
	if (n > GT_H2_OUT)
		n = GT_H2_OUT;
	return n < 1 ? 1 : n;
}

/* False: the socket takes no more, or is gone. */
static bool out_write(struct gt_h2 *h2)
{
	while (h2->sent < h2->out.len) {
		ssize_t n = send(h2->fd, h2->out.s + h2->sent, h2->out.len - h2->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			h2->is_blocked = true;
			return false;
		}
		if (n < 0) {
			h2->broken = true;
			return false;
		}
		h2->sent += n;
	}
	gt_buf_setlen(&h2->out, 0);
	h2->sent = 0;
	return true;
}

/* A connection that has nothing left to send holds no buffer. */
static void out_swap(struct gt_h2 *h2)
{
	struct gt_buf b = h2->out;

	h2->out = *h2->spare;
	*h2->spare = b;
}

/* Of a peer that does not read only what is left is kept. */
static void out_return(struct gt_h2 *h2)
{
	struct gt_buf left = GT_BUF_INIT;

	gt_buf_add(&left, h2->out.s + h2->sent, h2->out.len - h2->sent);
	gt_buf_setlen(&h2->out, 0);
	h2->sent = 0;
	gt_buf_done(h2->spare);
	*h2->spare = h2->out;
	h2->out = left;
}

void gt_h2_flush(struct gt_h2 *h2)
{
	bool lent = !h2->out.alloc;

	if (lent)
		out_swap(h2);
	h2->is_blocked = false;
	while (!h2->broken && out_write(h2)) {
		if (nghttp2_session_send(h2->session))
			h2->broken = true;
		if (!h2->out.len)
			break;
	}
	if (lent)
		out_return(h2);
	else if (!h2->out.len)
		gt_buf_done(&h2->out);
	if (h2->is_blocked && nghttp2_session_get_outbound_queue_size(h2->session) > QUEUE_MAX)
		h2->broken = true;
	if (!h2->out.len && !nghttp2_session_want_read(h2->session) &&
	    !nghttp2_session_want_write(h2->session))
		h2->broken = true;
}

/* --- receiving ------------------------------------------------------------------ */

static bool is_flood(struct gt_h2 *h2)
{
	int64_t now = gt_now();

	if (now - h2->flood_from > INT64_C(1000000000)) {
		h2->flood_from = now;
		h2->flood = 0;
	}
	return ++h2->flood > FLOOD_MAX;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
	struct gt_h2 *h2 = user;
	bool idle = hd->type == NGHTTP2_PING || hd->type == NGHTTP2_SETTINGS ||
		    hd->type == NGHTTP2_PRIORITY || hd->type == NGHTTP2_RST_STREAM ||
		    (hd->type == NGHTTP2_DATA && !hd->length && !(hd->flags & NGHTTP2_FLAG_END_STREAM));

	if (idle && is_flood(h2))
		nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
	return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct gt_h2 *h2 = user;
	struct gt_h2_stream *s;

	(void)session;
	h2->due = gt_now() + BEGUN_TIMEOUT;
	if (h2->is_client || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	s = h2->ops->open(h2, frame->hd.stream_id);
	if (!s)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	gt_h2_stream_add(h2, s, frame->hd.stream_id);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
	struct gt_h2_stream *s = stream_of(user, frame->hd.stream_id);

	(void)session, (void)flags;
	if (!s)
		return 0;
	s->header_bytes += name_len + value_len + 32;
	if (s->header_bytes > HEADERS_MAX)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (!s->is_refused && !s->h2->ops->header(s, (const char *)name, name_len,
						  (const char *)value, value_len))
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	return 0;
}

static void refuse(struct gt_h2_stream *s, struct gt_error *e)
{
	s->is_refused = true;
	held_drop(s);
	s->h2->ops->refuse(s, e);
}

static void remote_end(struct gt_h2_stream *s)
{
	if (s->is_refused)
		return;
	if (!gt_grpc_deframer_is_between(&s->in)) {
		refuse(s, gt_error_new(GT_INTERNAL, "grpc: stream ended inside of a message"));
		return;
	}
	s->h2->ops->remote_end(s);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct gt_h2 *h2 = user;
	struct gt_h2_stream *s;

	(void)session;
	switch (frame->hd.type) {
	case NGHTTP2_SETTINGS:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK) && !h2->is_ready) {
			h2->is_ready = true;
			h2->due = 0;
		}
		return 0;
	case NGHTTP2_HEADERS:
		h2->due = 0;
		break;
	case NGHTTP2_DATA:
		break;
	default:
		return 0;
	}
	s = stream_of(h2, frame->hd.stream_id);
	if (!s)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && !s->is_refused) {
		h2->ops->headers_end(s);
		s->has_head = true;
	}
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		remote_end(s);
	return 0;
}

static int on_invalid(nghttp2_session *session, const nghttp2_frame *frame, int err, void *user)
{
	struct gt_h2 *h2 = user;

	(void)session, (void)err;
	if (frame->hd.type == NGHTTP2_HEADERS)
		h2->due = 0;
	return 0;
}

/* The windows: the connection's is given back at once, a stream's as its owner takes messages. */
static void window_return(struct gt_h2_stream *s, size_t len)
{
	nghttp2_session_consume_connection(s->h2->session, len);
	if (s->is_stopped)
		s->owed += len;
	else
		nghttp2_session_consume_stream(s->h2->session, s->id, len);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		   size_t len, void *user)
{
	struct gt_h2 *h2 = user;
	struct gt_h2_stream *s = stream_of(h2, id);
	const unsigned char *p = data;
	size_t left = len;

	(void)flags;
	if (!s) {
		nghttp2_session_consume(session, id, len);
		return 0;
	}
	while (left && !s->is_refused) {
		size_t before = s->in.fill;
		unsigned char *message;
		size_t n;
		struct gt_error *e = gt_grpc_deframe(&s->in, &p, &left, &message, &n);

		h2->held += (message || e ? 0 : s->in.fill) - before;
		if (!e && h2->held > h2->held_max)
			e = gt_error_new(GT_RESOURCE_EXHAUSTED,
					 "grpc: more than %zu bytes of messages that are not whole",
					 h2->held_max);
		if (e)
			refuse(s, e);
		else if (message)
			h2->ops->message(s, message, n);
	}
	window_return(s, len);
	return 0;
}

/* A server that has said all it has to say takes nothing more on that stream. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	const struct gt_h2 *h2 = user;

	if (!h2->is_client && frame->hd.type == NGHTTP2_HEADERS &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
	    nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
					  NGHTTP2_NO_ERROR);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct gt_h2_stream *s = stream_of(user, id);

	(void)session;
	if (s)
		stream_remove(s, code);
	return 0;
}

void gt_h2_feed(struct gt_h2 *h2, const unsigned char *data, size_t len)
{
	ssize_t n = nghttp2_session_mem_recv(h2->session, data, len);

	/* What nghttp2 has to say about it (GOAWAY) goes out before the connection ends. */
	if (n < 0) {
		gt_h2_flush(h2);
		h2->broken = true;
	}
}

void gt_h2_read(struct gt_h2 *h2, unsigned char *room)
{
	ssize_t n = recv(h2->fd, room, GT_H2_READ, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		h2->broken = true;
		return;
	}
	gt_h2_feed(h2, room, n);
}

/* --- the connection --------------------------------------------------------------- */

static struct gt_error *session_new(struct gt_h2 *h2)
{
	nghttp2_session_callbacks *c = NULL;
	nghttp2_option *o = NULL;
	int err = nghttp2_session_callbacks_new(&c);

	if (!err)
		err = nghttp2_option_new(&o);
	if (!err) {
		nghttp2_session_callbacks_set_send_callback(c, control_send);
		nghttp2_session_callbacks_set_send_data_callback(c, data_send);
		nghttp2_session_callbacks_set_data_source_read_length_callback(c, frame_length);
		nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
		nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
		nghttp2_session_callbacks_set_on_header_callback(c, on_header);
		nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
		nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent);
		nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid);
		nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
		nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
		nghttp2_option_set_no_auto_window_update(o, 1);
		/* They keep a tree of dead streams for priorities, which gRPC does not use. */
		nghttp2_option_set_no_closed_streams(o, 1);
		nghttp2_option_set_peer_max_concurrent_streams(o, STREAMS_MAX);
		err = h2->is_client ? nghttp2_session_client_new2(&h2->session, c, h2, o)
				    : nghttp2_session_server_new2(&h2->session, c, h2, o);
	}
	nghttp2_option_del(o);
	nghttp2_session_callbacks_del(c);
	if (err)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "HTTP/2 session: %s",
				    nghttp2_strerror(err));
	return NULL;
}

struct gt_error *gt_h2_init(struct gt_h2 *h2, const struct gt_h2_ops *ops, int fd, bool is_client,
			    struct gt_buf *spare)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, is_client ? 0 : STREAMS_MAX },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_FRAME_SIZE, FRAME_MAX },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADERS_MAX },
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 }, /* a client's to say */
	};
	size_t n = sizeof(settings) / sizeof(settings[0]) - !is_client;

	*h2 = (struct gt_h2){
		.ops = ops,
		.fd = fd,
		.spare = spare,
		.is_client = is_client,
		.held_max = HELD_MAX,
		.due = gt_now() + BEGUN_TIMEOUT,
	};
	gt_buf_init(&h2->out);
	GT_TRY(session_new(h2));
	nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, n);
	nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
	return NULL;
}

void gt_h2_done(struct gt_h2 *h2)
{
	while (h2->streams)
		stream_remove(h2->streams, NGHTTP2_CONNECT_ERROR);
	nghttp2_session_del(h2->session);
	h2->session = NULL;
	gt_buf_done(&h2->out);
}
