/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "service.h"

#include "task.h"

#include <gantry/buf.h>

#include <containerd.task.v2.pb-c.h>

#include <stddef.h>
#include <string.h>

/* A request's strings, by where they stand in it: each begins with the container's id. */
static const char *string_at(const struct gt_ttrpc_call *call, size_t offset)
{
	return *(char *const *)(const void *)((const char *)call->request + offset);
}

static struct container *find(struct shim *shim, struct gt_ttrpc_call *call, size_t id)
{
	struct container *c = container_find(shim, string_at(call, id));

	if (c && c->created)
		return c;
	gt_ttrpc_answer_error_take(call, gt_error_new(GT_NOT_FOUND, "container not created"));
	return NULL;
}

static struct process *find_process(struct shim *shim, struct gt_ttrpc_call *call, size_t id,
				    size_t exec_id)
{
	struct container *c = find(shim, call, id);
	struct process *p = c ? process_find(c, string_at(call, exec_id)) : NULL;

	if (c && !p)
		gt_ttrpc_answer_error_take(call, gt_error_new(GT_NOT_FOUND,
							      "process does not exist %s",
							      string_at(call, exec_id)));
	return p;
}

#define FIND(type) find(arg, call, offsetof(Containerd__Task__V2__##type, id))
#define FIND_PROCESS(type)                                                                        \
	find_process(arg, call, offsetof(Containerd__Task__V2__##type, id),                        \
		     offsetof(Containerd__Task__V2__##type, exec_id))

static void create(void *arg, struct gt_ttrpc_call *call)
{
	task_create(arg, call);
}

static void start(void *arg, struct gt_ttrpc_call *call)
{
	struct process *p = FIND_PROCESS(StartRequest);

	if (p)
		process_turn(p, call, *p->exec_id ? task_exec_start : task_start);
}

static void delete(void *arg, struct gt_ttrpc_call *call)
{
	struct process *p = FIND_PROCESS(DeleteRequest);

	if (p)
		process_turn(p, call, task_delete);
}

static void exec(void *arg, struct gt_ttrpc_call *call)
{
	struct container *c = FIND(ExecProcessRequest);

	if (c)
		task_exec(c, call);
}

static void kill_process(void *arg, struct gt_ttrpc_call *call)
{
	struct process *p = FIND_PROCESS(KillRequest);

	if (p)
		task_kill(p, call);
}

static void pause_container(void *arg, struct gt_ttrpc_call *call)
{
	struct container *c = FIND(PauseRequest);

	if (c)
		process_turn(&c->init, call, task_pause);
}

static void resume(void *arg, struct gt_ttrpc_call *call)
{
	struct container *c = FIND(ResumeRequest);

	if (c)
		process_turn(&c->init, call, task_resume);
}

static void update(void *arg, struct gt_ttrpc_call *call)
{
	struct container *c = FIND(UpdateTaskRequest);

	if (c)
		process_turn(&c->init, call, task_update);
}

static void checkpoint(void *arg, struct gt_ttrpc_call *call)
{
	struct container *c = FIND(CheckpointTaskRequest);

	if (c)
		process_turn(&c->init, call, task_checkpoint);
}

static void state(void *arg, struct gt_ttrpc_call *call)
{
	struct process *p = FIND_PROCESS(StateRequest);

	if (p)
		task_state(p, call);
}

static void wait_process(void *arg, struct gt_ttrpc_call *call)
{
	struct process *p = FIND_PROCESS(WaitRequest);

	if (p)
		task_wait(p, call);
}

static void pids(void *arg, struct gt_ttrpc_call *call)
{
	struct container *c = FIND(PidsRequest);

	if (c)
		task_pids(c, call);
}

static void stats(void *arg, struct gt_ttrpc_call *call)
{
	struct container *c = FIND(StatsRequest);

	if (c)
		task_stats(c, call);
}

static void resize_pty(void *arg, struct gt_ttrpc_call *call)
{
	const Containerd__Task__V2__ResizePtyRequest *r =
		(const Containerd__Task__V2__ResizePtyRequest *)call->request;
	struct process *p = FIND_PROCESS(ResizePtyRequest);
	struct gt_error *e;

	if (!p)
		return;
	if (p->state == PROCESS_STOPPED && *p->exec_id)
		e = gt_error_new(GT_UNKNOWN, "cannot resize a stopped container");
	else
		e = io_resize(&p->io, r->width, r->height);
	if (e)
		gt_ttrpc_answer_error_take(call, e);
	else
		answer_empty(call);
}

static void close_io(void *arg, struct gt_ttrpc_call *call)
{
	const Containerd__Task__V2__CloseIORequest *r =
		(const Containerd__Task__V2__CloseIORequest *)call->request;
	struct process *p = FIND_PROCESS(CloseIORequest);

	if (!p)
		return;
	if (r->stdin)
		io_close_stdin(&p->io);
	answer_empty(call);
}

static void connect_shim(void *arg, struct gt_ttrpc_call *call)
{
	const Containerd__Task__V2__ConnectRequest *r =
		(const Containerd__Task__V2__ConnectRequest *)call->request;
	const struct container *c = container_find(arg, r->id);
	Containerd__Task__V2__ConnectResponse m = CONTAINERD__TASK__V2__CONNECT_RESPONSE__INIT;

	m.shim_pid = (uint32_t)getpid();
	m.task_pid = c && c->created ? c->init.pid : 0;
	gt_ttrpc_answer(call, &m.base);
}

static void shutdown_shim(void *arg, struct gt_ttrpc_call *call)
{
	struct shim *shim = arg;

	/* One that serves several containers goes with the last, or with its sandbox. */
	if (!shim->containers && !shim->sandbox)
		shim->stopping = true;
	answer_empty(call);
}

#define METHOD(name_, type, fn)                                                                   \
	{                                                                                          \
		.name = name_, .request = &containerd__task__v2__##type##__descriptor,             \
		.handle = fn                                                                       \
	}
static const struct gt_ttrpc_method methods[] = {
	METHOD("State", state_request, state),
	METHOD("Create", create_task_request, create),
	METHOD("Start", start_request, start),
	METHOD("Delete", delete_request, delete),
	METHOD("Pids", pids_request, pids),
	METHOD("Pause", pause_request, pause_container),
	METHOD("Resume", resume_request, resume),
	METHOD("Checkpoint", checkpoint_task_request, checkpoint),
	METHOD("Kill", kill_request, kill_process),
	METHOD("Exec", exec_process_request, exec),
	METHOD("ResizePty", resize_pty_request, resize_pty),
	METHOD("CloseIO", close_iorequest, close_io),
	METHOD("Update", update_task_request, update),
	METHOD("Wait", wait_request, wait_process),
	METHOD("Stats", stats_request, stats),
	METHOD("Connect", connect_request, connect_shim),
	METHOD("Shutdown", shutdown_request, shutdown_shim),
};

void service_make(struct shim *shim, struct gt_ttrpc_service out[N_SERVICES])
{
	static const char *const names[] = { "containerd.task.v2.Task", "containerd.task.v3.Task" };

	for (size_t i = 0; i < N_SERVICES; i++)
		out[i] = (struct gt_ttrpc_service){
			.name = names[i],
			.methods = methods,
			.n_methods = sizeof(methods) / sizeof(*methods),
			.arg = shim,
		};
}
