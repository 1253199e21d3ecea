/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event exchange of one process: whoever publishes hands an envelope to all who subscribe, in
 * order. Topics are containerd's ("/images/create"), payloads its event messages in an Any.
 */
#ifndef GANTRY_EVENT_H
#define GANTRY_EVENT_H

#include <gantry/any.h>
#include <gantry/error.h>

#include <stdint.h>
#include <time.h>

struct gt_events;
struct gt_subscription;

struct gt_event {
	struct timespec timestamp; /* both 0 in publish: now */
	const char *ns;
	const char *topic;
	const struct gt_any *payload;
	/*
	 * In what a stream delivers (<gantry/api-stream.h>): rises by one from event to event of a machine.
	 * Not looked at in publish.
	 */
	uint64_t sequence;
};

/* INVALID_ARGUMENT for a topic that does not begin with '/' or has a component that is no identifier. */
GT_MUST_USE struct gt_error *gt_events_publish(struct gt_events *x, const struct gt_event *e);

/*
 * Calls 'fn' for each event published from now on, in the order of publishing, from the publisher's
 * thread: it must not block and must not publish or subscribe itself.
 */
struct gt_subscription *gt_events_subscribe(struct gt_events *x,
					    void (*fn)(void *arg, const struct gt_event *e),
					    void *arg);
/* After this returns 'fn' is not called any more. */
void gt_events_unsubscribe(struct gt_subscription *s);

#endif
