/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "scheduler.h"

#include <gantry/event.h>
#include <gantry/file.h>
#include <gantry/log.h>
#include <wire/values.h>

#include <string.h>

struct timespec local_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t;
}

uint64_t local_sequence(struct local *l)
{
	struct timespec t = local_time();
	uint64_t now = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	uint64_t last = atomic_load(&l->last_sequence), next;

	do
		next = now > last ? now : last + 1;
	while (!atomic_compare_exchange_weak(&l->last_sequence, &last, next));
	return next;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

void local_publish(struct local *l, const char *ns, const char *topic, const ProtobufCMessage *m)
{
	gt_auto(gt_any) payload = { 0 };
	struct gt_event e = {
		.timestamp = local_time(),
		.ns = ns,
		.topic = topic,
		.payload = &payload,
	};

	gt_wire_any_pack(m, &payload);
	schedule_note(l, ends_with(topic, "/delete") || ends_with(topic, "/remove"));
	gt_log_warn_take(gt_events_publish(l->init->events, &e), "event %s", topic);
}
