/* SPDX-License-Identifier: Apache-2.0 */
/* Runtimes: a task from its creation to its end, and what is refused on the way. */
#include <config.h>

#include "runtime.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* False if no task can be made at all: all else would fail for that reason. */
static bool life(struct rig *g)
{
	struct task t;
	struct waited early, twice;
	struct gt_exit exit = { 0 };
	gt_auto(gt_task_state) s = { 0 };
	uint32_t pid = 0;
	bool ok;

	if (!suite_class(task_create(g, &t, "life", TASK_IO, "/bin/sh", "-c",
				     "echo to out; echo to err >&2; exit 7", NULL),
			 GT_OK, "create makes a task")) {
		task_done(&t);
		return false;
	}
	suite_ok(t.pid > 0, "create tells init's pid");
	suite_ok(task_status(&t, "") == GT_TASK_CREATED, "a new task is CREATED");
	suite_ok(count_tasks(g) == 1, "walk shows it");
	suite_class(waited_start(&early, &t, "", NULL), GT_OK, "wait can be asked before start");
	suite_class(waited_start(&twice, &t, "", NULL), GT_OK, "and by two at once");
	suite_class(gt_runtime_start(g->r, &g->call, "life", "", &pid), GT_OK, "start");
	suite_ok(pid == t.pid, "start tells the same pid");
	suite_class(waited_end(&early, 20, &exit), GT_OK, "the wait ends");
	suite_ok(exit.status == 7, "with the exit status (%u)", exit.status);
	suite_ok(exit.at.tv_sec > 1600000000, "and its time");
	suite_class(waited_end(&twice, 20, &exit), GT_OK, "so does the second");
	ok = suite_class(task_state(&t, "", &s), GT_OK, "state answers after the end");
	suite_ok(ok && s.status == GT_TASK_STOPPED && s.exit_status == 7 && !strcmp(s.id, "life") &&
			 !*s.exec_id && s.exited_at.tv_sec > 1600000000 &&
			 !strcmp(s.out, t.out_path),
		 "state: STOPPED, exit status, time, id, path of stdout");
	suite_class(task_wait(&t, "", 5, &exit), GT_OK, "wait after the end answers at once");
	suite_ok(exit.status == 7, "with the same exit status");
	exit = (struct gt_exit){ 0 };
	suite_class(task_remove(&t, &exit), GT_OK, "remove");
	suite_ok(exit.status == 7 && exit.pid == t.pid && exit.at.tv_sec > 1600000000,
		 "remove tells pid, exit status and time");
	task_read(&t);
	suite_ok(!strcmp(t.stdout_text.s, "to out\n") && !strcmp(t.stderr_text.s, "to err\n"),
		 "all that it printed has arrived in the FIFOs");
	suite_class(task_state(&t, "", &s), GT_NOT_FOUND, "state: a removed task is not found");
	suite_class(task_remove(&t, &exit), GT_NOT_FOUND, "remove: neither");
	suite_ok(count_tasks(g) == 0, "walk shows it no more");
	task_done(&t);
	return true;
}

static void never_started(struct rig *g)
{
	struct task t;

	suite_class(task_create(g, &t, "never", 0, "/bin/true", NULL), GT_OK, "create another");
	suite_class(task_remove(&t, NULL), GT_OK, "a task that was never started can be removed");
	suite_class(task_wait(&t, "", 5, NULL), GT_NOT_FOUND, "wait for it: not found");
	task_done(&t);
}

static void input(struct rig *g)
{
	struct task t;
	struct gt_exit exit = { 0 };
	static const char text[] = "through stdin\n";

	suite_class(task_run(g, &t, "input", TASK_IO | TASK_STDIN, "cat; exit 3"), GT_OK,
		    "run a task that reads stdin");
	suite_ok(write(t.in, text, strlen(text)) == (ssize_t)strlen(text) &&
			 task_expect(&t, text),
		 "what is written to its stdin comes out of its stdout");
	if (g->r->ops->close_io) {
		close(t.in); /* two hold the FIFO open for writing: we and, until now, the runtime */
		t.in = -1;
		suite_class(gt_runtime_close_io(g->r, &g->call, "input", ""), GT_OK, "close_io");
		suite_class(task_wait(&t, "", 20, &exit), GT_OK, "it sees the end of its stdin");
		suite_ok(exit.status == 3, "and goes on to its own end");
	} else {
		suite_class(task_kill(&t, "", SIGKILL), GT_OK, "kill");
		suite_class(task_wait(&t, "", 20, NULL), GT_OK, "wait");
	}
	suite_class(task_remove(&t, NULL), GT_OK, "remove");
	task_done(&t);
}

static void much_output(struct rig *g)
{
	struct task t;
	struct waited w;

	suite_class(task_create(g, &t, "much", TASK_IO, "/bin/sh", "-c",
				"i=0; while [ $i -lt 20000 ]; do echo 0123456789012345678; "
				"i=$((i+1)); done",
				NULL),
		    GT_OK, "create a task that prints 400 kB");
	suite_class(waited_start(&w, &t, "", NULL), GT_OK, "wait");
	suite_class(gt_runtime_start(g->r, &g->call, "much", "", &t.pid), GT_OK, "start");
	for (int i = 0; i < 3000 && t.stdout_text.len < 400000; i++) {
		usleep(5000);
		task_read(&t);
	}
	suite_class(waited_end(&w, 20, NULL), GT_OK, "it ends");
	suite_class(task_remove(&t, NULL), GT_OK, "remove");
	task_read(&t);
	suite_ok(t.stdout_text.len == 400000, "every byte arrives (%zu)", t.stdout_text.len);
	task_done(&t);
}

static void terminal(struct rig *g)
{
	struct task t;

	if (!g->r->ops->resize) {
		suite_skip("no resize", "a task with a terminal");
		return;
	}
	suite_class(task_create(g, &t, "tty", TASK_IO | TASK_STDIN | TASK_TERMINAL, "/bin/sh", "-c",
				"read x; [ -t 0 ] && echo it is $x; busybox stty size", NULL),
		    GT_OK, "create a task with a terminal");
	suite_class(gt_runtime_start(g->r, &g->call, "tty", "", &t.pid), GT_OK, "start");
	suite_class(gt_runtime_resize(g->r, &g->call, "tty", "", 97, 31), GT_OK, "resize");
	suite_ok(write(t.in, "one\n", 4) == 4 && task_expect(&t, "it is one\r\n"),
		 "it has a terminal, whose line discipline works");
	suite_ok(task_expect(&t, "31 97"), "of the size that resize gave it");
	suite_class(task_wait(&t, "", 20, NULL), GT_OK, "it ends");
	suite_class(task_remove(&t, NULL), GT_OK, "remove");
	task_done(&t);
}

static void many(struct rig *g)
{
	enum { N = 20 };
	struct task t[N];
	int64_t before;
	int bad = 0;

	for (int i = 0; i < N; i++) {
		char id[16];
		gt_autoptr(gt_error) e = NULL;

		snprintf(id, sizeof(id), "many%d", i);
		e = task_run(g, &t[i], id, 0, "exec sleep 1000");
		bad += e != NULL;
	}
	suite_ok(bad == 0, "%d tasks at once", N);
	suite_ok(count_tasks(g) == N, "walk shows them");
	before = gt_now();
	for (int i = 0; i < N; i++)
		bad += task_status(&t[i], "") != GT_TASK_RUNNING;
	suite_ok(bad == 0, "all are RUNNING");
	suite_note("state of %d tasks: %lld us", N, (long long)(gt_now() - before) / 1000);
	for (int i = 0; i < N; i++) {
		gt_autoptr(gt_error) e = task_kill(&t[i], "", SIGKILL);
		struct gt_exit exit = { 0 };

		if (!e)
			e = task_wait(&t[i], "", 20, &exit);
		if (!e)
			e = task_remove(&t[i], NULL);
		bad += e || exit.status != 128 + SIGKILL;
		task_done(&t[i]);
	}
	suite_ok(bad == 0, "each ends by SIGKILL and goes");
}

static void pace(struct rig *g)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < 10; i++) {
		struct task t;
		int64_t before = gt_now();
		gt_autoptr(gt_error) e = task_create(g, &t, "pace", 0, "/bin/true", NULL);

		if (!e)
			e = gt_runtime_start(g->r, &g->call, "pace", "", &t.pid);
		if (!e)
			e = task_wait(&t, "", 20, NULL);
		if (!e)
			e = task_remove(&t, NULL);
		if (!e && gt_now() - before < best)
			best = gt_now() - before;
		task_done(&t);
	}
	suite_ok(best < INT64_MAX, "the same id ten times over");
	suite_note("create, start, wait and remove of true: %lld us at best",
		   (long long)best / 1000);
}

static void suite_runtime_life(struct rig *g)
{
	never_started(g);
	input(g);
	much_output(g);
	terminal(g);
	many(g);
	pace(g);
}

void suite_runtime(struct gt_runtime *r, const char *dir)
{
	gt_autofree char *before = NULL;
	struct rig g;

	if (!rig_make(&g, r, dir))
		return;
	before = rig_traces(&g);
	if (!life(&g)) {
		rig_done(&g);
		return;
	}
	suite_runtime_life(&g);
	suite_runtime_exec(&g);
	suite_runtime_refusals(&g);
	rig_clean(&g, before, "all this");
	suite_runtime_faults(&g);
	rig_clean(&g, before, "what went wrong");
	suite_ok(count_tasks(&g) == 0, "no task is left");
	rig_done(&g);
}
