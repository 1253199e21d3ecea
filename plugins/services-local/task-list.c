/* SPDX-License-Identifier: Apache-2.0 */
/* Asks all tasks of all runtimes at once, so that one that hangs delays the answer once. */
#include <config.h>

#include "tasks.h"

#include <filter/filter.h>
#include <gantry/log.h>

#include <pthread.h>
#include <string.h>

#define THREADS_MAX 8

struct item {
	struct gt_runtime *runtime;
	char *id;
	struct gt_error *error;
	struct gt_task_state state;
	struct gt_metric metric;
};

struct round {
	struct gt_call *call; /* of who asks */
	int64_t timeout; /* for each task, nanoseconds */
	struct gt_error *(*ask)(struct gt_call *call, struct item *i);
	struct item *v;
	size_t n;
	size_t alloc;
	atomic_size_t next;
	struct gt_runtime *runtime; /* whose tasks are being collected */
};

static void round_done(struct round *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].id);
		gt_error_free(r->v[i].error);
		gt_task_state_done(&r->v[i].state);
		gt_metric_done(&r->v[i].metric);
	}
	free(r->v);
}

static struct gt_error *round_add(void *arg, const char *ns, const char *id)
{
	struct round *r = arg;

	if (strcmp(ns, r->call->ns))
		return NULL;
	GT_GROW(r->v, r->n, r->alloc);
	r->v[r->n++] = (struct item){ .runtime = r->runtime, .id = gt_xstrdup(id) };
	return NULL;
}

static int item_compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return strcmp(x->id, y->id);
}

/* A runtime that does not work hides its own tasks only. */
static struct gt_error *round_collect(struct local *l, struct round *r)
{
	gt_auto(gt_strv) ids = { 0 };

	GT_TRY(gt_call_namespace(r->call));
	gt_need_ids(l->init, GT_RUNTIME, &ids);
	for (size_t i = 0; i < ids.n; i++) {
		struct gt_error *e = gt_need_runtime(l->init, ids.v[i], &r->runtime);

		if (!e)
			e = gt_runtime_walk(r->runtime, r->call, round_add, r);
		gt_log_warn_take(e, "list the tasks of runtime %s", ids.v[i]);
	}
	if (r->n)
		qsort(r->v, r->n, sizeof(*r->v), item_compare);
	return NULL;
}

static void *round_work(void *arg)
{
	struct round *r = arg;
	size_t i;

	while ((i = atomic_fetch_add(&r->next, 1)) < r->n) {
		struct gt_call call = *r->call;
		int64_t deadline = gt_now() + r->timeout;

		if (!call.deadline || call.deadline > deadline)
			call.deadline = deadline;
		r->v[i].error = r->ask(&call, &r->v[i]);
	}
	return NULL;
}

/* The caller works too: that there are no more threads to be had only makes it slower. */
static void round_run(struct round *r)
{
	pthread_t threads[THREADS_MAX];
	size_t n = 0, want = r->n < THREADS_MAX ? r->n : THREADS_MAX;

	while (n + 1 < want && !pthread_create(&threads[n], NULL, round_work, r))
		n++;
	round_work(r);
	while (n)
		pthread_join(threads[--n], NULL);
}

static struct gt_error *ask_state(struct gt_call *call, struct item *i)
{
	return gt_runtime_state(i->runtime, call, i->id, "", &i->state);
}

/* One that did not answer, made up. */
static void state_unknown(struct item *i)
{
	gt_log_warn_limited("task %s: %s", i->id, gt_error_text(i->error));
	i->state = (struct gt_task_state){
		.id = gt_xstrdup(i->id),
		.exec_id = gt_xstrdup(""),
		.bundle = gt_xstrdup(""),
		.status = GT_TASK_UNKNOWN,
		.in = gt_xstrdup(""),
		.out = gt_xstrdup(""),
		.err = gt_xstrdup(""),
	};
}

static struct gt_error *list_run(struct local *l, struct round *r,
				 struct gt_error *(*fn)(void *arg, const struct gt_task_state *t),
				 void *arg)
{
	GT_TRY(round_collect(l, r));
	round_run(r);
	GT_TRY(gt_call_check(r->call));
	for (size_t i = 0; i < r->n; i++) {
		if (gt_error_class(r->v[i].error) == GT_NOT_FOUND)
			continue; /* deleted meanwhile */
		if (r->v[i].error)
			state_unknown(&r->v[i]);
		GT_TRY(fn(arg, &r->v[i].state));
	}
	return NULL;
}

struct gt_error *tasks_list(struct gt_services *s, struct gt_call *call,
			    struct gt_error *(*fn)(void *arg, const struct gt_task_state *t),
			    void *arg)
{
	struct round r = {
		.call = call,
		.timeout = local_of(s)->config->task_timeout,
		.ask = ask_state,
	};
	struct gt_error *e = list_run(local_of(s), &r, fn, arg);

	round_done(&r);
	return e;
}

static struct gt_error *ask_metric(struct gt_call *call, struct item *i)
{
	GT_TRY(gt_runtime_stats(i->runtime, call, i->id, &i->metric.data));
	i->metric.id = gt_xstrdup(i->id);
	i->metric.timestamp = local_time();
	return NULL;
}

struct candidate {
	const struct item *item;
	const char *ns;
};

static const char *candidate_field(const void *object, const struct gt_strv *path,
				   struct gt_buf *scratch)
{
	const struct candidate *c = object;

	(void)scratch;
	if (!strcmp(path->v[0], "id"))
		return c->item->id;
	if (!strcmp(path->v[0], "namespace"))
		return c->ns;
	if (!strcmp(path->v[0], "runtime"))
		return c->item->runtime->init->id;
	return NULL;
}

static void round_keep(struct round *r, const struct gt_filter *filter)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct candidate c = { .item = &r->v[i], .ns = r->call->ns };

		if (gt_filter_matches(filter, candidate_field, &c))
			r->v[kept++] = r->v[i];
		else
			free(r->v[i].id);
	}
	r->n = kept;
}

/* Tasks that have ended, or whose runtime does not count, are left out. */
static struct gt_error *metrics_run(struct local *l, struct round *r,
				    const struct gt_strv *filters,
				    struct gt_error *(*fn)(void *arg, const struct gt_metric *m),
				    void *arg)
{
	gt_autoptr(gt_filter) filter = NULL;

	GT_TRY(gt_filter_parse(filters, &filter));
	GT_TRY(round_collect(l, r));
	round_keep(r, filter);
	round_run(r);
	GT_TRY(gt_call_check(r->call));
	for (size_t i = 0; i < r->n; i++) {
		if (r->v[i].error)
			gt_log_debug("metrics of task %s: %s", r->v[i].id,
				     gt_error_text(r->v[i].error));
		else
			GT_TRY(fn(arg, &r->v[i].metric));
	}
	return NULL;
}

struct gt_error *tasks_metrics(struct gt_services *s, struct gt_call *call,
			       const struct gt_strv *filters,
			       struct gt_error *(*fn)(void *arg, const struct gt_metric *m),
			       void *arg)
{
	struct round r = {
		.call = call,
		.timeout = local_of(s)->config->task_timeout,
		.ask = ask_metric,
	};
	struct gt_error *e = metrics_run(local_of(s), &r, filters, fn, arg);

	round_done(&r);
	return e;
}
