/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events service: what this process publishes, what others on this machine do, and what shims do,
 * in one order. Its ops need a namespace only to publish.
 */
#ifndef GANTRY_API_STREAM_H
#define GANTRY_API_STREAM_H

#include <gantry/event.h>
#include <gantry/services.h>

struct gt_event_stream; /* opaque, the service's */

struct gt_stream_ops {
	size_t size;
	struct gt_error *(*publish)(struct gt_services *s, struct gt_call *call, const char *topic,
				    const struct gt_any *payload);
	/* As it is, timestamp and namespace included. */
	struct gt_error *(*forward)(struct gt_services *s, struct gt_call *call,
				    const struct gt_event *e);
	/*
	 * Calls 'fn' for each event that matches and is published from now on, one at a time and in
	 * order, from a thread of the service's, until unsubscribe has returned. 'fn' must not block
	 * long, and must not subscribe or unsubscribe.
	 */
	struct gt_error *(*subscribe)(struct gt_services *s, struct gt_call *call,
				      const struct gt_strv *filters,
				      void (*fn)(void *arg, const struct gt_event *e), void *arg,
				      struct gt_event_stream **out);
	void (*unsubscribe)(struct gt_services *s, struct gt_event_stream *t);
	/*
	 * Optional. The same, beginning with the events behind the one whose sequence number is 'after'
	 * (0: all) as far as they are kept: those come before this returns.
	 */
	struct gt_error *(*replay)(struct gt_services *s, struct gt_call *call,
				   const struct gt_strv *filters, uint64_t after,
				   void (*fn)(void *arg, const struct gt_event *e), void *arg,
				   struct gt_event_stream **out);
	/* Optional. The sequence number of the last event so far; 0: there is none. */
	struct gt_error *(*position)(struct gt_services *s, struct gt_call *call, uint64_t *out);
	/*
	 * Optional; absent: streams do not end by themselves. Waits until one does, and tells why, or
	 * until the call's end (CANCELED, DEADLINE_EXCEEDED).
	 */
	struct gt_error *(*wait)(struct gt_services *s, struct gt_call *call,
				 struct gt_event_stream *t);
};

GT_MUST_USE struct gt_error *gt_stream_publish(struct gt_services *s, struct gt_call *call,
					       const char *topic, const struct gt_any *payload);
GT_MUST_USE struct gt_error *gt_stream_forward(struct gt_services *s, struct gt_call *call,
					       const struct gt_event *e);
GT_MUST_USE struct gt_error *gt_stream_subscribe(struct gt_services *s, struct gt_call *call,
						 const struct gt_strv *filters,
						 void (*fn)(void *, const struct gt_event *),
						 void *arg, struct gt_event_stream **out);
GT_MUST_USE struct gt_error *gt_stream_replay(struct gt_services *s, struct gt_call *call,
					      const struct gt_strv *filters, uint64_t after,
					      void (*fn)(void *, const struct gt_event *), void *arg,
					      struct gt_event_stream **out);
GT_MUST_USE struct gt_error *gt_stream_position(struct gt_services *s, struct gt_call *call,
						uint64_t *out);
/* Always available: where streams do not end, it waits for the call to. */
GT_MUST_USE struct gt_error *gt_stream_wait(struct gt_services *s, struct gt_call *call,
					    struct gt_event_stream *t);
void gt_stream_unsubscribe(struct gt_services *s, struct gt_event_stream *t);

#endif
