/* SPDX-License-Identifier: Apache-2.0 */
/* Kill, pause and resume. */
#include <config.h>

#include "events.h"
#include "task.h"

#include <gantry/buf.h>
#include <gantry/log.h>

#include <containerd.events.pb-c.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

struct killing {
	struct op op; /* first */
	struct container *c;
	uint32_t signal;
};

/* Kills take no turn: they must go through while something else hangs. */
static void killing_free(struct killing *k)
{
	struct container *c = k->c;

	free(k);
	c->n_kills--;
	container_look(c);
}

static void thawed(struct run *r, struct gt_error *e)
{
	struct killing *k = (struct killing *)r;

	if (e)
		gt_log_warn_take(e, "resume %s to let it die", k->c->id);
	else
		k->c->paused = false;
	killing_free(k);
}

/* A frozen process dies only when it is thawed. */
static void thaw(struct killing *k)
{
	struct gt_strv argv = { 0 };
	struct gt_error *e;

	runtime_argv(&k->c->runtime, &argv);
	gt_strv_add(&argv, "resume");
	gt_strv_add(&argv, k->c->id);
	e = op_run_take(&k->op, &argv, -1, SHORT_TIMEOUT, thawed);
	if (e)
		thawed(&k->op.run, e);
}

/* Takes 'e'; the texts by which runtimes say that there is nobody to kill. */
static struct gt_error *kill_error_take(struct gt_error *e)
{
	gt_autofree char *text = gt_xstrdup(gt_error_text(e));
	enum gt_class cls = gt_error_class(e);

	if (!e)
		return NULL;
	for (char *p = text; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p |= 0x20;
	if (strstr(text, "process already finished") || strstr(text, "container not running") ||
	    strstr(text, "no such process")) {
		gt_error_free(e);
		return gt_error_new(GT_NOT_FOUND, "process already finished");
	}
	if (strstr(text, "does not exist")) {
		gt_error_free(e);
		return gt_error_new(GT_NOT_FOUND, "no such container");
	}
	return gt_error_reclass(gt_error_wrap(e, "unknown error after kill"),
				cls == GT_DEADLINE_EXCEEDED ? cls : GT_UNKNOWN);
}

static void init_killed(struct run *r, struct gt_error *e)
{
	struct killing *k = (struct killing *)r;

	if (e) {
		op_answer_error(&k->op, kill_error_take(e));
		killing_free(k);
		return;
	}
	op_answer_empty(&k->op);
	if (k->signal == SIGKILL && k->c->paused && !k->c->init.ended)
		thaw(k);
	else
		killing_free(k);
}

static struct gt_error *init_kill(struct killing *k, bool all)
{
	struct gt_strv argv = { 0 };

	runtime_argv(&k->c->runtime, &argv);
	gt_strv_add(&argv, "kill");
	if (all)
		gt_strv_add(&argv, "--all");
	gt_strv_add(&argv, k->c->id);
	gt_strv_addf(&argv, "%u", k->signal);
	return op_run_take(&k->op, &argv, -1, SHORT_TIMEOUT, init_killed);
}

static struct gt_error *exec_kill(const struct process *p, uint32_t signal)
{
	if (p->state == PROCESS_CREATED && !p->starting)
		return gt_error_new(GT_FAILED_PRECONDITION, "process not created");
	if (p->state == PROCESS_STOPPED || p->ended)
		return gt_error_new(GT_NOT_FOUND, "process already finished");
	if (!p->pid)
		return gt_error_new(GT_FAILED_PRECONDITION, "process not created");
	/* Not reaped: the number is still its own. */
	if (signal > INT32_MAX || kill(p->pid, (int)signal) < 0) {
		if (signal <= INT32_MAX && errno == ESRCH)
			return gt_error_new(GT_NOT_FOUND, "process already finished");
		return gt_error_new(GT_UNKNOWN, "unknown error after kill: invalid argument");
	}
	return NULL;
}

void task_kill(struct process *p, struct gt_ttrpc_call *call)
{
	const Containerd__Task__V2__KillRequest *r =
		(const Containerd__Task__V2__KillRequest *)call->request;
	struct container *c = p->container;
	struct gt_error *e = NULL;
	struct killing *k;

	if (p != &c->init) {
		e = exec_kill(p, r->signal);
		if (e)
			gt_ttrpc_answer_error_take(call, e);
		else
			answer_empty(call);
		return;
	}
	if (p->state == PROCESS_STOPPED || p->ended)
		e = gt_error_new(GT_NOT_FOUND, "process already finished");
	else if (!p->pid)
		e = gt_error_new(GT_FAILED_PRECONDITION, "process not created");
	if (e) {
		gt_ttrpc_answer_error_take(call, e);
		return;
	}
	k = gt_xcalloc(1, sizeof(*k));
	k->c = c;
	k->signal = r->signal;
	c->n_kills++;
	op_bind(&k->op, p, call);
	e = init_kill(k, r->all);
	if (e) {
		op_answer_error(&k->op, e);
		killing_free(k);
	}
}

void task_signal(struct container *c, uint32_t signal, bool all)
{
	struct killing *k = gt_xcalloc(1, sizeof(*k));
	struct gt_error *e;

	k->c = c;
	k->signal = signal;
	k->op.process = &c->init;
	c->n_kills++;
	e = init_kill(k, all);
	if (e) {
		gt_log_warn_take(e, "signal %u to %s", signal, c->id);
		killing_free(k);
	}
}

static void paused(struct run *r, struct gt_error *e)
{
	struct op *op = (struct op *)r;
	struct process *p = op->process;
	struct container *c = p->container;
	Containerd__Events__TaskPaused ev = CONTAINERD__EVENTS__TASK_PAUSED__INIT;

	c->pausing = false;
	if (e) {
		op_answer_error(op, runtime_error_take(r, e, "OCI runtime pause failed"));
	} else {
		c->paused = p->state == PROCESS_RUNNING && !p->ended;
		ev.container_id = c->id;
		events_publish(c->shim->events, &ev.base);
		op_answer_empty(op);
	}
	free(op);
	process_leave(p);
}

static void resumed(struct run *r, struct gt_error *e)
{
	struct op *op = (struct op *)r;
	struct process *p = op->process;
	struct container *c = p->container;
	Containerd__Events__TaskResumed ev = CONTAINERD__EVENTS__TASK_RESUMED__INIT;

	if (e) {
		op_answer_error(op, runtime_error_take(r, e, "OCI runtime resume failed"));
	} else {
		c->paused = false;
		ev.container_id = c->id;
		events_publish(c->shim->events, &ev.base);
		op_answer_empty(op);
	}
	free(op);
	process_leave(p);
}

static void freezer_run(struct process *p, struct gt_ttrpc_call *call, const char *command,
			void (*done)(struct run *, struct gt_error *))
{
	struct op *op = gt_xcalloc(1, sizeof(*op));
	struct gt_strv argv = { 0 };
	struct gt_error *e;

	op_bind(op, p, call);
	p->busy = true;
	runtime_argv(&p->container->runtime, &argv);
	gt_strv_add(&argv, command);
	gt_strv_add(&argv, p->container->id);
	e = op_run_take(op, &argv, -1, SHORT_TIMEOUT, done);
	if (e)
		done(&op->run, e);
}

void task_pause(struct process *p, struct gt_ttrpc_call *call)
{
	struct gt_error *e = NULL;

	if (p->state == PROCESS_CREATED)
		e = gt_error_new(GT_UNKNOWN, "cannot pause task in created state");
	else if (p->state == PROCESS_STOPPED || p->ended)
		e = gt_error_new(GT_UNKNOWN, "cannot pause a stopped container");
	else if (p->container->paused)
		e = gt_error_new(GT_UNKNOWN, "cannot pause a paused container");
	if (e) {
		gt_ttrpc_answer_error_take(call, e);
		return;
	}
	p->container->pausing = true;
	freezer_run(p, call, "pause", paused);
}

void task_resume(struct process *p, struct gt_ttrpc_call *call)
{
	struct gt_error *e = NULL;

	if (p->state == PROCESS_CREATED)
		e = gt_error_new(GT_UNKNOWN, "cannot resume task in created state");
	else if (p->state == PROCESS_STOPPED || p->ended)
		e = gt_error_new(GT_UNKNOWN, "cannot resume a stopped container");
	else if (!p->container->paused)
		e = gt_error_new(GT_UNKNOWN, "cannot resume a running process");
	if (e) {
		gt_ttrpc_answer_error_take(call, e);
		return;
	}
	freezer_run(p, call, "resume", resumed);
}
