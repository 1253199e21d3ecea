/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/event.h"

#include <gantry/buf.h>
#include <gantry/call.h>

#include <pthread.h>
#include <string.h>

struct gt_subscription {
	struct gt_events *x;
	struct gt_subscription *next;
	void (*fn)(void *arg, const struct gt_event *e);
	void *arg;
};

struct gt_events {
	/* Held while the subscribers are called: that gives the order, and ends 'fn' at unsubscribe. */
	pthread_mutex_t lock;
	struct gt_subscription *first;
};

struct gt_events *gt_events_new(void)
{
	struct gt_events *x = gt_xcalloc(1, sizeof(*x));

	pthread_mutex_init(&x->lock, NULL);
	return x;
}

void gt_events_free(struct gt_events *x)
{
	if (!x)
		return;
	while (x->first)
		gt_events_unsubscribe(x->first);
	pthread_mutex_destroy(&x->lock);
	free(x);
}

static struct gt_error *topic_check(const char *topic)
{
	gt_autofree char *copy = NULL;

	if (!topic || topic[0] != '/')
		return gt_error_new(GT_INVALID_ARGUMENT, "event topic \"%s\" must begin with '/'",
				    topic ? topic : "");
	copy = gt_xstrdup(topic + 1);
	for (char *part = copy, *end; part; part = end) {
		end = strchr(part, '/');
		if (end)
			*end++ = '\0';
		GT_TRY(gt_error_wrap(gt_identifier_check("component", part), "event topic \"%s\"",
				     topic));
	}
	return NULL;
}

struct gt_error *gt_events_publish(struct gt_events *x, const struct gt_event *event)
{
	/* What stands behind these is not of every publisher's age. */
	struct gt_event e = {
		.timestamp = event->timestamp,
		.ns = event->ns,
		.topic = event->topic,
		.payload = event->payload,
	};

	GT_TRY(topic_check(e.topic));
	if (!e.ns)
		return gt_error_new(GT_FAILED_PRECONDITION, "publish %s: namespace is required", e.topic);
	GT_TRY(gt_identifier_check("namespace", e.ns));
	pthread_mutex_lock(&x->lock);
	if (!e.timestamp.tv_sec && !e.timestamp.tv_nsec)
		clock_gettime(CLOCK_REALTIME, &e.timestamp);
	for (struct gt_subscription *s = x->first; s; s = s->next)
		s->fn(s->arg, &e);
	pthread_mutex_unlock(&x->lock);
	return NULL;
}

struct gt_subscription *gt_events_subscribe(struct gt_events *x,
					    void (*fn)(void *arg, const struct gt_event *e),
					    void *arg)
{
	struct gt_subscription *s = gt_xmalloc(sizeof(*s));
	struct gt_subscription **p;

	*s = (struct gt_subscription){ .x = x, .fn = fn, .arg = arg };
	pthread_mutex_lock(&x->lock);
	for (p = &x->first; *p; p = &(*p)->next)
		;
	*p = s;
	pthread_mutex_unlock(&x->lock);
	return s;
}

void gt_events_unsubscribe(struct gt_subscription *s)
{
	struct gt_subscription **p;

	if (!s)
		return;
	pthread_mutex_lock(&s->x->lock);
	for (p = &s->x->first; *p != s; p = &(*p)->next)
		;
	*p = s->next;
	pthread_mutex_unlock(&s->x->lock);
	free(s);
}
