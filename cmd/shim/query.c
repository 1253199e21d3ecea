/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked about processes: state, end, pids. */
#include <config.h>

#include "task.h"

#include <gantry/buf.h>

#include <containerd.runc.v1.pb-c.h>

#define PIDS_MAX 200000

/* A Go time that is not set: the year 1. */
#define GO_ZERO_TIME INT64_C(-62135596800)

Google__Protobuf__Timestamp task_stamp(const struct timespec *t)
{
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	at.seconds = t->tv_sec || t->tv_nsec ? t->tv_sec : GO_ZERO_TIME;
	at.nanos = (int32_t)t->tv_nsec;
	return at;
}

static Containerd__V1__Types__Status status_of(const struct process *p)
{
	const struct container *c = p->container;

	switch (p->state) {
	case PROCESS_CREATED:
		return CONTAINERD__V1__TYPES__STATUS__CREATED;
	case PROCESS_STOPPED:
		return CONTAINERD__V1__TYPES__STATUS__STOPPED;
	case PROCESS_RUNNING:
		break;
	}
	if (c->pausing)
		return CONTAINERD__V1__TYPES__STATUS__PAUSING;
	if (c->paused)
		return CONTAINERD__V1__TYPES__STATUS__PAUSED;
	return CONTAINERD__V1__TYPES__STATUS__RUNNING;
}

void task_state(struct process *p, struct gt_ttrpc_call *call)
{
	Containerd__Task__V2__StateResponse m = CONTAINERD__TASK__V2__STATE_RESPONSE__INIT;
	bool stopped = p->state == PROCESS_STOPPED;
	Google__Protobuf__Timestamp at =
		task_stamp(stopped ? &p->exited_at : &(struct timespec){ 0 });

	m.id = p->container->id;
	m.bundle = p->container->bundle;
	m.pid = p->pid;
	m.status = status_of(p);
	m.stdin = p->in;
	m.stdout = p->out;
	m.stderr = p->err;
	m.terminal = p->terminal;
	m.exit_status = p->exit_status;
	m.exited_at = &at;
	m.exec_id = p->exec_id;
	gt_ttrpc_answer(call, &m.base);
}

void task_wait_answer(const struct process *p, struct gt_ttrpc_call *call)
{
	Containerd__Task__V2__WaitResponse m = CONTAINERD__TASK__V2__WAIT_RESPONSE__INIT;
	Google__Protobuf__Timestamp at = task_stamp(&p->exited_at);

	m.exit_status = p->exit_status;
	m.exited_at = &at;
	gt_ttrpc_answer(call, &m.base);
}

static void wait_ended(struct gt_ttrpc_call *call)
{
	struct waiter *w = call->keeper;

	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	free(w);
}

void task_wait(struct process *p, struct gt_ttrpc_call *call)
{
	struct waiter *w;

	if (p->state == PROCESS_STOPPED) {
		task_wait_answer(p, call);
		return;
	}
	w = gt_xcalloc(1, sizeof(*w));
	*w = (struct waiter){ .next = p->waiters, .link = &p->waiters, .call = call };
	if (w->next)
		w->next->link = &w->next;
	p->waiters = w;
	call->keeper = w;
	call->ended = wait_ended;
}

static const struct process *exec_of(const struct container *c, pid_t pid)
{
	for (const struct process *p = c->execs; p; p = p->next)
		if (p->pid == pid && p->state == PROCESS_RUNNING)
			return p;
	return NULL;
}

struct pid_answer {
	Containerd__V1__Types__ProcessInfo info;
	Google__Protobuf__Any any;
};

void task_pids(struct container *c, struct gt_ttrpc_call *call)
{
	Containerd__Task__V2__PidsResponse m = CONTAINERD__TASK__V2__PIDS_RESPONSE__INIT;
	gt_autofree Containerd__V1__Types__ProcessInfo **list = NULL;
	gt_autofree struct pid_answer *answers = NULL;
	gt_autofree pid_t *pids = NULL;
	size_t n = c->cgroup.list && c->init.state != PROCESS_STOPPED
			   ? cgroup_pids(&c->cgroup, &pids, PIDS_MAX)
			   : 0;

	list = gt_xcalloc(n, sizeof(*list));
	answers = gt_xcalloc(n, sizeof(*answers));
	for (size_t i = 0; i < n; i++) {
		const struct process *p = exec_of(c, pids[i]);
		Containerd__Runc__V1__ProcessDetails d = CONTAINERD__RUNC__V1__PROCESS_DETAILS__INIT;
		struct pid_answer *a = &answers[i];

		containerd__v1__types__process_info__init(&a->info);
		a->info.pid = pids[i];
		list[i] = &a->info;
		if (!p)
			continue;
		d.exec_id = p->exec_id;
		google__protobuf__any__init(&a->any);
		a->any.type_url = (char *)d.base.descriptor->name;
		a->any.value.len = containerd__runc__v1__process_details__get_packed_size(&d);
		a->any.value.data = gt_xmalloc(a->any.value.len);
		containerd__runc__v1__process_details__pack(&d, a->any.value.data);
		a->info.info = &a->any;
	}
	m.processes = list;
	m.n_processes = n;
	gt_ttrpc_answer(call, &m.base);
	for (size_t i = 0; i < n; i++)
		if (answers[i].info.info)
			free(answers[i].any.value.data);
}
