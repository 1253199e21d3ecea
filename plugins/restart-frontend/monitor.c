/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A round: the containers with restart labels of all namespaces are found first, then some threads take one
 * after the other, so that one that hangs holds up few. What was done stands in the labels; only tasks that
 * are created and not started are remembered from round to round: somebody is about to start them, or has died
 * on the way, as a daemon may.
 */
#include <config.h>

#include "monitor.h"
#include "policy.h"

#include <gantry/api-namespaces.h>
#include <gantry/buf.h>
#include <gantry/log.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define THREADS 4
#define STEP_NS INT64_C(60000000000) /* for one container */
#define KILL_NS INT64_C(5000000000) /* until a killed task is purged */
#define CLEANUP_NS INT64_C(10000000000)
#define LOOK_NS 20000000
#define LOST 255 /* the exit status where nobody knows it */

struct subject {
	char *ns, *id;
	struct gt_labels labels;
};

struct round {
	struct gt_services *s;
	const struct gt_call *call;
	const char *ns; /* that is being listed */
	struct subject *v;
	size_t n, alloc;
	_Atomic size_t next;
	const struct gt_strv *were_created;
	pthread_mutex_t lock; /* of */
	struct gt_strv created;
};

/* --- finding ------------------------------------------------------------------------- */

static struct gt_error *subject_add(void *arg, const struct gt_container *c)
{
	struct round *r = arg;
	struct subject *x;

	GT_GROW(r->v, r->n, r->alloc);
	x = &r->v[r->n++];
	*x = (struct subject){ .ns = gt_xstrdup(r->ns), .id = gt_xstrdup(c->id) };
	gt_labels_copy(&x->labels, &c->labels);
	return NULL;
}

static struct gt_error *namespace_look(void *arg, const char *name, const struct gt_labels *labels)
{
	static char filter[] = "labels.\"" RESTART_STATUS "\"";
	char *filters[] = { filter };
	const struct gt_strv with_label = { .v = filters, .n = 1 };
	struct round *r = arg;
	struct gt_call call = *r->call;

	(void)labels;
	call.ns = r->ns = name;
	gt_log_warn_take(gt_containers_list(r->s, &call, &with_label, subject_add, r),
			 "list containers of namespace %s", name);
	return gt_call_check(r->call);
}

/* --- acting -------------------------------------------------------------------------- */

static struct gt_error *stop(struct gt_services *s, struct gt_call *call, const char *id)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	int64_t until = gt_now() + KILL_NS;
	struct gt_exit exit;
	struct gt_error *e;

	e = gt_tasks_kill(s, call, id, "", SIGKILL, true);
	/* It has ended, was never started, or does not listen: what is left is to be deleted. */
	for (gt_error_free(e);; nanosleep(&pause, NULL)) {
		e = gt_tasks_remove(s, call, id, "", &exit);
		if (gt_error_class(e) != GT_FAILED_PRECONDITION || gt_now() >= until)
			break;
		gt_error_free(e);
		GT_TRY(gt_call_check(call));
	}
	e = gt_error_unless(e, GT_NOT_FOUND);
	if (!e)
		return NULL;
	gt_error_free(e);
	return gt_error_unless(gt_tasks_purge(s, call, id, &exit), GT_NOT_FOUND);
}

/* The new count stands in the record before the process runs: whoever dies in between counted one too many. */
static struct gt_error *count_up(struct gt_services *s, struct gt_call *call, const struct subject *x)
{
	static char path[] = "labels." RESTART_COUNT;
	char *paths[] = { path };
	const struct gt_strv mask = { .v = paths, .n = 1 };
	gt_autofree char *count =
		gt_strf("%llu", (unsigned long long)restart_count(&x->labels) + 1);
	struct gt_container c = { .id = x->id };
	struct gt_error *e;

	gt_labels_set(&c.labels, RESTART_COUNT, count);
	e = gt_containers_update(s, call, &c, &mask, NULL);
	gt_labels_done(&c.labels);
	return e;
}

static struct gt_error *start(struct gt_services *s, struct gt_call *call, const struct subject *x)
{
	struct gt_tasks_create req = { .size = sizeof(req), .id = x->id };
	gt_autofree char *log = NULL;
	struct gt_exit exit;
	struct gt_error *e;
	uint32_t pid;

	GT_TRY(restart_log(&x->labels, &log));
	req.stdio.out = req.stdio.err = log;
	GT_TRY(count_up(s, call, x));
	GT_TRY(gt_error_unless(gt_tasks_remove(s, call, x->id, "", &exit), GT_NOT_FOUND));
	GT_TRY(gt_tasks_create(s, call, &req, &pid));
	e = gt_tasks_start(s, call, x->id, "", &pid);
	if (e) {
		struct gt_call own = *call; /* the daemon may be about to end */

		own.cancel = NULL;
		own.deadline = gt_now() + CLEANUP_NS;
		gt_log_warn_take(gt_error_unless(gt_tasks_remove(s, &own, x->id, "", &exit),
						 GT_NOT_FOUND),
				 "delete what did not start of %s", x->id);
	}
	return e;
}

/* Whether its task has been like this for a whole round. */
static bool is_left_behind(struct round *r, const struct subject *x)
{
	gt_autofree char *name = gt_strf("%s/%s", x->ns, x->id);
	bool was = gt_strv_has(r->were_created, name);

	pthread_mutex_lock(&r->lock);
	gt_strv_add(&r->created, name);
	pthread_mutex_unlock(&r->lock);
	return was;
}

/*
 * Nothing is heard of its shim. Deleting the task tells whether that is dead, and clears away what it left; one
 * that is only silent, or busy, is left to a later round. NULL with '*ended' false: so it is.
 */
static struct gt_error *shim_try(struct gt_services *s, struct gt_call *call, const struct subject *x,
				 struct gt_task_state *t, bool *ended)
{
	enum restart_action action;
	struct gt_exit exit = { 0 };
	struct gt_error *e;

	*ended = false;
	t->status = GT_TASK_STOPPED;
	t->exit_status = LOST;
	GT_TRY(restart_decide(&x->labels, t, &action));
	if (action != RESTART_START)
		return NULL;
	e = gt_tasks_remove(s, call, x->id, "", &exit);
	*ended = !e || gt_error_class(e) == GT_NOT_FOUND;
	gt_error_free(e);
	t->exit_status = exit.status;
	return NULL;
}

static struct gt_error *act(struct round *r, struct gt_call *call, const struct subject *x)
{
	struct gt_services *s = r->s;
	gt_auto(gt_task_state) t = { 0 };
	enum restart_action action;
	struct gt_error *e = gt_tasks_get(s, call, x->id, "", &t);
	bool has_task = !e, ended;

	if (gt_error_class(e) == GT_UNAVAILABLE || (!e && t.status == GT_TASK_UNKNOWN)) {
		gt_error_free(gt_steal(&e));
		GT_TRY(shim_try(s, call, x, &t, &ended));
		has_task = true;
		if (!ended)
			t.status = GT_TASK_UNKNOWN;
	}
	GT_TRY(gt_error_unless(e, GT_NOT_FOUND));
	if (has_task && t.status == GT_TASK_CREATED && is_left_behind(r, x)) {
		t.status = GT_TASK_STOPPED;
		t.exit_status = LOST;
	}
	GT_TRY(restart_decide(&x->labels, has_task ? &t : NULL, &action));
	if (action == RESTART_STOP) {
		gt_log_info("stop container %s in %s", x->id, x->ns);
		return stop(s, call, x->id);
	}
	if (action == RESTART_NOTHING)
		return NULL;
	gt_log_info("start container %s in %s", x->id, x->ns);
	return start(s, call, x);
}

static void *subjects_take(void *arg)
{
	struct round *r = arg;
	size_t i;

	while ((i = atomic_fetch_add(&r->next, 1)) < r->n && !gt_cancel_is_set(r->call->cancel)) {
		struct gt_call call = *r->call;

		call.ns = r->v[i].ns;
		call.deadline = gt_now() + STEP_NS;
		/* It may have been deleted meanwhile, and then nobody cares. */
		gt_log_warn_take(gt_error_unless(act(r, &call, &r->v[i]), GT_NOT_FOUND),
				 "restart container %s in %s", r->v[i].id, r->v[i].ns);
	}
	return NULL;
}

/* This thread does its part, and all of it where there are no more. */
static void round_run(struct round *r)
{
	pthread_t threads[THREADS - 1];
	size_t n = 0;

	while (n < THREADS - 1 && n + 1 < r->n &&
	       pthread_create(&threads[n], NULL, subjects_take, r) == 0)
		n++;
	subjects_take(r);
	while (n)
		pthread_join(threads[--n], NULL);
}

void restart_round(struct gt_services *s, const struct gt_call *call, struct gt_strv *created)
{
	struct round r = { .s = s,
			   .call = call,
			   .were_created = created,
			   .lock = PTHREAD_MUTEX_INITIALIZER };
	struct gt_call plain = *call;
	struct gt_error *e = gt_namespaces_list(s, &plain, namespace_look, &r);

	gt_log_warn_take(gt_error_unless(e, GT_CANCELED), "list namespaces");
	round_run(&r);
	gt_strv_done(created);
	*created = r.created;
	pthread_mutex_destroy(&r.lock);
	for (size_t i = 0; i < r.n; i++) {
		free(r.v[i].ns);
		free(r.v[i].id);
		gt_labels_done(&r.v[i].labels);
	}
	free(r.v);
}
