/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance suite of the kind sandboxer: sandboxes from their creation to their end, and their waits. */
#include <config.h>

#include "suite.h"

#include <gantry/api-tasks.h>
#include <gantry/buf.h>
#include <gantry/sandboxer.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS "suite"
#define PATIENCE 20 /* seconds */

struct rig {
	struct gt_sandboxer *s;
	struct gt_call call;
};

/* --- waits --------------------------------------------------------------------------------------- */

struct waited {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int calls;
	struct gt_error *e;
	struct gt_exit exit;
};

static void on_end(void *arg, struct gt_error *e, const struct gt_exit *exit)
{
	struct waited *w = arg;

	pthread_mutex_lock(&w->lock);
	if (w->calls++)
		gt_error_free(e);
	else
		w->e = e;
	if (exit)
		w->exit = *exit;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* What is never called back stays allocated, for whoever calls later. */
static struct waited *wait_start(struct rig *g, const char *id, struct gt_cancel *cancel)
{
	struct waited *w = gt_xcalloc(1, sizeof(*w));
	struct gt_call call = g->call;

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	call.cancel = cancel;
	if (suite_class(gt_sandboxer_wait(g->s, &call, id, on_end, w), GT_OK, "wait for %s", id))
		return w;
	free(w);
	return NULL;
}

static bool wait_is_over(struct waited *w)
{
	bool over;

	pthread_mutex_lock(&w->lock);
	over = w->calls > 0;
	pthread_mutex_unlock(&w->lock);
	return over;
}

static void wait_end(struct waited *w, enum gt_class want, const char *what)
{
	struct timespec until;
	bool ended;

	if (!w)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE;
	pthread_mutex_lock(&w->lock);
	while (!w->calls && pthread_cond_timedwait(&w->changed, &w->lock, &until) == 0)
		;
	ended = w->calls > 0;
	pthread_mutex_unlock(&w->lock);
	if (!suite_ok(ended, "%s: it ends", what))
		return;
	suite_class(gt_steal(&w->e), want, "%s: its answer", what);
	if (want == GT_OK)
		suite_ok(w->exit.at.tv_sec > 1600000000 && !w->exit.pid, "%s: its time, and no pid", what);
	suite_ok(w->calls == 1, "%s: it is told once", what);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->changed);
	free(w);
}

/* --- single ops ---------------------------------------------------------------------------------- */

static struct gt_error *create(struct rig *g, const char *id)
{
	struct gt_sandbox_create req = { .size = sizeof(req), .id = id };

	return gt_sandboxer_create(g->s, &g->call, &req);
}

static bool state_is(struct gt_sandboxer *s, const char *id, const char *want)
{
	struct gt_call call = GT_CALL_INIT;
	gt_auto(gt_sandbox_state) st = { 0 };
	gt_autoptr(gt_error) e = NULL;

	call.ns = NS;
	e = gt_sandboxer_status(s, &call, id, false, &st);
	return !e && !strcmp(st.state, want);
}

static enum gt_class status_class(struct rig *g, const char *id)
{
	gt_auto(gt_sandbox_state) st = { 0 };
	gt_autoptr(gt_error) e = gt_sandboxer_status(g->s, &g->call, id, false, &st);

	return gt_error_class(e);
}

/* Where its tasks are served: both or neither. */
static bool place_is_good(const char *address, uint32_t version)
{
	if (!*address)
		return version == 0;
	return strstr(address, "unix:///") && version >= 2;
}

static void absent(struct rig *g)
{
	gt_auto(gt_sandbox_instance) i = { 0 };
	gt_auto(gt_sandbox_state) st = { 0 };
	struct waited *w = gt_xcalloc(1, sizeof(*w));
	struct gt_call none = GT_CALL_INIT;
	struct gt_error *e;

	suite_class(gt_sandboxer_start(g->s, &g->call, "none", &i), GT_NOT_FOUND, "start: unknown id");
	suite_class(gt_sandboxer_stop(g->s, &g->call, "none", 1), GT_NOT_FOUND, "stop: unknown id");
	suite_class(gt_sandboxer_status(g->s, &g->call, "none", false, &st), GT_NOT_FOUND,
		    "status: unknown id");
	suite_class(gt_sandboxer_shutdown(g->s, &g->call, "none"), GT_NOT_FOUND,
		    "shutdown: unknown id");
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	e = gt_sandboxer_wait(g->s, &g->call, "none", on_end, w);
	if (e) { /* or it is told by the callback */
		suite_class(e, GT_NOT_FOUND, "wait: unknown id");
		free(w);
	} else {
		wait_end(w, GT_NOT_FOUND, "wait: unknown id");
	}
	suite_class(create(g, "../escape"), GT_INVALID_ARGUMENT, "create: an id that is none");
	suite_class(create(g, ""), GT_INVALID_ARGUMENT, "create: an empty id");
	suite_class(gt_sandboxer_shutdown(g->s, &none, "none"), GT_FAILED_PRECONDITION,
		    "no namespace");
}

static void optional(struct rig *g, const char *id)
{
	gt_autofree char *platform = NULL;
	struct gt_metric m = { 0 };
	struct gt_sandbox record = { .id = (char *)id };
	gt_auto(gt_strv) fields = { 0 };

	if (g->s->ops->platform) {
		suite_class(gt_sandboxer_platform(g->s, &g->call, id, &platform), GT_OK, "platform");
		suite_ok(platform && strchr(platform, '/') > platform, "it is OS/ARCHITECTURE (%s)",
			 platform ? platform : "");
	} else {
		suite_skip("absent", "platform");
	}
	if (g->s->ops->metrics) {
		struct gt_error *e = gt_sandboxer_metrics(g->s, &g->call, id, &m);

		if (suite_class(e, GT_OK, "metrics"))
			suite_ok(m.id && !strcmp(m.id, id), "of that sandbox");
		gt_metric_done(&m);
	} else {
		suite_skip("absent", "metrics");
	}
	gt_strv_add(&fields, "labels");
	suite_class(gt_sandboxer_update(g->s, &g->call, id, &record, &fields), GT_OK, "update");
}

/* --- a life -------------------------------------------------------------------------------------- */

/* False if none can be made: all else would fail for that reason. */
static bool life(struct rig *g)
{
	gt_auto(gt_sandbox_instance) i = { 0 };
	gt_auto(gt_sandbox_state) st = { 0 }, verbose = { 0 }, after = { 0 };
	struct gt_cancel *cancel;
	struct waited *w, *other, *cancelled;
	time_t now = time(NULL);

	if (!suite_class(create(g, "life"), GT_OK, "create"))
		return false;
	suite_class(create(g, "life"), GT_ALREADY_EXISTS, "create: the id is taken");
	suite_ok(!state_is(g->s, "life", GT_SANDBOX_READY), "it is not ready yet");
	suite_class(gt_sandboxer_start(g->s, &g->call, "life", &i), GT_OK, "start");
	suite_ok(i.id && !strcmp(i.id, "life"), "it tells the id");
	suite_ok(i.created_at.tv_sec >= now - 1 && i.created_at.tv_sec <= now + 60, "and when it was made");
	suite_ok(i.address && place_is_good(i.address, i.version),
		 "and where its tasks are served, if they are (%s)", i.address ? i.address : "");
	suite_class(gt_sandboxer_status(g->s, &g->call, "life", false, &st), GT_OK, "status");
	suite_ok(st.id && !strcmp(st.id, "life") && st.state && !strcmp(st.state, GT_SANDBOX_READY),
		 "it is ready");
	suite_ok(st.pid == i.pid && !strcmp(st.address ? st.address : "", i.address ? i.address : "") &&
			 st.version == i.version,
		 "pid and place are those that start told");
	suite_ok(!st.exited_at.tv_sec, "it has not ended");
	suite_class(gt_sandboxer_status(g->s, &g->call, "life", true, &verbose), GT_OK,
		    "status with all there is");
	optional(g, "life");

	cancel = gt_cancel_new();
	w = wait_start(g, "life", NULL);
	other = wait_start(g, "life", NULL);
	cancelled = wait_start(g, "life", cancel);
	usleep(100000);
	suite_ok(w && other && cancelled && !wait_is_over(w) && !wait_is_over(other) &&
			 !wait_is_over(cancelled),
		 "none of the waits is over while it runs");
	gt_cancel_set(cancel);
	wait_end(cancelled, GT_CANCELED, "a wait that is cancelled");
	suite_ok(state_is(g->s, "life", GT_SANDBOX_READY), "that ends nothing else");
	suite_class(gt_sandboxer_stop(g->s, &g->call, "life", PATIENCE), GT_OK, "stop");
	wait_end(w, GT_OK, "the wait");
	wait_end(other, GT_OK, "the other wait");
	suite_class(gt_sandboxer_status(g->s, &g->call, "life", false, &after), GT_OK,
		    "it has a status after its end");
	suite_ok(after.state && !strcmp(after.state, GT_SANDBOX_NOTREADY), "it is not ready");
	wait_end(wait_start(g, "life", NULL), GT_OK, "a wait after the end");
	suite_class(gt_sandboxer_stop(g->s, &g->call, "life", PATIENCE), GT_OK, "stop it again");
	suite_class(gt_sandboxer_shutdown(g->s, &g->call, "life"), GT_OK, "shutdown");
	suite_ok(status_class(g, "life") == GT_NOT_FOUND, "it is gone");
	suite_class(gt_sandboxer_shutdown(g->s, &g->call, "life"), GT_NOT_FOUND, "shutdown again");
	gt_cancel_free(cancel);
	return true;
}

/* One that was never started, one that runs, and the id of one that was. */
static void ends(struct rig *g)
{
	gt_auto(gt_sandbox_instance) i = { 0 };
	struct waited *w;

	suite_class(create(g, "life"), GT_OK, "the id is free again");
	suite_class(gt_sandboxer_shutdown(g->s, &g->call, "life"), GT_OK, "shutdown before start");
	suite_ok(status_class(g, "life") == GT_NOT_FOUND, "it is gone");
	suite_class(create(g, "life"), GT_OK, "create it once more");
	suite_class(gt_sandboxer_start(g->s, &g->call, "life", &i), GT_OK, "start");
	w = wait_start(g, "life", NULL);
	suite_class(gt_sandboxer_shutdown(g->s, &g->call, "life"), GT_OK, "shutdown while it runs");
	if (w) { /* what it tells may be its end, or that it is gone */
		for (int n = 0; n < PATIENCE * 100 && !wait_is_over(w); n++)
			usleep(10000);
		suite_ok(wait_is_over(w), "its wait ends");
		if (wait_is_over(w)) {
			gt_error_free(w->e);
			free(w);
		}
	}
	suite_ok(status_class(g, "life") == GT_NOT_FOUND, "it is gone");
}

/* The same id in another namespace is another sandbox; another process finds what this one made. */
static void several(struct rig *g)
{
	gt_auto(gt_sandbox_instance) a = { 0 }, b = { 0 };
	struct suite_child child = { .name = "sees" };
	struct rig there = *g;

	there.call.ns = NS "-2";
	suite_class(create(g, "twin"), GT_OK, "create");
	suite_class(create(&there, "twin"), GT_OK, "create the same id in another namespace");
	suite_class(gt_sandboxer_start(g->s, &g->call, "twin", &a), GT_OK, "start one");
	suite_class(gt_sandboxer_start(there.s, &there.call, "twin", &b), GT_OK, "and the other");
	suite_class(gt_sandboxer_shutdown(there.s, &there.call, "twin"), GT_OK, "shutdown the other");
	suite_ok(status_class(&there, "twin") == GT_NOT_FOUND, "it is gone");
	suite_ok(state_is(g->s, "twin", GT_SANDBOX_READY), "the one is not");
	child.arg = "twin";
	suite_ok(suite_child_start(&child) && suite_child_end(&child, 2 * PATIENCE) == 0,
		 "another process sees it, and ends it");
	suite_ok(status_class(g, "twin") == GT_NOT_FOUND, "of which this one knows");
}

static void many(struct rig *g)
{
	enum { N = 8 };
	int bad = 0;

	for (int i = 0; i < N; i++) {
		gt_auto(gt_sandbox_instance) made = { 0 };
		gt_autofree char *id = gt_strf("many%d", i);
		struct gt_error *e = create(g, id);

		if (!e)
			e = gt_sandboxer_start(g->s, &g->call, id, &made);
		bad += e != NULL;
		gt_error_free(e);
	}
	suite_ok(!bad, "%d at once", N);
	for (int i = 0; i < N; i++) {
		gt_autofree char *id = gt_strf("many%d", i);
		struct gt_error *e = NULL;

		bad += !state_is(g->s, id, GT_SANDBOX_READY);
		e = gt_sandboxer_shutdown(g->s, &g->call, id);
		bad += e != NULL;
		gt_error_free(e);
	}
	suite_ok(!bad, "each is ready, and goes");
}

void suite_sandboxer(struct gt_sandboxer *s, const char *dir)
{
	struct rig g = { .s = s, .call = GT_CALL_INIT };

	(void)dir;
	g.call.ns = NS;
	if (geteuid() != 0) {
		suite_skip("sandboxes need root", "sandboxes");
		return;
	}
	absent(&g);
	if (!life(&g))
		return;
	ends(&g);
	several(&g);
	many(&g);
}

int suite_sandboxer_child(struct gt_sandboxer *s, const char *name, const char *arg)
{
	struct gt_call call = GT_CALL_INIT;
	struct gt_error *e;

	if (strcmp(name, "sees"))
		return 1;
	if (!state_is(s, arg, GT_SANDBOX_READY))
		return 2;
	call.ns = NS;
	e = gt_sandboxer_stop(s, &call, arg, PATIENCE);
	if (!e)
		e = gt_sandboxer_shutdown(s, &call, arg);
	gt_error_free(e);
	return e ? 3 : 0;
}
