/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include <gantry/api-tasks.h>

#include "containerd.services.tasks.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#define V1(name) Containerd__Services__Tasks__V1__##name

GRPC_KEEPS(gt_any)
GRPC_KEEPS(gt_descriptor)
GRPC_KEEPS(gt_labels)
GRPC_KEEPS(gt_mounts)
GRPC_KEEPS(gt_processes)
GRPC_KEEPS(gt_task_state)

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

static struct gt_any *any_keep(struct gt_grpc_unary *u, const Google__Protobuf__Any *m)
{
	struct gt_any *any = keep_gt_any(u);

	gt_wire_any_get(m, any);
	return any;
}

static struct gt_error *create(struct gt_grpc_unary *u)
{
	const V1(CreateTaskRequest) *r = u->request;
	V1(CreateTaskResponse) *m = u->reply;
	struct gt_mounts *rootfs = keep_gt_mounts(u);
	struct gt_tasks_create req = {
		.size = sizeof(req),
		.id = r->container_id,
		.rootfs = rootfs,
		.stdio = { or_null(r->stdin), or_null(r->stdout), or_null(r->stderr), r->terminal },
		.options = r->options ? any_keep(u, r->options) : NULL,
	};

	gt_wire_mounts_get(r->rootfs, r->n_rootfs, rootfs);
	if (r->checkpoint) {
		struct gt_descriptor *d = keep_gt_descriptor(u);

		gt_wire_descriptor_get(r->checkpoint, d);
		req.checkpoint_blob = d;
	}
	m->container_id = r->container_id;
	return gt_tasks_create(SERVICES(u), u->call, &req, &m->pid);
}

static struct gt_error *start(struct gt_grpc_unary *u)
{
	const V1(StartRequest) *r = u->request;
	V1(StartResponse) *m = u->reply;

	return gt_tasks_start(SERVICES(u), u->call, r->container_id, r->exec_id, &m->pid);
}

static void exit_wire(struct gt_grpc_unary *u, const struct gt_exit *x, V1(DeleteResponse) *m)
{
	m->pid = x->pid;
	m->exit_status = x->status;
	m->exited_at = gt_wire_time(&u->arena, &x->at);
}

static struct gt_error *remove_task(struct gt_grpc_unary *u)
{
	const V1(DeleteTaskRequest) *r = u->request;
	V1(DeleteResponse) *m = u->reply;
	struct gt_exit *x = gt_grpc_keep(u, sizeof(*x), NULL);

	GT_TRY(gt_tasks_remove(SERVICES(u), u->call, r->container_id, "", x));
	m->id = r->container_id;
	exit_wire(u, x, m);
	return NULL;
}

static struct gt_error *remove_process(struct gt_grpc_unary *u)
{
	const V1(DeleteProcessRequest) *r = u->request;
	V1(DeleteResponse) *m = u->reply;
	struct gt_exit *x = gt_grpc_keep(u, sizeof(*x), NULL);

	GT_TRY(gt_tasks_remove(SERVICES(u), u->call, r->container_id, r->exec_id, x));
	m->id = r->exec_id;
	exit_wire(u, x, m);
	return NULL;
}

static Containerd__V1__Types__Process *process_wire(struct gt_arena *a, const struct gt_task_state *t)
{
	Containerd__V1__Types__Process *m =
		gt_arena_message(a, &containerd__v1__types__process__descriptor);
	bool is_exec = t->exec_id && *t->exec_id;

	m->container_id = gt_wire_string(t->id);
	m->id = gt_wire_string(is_exec ? t->exec_id : t->id);
	m->pid = t->pid;
	m->status = (Containerd__V1__Types__Status)t->status; /* the same numbers */
	m->stdin = gt_wire_string(t->in);
	m->stdout = gt_wire_string(t->out);
	m->stderr = gt_wire_string(t->err);
	m->terminal = t->terminal;
	m->exit_status = t->exit_status;
	m->exited_at = gt_wire_time(a, &t->exited_at);
	return m;
}

static struct gt_error *get(struct gt_grpc_unary *u)
{
	const V1(GetRequest) *r = u->request;
	V1(GetResponse) *m = u->reply;
	struct gt_task_state *t = keep_gt_task_state(u);

	GT_TRY(gt_tasks_get(SERVICES(u), u->call, r->container_id, r->exec_id, t));
	m->process = process_wire(&u->arena, t);
	return NULL;
}

static struct gt_error *add(void *arg, const struct gt_task_state *t)
{
	gt_auto(gt_arena) a = { 0 };

	return gt_grpc_unary_add(arg, 1, &process_wire(&a, t)->base);
}

static struct gt_error *list(struct gt_grpc_unary *u)
{
	return gt_tasks_list(SERVICES(u), u->call, add, u);
}

static struct gt_error *kill_process(struct gt_grpc_unary *u)
{
	const V1(KillRequest) *r = u->request;

	return gt_tasks_kill(SERVICES(u), u->call, r->container_id, r->exec_id, r->signal, r->all);
}

static struct gt_error *exec(struct gt_grpc_unary *u)
{
	const V1(ExecProcessRequest) *r = u->request;
	struct gt_exec req = {
		.size = sizeof(req),
		.id = r->container_id,
		.exec_id = r->exec_id,
		.spec = any_keep(u, r->spec),
		.stdio = { or_null(r->stdin), or_null(r->stdout), or_null(r->stderr), r->terminal },
	};

	if (!*r->exec_id)
		return gt_error_new(GT_INVALID_ARGUMENT, "exec id cannot be empty");
	return gt_tasks_exec(SERVICES(u), u->call, &req);
}

static struct gt_error *pids(struct gt_grpc_unary *u)
{
	const V1(ListPidsRequest) *r = u->request;
	struct gt_processes *p = keep_gt_processes(u);

	GT_TRY(gt_tasks_pids(SERVICES(u), u->call, r->container_id, p));
	for (size_t i = 0; i < p->n; i++) {
		Containerd__V1__Types__ProcessInfo m = CONTAINERD__V1__TYPES__PROCESS_INFO__INIT;

		m.pid = p->v[i].pid;
		m.info = gt_wire_any(&u->arena, &p->v[i].info);
		GT_TRY(gt_grpc_unary_add(u, 1, &m.base));
	}
	return NULL;
}

static struct gt_error *resize(struct gt_grpc_unary *u)
{
	const V1(ResizePtyRequest) *r = u->request;

	return gt_tasks_resize(SERVICES(u), u->call, r->container_id, r->exec_id, r->width, r->height);
}

static struct gt_error *close_io(struct gt_grpc_unary *u)
{
	const V1(CloseIORequest) *r = u->request;

	if (!r->stdin)
		return NULL;
	return gt_tasks_close_io(SERVICES(u), u->call, r->container_id, r->exec_id);
}

static struct gt_error *pause_task(struct gt_grpc_unary *u)
{
	const V1(PauseTaskRequest) *r = u->request;

	return gt_tasks_pause(SERVICES(u), u->call, r->container_id);
}

static struct gt_error *resume(struct gt_grpc_unary *u)
{
	const V1(ResumeTaskRequest) *r = u->request;

	return gt_tasks_resume(SERVICES(u), u->call, r->container_id);
}

static struct gt_error *metric_add(void *arg, const struct gt_metric *t)
{
	gt_auto(gt_arena) a = { 0 };
	Containerd__Types__Metric *m = gt_arena_message(&a, &containerd__types__metric__descriptor);

	m->id = t->id;
	m->timestamp = gt_wire_time(&a, &t->timestamp);
	m->data = gt_wire_any(&a, &t->data);
	return gt_grpc_unary_add(arg, 1, &m->base);
}

static struct gt_error *metrics(struct gt_grpc_unary *u)
{
	const V1(MetricsRequest) *r = u->request;
	struct gt_strv filters = grpc_strings(r->filters, r->n_filters);

	return gt_tasks_metrics(SERVICES(u), u->call, &filters, metric_add, u);
}

static struct gt_error *update(struct gt_grpc_unary *u)
{
	const V1(UpdateTaskRequest) *r = u->request;
	struct gt_labels *annotations = keep_gt_labels(u);

	gt_wire_labels_get(&r->base, "annotations", annotations);
	return gt_tasks_update(SERVICES(u), u->call, r->container_id, any_keep(u, r->resources),
			       annotations);
}

static struct gt_error *checkpoint(struct gt_grpc_unary *u)
{
	const V1(CheckpointTaskRequest) *r = u->request;
	struct gt_descriptor *v = NULL;
	size_t n = 0;
	struct gt_error *e = gt_tasks_checkpoint(SERVICES(u), u->call, r->container_id,
						 or_null(r->parent_checkpoint),
						 r->options ? any_keep(u, r->options) : NULL, &v, &n);

	for (size_t i = 0; i < n; i++) {
		if (!e)
			e = gt_grpc_unary_add(u, 1, &gt_wire_descriptor(&u->arena, &v[i])->base);
		gt_descriptor_done(&v[i]);
	}
	free(v);
	return e;
}

static void wait_answer(struct gt_grpc_call *c, const struct gt_exit *exit)
{
	V1(WaitResponse) m = CONTAINERD__SERVICES__TASKS__V1__WAIT_RESPONSE__INIT;
	gt_auto(gt_arena) a = { 0 };

	m.exit_status = exit->status;
	m.exited_at = gt_wire_time(&a, &exit->at);
	gt_grpc_answer(c, &m.base);
}

static void wait_for(struct gt_grpc_call *c, const ProtobufCMessage *request)
{
	static const struct grpc_wait_kind process = { .ask = gt_tasks_wait, .answer = wait_answer };
	const V1(WaitRequest) *r = (const void *)request;

	grpc_wait(c, &process, r->container_id, r->exec_id);
}

#define TYPE(name) containerd__services__tasks__v1__##name##__descriptor
#define EMPTY google__protobuf__empty__descriptor
const struct gt_grpc_method grpc_tasks[] = {
	GT_GRPC_UNARY("Create", TYPE(create_task_request), TYPE(create_task_response), create, 0),
	GT_GRPC_UNARY("Start", TYPE(start_request), TYPE(start_response), start, 0),
	GT_GRPC_UNARY("Delete", TYPE(delete_task_request), TYPE(delete_response), remove_task, 0),
	GT_GRPC_UNARY("DeleteProcess", TYPE(delete_process_request), TYPE(delete_response),
		      remove_process, 0),
	GT_GRPC_UNARY("Get", TYPE(get_request), TYPE(get_response), get, 0),
	GT_GRPC_UNARY("List", TYPE(list_tasks_request), TYPE(list_tasks_response), list, 0),
	GT_GRPC_UNARY("Kill", TYPE(kill_request), EMPTY, kill_process, 0),
	GT_GRPC_UNARY("Exec", TYPE(exec_process_request), EMPTY, exec, 0),
	GT_GRPC_UNARY("ResizePty", TYPE(resize_pty_request), EMPTY, resize, 0),
	GT_GRPC_UNARY("CloseIO", TYPE(close_iorequest), EMPTY, close_io, 0),
	GT_GRPC_UNARY("Pause", TYPE(pause_task_request), EMPTY, pause_task, 0),
	GT_GRPC_UNARY("Resume", TYPE(resume_task_request), EMPTY, resume, 0),
	GT_GRPC_UNARY("ListPids", TYPE(list_pids_request), TYPE(list_pids_response), pids, 0),
	GT_GRPC_UNARY("Checkpoint", TYPE(checkpoint_task_request), TYPE(checkpoint_task_response),
		      checkpoint, 0),
	GT_GRPC_UNARY("Update", TYPE(update_task_request), EMPTY, update, 0),
	GT_GRPC_UNARY("Metrics", TYPE(metrics_request), TYPE(metrics_response), metrics, 0),
	{ .name = "Wait",
	  .request = &TYPE(wait_request),
	  .response = &TYPE(wait_response),
	  .handle = wait_for },
	{ 0 }
};
