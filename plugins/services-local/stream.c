/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "stream.h"

#include <filter/filter.h>
#include <gantry/api-stream.h>
#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/log.h>
#include <journal/journal.h>
#include <wire/objects.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#define APPEND_WAIT INT64_C(1000000000)

struct stream {
	struct local *l;
	char *path;
	struct gt_subscription *published; /* by this process */
	pthread_mutex_t lock; /* of all that follows; held while listeners are told */
	struct gt_event_stream *first;
	struct gt_journal *journal; /* NULL: nobody has listened yet */
	uint64_t position; /* number of the last event that the thread has told of */
	pthread_t thread;
	int stop;
};

struct gt_event_stream {
	struct gt_event_stream *next;
	struct gt_filter *filter;
	void (*fn)(void *arg, const struct gt_event *e);
	void *arg;
	uint64_t after; /* it knows all up to this one */
};

/* In the publisher's thread. */
static void append(void *arg, const struct gt_event *e)
{
	struct stream *t = arg;
	struct gt_arena a = { 0 };
	gt_auto(gt_buf) record = GT_BUF_INIT;
	struct gt_error *bad;

	gt_wire_pack(&gt_wire_envelope(&a, e)->base, &record);
	gt_arena_done(&a);
	bad = gt_journal_append(t->path, t->l->config->event_journal, record.s, record.len,
				APPEND_WAIT, NULL);
	if (bad)
		gt_log_warn_limited("event %s is lost: %s", e->topic, gt_error_text(bad));
	gt_error_free(bad);
}

struct stream *stream_new(struct local *l)
{
	struct stream *t = gt_xcalloc(1, sizeof(*t));

	t->l = l;
	t->path = gt_strf("%s/events", l->init->base_state);
	pthread_mutex_init(&t->lock, NULL);
	t->published = gt_events_subscribe(l->init->events, append, t);
	return t;
}

void stream_free(struct stream *t)
{
	if (!t)
		return;
	gt_events_unsubscribe(t->published);
	if (t->journal) {
		eventfd_write(t->stop, 1);
		pthread_join(t->thread, NULL);
		close(t->stop);
	}
	gt_journal_free(t->journal);
	pthread_mutex_destroy(&t->lock);
	free(t->path);
	free(t);
}

static void tell(const struct gt_event_stream *x, const struct gt_event *e)
{
	if (e->sequence > x->after && gt_filter_matches(x->filter, gt_wire_event_field, e))
		x->fn(x->arg, e);
}

/* Tells one listener, or with NULL all, of what a record holds. */
static void tell_record(struct stream *t, const struct gt_event_stream *one,
			const struct gt_journal_record *r)
{
	gt_autowire ProtobufCMessage *m = NULL;
	gt_autoptr(gt_error) bad = gt_wire_unpack(&containerd__types__envelope__descriptor, r->data,
						  r->len, &m);
	gt_auto(gt_any) payload = { 0 };
	struct gt_event e;

	if (bad) {
		gt_log_warn_limited("event %" PRIu64 " in %s: %s", r->seq, t->path,
				    gt_error_text(bad));
		return;
	}
	gt_wire_envelope_get((const Containerd__Types__Envelope *)m, &e, &payload);
	e.sequence = r->seq;
	if (one)
		tell(one, &e);
	for (const struct gt_event_stream *x = one ? NULL : t->first; x; x = x->next)
		tell(x, &e);
}

static void warn_lost(struct stream *t, struct gt_journal *j)
{
	uint64_t n = gt_journal_lost(j);

	if (n)
		gt_log_warn("%" PRIu64 " events were overwritten in %s before they could be read", n,
			    t->path);
}

static void position_set(struct stream *t, uint64_t seq)
{
	/* Somebody has deleted the journal, and it begins again. */
	for (struct gt_event_stream *x = seq <= t->position ? t->first : NULL; x; x = x->next)
		x->after = 0;
	t->position = seq;
}

/*
 * Reads a journal as far as it goes now, at most to event 'last'. The lock is held for each event, unless
 * for one listener alone.
 */
static void read_on(struct stream *t, struct gt_journal *j, const struct gt_event_stream *one,
		    uint64_t last)
{
	struct gt_journal_record r;
	bool found = true;

	for (uint64_t at = 0; found && at < last;) {
		gt_autoptr(gt_error) bad = NULL;

		if (!one)
			pthread_mutex_lock(&t->lock);
		bad = gt_journal_next(j, &r, &found);
		warn_lost(t, j);
		if (bad) {
			gt_log_warn_limited("%s", gt_error_text(bad));
			found = false;
		}
		if (found) {
			at = r.seq;
			if (!one)
				position_set(t, r.seq);
			tell_record(t, one, &r);
		}
		if (!one)
			pthread_mutex_unlock(&t->lock);
	}
}

static void *follow(void *arg)
{
	struct stream *t = arg;
	struct pollfd p[2] = { { .fd = gt_journal_fd(t->journal), .events = POLLIN },
			       { .fd = t->stop, .events = POLLIN } };

	do
		read_on(t, t->journal, NULL, UINT64_MAX);
	while ((poll(p, 2, -1) > 0 || errno == EINTR) && !p[1].revents);
	return NULL;
}

static struct gt_error *thread_start(struct stream *t)
{
	sigset_t all, before;
	int err;

	t->stop = eventfd(0, EFD_CLOEXEC);
	if (t->stop < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "make event descriptor");
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&t->thread, NULL, follow, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		return NULL;
	close(t->stop);
	return gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start thread");
}

/* Called with the lock. The thread that follows the journal is made for the first who listens. */
static struct gt_error *follow_begin(struct stream *t)
{
	struct gt_error *e;

	if (t->journal)
		return NULL;
	GT_TRY(gt_journal_open(t->path, GT_JOURNAL_NEW, &t->journal));
	t->position = gt_journal_position(t->journal);
	e = thread_start(t);
	if (e) {
		gt_journal_free(t->journal);
		t->journal = NULL;
	}
	return e;
}

static void join(struct stream *t, struct gt_event_stream *x)
{
	struct gt_event_stream **p;

	for (p = &t->first; *p; p = &(*p)->next)
		;
	*p = x;
}

/* What is kept comes first, without holding up the others; only for the last of it do they wait. */
static struct gt_error *replay_and_join(struct stream *t, uint64_t after, struct gt_event_stream *x)
{
	gt_autoptr(gt_journal) j = NULL;
	struct gt_error *e;

	/* listening may be the first thing that is done on a machine */
	GT_TRY(gt_file_mkdirs(t->l->init->base_state, 0711));
	GT_TRY(gt_journal_open(t->path, after, &j));
	if (after != GT_JOURNAL_NEW)
		read_on(t, j, x, UINT64_MAX);
	pthread_mutex_lock(&t->lock);
	e = follow_begin(t);
	if (!e) {
		if (gt_journal_position(j) < t->position)
			read_on(t, j, x, t->position);
		/* Or it is ahead: then the thread must not tell it what it knows. */
		x->after = gt_journal_position(j);
		join(t, x);
	}
	pthread_mutex_unlock(&t->lock);
	return e;
}

static struct gt_error *replay(struct gt_services *s, struct gt_call *call,
			       const struct gt_strv *filters, uint64_t after,
			       void (*fn)(void *arg, const struct gt_event *e), void *arg,
			       struct gt_event_stream **out)
{
	struct gt_event_stream *x;
	gt_autoptr(gt_filter) filter = NULL;
	struct gt_error *e;

	(void)call;
	GT_TRY(gt_filter_parse(filters, &filter));
	x = gt_xcalloc(1, sizeof(*x));
	x->filter = gt_steal(&filter);
	x->fn = fn;
	x->arg = arg;
	e = replay_and_join(local_of(s)->stream, after, x);
	if (e) {
		gt_filter_free(x->filter);
		free(x);
		return e;
	}
	*out = x;
	return NULL;
}

static struct gt_error *subscribe(struct gt_services *s, struct gt_call *call,
				  const struct gt_strv *filters,
				  void (*fn)(void *arg, const struct gt_event *e), void *arg,
				  struct gt_event_stream **out)
{
	return replay(s, call, filters, GT_JOURNAL_NEW, fn, arg, out);
}

static void unsubscribe(struct gt_services *s, struct gt_event_stream *x)
{
	struct stream *t = local_of(s)->stream;
	struct gt_event_stream **p;

	if (!x)
		return;
	pthread_mutex_lock(&t->lock);
	for (p = &t->first; *p != x; p = &(*p)->next)
		;
	*p = x->next;
	pthread_mutex_unlock(&t->lock);
	gt_filter_free(x->filter);
	free(x);
}

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

static struct gt_error *position(struct gt_services *s, struct gt_call *call, uint64_t *out)
{
	const struct stream *t = local_of(s)->stream;
	gt_autoptr(gt_journal) j = NULL;

	(void)call;
	GT_TRY(gt_file_mkdirs(t->l->init->base_state, 0711));
	GT_TRY(gt_journal_open(t->path, GT_JOURNAL_NEW, &j));
	*out = gt_journal_position(j);
	return NULL;
}

const struct gt_stream_ops local_stream = {
	.size = sizeof(local_stream),
	.publish = publish,
	.forward = forward,
	.subscribe = subscribe,
	.unsubscribe = unsubscribe,
	.replay = replay,
	.position = position,
};
