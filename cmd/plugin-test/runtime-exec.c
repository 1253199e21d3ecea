/* SPDX-License-Identifier: Apache-2.0 */
/* Runtimes: what can be done to a running task. */
#include <config.h>

#include "runtime.h"

#include <signal.h>
#include <string.h>

static void signals(struct rig *g)
{
	struct task t;
	struct gt_exit exit = { 0 };
	struct gt_cancel *cancel = gt_cancel_new();
	struct waited w;

	suite_class(task_run(g, &t, "signals", TASK_IO,
			     "trap 'echo caught; exit 5' TERM; echo ready; "
			     "while true; do sleep 0.05; done"),
		    GT_OK, "run a task with a handler for SIGTERM");
	task_expect(&t, "ready");
	suite_class(waited_start(&w, &t, "", cancel), GT_OK, "wait with a cancel");
	gt_cancel_set(cancel);
	suite_class(waited_end(&w, 5, NULL), GT_CANCELED, "the cancel ends the wait");
	gt_cancel_free(cancel);
	suite_ok(task_status(&t, "") == GT_TASK_RUNNING, "and nothing else");
	suite_class(task_kill(&t, "", SIGTERM), GT_OK, "kill with SIGTERM");
	suite_class(task_wait(&t, "", 20, &exit), GT_OK, "it ends");
	suite_ok(exit.status == 5, "by its handler (%u)", exit.status);
	suite_class(task_kill(&t, "", SIGKILL), GT_NOT_FOUND, "kill after the end: not found");
	suite_class(task_remove(&t, NULL), GT_OK, "remove");
	task_done(&t);
}

static void execs(struct rig *g)
{
	struct task t;
	struct gt_exit exit = { 0 };
	struct waited w;
	uint32_t pid = 0;

	if (!g->r->ops->exec) {
		suite_skip("no exec", "further processes");
		return;
	}
	suite_class(task_run(g, &t, "execs", TASK_IO, "exec sleep 1000"), GT_OK, "run a task");
	suite_class(task_exec(&t, "e1", "echo from exec; exit 9"), GT_OK, "exec");
	suite_ok(task_status(&t, "e1") == GT_TASK_CREATED, "it is CREATED");
	suite_class(task_exec(&t, "e1", "true"), GT_ALREADY_EXISTS, "an exec id is there once");
	suite_class(waited_start(&w, &t, "e1", NULL), GT_OK, "wait for it");
	suite_class(gt_runtime_start(g->r, &g->call, "execs", "e1", &pid), GT_OK, "start it");
	suite_ok(pid > 0 && pid != t.pid, "it has a pid of its own");
	suite_class(waited_end(&w, 20, &exit), GT_OK, "it ends");
	suite_ok(exit.status == 9, "with its exit status (%u)", exit.status);
	suite_ok(task_expect(&t, "from exec\n"), "its output arrives");
	suite_ok(task_status(&t, "e1") == GT_TASK_STOPPED, "it is STOPPED");
	suite_ok(task_status(&t, "") == GT_TASK_RUNNING, "init is still RUNNING");
	suite_class(gt_runtime_remove(g->r, &g->call, "execs", "e1", &exit), GT_OK, "remove it");
	suite_ok(exit.status == 9, "which tells the exit status");
	suite_class(gt_runtime_remove(g->r, &g->call, "execs", "e1", &exit), GT_NOT_FOUND,
		    "remove it again: not found");
	suite_class(task_exec(&t, "e2", "exec sleep 1000"), GT_OK, "another exec");
	suite_class(gt_runtime_start(g->r, &g->call, "execs", "e2", &pid), GT_OK, "start it");
	suite_class(task_kill(&t, "e2", SIGKILL), GT_OK, "kill it");
	suite_class(task_wait(&t, "e2", 20, &exit), GT_OK, "wait for it");
	suite_ok(exit.status == 128 + SIGKILL, "it ended by the signal (%u)", exit.status);
	suite_class(task_exec(&t, "e3", "true"), GT_OK, "a third, never started");
	suite_class(gt_runtime_remove(g->r, &g->call, "execs", "e3", &exit), GT_OK,
		    "can be removed");
	suite_class(task_kill(&t, "", SIGKILL), GT_OK, "kill init");
	suite_class(task_wait(&t, "", 20, NULL), GT_OK, "it ends");
	suite_ok(is_refused(task_exec(&t, "e4", "true")), "no exec after that");
	suite_class(task_remove(&t, NULL), GT_OK, "remove");
	task_done(&t);
}

static void processes(struct rig *g)
{
	gt_auto(gt_processes) p = { 0 };
	struct task t;
	bool has_init = false;

	if (!g->r->ops->pids) {
		suite_skip("no pids", "pids");
		return;
	}
	suite_class(task_run(g, &t, "pids", TASK_IO, "sleep 1000 & sleep 1000 & echo ready; wait"),
		    GT_OK, "run a task of three processes");
	task_expect(&t, "ready");
	suite_class(gt_runtime_pids(g->r, &g->call, "pids", &p), GT_OK, "pids");
	for (size_t i = 0; i < p.n; i++)
		has_init = has_init || p.v[i].pid == t.pid;
	suite_ok(p.n == 3 && has_init, "all three are there (%zu)", p.n);
	suite_class(gt_runtime_kill(g->r, &g->call, "pids", "", SIGKILL, true), GT_OK, "kill all");
	suite_class(task_wait(&t, "", 20, NULL), GT_OK, "it ends");
	suite_class(task_remove(&t, NULL), GT_OK, "remove");
	task_done(&t);
}

static void pauses(struct rig *g)
{
	struct task t;

	if (!g->r->ops->pause || !g->r->ops->resume) {
		suite_skip("no pause", "pause and resume");
		return;
	}
	suite_class(task_run(g, &t, "pauses", 0, "exec sleep 1000"), GT_OK, "run a task");
	suite_class(gt_runtime_pause(g->r, &g->call, "pauses"), GT_OK, "pause");
	suite_ok(task_status(&t, "") == GT_TASK_PAUSED, "it is PAUSED");
	suite_ok(is_refused(task_remove(&t, NULL)), "and cannot be removed");
	suite_class(gt_runtime_resume(g->r, &g->call, "pauses"), GT_OK, "resume");
	suite_ok(task_status(&t, "") == GT_TASK_RUNNING, "it is RUNNING");
	suite_class(task_kill(&t, "", SIGKILL), GT_OK, "kill");
	suite_class(task_wait(&t, "", 20, NULL), GT_OK, "it ends");
	suite_class(task_remove(&t, NULL), GT_OK, "remove");
	task_done(&t);
}

static void resources(struct rig *g)
{
	static const char json[] = "{\"memory\":{\"limit\":67108864}}";
	struct gt_any any = {
		.type_url = (char *)"types.containerd.io/opencontainers/runtime-spec/1/LinuxResources",
		.data = (char *)json,
		.len = sizeof(json) - 1,
	};
	gt_auto(gt_any) stats = { 0 };
	struct task t;

	suite_class(task_run(g, &t, "limits", 0, "exec sleep 1000"), GT_OK, "run a task");
	if (g->r->ops->update)
		suite_class(gt_runtime_update(g->r, &g->call, "limits", &any, NULL), GT_OK,
			    "update its memory limit");
	else
		suite_skip("no update", "update");
	if (g->r->ops->stats) {
		suite_class(gt_runtime_stats(g->r, &g->call, "limits", &stats), GT_OK, "stats");
		suite_ok((gt_any_is(&stats, "io.containerd.cgroups.v1.Metrics") ||
			  gt_any_is(&stats, "io.containerd.cgroups.v2.Metrics")) &&
				 stats.len > 0,
			 "stats are metrics of control groups (%s)",
			 stats.type_url ? stats.type_url : "");
	} else {
		suite_skip("no stats", "stats");
	}
	suite_class(task_kill(&t, "", SIGKILL), GT_OK, "kill");
	suite_class(task_wait(&t, "", 20, NULL), GT_OK, "it ends");
	suite_class(task_remove(&t, NULL), GT_OK, "remove");
	task_done(&t);
}

void suite_runtime_exec(struct rig *g)
{
	signals(g);
	execs(g);
	processes(g);
	pauses(g);
	resources(g);
}
