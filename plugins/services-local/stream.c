/* SPDX-License-Identifier: Apache-2.0 */
/* Events. */
#include <config.h>

#include "local.h"

#include <filter/filter.h>
#include <gantry/api-stream.h>
#include <gantry/buf.h>
#include <wire/objects.h>

struct gt_event_stream {
	struct gt_filter *filter;
	void (*fn)(void *arg, const struct gt_event *e);
	void *arg;
	struct gt_subscription *subscription;
};

static struct gt_error *publish(struct gt_services *s, struct gt_call *call, const char *topic,
				const struct gt_any *payload)
{
	struct gt_event e = { .ns = call->ns, .topic = topic, .payload = payload };

	GT_TRY(gt_call_namespace(call));
	return gt_events_publish(local_of(s)->init->events, &e);
}

static struct gt_error *forward(struct gt_services *s, struct gt_call *call,
				const struct gt_event *e)
{
	(void)call;
	return gt_events_publish(local_of(s)->init->events, e);
}

static void deliver(void *arg, const struct gt_event *e)
{
	const struct gt_event_stream *t = arg;

	if (gt_filter_matches(t->filter, gt_wire_event_field, e))
		t->fn(t->arg, e);
}

static struct gt_error *subscribe(struct gt_services *s, struct gt_call *call,
				  const struct gt_strv *filters,
				  void (*fn)(void *arg, const struct gt_event *e), void *arg,
				  struct gt_event_stream **out)
{
	gt_autoptr(gt_filter) filter = NULL;
	struct gt_event_stream *t;

	(void)call;
	GT_TRY(gt_filter_parse(filters, &filter));
	t = gt_xcalloc(1, sizeof(*t));
	t->filter = gt_steal(&filter);
	t->fn = fn;
	t->arg = arg;
	t->subscription = gt_events_subscribe(local_of(s)->init->events, deliver, t);
	*out = t;
	return NULL;
}

static void unsubscribe(struct gt_services *s, struct gt_event_stream *t)
{
	(void)s;
	if (!t)
		return;
	gt_events_unsubscribe(t->subscription);
	gt_filter_free(t->filter);
	free(t);
}

const struct gt_stream_ops local_stream = {
	.size = sizeof(local_stream),
	.publish = publish,
	.forward = forward,
	.subscribe = subscribe,
	.unsubscribe = unsubscribe,
};
