/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "streaming.h"

#include "frontend.h"

#include "containerd.services.streaming.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#include <pthread.h>
#include <string.h>

/* What its user has not taken yet. Windows keep it below, where both sides keep to the protocol. */
#define INBOX_MAX (4 * 1024 * 1024)
#define STREAMS_MAX 4096
/* A client that reads nothing is given up. */
#define QUEUED_MAX (16 * 1024 * 1024)
/* How long a waiting user may not see that its call has ended. */
#define LOOK_NS INT64_C(100000000)

struct received {
	struct received *next;
	struct gt_any any;
};

struct stream {
	struct streams *all;
	struct stream *next;
	struct stream **link; /* NULL: in no list any more */
	char *ns, *id;
	struct gt_grpc_call *call; /* NULL: answered */
	bool is_taken;
	bool is_ended; /* nothing more comes from the client */
	bool is_gone;
	unsigned refs; /* the call, and the user */
	pthread_cond_t cond;
	struct received *first;
	struct received **last;
	size_t bytes;
};

struct streams {
	pthread_mutex_t lock;
	struct stream *list;
	size_t n;
};

struct streams *grpc_streams_new(void)
{
	struct streams *s = gt_xcalloc(1, sizeof(*s));

	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void grpc_streams_free(struct streams *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct stream *stream_find(struct streams *all, const char *ns, const char *id)
{
	struct stream *s = all->list;

	while (s && (strcmp(s->id, id) != 0 || strcmp(s->ns, ns) != 0))
		s = s->next;
	return s;
}

/* With the lock held. */
static void stream_unref(struct stream *s)
{
	if (--s->refs)
		return;
	while (s->first) {
		struct received *r = s->first;

		s->first = r->next;
		gt_any_done(&r->any);
		free(r);
	}
	pthread_cond_destroy(&s->cond);
	free(s->ns);
	free(s->id);
	free(s);
}

static void stream_unlist(struct stream *s)
{
	if (!s->link)
		return;
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	s->link = NULL;
	s->all->n--;
}

/* Answers the call, once; takes 'e'. With the lock held. */
static void stream_answer(struct stream *s, struct gt_error *e)
{
	struct gt_grpc_call *c = gt_steal(&s->call);

	stream_unlist(s);
	if (!c) {
		gt_error_free(e);
		return;
	}
	c->state = NULL;
	gt_grpc_answer_error_take(c, e);
	stream_unref(s);
}

/* --- the client's side ------------------------------------------------------------------ */

static struct gt_error *id_read(const Google__Protobuf__Any *m, char **id)
{
	gt_auto(gt_any) any = { 0 };
	ProtobufCMessage *init = NULL;

	gt_wire_any_get(m, &any);
	GT_TRY(gt_wire_any_unpack(&any, &containerd__services__streaming__v1__stream_init__descriptor,
				  &init));
	*id = gt_xstrdup(((Containerd__Services__Streaming__V1__StreamInit *)init)->id);
	gt_wire_free(init);
	return **id ? NULL : gt_error_new(GT_INVALID_ARGUMENT, "a stream's id must not be empty");
}

static struct gt_error *stream_open(struct gt_grpc_call *c, const Google__Protobuf__Any *m)
{
	struct streams *all = ((struct frontend *)c->arg)->streams;
	gt_autofree char *id = NULL;
	struct gt_error *e = NULL;
	pthread_condattr_t a;
	struct stream *s;

	GT_TRY(gt_call_namespace(&c->call));
	GT_TRY(id_read(m, &id));
	pthread_mutex_lock(&all->lock);
	if (stream_find(all, c->call.ns, id))
		e = gt_error_new(GT_ALREADY_EXISTS, "stream \"%s\"", id);
	else if (all->n >= STREAMS_MAX)
		e = gt_error_new(GT_RESOURCE_EXHAUSTED, "more than %d streams", STREAMS_MAX);
	if (!e) {
		s = gt_xcalloc(1, sizeof(*s));
		s->all = all;
		s->ns = gt_xstrdup(c->call.ns);
		s->id = gt_steal(&id);
		s->call = c;
		s->refs = 1;
		s->last = &s->first;
		pthread_condattr_init(&a);
		pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
		pthread_cond_init(&s->cond, &a);
		pthread_condattr_destroy(&a);
		s->next = all->list;
		s->link = &all->list;
		if (s->next)
			s->next->link = &s->next;
		all->list = s;
		all->n++;
		c->state = s;
	}
	pthread_mutex_unlock(&all->lock);
	return e;
}

static struct gt_error *send_any(struct gt_grpc_call *c, const ProtobufCMessage *m)
{
	gt_auto(gt_any) any = { 0 };
	gt_auto(gt_arena) a = { 0 };

	if (gt_grpc_queued(c) > QUEUED_MAX)
		return gt_error_new(GT_UNAVAILABLE, "the stream's client does not read");
	gt_wire_any_pack(m, &any);
	gt_grpc_send(c, &gt_wire_any(&a, &any)->base);
	return NULL;
}

static void message_add(struct stream *s, const Google__Protobuf__Any *m)
{
	struct received *r = gt_xcalloc(1, sizeof(*r));

	gt_wire_any_get(m, &r->any);
	*s->last = r;
	s->last = &r->next;
	s->bytes += r->any.len + sizeof(*r);
	if (s->bytes > INBOX_MAX) {
		s->is_gone = true;
		stream_answer(s, gt_error_new(GT_RESOURCE_EXHAUSTED, "more was sent than asked for"));
	}
}

static void client_ended(struct stream *s, bool gone)
{
	s->is_ended = true;
	s->is_gone |= gone;
	pthread_cond_broadcast(&s->cond);
	/* One that is in use is ended by its user: it may still have something to say. */
	if (gone || !s->is_taken)
		stream_answer(s, NULL);
}

static void stream_gone(struct gt_grpc_call *c)
{
	struct streams *all = ((struct frontend *)c->arg)->streams;

	pthread_mutex_lock(&all->lock);
	if (c->state)
		client_ended(c->state, true);
	pthread_mutex_unlock(&all->lock);
}

static void stream(struct gt_grpc_call *c, const ProtobufCMessage *request)
{
	struct streams *all = ((struct frontend *)c->arg)->streams;
	const Google__Protobuf__Any *m = (const void *)request;
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
	struct gt_error *e = NULL;

	if (c->gone) { /* opened before; maybe answered meanwhile */
		pthread_mutex_lock(&all->lock);
		if (c->state && m)
			message_add(c->state, m);
		else if (c->state)
			client_ended(c->state, false);
		if (c->state)
			pthread_cond_broadcast(&((struct stream *)c->state)->cond);
		pthread_mutex_unlock(&all->lock);
		return;
	}
	if (m)
		e = stream_open(c, m);
	if (!m || e) {
		gt_grpc_answer_error_take(c, e);
		return;
	}
	c->gone = stream_gone;
	gt_error_free(send_any(c, &empty.base)); /* nothing is queued yet */
}

const struct gt_grpc_method grpc_streaming[] = {
	{ .name = "Stream",
	  .request = &google__protobuf__any__descriptor,
	  .response = &google__protobuf__any__descriptor,
	  .flags = GT_GRPC_CLIENT_STREAM | GT_GRPC_SERVER_STREAM,
	  .handle = stream },
	{ 0 }
};

/* --- the user's side ---------------------------------------------------------------------- */

struct gt_error *grpc_stream_take(struct streams *all, const char *ns, const char *id,
				  struct stream **out)
{
	struct gt_error *e = NULL;
	struct stream *s;

	pthread_mutex_lock(&all->lock);
	s = stream_find(all, ns, id);
	if (!s)
		e = gt_error_new(GT_NOT_FOUND, "stream \"%s\"", id);
	else if (s->is_taken)
		e = gt_error_new(GT_FAILED_PRECONDITION, "stream \"%s\" is in use", id);
	if (!e) {
		s->is_taken = true;
		s->refs++;
		*out = s;
	}
	pthread_mutex_unlock(&all->lock);
	return e;
}

void grpc_stream_end(struct stream *s)
{
	struct streams *all;

	if (!s)
		return;
	all = s->all;
	pthread_mutex_lock(&all->lock);
	stream_answer(s, NULL);
	stream_unref(s);
	pthread_mutex_unlock(&all->lock);
}

struct gt_error *grpc_stream_recv(struct stream *s, const struct gt_call *call, struct gt_any *out)
{
	struct streams *all = s->all;
	struct gt_error *e = NULL;

	pthread_mutex_lock(&all->lock);
	while (!e && !s->first && !s->is_ended && !s->is_gone) {
		int64_t until = gt_now() + LOOK_NS;
		struct timespec t = { .tv_sec = until / 1000000000, .tv_nsec = until % 1000000000 };

		pthread_cond_timedwait(&s->cond, &all->lock, &t);
		e = gt_call_check(call);
	}
	if (!e && s->first) {
		struct received *r = s->first;

		s->first = r->next;
		if (!s->first)
			s->last = &s->first;
		s->bytes -= r->any.len + sizeof(*r);
		*out = r->any;
		free(r);
	} else if (!e && s->is_gone) {
		e = gt_error_new(GT_UNAVAILABLE, "the client of stream \"%s\" has gone", s->id);
	}
	pthread_mutex_unlock(&all->lock);
	return e;
}

struct gt_error *grpc_stream_send(struct stream *s, const ProtobufCMessage *m)
{
	struct gt_error *e;

	pthread_mutex_lock(&s->all->lock);
	if (!s->call || s->is_gone)
		e = gt_error_new(GT_UNAVAILABLE, "the client of stream \"%s\" has gone", s->id);
	else
		e = send_any(s->call, m);
	pthread_mutex_unlock(&s->all->lock);
	return e;
}

void grpc_stream_stop(struct stream *s)
{
	pthread_mutex_lock(&s->all->lock);
	s->is_ended = true;
	pthread_cond_broadcast(&s->cond);
	pthread_mutex_unlock(&s->all->lock);
}
