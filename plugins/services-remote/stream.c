/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: one stream of the daemon's for each subscriber. Gantry's daemon numbers its events: who waits
 * for the stream's end goes on with the next daemon where the last one stopped.
 */
#include <config.h>

#include "remote.h"

#include <gantry/api-introspection.h>
#include <gantry/api-stream.h>
#include <gantry/buf.h>
#include <gantry/frontend.h>
#include <gantry/log.h>

#include "containerd.services.events.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define V1(name) Containerd__Services__Events__V1__##name
#define INIT(name) CONTAINERD__SERVICES__EVENTS__V1__##name##__INIT
#define SERVICE "containerd.services.events.v1.Events"

METHOD(publish_method, SERVICE, "Publish", google__protobuf__empty__descriptor);
METHOD(forward_method, SERVICE, "Forward", google__protobuf__empty__descriptor);
METHOD(subscribe_method, SERVICE, "Subscribe", containerd__types__envelope__descriptor);

/* How long a daemon that has gone is waited for, and how often it is looked for. */
#define RETURN_WAIT INT64_C(60000000000)
#define RETURN_LOOK 100 /* ms */

struct gt_event_stream {
	struct gt_grpc_stream *stream; /* NULL: between two daemons */
	struct gt_strv filters;
	void (*fn)(void *arg, const struct gt_event *e);
	void *arg;
	int caught_up; /* readable once all has come that was there already */
	int ended; /* readable once the daemon's stream has ended */
	struct gt_error *error; /* how; ours once 'ended' is readable */
	/* The last event that came; 0: none yet, or this daemon does not count them. */
	_Atomic uint64_t last;
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
	struct gt_event_stream *t = arg;
	gt_auto(gt_any) payload = { 0 };
	struct gt_event e = { 0 };

	gt_wire_envelope_get((const void *)m, &e, &payload);
	if (*e.topic) {
		t->fn(t->arg, &e);
		atomic_store(&t->last, e.sequence);
	} else {
		eventfd_write(t->caught_up, 1);
	}
	gt_grpc_message_free(m);
}

static void event_end(void *arg, struct gt_error *e)
{
	struct gt_event_stream *t = arg;

	t->error = e;
	eventfd_write(t->ended, 1);
	eventfd_write(t->caught_up, 1); /* nothing will come that could be waited for */
}

static const struct gt_grpc_stream_ops event_ops = { .message = event_message, .end = event_end };

/* 'from': the number of the event to begin with; 0: with what comes. */
static struct gt_error *stream_begin(struct gt_services *s, struct gt_call *call,
				     struct gt_event_stream *t, uint64_t from)
{
	V1(SubscribeRequest) q = INIT(SUBSCRIBE_REQUEST);

	REMOTE_STRINGS(q, filters, &t->filters);
	q.from_sequence = from;
	return gt_grpc_call_async(remote_client(s), call, &subscribe_method, &q.base, &event_ops, t,
				  &t->stream);
}

static void unsubscribe(struct gt_services *s, struct gt_event_stream *t)
{
	(void)s;
	if (!t)
		return;
	gt_grpc_stream_free(t->stream);
	if (gt_error_class(t->error) == GT_CANCELED)
		gt_error_free(t->error);
	else
		gt_log_warn_take(t->error, "no more events");
	gt_strv_done(&t->filters);
	close(t->ended);
	close(t->caught_up);
	free(t);
}

static struct gt_error *stream_new(const struct gt_strv *filters,
				   void (*fn)(void *arg, const struct gt_event *e), void *arg,
				   struct gt_event_stream **out)
{
	gt_autofd int ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	gt_autofd int caught_up = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct gt_event_stream *t;

	if (ended < 0 || caught_up < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "make event descriptor");
	t = gt_xcalloc(1, sizeof(*t));
	t->ended = gt_steal_fd(&ended);
	t->caught_up = gt_steal_fd(&caught_up);
	t->fn = fn;
	t->arg = arg;
	for (size_t i = 0; filters && i < filters->n; i++)
		gt_strv_add(&t->filters, filters->v[i]);
	*out = t;
	return NULL;
}

static struct gt_error *subscribe(struct gt_services *s, struct gt_call *call,
				  const struct gt_strv *filters,
				  void (*fn)(void *arg, const struct gt_event *e), void *arg,
				  struct gt_event_stream **out)
{
	struct gt_event_stream *t;
	struct gt_error *e;

	GT_TRY(stream_new(filters, fn, arg, &t));
	e = stream_begin(s, call, t, 0);
	if (e) {
		unsubscribe(s, t);
		return e;
	}
	*out = t;
	return NULL;
}

/* Waits until 'fd' is readable, at most 'ms' (-1: no limit). An error is the call's end. */
static struct gt_error *wait_readable(const struct gt_call *call, int fd, int ms)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLIN },
			      { .fd = call->cancel ? gt_cancel_fd(call->cancel) : -1,
				.events = POLLIN } };
	int most = gt_call_left(call, ms < 0 ? INT_MAX : ms);

	if (poll(p, 2, most == INT_MAX ? -1 : most) < 0 && errno != EINTR)
		return gt_error_errno(GT_UNKNOWN, errno, "wait for events");
	return gt_call_check(call);
}

static struct gt_error *note_replay(void *arg, const struct gt_plugin_info *i)
{
	bool *is_able = arg;

	*is_able = *is_able || gt_strv_has(&i->capabilities, GT_FRONTEND_REPLAYS);
	return NULL;
}

/* containerd would take the request for one of what comes from now on. */
static struct gt_error *check_able(struct gt_services *s, struct gt_call *call)
{
	bool is_able = false;

	GT_TRY(gt_introspection_plugins(s, call, NULL, note_replay, &is_able));
	return is_able ? NULL :
			 gt_error_new(GT_UNIMPLEMENTED, "this daemon keeps no events of the past");
}

static struct gt_error *replay(struct gt_services *s, struct gt_call *call,
			       const struct gt_strv *filters, uint64_t after,
			       void (*fn)(void *arg, const struct gt_event *e), void *arg,
			       struct gt_event_stream **out)
{
	struct gt_event_stream *t;
	eventfd_t n;
	struct gt_error *e;

	GT_TRY(check_able(s, call));
	GT_TRY(stream_new(filters, fn, arg, &t));
	e = stream_begin(s, call, t, after + 1);
	while (!e && eventfd_read(t->caught_up, &n) < 0)
		e = wait_readable(call, t->caught_up, -1);
	if (!e && eventfd_read(t->ended, &n) == 0) /* before all was sent */
		e = gt_steal(&t->error);
	if (e) {
		unsubscribe(s, t);
		return e;
	}
	*out = t;
	return NULL;
}

/* The daemon has gone, as 'gone' says; the next one goes on behind the last event that came. */
static struct gt_error *stream_resume_take(struct gt_services *s, struct gt_call *call,
					   struct gt_event_stream *t, struct gt_error *gone)
{
	const int64_t until = gt_now() + RETURN_WAIT;
	struct gt_error *e = gone;

	gt_grpc_stream_free(gt_steal(&t->stream));
	while (gt_error_class(e) == GT_UNAVAILABLE && gt_now() < until) {
		struct gt_error *end = wait_readable(call, -1, RETURN_LOOK);

		gt_error_free(e);
		GT_TRY(end);
		e = stream_begin(s, call, t, atomic_load(&t->last) + 1);
	}
	return e;
}

static struct gt_error *wait_for_end(struct gt_services *s, struct gt_call *call,
				     struct gt_event_stream *t)
{
	eventfd_t n;

	for (;;) {
		struct gt_error *e;

		GT_TRY(wait_readable(call, t->ended, -1));
		if (eventfd_read(t->ended, &n) < 0)
			continue;
		e = gt_steal(&t->error);
		if (!e)
			return gt_error_new(GT_UNAVAILABLE, "the daemon has ended the stream of events");
		if (gt_error_class(e) != GT_UNAVAILABLE || !atomic_load(&t->last))
			return e;
		GT_TRY(stream_resume_take(s, call, t, e));
	}
}

const struct gt_stream_ops remote_stream = {
	.size = sizeof(remote_stream),
	.publish = publish,
	.forward = forward,
	.subscribe = subscribe,
	.unsubscribe = unsubscribe,
	.replay = replay,
	.wait = wait_for_end,
};
