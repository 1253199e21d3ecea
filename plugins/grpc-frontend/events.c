/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "events-owed.h"
#include "frontend.h"

#include <gantry/api-stream.h>

#include "containerd.services.events.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define V1(name) Containerd__Services__Events__V1__##name

/* A subscriber that lets so much wait is told so, and not served any more. */
#define QUEUED_MAX (2 * 1024 * 1024)
/* The same for what has happened already, which comes all at once: more than the journal keeps. */
#define REPLAYED_MAX (16 * 1024 * 1024)

GRPC_KEEPS(gt_any)

static struct gt_error *publish(struct gt_grpc_unary *u)
{
	const V1(PublishRequest) *r = u->request;
	struct gt_any *payload = keep_gt_any(u);

	gt_wire_any_get(r->event, payload);
	return gt_stream_publish(SERVICES(u), u->call, r->topic, payload);
}

struct gt_error *grpc_event_forward(struct gt_services *s, struct gt_call *call,
				    const Containerd__Types__Envelope *m)
{
	gt_auto(gt_any) payload = { 0 };
	struct gt_event e = { .payload = &payload };

	GT_TRY(grpc_required(m, "envelope"));
	gt_wire_any_get(m->event, &payload);
	e.ns = m->namespace_;
	e.topic = m->topic;
	e.timestamp = gt_wire_time_get(m->timestamp);
	return gt_stream_forward(s, call, &e);
}

static struct gt_error *forward(struct gt_grpc_unary *u)
{
	const V1(ForwardRequest) *r = u->request;

	return grpc_event_forward(SERVICES(u), u->call, r->envelope);
}

/* --- subscribers ------------------------------------------------------------------ */

/* An event is packed once, and the bytes are shared by all whom it is sent to. */
struct packed_event {
	pthread_mutex_t lock;
	struct timespec timestamp;
	struct gt_buf key; /* number, namespace, topic, payload */
	struct gt_grpc_bytes *bytes;
};

struct packed_event *grpc_packed_event_new(void)
{
	struct packed_event *p = gt_xcalloc(1, sizeof(*p));

	pthread_mutex_init(&p->lock, NULL);
	gt_buf_init(&p->key);
	return p;
}

void grpc_packed_event_free(struct packed_event *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->lock);
	gt_buf_done(&p->key);
	gt_grpc_bytes_unref(p->bytes);
	free(p);
}

static void key_make(const struct gt_event *e, struct gt_buf *out)
{
	const char *const parts[] = { e->ns, e->topic, e->payload ? e->payload->type_url : NULL };

	gt_buf_add(out, &e->sequence, sizeof(e->sequence));
	for (size_t i = 0; i < 3; i++)
		gt_buf_add(out, parts[i] ? parts[i] : "", parts[i] ? strlen(parts[i]) + 1 : 1);
	if (e->payload)
		gt_buf_add(out, e->payload->data, e->payload->len);
}

/* NULL: it is longer than a message. */
static struct gt_grpc_bytes *event_bytes(struct packed_event *p, const struct gt_event *e)
{
	gt_auto(gt_buf) key = GT_BUF_INIT;
	gt_auto(gt_arena) a = { 0 };
	struct gt_grpc_bytes *b = NULL;

	key_make(e, &key);
	pthread_mutex_lock(&p->lock);
	if (!p->bytes || p->timestamp.tv_sec != e->timestamp.tv_sec ||
	    p->timestamp.tv_nsec != e->timestamp.tv_nsec || p->key.len != key.len ||
	    memcmp(p->key.s, key.s, key.len) != 0) {
		struct gt_buf old = p->key;

		gt_grpc_bytes_unref(p->bytes);
		p->bytes = gt_grpc_bytes_pack(&gt_wire_envelope(&a, e)->base, NULL);
		p->timestamp = e->timestamp;
		p->key = key;
		key = old;
	}
	if (p->bytes)
		b = gt_grpc_bytes_ref(p->bytes);
	pthread_mutex_unlock(&p->lock);
	return b;
}

struct subscriber {
	struct gt_event_stream *stream;
	atomic_bool is_behind; /* still reads what had happened already */
	atomic_bool is_open; /* that has all been put in its queue, ... */
	atomic_bool is_over; /* ... for which it was too much */
};

static void fail_slow_one(struct gt_grpc_call *c)
{
	gt_grpc_fail_take(c, gt_error_new(GT_RESOURCE_EXHAUSTED,
					  "events come faster than this client reads them"));
}

/* From the publisher's thread: must not block, nor unsubscribe. */
static void deliver(void *arg, const struct gt_event *e)
{
	struct gt_grpc_call *c = arg;
	struct subscriber *s = c->state;
	struct frontend *f = c->arg;
	struct gt_grpc_bytes *b = s->is_over ? NULL : event_bytes(f->packed, e);
	size_t queued = gt_grpc_queued(c);

	if (s->is_open && queued <= QUEUED_MAX)
		s->is_behind = false;
	if (b && queued + b->len > (s->is_behind ? REPLAYED_MAX : QUEUED_MAX)) {
		gt_grpc_bytes_unref(b);
		s->is_over = true;
		if (s->is_open) /* or its handler ends it, which has not returned yet */
			fail_slow_one(c);
	} else if (b) {
		gt_grpc_send_bytes_take(c, b);
		owed_told(f->owed, e->sequence);
	}
}

static void subscriber_gone(struct gt_grpc_call *c)
{
	struct subscriber *s = c->state;
	struct frontend *f = c->arg;
	gt_autoptr(gt_error) ending = gt_call_check(f->running);

	gt_stream_unsubscribe(f->services, s->stream);
	if (!ending)
		owed_leave(f->owed);
	free(s);
	gt_grpc_answer_error_take(c, NULL);
}

/* 'from' 0: what comes from now on. */
static struct gt_error *stream_open(struct gt_grpc_call *c, const struct gt_strv *filters,
				    uint64_t from)
{
	struct subscriber *s = c->state;
	struct gt_error *e;

	s->is_open = !from;
	if (!from)
		return gt_stream_subscribe(SERVICES(c), &c->call, filters, deliver, c, &s->stream);
	s->is_behind = true;
	e = gt_stream_replay(SERVICES(c), &c->call, filters, from - 1, deliver, c, &s->stream);
	s->is_open = true;
	if (e || !s->is_over)
		return e;
	gt_stream_unsubscribe(SERVICES(c), s->stream);
	return gt_error_new(GT_RESOURCE_EXHAUSTED, "more events have happened than this client takes at once");
}

static void subscribe(struct gt_grpc_call *c, const ProtobufCMessage *request)
{
	static const Containerd__Types__Envelope caught_up = CONTAINERD__TYPES__ENVELOPE__INIT;
	const V1(SubscribeRequest) *r = (const void *)request;
	struct gt_strv filters = grpc_strings(r->filters, r->n_filters);
	struct frontend *f = c->arg;
	uint64_t from = 0;
	struct gt_error *e = owed_join(f->owed, f->services, &c->call, &from);

	if (!e) {
		c->state = gt_xcalloc(1, sizeof(struct subscriber));
		e = stream_open(c, &filters, r->from_sequence ? r->from_sequence : from);
		if (e)
			owed_leave(f->owed);
		else if (r->from_sequence)
			gt_grpc_send(c, &caught_up.base);
	}
	if (e) {
		free(gt_steal(&c->state));
		gt_grpc_answer_error_take(c, e);
		return;
	}
	c->gone = subscriber_gone;
}

#define TYPE(name) containerd__services__events__v1__##name##__descriptor
const struct gt_grpc_method grpc_events[] = {
	GT_GRPC_UNARY("Publish", TYPE(publish_request), google__protobuf__empty__descriptor, publish, 0),
	GT_GRPC_UNARY("Forward", TYPE(forward_request), google__protobuf__empty__descriptor, forward, 0),
	{ .name = "Subscribe",
	  .request = &TYPE(subscribe_request),
	  .response = &containerd__types__envelope__descriptor,
	  .flags = GT_GRPC_SERVER_STREAM,
	  .handle = subscribe },
	{ 0 }
};
