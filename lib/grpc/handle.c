/* SPDX-License-Identifier: Apache-2.0 */
/* A call as its handler sees it, whatever thread that runs in. */
#include <config.h>

#include <grpc/server-private.h>
#include <ttrpc/frame.h>

#include <string.h>
#include <sys/eventfd.h>

/* A stream's handler is told to wait when so much of its own is queued, ... */
#define QUEUED_HIGH (1024 * 1024)
/* ... or anything of its own while all streams together have so much. */
#define ALL_QUEUED_HIGH (128 * 1024 * 1024)
/* Its inbox is low enough to ask the client for more. */
#define INBOX_LOW (1024 * 1024)

void grpc_inbox_drop(struct call *c)
{
	while (c->inbox) {
		struct message *m = c->inbox;

		c->inbox = m->next;
		free(m->data);
		free(m);
	}
	c->inbox_last = &c->inbox;
	c->inbox_bytes = 0;
}

void grpc_call_list(struct call *c)
{
	struct gt_grpc_server *s = c->server;

	if (c->is_listed)
		return;
	c->is_listed = true;
	c->next_listed = NULL;
	*s->listed_last = c;
	s->listed_last = &c->next_listed;
	if (s->is_sleeping) {
		s->is_sleeping = false;
		eventfd_write(s->wake_fd, 1);
	}
}

static bool has_room(const struct call *c)
{
	size_t queued = atomic_load(&c->queued);

	return !queued || (queued < QUEUED_HIGH && atomic_load(&c->server->queued) < ALL_QUEUED_HIGH);
}

/* The next thing to tell the handler. With the lock held. */
enum news { NOTHING, MESSAGE, END, GONE, READY };
static enum news news_of(const struct call *c)
{
	bool is_stream = c->pub.method->flags & GT_GRPC_CLIENT_STREAM;

	if (c->is_answered || (c->is_gone && !c->is_started))
		return NOTHING;
	if (c->is_gone)
		return c->gone_told ? NOTHING : GONE;
	if (c->inbox)
		return MESSAGE;
	if (c->is_ended && !c->end_told && is_stream)
		return END;
	return c->wants_ready && has_room(c) ? READY : NOTHING;
}

/*
 * The server's own answer to what its client sent wrong; a handler that has begun is told that nobody
 * waits. With the lock held; takes 'e'.
 */
static void call_fail_take(struct call *c, struct gt_error *e)
{
	if (c->is_answered || c->is_gone) {
		gt_error_free(e);
		return;
	}
	c->is_gone = true;
	c->has_result = true;
	c->result = e;
	grpc_inbox_drop(c);
	gt_cancel_set(c->pub.call.cancel);
	grpc_call_list(c);
}

static struct message *inbox_take(struct call *c)
{
	struct message *m = c->inbox;

	c->inbox = m->next;
	if (!c->inbox)
		c->inbox_last = &c->inbox;
	c->inbox_bytes -= m->len + sizeof(*m);
	if (c->is_stopped && c->inbox_bytes < INBOX_LOW)
		grpc_call_list(c);
	return m;
}

/* With the lock held, which is released for the handler, as in the functions below. */
static void message_tell(struct call *c)
{
	const ProtobufCMessageDescriptor *type = c->pub.method->request;
	struct message *m = inbox_take(c);
	ProtobufCMessage *request;

	pthread_mutex_unlock(&c->server->lock);
	request = gt_ttrpc_message_unpack(type, m->data, m->len);
	free(m->data);
	free(m);
	pthread_mutex_lock(&c->server->lock);
	if (!request) {
		call_fail_take(c, gt_error_new(GT_INTERNAL,
					       "grpc: error unmarshalling request: malformed %s",
					       type->name));
		return;
	}
	if (c->is_gone && !c->is_started) {
		gt_ttrpc_message_free(request);
		return;
	}
	c->is_started = true;
	pthread_mutex_unlock(&c->server->lock);
	c->pub.method->handle(&c->pub, request);
	gt_ttrpc_message_free(request);
	pthread_mutex_lock(&c->server->lock);
}

static void end_tell(struct call *c)
{
	c->end_told = true;
	c->is_started = true;
	pthread_mutex_unlock(&c->server->lock);
	c->pub.method->handle(&c->pub, NULL);
	pthread_mutex_lock(&c->server->lock);
}

static void gone_tell(struct call *c)
{
	c->gone_told = true;
	if (!c->pub.gone) {
		if (c->pub.method->flags & GT_GRPC_CLIENT_STREAM && !c->end_told)
			end_tell(c);
		return;
	}
	pthread_mutex_unlock(&c->server->lock);
	c->pub.gone(&c->pub);
	pthread_mutex_lock(&c->server->lock);
}

static void ready_tell(struct call *c)
{
	c->wants_ready = false;
	pthread_mutex_unlock(&c->server->lock);
	c->pub.ready(&c->pub);
	pthread_mutex_lock(&c->server->lock);
}

/* False: there was nothing. */
static bool tell_next(struct call *c)
{
	switch (news_of(c)) {
	case NOTHING:
		return false;
	case MESSAGE:
		message_tell(c);
		break;
	case END:
		end_tell(c);
		break;
	case GONE:
		gone_tell(c);
		break;
	case READY:
		ready_tell(c);
		break;
	}
	return true;
}

/* With the lock held. */
static void call_run(struct call *c)
{
	while (tell_next(c))
		;
	c->is_running = false;
	/* The loop frees it, if it was only waiting for this. */
	if (c->is_closed && (!c->is_started || c->is_answered))
		grpc_call_list(c);
}

void grpc_call_run(struct call *c)
{
	struct gt_grpc_server *s = c->server;

	pthread_mutex_lock(&s->lock);
	s->is_sleeping = false; /* this is its thread: nobody need wake it for the answer */
	c->is_running = true;
	call_run(c);
	pthread_mutex_unlock(&s->lock);
}

static void job_submit(struct call *c);

static void call_job(struct gt_job *j)
{
	struct call *c = gt_container_of(j, struct call, job);
	struct gt_grpc_server *s = c->server;
	struct connection *conn = c->conn;
	struct call *next;

	pthread_mutex_lock(&s->lock);
	if (!c->is_started && !c->is_gone && conn->queued > CONNECTION_QUEUED_MAX)
		call_fail_take(c, gt_error_new(GT_RESOURCE_EXHAUSTED,
					       "grpc: this connection's client does not read"));
	call_run(c);
	/* The call, and so the connection, stays as long as the lock is held. */
	conn->jobs--;
	next = conn->waiting;
	if (next) {
		conn->waiting = next->next_waiting;
		if (!conn->waiting)
			conn->waiting_last = &conn->waiting;
		job_submit(next);
	}
	pthread_mutex_unlock(&s->lock);
}

static void job_submit(struct call *c)
{
	c->conn->jobs++;
	c->job.run = call_job;
	gt_pool_submit(c->server->pool, &c->job);
}

void grpc_call_post(struct call *c)
{
	struct connection *conn = c->conn;

	if (c->is_running || news_of(c) == NOTHING)
		return;
	c->is_running = true;
	if (conn->jobs < c->server->jobs_max) {
		job_submit(c);
		return;
	}
	c->next_waiting = NULL;
	*conn->waiting_last = c;
	conn->waiting_last = &c->next_waiting;
}

/* --- for handlers --------------------------------------------------------------------- */

/* With the lock held. */
static void outbox_add(struct call *c, struct gt_grpc_bytes *b)
{
	struct gt_h2_item *i = gt_xmalloc(sizeof(*i));

	*i = (struct gt_h2_item){ .bytes = b };
	*c->outbox_last = i;
	c->outbox_last = &i->next;
	atomic_fetch_add(&c->queued, b->len);
	atomic_fetch_add(&c->server->queued, b->len);
	atomic_fetch_add(&c->entry->counts.sent, 1);
}

/* Takes 'b' (NULL: none) and 'e'. */
static void answer_take(struct call *c, struct gt_grpc_bytes *b, struct gt_error *e)
{
	struct gt_grpc_server *s = c->server;

	pthread_mutex_lock(&s->lock);
	c->is_answered = true;
	if (c->is_gone) {
		gt_grpc_bytes_unref(b);
		gt_error_free(e);
	} else {
		if (b)
			outbox_add(c, b);
		c->has_result = true;
		c->result = e;
	}
	if (!c->is_gone || (c->is_closed && !c->is_running))
		grpc_call_list(c);
	pthread_mutex_unlock(&s->lock);
}

static struct gt_error *too_long(size_t len)
{
	return gt_error_new(GT_RESOURCE_EXHAUSTED,
			    "grpc: trying to send message larger than max (%zu vs. %d)", len,
			    GT_GRPC_MESSAGE_MAX);
}

void gt_grpc_answer(struct gt_grpc_call *pub, const ProtobufCMessage *response)
{
	size_t len;
	struct gt_grpc_bytes *b = gt_grpc_bytes_pack(response, &len);

	answer_take((struct call *)pub, b, b ? NULL : too_long(len));
}

void gt_grpc_answer_bytes_take(struct gt_grpc_call *pub, struct gt_grpc_bytes *b)
{
	answer_take((struct call *)pub, b, NULL);
}

void gt_grpc_answer_error_take(struct gt_grpc_call *pub, struct gt_error *e)
{
	answer_take((struct call *)pub, NULL, e);
}

bool gt_grpc_send_bytes_take(struct gt_grpc_call *pub, struct gt_grpc_bytes *b)
{
	struct call *c = (struct call *)pub;
	bool room = false; /* for one that has gone: its handler is told so when it waits */

	pthread_mutex_lock(&c->server->lock);
	if (c->is_gone) {
		gt_grpc_bytes_unref(b);
	} else {
		outbox_add(c, b);
		grpc_call_list(c);
		room = has_room(c);
	}
	pthread_mutex_unlock(&c->server->lock);
	return room;
}

bool gt_grpc_send(struct gt_grpc_call *pub, const ProtobufCMessage *m)
{
	struct call *c = (struct call *)pub;
	size_t len;
	struct gt_grpc_bytes *b = gt_grpc_bytes_pack(m, &len);

	if (b)
		return gt_grpc_send_bytes_take(pub, b);
	pthread_mutex_lock(&c->server->lock);
	call_fail_take(c, too_long(len));
	grpc_call_post(c);
	pthread_mutex_unlock(&c->server->lock);
	return false;
}

void gt_grpc_when_ready(struct gt_grpc_call *pub)
{
	struct call *c = (struct call *)pub;

	pthread_mutex_lock(&c->server->lock);
	c->wants_ready = true;
	grpc_call_post(c);
	pthread_mutex_unlock(&c->server->lock);
}

size_t gt_grpc_queued(const struct gt_grpc_call *pub)
{
	return atomic_load(&((const struct call *)pub)->queued);
}

void gt_grpc_fail_take(struct gt_grpc_call *pub, struct gt_error *e)
{
	struct call *c = (struct call *)pub;

	pthread_mutex_lock(&c->server->lock);
	call_fail_take(c, e);
	grpc_call_post(c);
	pthread_mutex_unlock(&c->server->lock);
}
