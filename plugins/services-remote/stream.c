/* SPDX-License-Identifier: Apache-2.0 */
/* Events: one stream of the daemon's for each subscriber. */
#include <config.h>

#include "remote.h"

#include <gantry/api-stream.h>
#include <gantry/buf.h>
#include <gantry/log.h>

#include "containerd.services.events.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#define V1(name) Containerd__Services__Events__V1__##name
#define INIT(name) CONTAINERD__SERVICES__EVENTS__V1__##name##__INIT
#define SERVICE "containerd.services.events.v1.Events"

METHOD(publish_method, SERVICE, "Publish", google__protobuf__empty__descriptor);
METHOD(forward_method, SERVICE, "Forward", google__protobuf__empty__descriptor);
METHOD(subscribe_method, SERVICE, "Subscribe", containerd__types__envelope__descriptor);

struct gt_event_stream {
	struct gt_grpc_stream *stream;
	void (*fn)(void *arg, const struct gt_event *e);
	void *arg;
};

static struct gt_error *publish(struct gt_services *s, struct gt_call *call, const char *topic,
				const struct gt_any *payload)
{
	V1(PublishRequest) q = INIT(PUBLISH_REQUEST);
	gt_auto(gt_arena) a = { 0 };

	q.topic = gt_wire_string(topic);
	q.event = gt_wire_any(&a, payload);
	return remote_do(s, call, &publish_method, &q.base);
}

static struct gt_error *forward(struct gt_services *s, struct gt_call *call, const struct gt_event *e)
{
	V1(ForwardRequest) q = INIT(FORWARD_REQUEST);
	gt_auto(gt_arena) a = { 0 };

	q.envelope = gt_wire_envelope(&a, e);
	return remote_do(s, call, &forward_method, &q.base);
}

static void event_message(void *arg, ProtobufCMessage *m)
{
	const struct gt_event_stream *t = arg;
	gt_auto(gt_any) payload = { 0 };
	struct gt_event e = { 0 };

	gt_wire_envelope_get((const void *)m, &e, &payload);
	t->fn(t->arg, &e);
	gt_grpc_message_free(m);
}

static void event_end(void *arg, struct gt_error *e)
{
	(void)arg;
	if (gt_error_class(e) == GT_CANCELED)
		gt_error_free(e);
	else
		gt_log_warn_take(e, "no more events");
}

static const struct gt_grpc_stream_ops event_ops = { .message = event_message, .end = event_end };

static struct gt_error *subscribe(struct gt_services *s, struct gt_call *call,
				  const struct gt_strv *filters,
				  void (*fn)(void *arg, const struct gt_event *e), void *arg,
				  struct gt_event_stream **out)
{
	V1(SubscribeRequest) q = INIT(SUBSCRIBE_REQUEST);
	struct gt_event_stream *t = gt_xcalloc(1, sizeof(*t));
	struct gt_error *e;

	t->fn = fn;
	t->arg = arg;
	REMOTE_STRINGS(q, filters, filters);
	e = gt_grpc_call_async(remote_client(s), call, &subscribe_method, &q.base, &event_ops, t,
			       &t->stream);
	if (e) {
		free(t);
		return e;
	}
	*out = t;
	return NULL;
}

static void unsubscribe(struct gt_services *s, struct gt_event_stream *t)
{
	(void)s;
	if (!t)
		return;
	gt_grpc_stream_free(t->stream);
	free(t);
}

const struct gt_stream_ops remote_stream = {
	.size = sizeof(remote_stream),
	.publish = publish,
	.forward = forward,
	.subscribe = subscribe,
	.unsubscribe = unsubscribe,
};
