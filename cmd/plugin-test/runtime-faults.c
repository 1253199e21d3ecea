/* SPDX-License-Identifier: Apache-2.0 */
/* Runtimes: other processes that come and go, and helpers that die or hang. */
#include <config.h>

#include "runtime.h"

#include <gantry/file.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MS INT64_C(1000000)

static int parent_of(uint32_t pid)
{
	gt_autofree char *path = gt_strf("/proc/%u/status", pid);
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_file_read(AT_FDCWD, path, 65536, &b);
	const char *line = e ? NULL : strstr(b.s, "\nPPid:");
	int ppid = 0;

	if (line)
		sscanf(line, "\nPPid: %d", &ppid);
	return ppid;
}

static bool is_alive(uint32_t pid)
{
	gt_autofree char *path = gt_strf("/proc/%u/status", pid);
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_file_read(AT_FDCWD, path, 65536, &b);

	return !e && !strstr(b.s, "\nState:\tZ") && !strstr(b.s, "\nState:\tX");
}

/* A signal takes a moment to stop all threads. */
static void stop(int pid)
{
	gt_autofree char *path = gt_strf("/proc/%d/status", pid);

	kill(pid, SIGSTOP);
	for (int i = 0; i < 200; i++) {
		gt_auto(gt_buf) b = GT_BUF_INIT;
		gt_autoptr(gt_error) e = gt_file_read(AT_FDCWD, path, 65536, &b);

		if (e || strstr(b.s, "\nState:\tT"))
			break;
		usleep(5000);
	}
}

static bool ends_soon(uint32_t pid)
{
	for (int i = 0; i < 200 && is_alive(pid); i++)
		usleep(10000);
	return !is_alive(pid);
}

/* The process that holds a task; 0 if it is we ourselves, or nobody. */
static int holder(struct task *t)
{
	int ppid = parent_of(t->pid);

	return ppid > 1 && ppid != getpid() ? ppid : 0;
}

/* In another process: makes a task, or tries to, until it is killed. */
int suite_runtime_child(struct gt_runtime *r, const char *name, const char *dir)
{
	struct rig g = { .r = r, .dir = dir, .call = GT_CALL_INIT };
	gt_autofree char *rootfs = gt_strf("%s/rootfs", dir);
	gt_autofree char *cgroup = gt_strf("/gantry-suite-%d", (int)getppid());
	struct gt_error *e;
	struct task t;

	g.call.ns = "suite";
	g.rootfs = rootfs;
	g.cgroup = cgroup;
	if (!strcmp(name, "creating"))
		suite_child_ready();
	e = task_run(&g, &t, "other", 0, "exec sleep 1000");
	if (e)
		fprintf(stderr, "# child: %s\n", gt_error_text(e));
	else if (strcmp(name, "creating"))
		suite_child_ready();
	pause();
	return 0;
}

static void outlives_its_maker(struct rig *g)
{
	struct suite_child c = { .name = "made", .arg = g->dir };
	struct task t = { .g = g, .id = "other", .in = -1, .out = -1, .err = -1 };
	struct gt_exit exit = { 0 };

	suite_ok(suite_child_start(&c) && suite_child_wait_ready(&c, 30),
		 "another process runs a task");
	suite_ok(task_status(&t, "") == GT_TASK_RUNNING, "we see it RUNNING");
	suite_child_kill(&c);
	suite_ok(task_status(&t, "") == GT_TASK_RUNNING, "also when its maker has been killed");
	suite_ok(count_tasks(g) == 1, "walk shows it");
	suite_class(task_kill(&t, "", SIGKILL), GT_OK, "kill");
	suite_class(task_wait(&t, "", 20, &exit), GT_OK, "wait");
	suite_ok(exit.status == 128 + SIGKILL, "its exit status has not been lost (%u)",
		 exit.status);
	suite_class(task_remove(&t, NULL), GT_OK, "remove");
}

/* Ends whatever a killed process left under an id, with what any next command would do. */
static bool clean_up(struct rig *g, const char *id)
{
	gt_autoptr(gt_error) e = NULL;
	struct gt_exit exit;

	if (count_tasks(g) > 0 && g->r->ops->purge)
		e = gt_runtime_purge(g->r, &g->call, id, &exit);
	if (e)
		suite_note("purge: %s", gt_error_text(e));
	return count_tasks(g) == 0;
}

static void killed_makers(struct rig *g)
{
	enum { ROUNDS = 24 };
	gt_autofree char *before = rig_traces(g);
	int bad = 0, made = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct suite_child c = { .name = "creating", .arg = g->dir };
		struct task t;

		if (!suite_child_start(&c) || !suite_child_wait_ready(&c, 30)) {
			bad++;
			continue;
		}
		usleep(i * 2500);
		suite_child_kill(&c);
		if (i % 2) { /* the next command is one that makes the same task */
			gt_autoptr(gt_error) e = task_run(g, &t, "other", 0, "exec sleep 1000");

			if (gt_error_class(e) != GT_OK && gt_error_class(e) != GT_ALREADY_EXISTS) {
				suite_note("round %d: %s", i, gt_error_text(e));
				bad++;
			}
			task_done(&t);
		}
		made += count_tasks(g) == 1;
		bad += !clean_up(g, "other");
	}
	suite_ok(bad == 0, "%d makers killed at any moment, %d had made their task", ROUNDS, made);
	rig_clean(g, before, "whoever was killed");
}

static void dead_holder(struct rig *g)
{
	gt_autofree char *before = rig_traces(g);
	gt_auto(gt_task_state) s = { 0 };
	struct gt_exit exit;
	struct gt_error *e;
	struct task t;
	struct waited w;
	int64_t start;
	int pid;

	suite_class(task_run(g, &t, "dead", 0, "exec sleep 1000"), GT_OK, "run a task");
	pid = holder(&t);
	if (!pid) {
		suite_skip("no process holds the task", "its death");
		task_kill(&t, "", SIGKILL);
		return;
	}
	suite_class(waited_start(&w, &t, "", NULL), GT_OK, "wait for it");
	kill(pid, SIGKILL);
	suite_ok(waited_for(&w, 10), "the wait ends when the task's holder is killed");
	gt_error_free(waited_end(&w, 1, NULL));
	start = gt_now();
	e = task_state(&t, "", &s);
	suite_ok(gt_now() - start < 5000 * MS &&
			 (e ? gt_error_class(e) != GT_NOT_FOUND
			    : s.status == GT_TASK_UNKNOWN || s.status == GT_TASK_STOPPED),
		 "state answers, and does not claim that it runs");
	gt_error_free(e);
	suite_ok(count_tasks(g) == 1, "walk still shows it");
	suite_class(task_remove(&t, &exit), GT_OK, "remove cleans up");
	suite_ok(exit.status >= 128, "with a status that says so (%u)", exit.status);
	suite_ok(ends_soon(t.pid), "its process has ended");
	suite_class(task_state(&t, "", &s), GT_NOT_FOUND, "it is gone");
	task_done(&t);
	suite_class(task_run(g, &t, "dead", 0, "exec sleep 1000"), GT_OK, "run it again");
	pid = holder(&t);
	kill(pid, SIGKILL);
	ends_soon(pid);
	task_done(&t);
	suite_class(task_create(g, &t, "dead", 0, "/bin/true", NULL), GT_OK,
		    "create cleans up after a dead holder");
	suite_class(task_remove(&t, NULL), GT_OK, "remove");
	task_done(&t);
	rig_clean(g, before, "a dead holder");
}

static void stopped_holder(struct rig *g)
{
	gt_autofree char *before = rig_traces(g);
	gt_auto(gt_task_state) s = { 0 };
	struct gt_exit exit;
	struct task t, other;
	int64_t start;
	int pid;

	if (!g->r->ops->purge) {
		suite_skip("no purge", "a holder that hangs");
		return;
	}
	suite_class(task_run(g, &t, "hangs", 0, "exec sleep 1000"), GT_OK, "run a task");
	suite_class(task_run(g, &other, "fine", 0, "exec sleep 1000"), GT_OK, "and another");
	pid = holder(&t);
	if (pid && pid != holder(&other)) {
		stop(pid);
		start = gt_now();
		suite_class(task_state(&t, "", &s), GT_UNAVAILABLE,
			    "state of a task whose holder is stopped: unavailable");
		suite_ok(gt_now() - start < 6000 * MS, "within seconds");
		start = gt_now();
		suite_ok(task_status(&other, "") == GT_TASK_RUNNING && gt_now() - start < 500 * MS,
			 "the other answers as ever");
	} else {
		suite_skip("no process of its own holds the task", "a holder that hangs");
	}
	start = gt_now();
	suite_class(gt_runtime_purge(g->r, &g->call, "hangs", &exit), GT_OK, "purge ends it");
	suite_ok(gt_now() - start < 10000 * MS, "within ten seconds (%lld ms)",
		 (long long)((gt_now() - start) / MS));
	suite_ok(ends_soon(t.pid), "its process has ended");
	suite_ok(!pid || ends_soon(pid), "so has its holder");
	suite_class(task_state(&t, "", &s), GT_NOT_FOUND, "it is gone");
	suite_class(gt_runtime_purge(g->r, &g->call, "fine", &exit), GT_OK,
		    "purge of a task in good health");
	suite_ok(ends_soon(other.pid), "ends its process");
	suite_ok(count_tasks(g) == 0, "no task is left");
	task_done(&t);
	task_done(&other);
	rig_clean(g, before, "purge");
}

static void paused_and_lost(struct rig *g)
{
	gt_autofree char *before = rig_traces(g);
	struct gt_exit exit;
	struct task t;
	int64_t start;
	int pid;

	if (!g->r->ops->purge || !g->r->ops->pause) {
		suite_skip("no purge or pause", "purge of paused tasks");
		return;
	}
	for (int i = 0; i < 2; i++) {
		const char *what = i ? "whose holder is dead" : "in good health";

		suite_class(task_run(g, &t, "frozen", 0, "exec sleep 1000"), GT_OK, "run a task");
		suite_class(gt_runtime_pause(g->r, &g->call, "frozen"), GT_OK, "pause it");
		pid = holder(&t);
		if (i && pid) {
			kill(pid, SIGKILL);
			ends_soon(pid);
		}
		start = gt_now();
		suite_class(gt_runtime_purge(g->r, &g->call, "frozen", &exit), GT_OK,
			    "purge of a paused task %s", what);
		suite_ok(gt_now() - start < 10000 * MS, "within ten seconds (%lld ms)",
			 (long long)((gt_now() - start) / MS));
		suite_ok(ends_soon(t.pid), "its process has ended");
		task_done(&t);
	}
	rig_clean(g, before, "purge of paused tasks");
}

static struct gt_error *run_in_pod(struct rig *g, struct task *t, const char *id)
{
	static const char *const args[] = { "/bin/sleep", "1000", NULL };
	gt_autofree char *spec = task_spec(g, id, false, NULL, args);
	gt_autofree char *marked = gt_strf(
		"{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\"},%s", spec + 1);

	GT_TRY(task_create_spec(g, t, id, 0, marked));
	return gt_runtime_start(g->r, &g->call, id, "", &t->pid);
}

/* Tasks that may share their holder: the end of one, even of the first, is not the others'. */
static void pods(struct rig *g)
{
	gt_autofree char *before = rig_traces(g);
	struct task t[3];
	struct gt_exit exit;
	int pid;

	suite_class(run_in_pod(g, &t[0], "pod"), GT_OK, "run the first task of a pod");
	suite_class(run_in_pod(g, &t[1], "member1"), GT_OK, "run the second");
	suite_class(run_in_pod(g, &t[2], "member2"), GT_OK, "run the third");
	pid = holder(&t[0]);
	suite_note("%s", pid && pid == holder(&t[2]) ? "they share their holder"
						     : "each has a holder of its own");
	suite_class(task_kill(&t[1], "", SIGKILL), GT_OK, "kill the second");
	suite_class(task_wait(&t[1], "", 20, NULL), GT_OK, "it ends");
	suite_class(task_remove(&t[1], NULL), GT_OK, "remove it");
	suite_ok(task_status(&t[0], "") == GT_TASK_RUNNING &&
			 task_status(&t[2], "") == GT_TASK_RUNNING,
		 "the others run on");
	if (g->r->ops->purge) {
		suite_class(gt_runtime_purge(g->r, &g->call, "pod", &exit), GT_OK,
			    "purge the first");
	} else {
		suite_class(task_kill(&t[0], "", SIGKILL), GT_OK, "kill the first");
		suite_class(task_wait(&t[0], "", 20, NULL), GT_OK, "it ends");
		suite_class(task_remove(&t[0], NULL), GT_OK, "remove it");
	}
	suite_ok(task_status(&t[2], "") == GT_TASK_RUNNING, "the third runs on");
	suite_class(task_kill(&t[2], "", SIGKILL), GT_OK, "kill it");
	suite_class(task_wait(&t[2], "", 20, NULL), GT_OK, "it ends");
	suite_class(task_remove(&t[2], NULL), GT_OK, "remove it");
	suite_ok(!pid || ends_soon(pid), "the holder has gone with the last");
	for (int i = 0; i < 3; i++)
		task_done(&t[i]);
	rig_clean(g, before, "a pod");
}

void suite_runtime_faults(struct rig *g)
{
	pods(g);
	outlives_its_maker(g);
	killed_makers(g);
	dead_holder(g);
	stopped_holder(g);
	paused_and_lost(g);
}
