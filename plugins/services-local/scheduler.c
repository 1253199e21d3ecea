/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "scheduler.h"

#include "collection.h"
#include "records.h"

#include <gantry/log.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define LEAST_NS 5000000 /* a collection counts as taking at least so long */
#define FIRST_NS 1000000000 /* the pause after one that was the first */

struct scheduler {
	struct local *l;
	struct gt_cancel *cancel;
	pthread_t thread;
	pthread_mutex_t mutex; /* for all below */
	pthread_cond_t changed;
	bool ending;
	int64_t deletions, mutations;
	int64_t next; /* when the next collection may be, CLOCK_MONOTONIC */
	int64_t taken; /* all collections together */
	int64_t n;
};

static bool threshold_parse(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && !*end && *out >= 0 && *out <= 0.5;
}

struct gt_error *schedule_check(const struct local_config *config)
{
	double threshold;

	if (!threshold_parse(config->pause_threshold, &threshold))
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "pause_threshold \"%s\": a number from 0 to 0.5 is expected",
				    config->pause_threshold);
	return NULL;
}

void schedule_note(struct local *l, bool deleted)
{
	struct scheduler *s = atomic_load(&l->scheduler);
	int64_t many, due;

	if (!s)
		return;
	many = l->config->deletion_threshold;
	pthread_mutex_lock(&s->mutex);
	s->mutations++;
	s->deletions += deleted;
	due = gt_now() + l->config->schedule_delay;
	if (many && deleted && s->deletions >= many && due < s->next) {
		s->next = due;
		pthread_cond_signal(&s->changed);
	}
	pthread_mutex_unlock(&s->mutex);
}

static struct gt_error *is_dirty(struct gt_txn *t, void *arg)
{
	return journal_is_dirty(t, arg);
}

/* Under the mutex. Deletions that no event tells of (leases) stand in the store. */
static bool is_wanted(struct scheduler *s)
{
	struct gt_call call = GT_CALL_INIT;
	int64_t many = s->l->config->mutation_threshold;
	bool dirty = false;

	if (!s->n || s->deletions || (many && s->mutations >= many))
		return true;
	gt_log_warn_take(local_view(s->l, &call, is_dirty, &dirty), "look for deletions");
	return dirty;
}

/* Under the mutex: how long after a collection the next one may be. */
static int64_t pause_of(const struct scheduler *s)
{
	double threshold, average = (double)s->taken / (double)s->n;

	if (average < LEAST_NS)
		average = LEAST_NS;
	if (!threshold_parse(s->l->config->pause_threshold, &threshold) || threshold <= 0)
		return FIRST_NS;
	return (int64_t)(average / threshold - average);
}

static void run_one(struct scheduler *s)
{
	struct gt_call call = GT_CALL_INIT;
	struct gt_collected went = { 0 };
	bool first = !s->n;
	struct gt_error *e;

	call.cancel = s->cancel;
	s->deletions = s->mutations = 0;
	pthread_mutex_unlock(&s->mutex);
	e = collect(s->l, &call, first ? GT_COLLECT_SEARCH : 0, &went);
	if (gt_error_class(e) == GT_CANCELED)
		gt_error_free(gt_steal(&e));
	gt_log_warn_take(e, "scheduled");
	gt_log_debug("garbage collected in %lld us", (long long)went.took / 1000);
	pthread_mutex_lock(&s->mutex);
	s->taken += went.took;
	s->n++;
}

static void *work(void *arg)
{
	struct scheduler *s = arg;

	pthread_mutex_lock(&s->mutex);
	while (!s->ending) {
		struct timespec until = { .tv_sec = s->next / 1000000000,
					  .tv_nsec = s->next % 1000000000 };

		if (gt_now() < s->next) {
			pthread_cond_timedwait(&s->changed, &s->mutex, &until);
			continue;
		}
		if (is_wanted(s))
			run_one(s);
		s->next = gt_now() + pause_of(s);
	}
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

static void scheduler_free(struct scheduler *s)
{
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->mutex);
	gt_cancel_free(s->cancel);
	free(s);
}

static struct scheduler *scheduler_new(struct local *l)
{
	struct scheduler *s = gt_xcalloc(1, sizeof(*s));
	pthread_condattr_t attr;

	s->l = l;
	s->cancel = gt_cancel_new();
	s->next = gt_now() + l->config->startup_delay;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	return s;
}

struct gt_error *schedule_begin(struct gt_services *services)
{
	struct local *l = local_of(services);
	struct scheduler *s = scheduler_new(l), *none = NULL;
	int rc;

	if (!atomic_compare_exchange_strong(&l->scheduler, &none, s)) {
		scheduler_free(s);
		return gt_error_new(GT_ALREADY_EXISTS, "collections are scheduled");
	}
	rc = pthread_create(&s->thread, NULL, work, s);
	if (!rc)
		return NULL;
	atomic_store(&l->scheduler, NULL);
	scheduler_free(s);
	return gt_error_errno(GT_RESOURCE_EXHAUSTED, rc, "thread for collections");
}

void schedule_end(struct local *l)
{
	struct scheduler *s = atomic_exchange(&l->scheduler, NULL);

	if (!s)
		return;
	gt_cancel_set(s->cancel);
	pthread_mutex_lock(&s->mutex);
	s->ending = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->mutex);
	pthread_join(s->thread, NULL);
	scheduler_free(s);
}
