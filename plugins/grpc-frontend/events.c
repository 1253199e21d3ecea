/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include <gantry/api-stream.h>

#include "containerd.services.events.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#include <pthread.h>
#include <string.h>

#define V1(name) Containerd__Services__Events__V1__##name

/* A subscriber that lets so much wait is told so, and not served any more. */
#define QUEUED_MAX (2 * 1024 * 1024)

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
	struct gt_buf key; /* namespace, topic, payload */
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

/* From the publisher's thread: must not block, nor unsubscribe. */
static void deliver(void *arg, const struct gt_event *e)
{
	struct gt_grpc_call *c = arg;
	struct gt_grpc_bytes *b = event_bytes(((struct frontend *)c->arg)->packed, e);

	if (b && gt_grpc_queued(c) + b->len > QUEUED_MAX) {
		gt_grpc_bytes_unref(b);
		gt_grpc_fail_take(c, gt_error_new(GT_RESOURCE_EXHAUSTED,
						  "events come faster than this client reads them"));
	} else if (b) {
		gt_grpc_send_bytes_take(c, b);
	}
}

static void subscriber_gone(struct gt_grpc_call *c)
{
	gt_stream_unsubscribe(SERVICES(c), c->state);
	gt_grpc_answer_error_take(c, NULL);
}

static void subscribe(struct gt_grpc_call *c, const ProtobufCMessage *request)
{
	const V1(SubscribeRequest) *r = (const void *)request;
	struct gt_strv filters = grpc_strings(r->filters, r->n_filters);
	struct gt_event_stream *t = NULL;
	struct gt_error *e = gt_stream_subscribe(SERVICES(c), &c->call, &filters, deliver, c, &t);

	if (e) {
		gt_grpc_answer_error_take(c, e);
		return;
	}
	c->state = t;
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
