/* SPDX-License-Identifier: Apache-2.0 */
/* Start of a container's first process, by start or by restore. */
#include <config.h>

#include "criu.h"
#include "events.h"
#include "task.h"

#include <gantry/buf.h>

#include <containerd.events.pb-c.h>

#include <sys/stat.h>

struct start {
	struct op op; /* first */
	struct console console;
	bool unknown; /* counted in the shim's n_unknown */
};

static void start_free(struct start *s)
{
	struct shim *shim = s->op.process->container->shim;

	if (s->unknown && !--shim->n_unknown)
		shim->n_early = 0;
	console_close(&s->console);
	free(s);
}

static void start_tell(struct start *s)
{
	struct process *p = s->op.process;
	Containerd__Task__V2__StartResponse m = CONTAINERD__TASK__V2__START_RESPONSE__INIT;
	Containerd__Events__TaskStart ev = CONTAINERD__EVENTS__TASK_START__INIT;

	p->state = PROCESS_RUNNING;
	ev.container_id = p->container->id;
	ev.pid = p->pid;
	events_publish(p->container->shim->events, &ev.base);
	m.pid = p->pid;
	op_answer(&s->op, &m.base);
}

static void start_end(struct start *s, struct gt_error *e)
{
	struct process *p = s->op.process;

	if (e)
		op_answer_error(&s->op, e);
	else
		start_tell(s);
	if (s->unknown && p->pid)
		process_known(p);
	start_free(s);
	process_started(p);
	process_leave(p);
}

static void start_done(struct run *r, struct gt_error *e)
{
	start_end((struct start *)r, runtime_error_take(r, e, "OCI runtime start failed"));
}

static struct gt_error *restored(struct start *s)
{
	struct process *p = s->op.process;
	gt_autofree char *pid_file = gt_strf("%s/init.pid", p->container->bundle);
	int master;

	GT_TRY(runtime_pid_read(pid_file, &p->pid));
	if (p->terminal) {
		GT_TRY(console_receive(&s->console, &master));
		GT_TRY(io_console_take(&p->io, master));
	}
	GT_TRY(io_stdin_begin(&p->io));
	container_cgroup_find(p->container);
	return NULL;
}

static void restore_done(struct run *r, struct gt_error *e)
{
	struct start *s = (struct start *)r;

	io_started(&s->op.process->io);
	e = criu_error_take(s->op.process->container,
			    runtime_error_take(r, e, "OCI runtime restore failed"), "restore.log");
	if (!e)
		e = restored(s);
	start_end(s, e);
}

static struct gt_error *restore(struct start *s)
{
	struct process *p = s->op.process;
	struct container *c = p->container;
	const struct options *o = &c->runtime.options;
	gt_autofree char *work = gt_strf("%s/work/criu-work", c->bundle);
	struct gt_strv argv = { 0 };

	mkdir(work, 0700); /* CRIU says what is wrong if it is not there */
	runtime_argv(&c->runtime, &argv);
	gt_strv_add(&argv, "restore");
	gt_strv_add(&argv, "--detach");
	gt_strv_add(&argv, "--bundle");
	gt_strv_add(&argv, c->bundle);
	gt_strv_add(&argv, "--pid-file");
	gt_strv_addf(&argv, "%s/init.pid", c->bundle);
	gt_strv_add(&argv, "--image-path");
	gt_strv_add(&argv, c->checkpoint);
	gt_strv_add(&argv, "--work-path");
	gt_strv_add(&argv, *o->criu_work_path ? o->criu_work_path : work);
	if (o->no_pivot_root)
		gt_strv_add(&argv, "--no-pivot");
	if (p->terminal) {
		struct gt_error *e = console_open(&s->console);

		if (e) {
			gt_strv_done(&argv);
			return e;
		}
		gt_strv_add(&argv, "--console-socket");
		gt_strv_add(&argv, s->console.path);
	}
	gt_strv_add(&argv, c->id);
	s->unknown = true;
	c->shim->n_unknown++;
	s->op.run.done = restore_done;
	return run_start_take(c->shim, &s->op.run, &c->runtime, &argv,
			      &(struct run_stdio){ .fds = p->io.child }, c->bundle,
			      op_time(&s->op, CHECKPOINT_TIMEOUT));
}

static struct gt_error *start(struct start *s)
{
	struct container *c = s->op.process->container;
	struct gt_strv argv = { 0 };

	GT_TRY(io_stdin_begin(&c->init.io));
	runtime_argv(&c->runtime, &argv);
	gt_strv_add(&argv, "start");
	gt_strv_add(&argv, c->id);
	return op_run_take(&s->op, &argv, -1, LONG_TIMEOUT, start_done);
}

void task_start(struct process *p, struct gt_ttrpc_call *call)
{
	struct container *c = p->container;
	struct gt_error *e = NULL;
	struct start *s;

	if (c->paused)
		e = gt_error_new(GT_UNKNOWN, "cannot start a paused process");
	else if (p->state == PROCESS_RUNNING)
		e = gt_error_new(GT_UNKNOWN, "cannot start a running process");
	else if (p->state == PROCESS_STOPPED)
		e = gt_error_new(GT_UNKNOWN, "cannot start a stopped process");
	if (e) {
		gt_ttrpc_answer_error_take(call, e);
		return;
	}
	s = gt_xcalloc(1, sizeof(*s));
	s->console = (struct console)CONSOLE_INIT;
	op_bind(&s->op, p, call);
	p->busy = p->starting = true;
	e = c->checkpoint ? restore(s) : start(s);
	if (e)
		start_end(s, e);
}
