/* SPDX-License-Identifier: Apache-2.0 */
/* One process: whose turn it is, and how its end becomes known, in the right order. */
#include <config.h>

#include "container.h"
#include "events.h"
#include "task.h"

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/log.h>

#include <containerd.events.pb-c.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define SECOND INT64_C(1000000000)
#define EXIT_HOLD (10 * SECOND)
#define EARLY_MAX 4096

uint32_t exit_status_of(int wait_status)
{
	if (WIFEXITED(wait_status))
		return WEXITSTATUS(wait_status);
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return 255;
}

struct process *process_find(struct container *c, const char *exec_id)
{
	if (!*exec_id)
		return &c->init;
	for (struct process *p = c->execs; p; p = p->next)
		if (!strcmp(p->exec_id, exec_id))
			return p;
	return NULL;
}

void process_init(struct process *p, struct container *c, const char *exec_id)
{
	*p = (struct process){ .container = c, .exec_id = gt_xstrdup(exec_id) };
	io_init(&p->io, c->shim);
}

static void waiters_answer(struct process *p, bool gone)
{
	while (p->waiters) {
		struct waiter *w = p->waiters;

		p->waiters = w->next;
		if (w->next)
			w->next->link = &p->waiters;
		if (gone)
			gt_ttrpc_answer_error_take(w->call, gt_error_new(GT_NOT_FOUND,
									 "process does not exist %s",
									 p->exec_id));
		else
			task_wait_answer(p, w->call);
		free(w);
	}
}

void process_done(struct process *p)
{
	if (p->gone)
		*p->gone = true;
	while (p->turns) {
		struct turn *t = p->turns;

		p->turns = t->next;
		gt_ttrpc_answer_error_take(t->call,
					   gt_error_new(GT_NOT_FOUND, "container not created"));
		free(t);
	}
	waiters_answer(p, true);
	io_close(&p->io);
	free(p->exec_id);
	free(p->in);
	free(p->out);
	free(p->err);
	free(p->spec);
}

static void turn_ended(struct gt_ttrpc_call *call)
{
	struct turn *t = call->keeper, **p = &t->process->turns;

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	free(t);
}

void process_turn(struct process *p, struct gt_ttrpc_call *call,
		  void (*run)(struct process *, struct gt_ttrpc_call *))
{
	struct turn **end = &p->turns, *t;

	if (!p->busy) {
		run(p, call);
		return;
	}
	t = gt_xcalloc(1, sizeof(*t));
	*t = (struct turn){ .process = p, .call = call, .run = run };
	call->keeper = t;
	call->ended = turn_ended;
	while (*end)
		end = &(*end)->next;
	*end = t;
}

void process_leave(struct process *p)
{
	struct container *c = p->container;
	bool is_init = p == &c->init;
	bool gone = false, *outer = p->gone;

	p->busy = false;
	p->gone = &gone;
	while (!gone && p->turns && !p->busy) {
		struct turn *t = p->turns;
		struct gt_ttrpc_call *call = t->call;
		void (*run)(struct process *, struct gt_ttrpc_call *) = t->run;

		p->turns = t->next;
		free(t);
		call->ended = NULL;
		run(p, call);
	}
	if (!gone)
		p->gone = outer;
	else if (outer)
		*outer = true;
	if (!gone && !outer && !is_init)
		container_look(c);
}

static void end_tell(struct process *p)
{
	Containerd__Events__TaskExit ev = CONTAINERD__EVENTS__TASK_EXIT__INIT;
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	struct container *c = p->container;

	p->state = PROCESS_STOPPED;
	p->ended = false;
	p->exit_status = exit_status_of(p->wait_status);
	at.seconds = p->exited_at.tv_sec;
	at.nanos = (int32_t)p->exited_at.tv_nsec;
	ev.container_id = c->id;
	ev.id = p == &c->init ? c->id : p->exec_id;
	ev.pid = p->pid;
	ev.exit_status = p->exit_status;
	ev.exited_at = &at;
	events_publish(c->shim->events, &ev.base);
	waiters_answer(p, false);
	io_over(&p->io);
}

static void init_end_tell(struct container *c)
{
	if (!c->init.ended)
		return;
	gt_timer_clear(&c->exit_hold);
	end_tell(&c->init);
	c->paused = false;
}

static void exit_hold_over(struct gt_timer *t)
{
	struct container *c = gt_container_of(t, struct container, exit_hold);

	gt_log_warn("%zu execs of %s outlive its first process", c->n_active, c->id);
	init_end_tell(c);
}

void process_exec_over(struct container *c)
{
	if (!--c->n_active)
		init_end_tell(c);
}

/* Tells the end of a process that 'ended', unless something must be told before. */
static void end_try(struct process *p)
{
	struct container *c = p->container;

	if (p->starting)
		return;
	if (p != &c->init) {
		end_tell(p);
		process_exec_over(c);
		return;
	}
	if (!c->private_pids) /* nothing else ends its descendants */
		task_signal(c, SIGKILL, true);
	if (c->n_active) {
		c->exit_hold.fn = exit_hold_over;
		gt_loop_at(c->shim->loop, &c->exit_hold, gt_now() + EXIT_HOLD);
	} else {
		init_end_tell(c);
	}
}

static void process_ended(struct process *p, int status, const struct timespec *at)
{
	p->ended = true;
	p->wait_status = status;
	p->exited_at = *at;
	end_try(p);
}

static bool is_pid_of(const struct process *p, pid_t pid)
{
	return p->pid == pid && p->state != PROCESS_STOPPED && !p->ended;
}

void process_reaped(struct shim *shim, pid_t pid, int status, const struct timespec *at)
{
	for (struct container *c = shim->containers; c; c = c->next) {
		if (is_pid_of(&c->init, pid)) {
			process_ended(&c->init, status, at);
			return;
		}
		for (struct process *p = c->execs; p; p = p->next) {
			if (is_pid_of(p, pid)) {
				process_ended(p, status, at);
				return;
			}
		}
	}
	if (!shim->n_unknown)
		return;
	if (shim->n_early == EARLY_MAX) { /* the oldest is none that anybody asked for in time */
		memmove(shim->early, shim->early + 1, (EARLY_MAX - 1) * sizeof(*shim->early));
		shim->n_early--;
	}
	GT_GROW(shim->early, shim->n_early, shim->early_alloc);
	shim->early[shim->n_early++] =
		(struct early_exit){ .pid = pid, .status = status, .at = *at };
}

void process_known(struct process *p)
{
	struct shim *shim = p->container->shim;

	for (size_t i = shim->n_early; i--;) {
		if (shim->early[i].pid == p->pid) {
			process_ended(p, shim->early[i].status, &shim->early[i].at);
			break;
		}
	}
}

void process_started(struct process *p)
{
	p->starting = false;
	if (p->ended)
		end_try(p);
}

void process_never_ran(struct process *p)
{
	p->state = PROCESS_STOPPED;
	p->starting = false;
	p->exit_status = 255;
	clock_gettime(CLOCK_REALTIME, &p->exited_at);
	waiters_answer(p, false);
}
