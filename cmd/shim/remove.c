/* SPDX-License-Identifier: Apache-2.0 */
/* Delete: of a container with all it holds, or of one exec. */
#include <config.h>

#include "events.h"
#include "parting.h"
#include "task.h"

#include <gantry/buf.h>
#include <gantry/log.h>

#include <containerd.events.pb-c.h>

#include <string.h>

struct removal {
	struct op op; /* first */
};

static void removal_answer(struct removal *d)
{
	const struct process *p = d->op.process;
	Containerd__Task__V2__DeleteResponse m = CONTAINERD__TASK__V2__DELETE_RESPONSE__INIT;
	Google__Protobuf__Timestamp at = task_stamp(&p->exited_at);

	m.pid = p->pid;
	m.exit_status = p->exit_status;
	m.exited_at = &at;
	op_answer(&d->op, &m.base);
}

static void exec_drained(void *arg)
{
	struct removal *d = arg;
	struct process *p = d->op.process, **link = &p->container->execs;
	struct container *c = p->container;

	removal_answer(d);
	free(d);
	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	process_done(p);
	free(p);
	container_look(c);
}

/* Nothing of the container is in use any more. */
static void init_idle(struct container *c)
{
	struct removal *d = c->idle_arg;
	Containerd__Events__TaskDelete ev = CONTAINERD__EVENTS__TASK_DELETE__INIT;
	Google__Protobuf__Timestamp at = task_stamp(&c->init.exited_at);

	c->idle = NULL;
	if (c->rootfs)
		gt_log_warn_take(parting_begin(c->shim, c->rootfs), "unmount the root of %s",
				 c->id);
	free(c->rootfs);
	c->rootfs = NULL;
	ev.container_id = c->id;
	ev.pid = c->init.pid;
	ev.exit_status = c->init.exit_status;
	ev.exited_at = &at;
	events_publish(c->shim->events, &ev.base);
	removal_answer(d);
	free(d);
	container_free(c);
}

static void init_drained(void *arg)
{
	struct removal *d = arg;
	struct container *c = d->op.process->container;

	c->idle = init_idle;
	c->idle_arg = d;
	container_look(c);
}

static void init_deleted(struct run *r, struct gt_error *e)
{
	struct removal *d = (struct removal *)r;
	struct process *p = d->op.process;

	/* What somebody else has deleted leaves us the rest to delete. */
	if (e && strstr(gt_error_text(e), "does not exist")) {
		gt_error_free(e);
		e = NULL;
	}
	if (e) {
		op_answer_error(&d->op, runtime_error_take(r, e, "failed to delete task"));
		free(d);
		process_leave(p);
		return;
	}
	io_drain(&p->io, init_drained, d);
}

static struct gt_error *init_delete(struct removal *d)
{
	const struct container *c = d->op.process->container;
	struct gt_strv argv = { 0 };

	runtime_argv(&c->runtime, &argv);
	gt_strv_add(&argv, "delete");
	gt_strv_add(&argv, c->id);
	return op_run_take(&d->op, &argv, -1, SHORT_TIMEOUT, init_deleted);
}

void task_delete(struct process *p, struct gt_ttrpc_call *call)
{
	struct container *c = p->container;
	struct gt_error *e = NULL;
	struct removal *d;

	if (p == &c->init && c->paused)
		e = gt_error_new(GT_UNKNOWN, "cannot delete a paused process");
	else if (p->state == PROCESS_RUNNING)
		e = gt_error_new(GT_UNKNOWN, "cannot delete a running process");
	if (e) {
		gt_ttrpc_answer_error_take(call, e);
		return;
	}
	d = gt_xcalloc(1, sizeof(*d));
	op_bind(&d->op, p, call);
	p->busy = true;
	if (p != &c->init) {
		io_drain(&p->io, exec_drained, d);
		return;
	}
	e = init_delete(d);
	if (e) {
		op_answer_error(&d->op, e);
		free(d);
		process_leave(p);
	}
}
