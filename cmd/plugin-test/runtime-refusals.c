/* SPDX-License-Identifier: Apache-2.0 */
/* Runtimes: what must be refused, and leaves nothing. */
#include <config.h>

#include "runtime.h"

#include <signal.h>
#include <string.h>

static void unknown(struct rig *g)
{
	gt_auto(gt_task_state) s = { 0 };
	gt_auto(gt_processes) p = { 0 };
	struct gt_exit exit;
	struct task t = { .g = g, .id = "nobody" };
	uint32_t pid;

	suite_class(task_state(&t, "", &s), GT_NOT_FOUND, "state of no task: not found");
	suite_class(gt_runtime_start(g->r, &g->call, "nobody", "", &pid), GT_NOT_FOUND, "start");
	suite_class(task_kill(&t, "", SIGKILL), GT_NOT_FOUND, "kill");
	suite_class(task_remove(&t, &exit), GT_NOT_FOUND, "remove");
	suite_class(task_wait(&t, "", 5, &exit), GT_NOT_FOUND, "wait");
	if (g->r->ops->pids)
		suite_class(gt_runtime_pids(g->r, &g->call, "nobody", &p), GT_NOT_FOUND, "pids");
	if (g->r->ops->exec)
		suite_class(task_exec(&t, "e", "true"), GT_NOT_FOUND, "exec");
	if (g->r->ops->purge)
		suite_class(gt_runtime_purge(g->r, &g->call, "nobody", &exit), GT_NOT_FOUND, "purge");
	suite_class(gt_runtime_start(g->r, &g->call, "../x", "", &pid), GT_INVALID_ARGUMENT,
		    "an id that leads elsewhere is refused");
}

static void wrong_moment(struct rig *g)
{
	struct gt_call other = g->call;
	gt_auto(gt_task_state) s = { 0 };
	struct task t, same;
	uint32_t pid;

	suite_class(task_run(g, &t, "moment", 0, "exec sleep 1000"), GT_OK, "run a task");
	suite_class(task_create(g, &same, "moment", 0, "/bin/true", NULL), GT_ALREADY_EXISTS,
		    "its id is taken");
	task_done(&same);
	suite_ok(is_refused(gt_runtime_start(g->r, &g->call, "moment", "", &pid)), "started twice");
	suite_ok(is_refused(task_remove(&t, NULL)), "removed while it runs");
	suite_class(task_state(&t, "ghost", &s), GT_NOT_FOUND, "state of no exec: not found");
	suite_class(task_kill(&t, "ghost", SIGKILL), GT_NOT_FOUND, "kill of no exec");
	suite_class(gt_runtime_start(g->r, &g->call, "moment", "ghost", &pid), GT_NOT_FOUND,
		    "start of no exec");
	suite_ok(is_refused(task_kill(&t, "", 4000)), "an impossible signal");
	suite_ok(task_status(&t, "") == GT_TASK_RUNNING, "after all this it is RUNNING");
	other.ns = "other";
	suite_class(gt_runtime_state(g->r, &other, "moment", "", &s), GT_NOT_FOUND,
		    "another namespace does not have it");
	suite_class(task_kill(&t, "", SIGKILL), GT_OK, "kill");
	suite_class(task_wait(&t, "", 20, NULL), GT_OK, "it ends");
	suite_ok(is_refused(gt_runtime_start(g->r, &g->call, "moment", "", &pid)),
		 "a stopped task does not start again");
	suite_class(task_remove(&t, NULL), GT_OK, "remove");
	task_done(&t);
}

/* Refused by create, or by start where only that finds out; nothing of it stays. */
static void bad_spec(struct rig *g, const char *what, const char *spec)
{
	gt_autofree char *before = rig_traces(g);
	struct gt_exit exit;
	struct gt_error *e;
	struct task t;

	e = task_create_spec(g, &t, "bad", 0, spec);
	if (!e) {
		e = gt_runtime_start(g->r, &g->call, "bad", "", &t.pid);
		suite_class(task_remove(&t, &exit), GT_OK, "remove %s", what);
	}
	suite_ok(is_refused(e), "%s is refused", what);
	suite_class(task_remove(&t, &exit), GT_NOT_FOUND, "no task of it is left");
	rig_clean(g, before, what);
	task_done(&t);
}

static void bad_specs(struct rig *g)
{
	static const char *const missing[] = { "/no/such/program", NULL };
	static const char *const good[] = { "/bin/true", NULL };
	gt_autofree char *program = task_spec(g, "bad", false, NULL, missing);
	gt_autofree char *mount = task_spec(
		g, "bad", false,
		"{\"destination\":\"/tmp\",\"type\":\"bind\",\"source\":\"/no/such/source\","
		"\"options\":[\"rbind\"]},",
		good);

	bad_spec(g, "a spec that is no JSON", "this is not JSON");
	bad_spec(g, "an empty spec", "");
	bad_spec(g, "a program that is not there", program);
	bad_spec(g, "a mount without its source", mount);
}

static void ended_calls(struct rig *g)
{
	gt_autofree char *before = rig_traces(g);
	struct gt_call saved = g->call;
	struct task t;

	g->call.deadline = gt_now() - 1;
	suite_class(task_create(g, &t, "late", 0, "/bin/true", NULL), GT_DEADLINE_EXCEEDED,
		    "a create whose deadline has passed");
	task_done(&t);
	g->call = saved;
	for (int ms = 1; ms <= 64; ms *= 2) {
		struct gt_error *e;

		g->call.deadline = gt_now() + ms * INT64_C(1000000);
		e = task_create(g, &t, "late", 0, "/bin/true", NULL);
		g->call = saved;
		if (!e)
			e = task_remove(&t, NULL);
		else if (gt_error_class(e) == GT_DEADLINE_EXCEEDED)
			gt_error_free(gt_steal(&e));
		suite_class(e, GT_OK, "a create that has %d ms is done or given up", ms);
		task_done(&t);
	}
	suite_ok(count_tasks(g) == 0, "what was given up is not there");
	rig_clean(g, before, "what was given up");
}

void suite_runtime_refusals(struct rig *g)
{
	unknown(g);
	wrong_moment(g);
	bad_specs(g);
	ended_calls(g);
}
