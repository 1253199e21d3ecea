/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "remote.h"

#include <gantry/api-snapshots.h>
#include <gantry/buf.h>

#include "containerd.services.tasks.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#define V1(name) Containerd__Services__Tasks__V1__##name
#define INIT(name) CONTAINERD__SERVICES__TASKS__V1__##name##__INIT
#define TYPE(name) containerd__services__tasks__v1__##name##__descriptor
#define SERVICE "containerd.services.tasks.v1.Tasks"
#define EMPTY google__protobuf__empty__descriptor

METHOD(create_method, SERVICE, "Create", TYPE(create_task_response));
METHOD(start_method, SERVICE, "Start", TYPE(start_response));
METHOD(delete_method, SERVICE, "Delete", TYPE(delete_response));
METHOD(delete_process_method, SERVICE, "DeleteProcess", TYPE(delete_response));
METHOD(get_method, SERVICE, "Get", TYPE(get_response));
METHOD(list_method, SERVICE, "List", TYPE(list_tasks_response));
METHOD(kill_method, SERVICE, "Kill", EMPTY);
METHOD(exec_method, SERVICE, "Exec", EMPTY);
METHOD(resize_method, SERVICE, "ResizePty", EMPTY);
METHOD(close_io_method, SERVICE, "CloseIO", EMPTY);
METHOD(pause_method, SERVICE, "Pause", EMPTY);
METHOD(resume_method, SERVICE, "Resume", EMPTY);
METHOD(pids_method, SERVICE, "ListPids", TYPE(list_pids_response));
METHOD(checkpoint_method, SERVICE, "Checkpoint", TYPE(checkpoint_task_response));
METHOD(update_method, SERVICE, "Update", EMPTY);
METHOD(metrics_method, SERVICE, "Metrics", TYPE(metrics_response));

/* How long a task that is purged may take to end once it is killed. */
#define PURGE_TIME INT64_C(8000000000)

static struct gt_error *create(struct gt_services *s, struct gt_call *call,
			       const struct gt_tasks_create *req, uint32_t *pid)
{
	V1(CreateTaskRequest) q = INIT(CREATE_TASK_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };
	gt_auto(gt_container) c = { 0 };
	const struct gt_mounts *rootfs = req->rootfs;

	if (req->checkpoint)
		return gt_error_new(GT_UNIMPLEMENTED,
				    "restore %s from folder %s: a daemon restores from a blob", req->id,
				    req->checkpoint);
	if (!rootfs || !rootfs->n) { /* the API leaves it to the client to ask for them */
		GT_TRY(remote_containers.get(s, call, req->id, &c));
		if (*c.snapshot_key)
			GT_TRY(gt_snapshots_mounts(s, call, c.snapshotter, c.snapshot_key, &mounts));
		rootfs = &mounts;
	}
	q.container_id = gt_wire_string(req->id);
	q.rootfs = gt_wire_mounts(&a, rootfs, &q.n_rootfs);
	q.stdin = gt_wire_string(req->stdio.in);
	q.stdout = gt_wire_string(req->stdio.out);
	q.stderr = gt_wire_string(req->stdio.err);
	q.terminal = req->stdio.terminal;
	q.options = req->options ? gt_wire_any(&a, req->options) : NULL;
	q.checkpoint = req->checkpoint_blob ? gt_wire_descriptor(&a, req->checkpoint_blob) : NULL;
	GT_TRY(gt_grpc_call(remote_client(s), call, &create_method, &q.base, &m));
	*pid = ((V1(CreateTaskResponse) *)m)->pid;
	return NULL;
}

static struct gt_error *start(struct gt_services *s, struct gt_call *call, const char *id,
			      const char *exec_id, uint32_t *pid)
{
	V1(StartRequest) q = INIT(START_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;

	q.container_id = gt_wire_string(id);
	q.exec_id = gt_wire_string(exec_id);
	GT_TRY(gt_grpc_call(remote_client(s), call, &start_method, &q.base, &m));
	*pid = ((V1(StartResponse) *)m)->pid;
	return NULL;
}

static struct gt_error *remove_task(struct gt_services *s, struct gt_call *call, const char *id,
				    const char *exec_id, struct gt_exit *out)
{
	V1(DeleteTaskRequest) task = INIT(DELETE_TASK_REQUEST);
	V1(DeleteProcessRequest) process = INIT(DELETE_PROCESS_REQUEST);
	bool is_exec = exec_id && *exec_id;
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(DeleteResponse) *r;

	task.container_id = process.container_id = gt_wire_string(id);
	process.exec_id = gt_wire_string(exec_id);
	GT_TRY(gt_grpc_call(remote_client(s), call, is_exec ? &delete_process_method : &delete_method,
			    is_exec ? &process.base : &task.base, &m));
	r = (const void *)m;
	out->pid = r->pid;
	out->status = r->exit_status;
	out->at = gt_wire_time_get(r->exited_at);
	return NULL;
}

static void process_get(const Containerd__V1__Types__Process *m, struct gt_task_state *out)
{
	bool is_init = !*m->container_id; /* in a listing the id alone is given */

	out->id = gt_xstrdup(is_init ? m->id : m->container_id);
	out->exec_id = gt_xstrdup(!is_init && strcmp(m->id, m->container_id) ? m->id : "");
	out->bundle = gt_xstrdup("");
	out->pid = m->pid;
	out->status = (enum gt_task_status)m->status; /* the same numbers */
	out->in = gt_xstrdup(m->stdin);
	out->out = gt_xstrdup(m->stdout);
	out->err = gt_xstrdup(m->stderr);
	out->terminal = m->terminal;
	out->exit_status = m->exit_status;
	out->exited_at = gt_wire_time_get(m->exited_at);
}

static struct gt_error *get(struct gt_services *s, struct gt_call *call, const char *id,
			    const char *exec_id, struct gt_task_state *out)
{
	V1(GetRequest) q = INIT(GET_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const Containerd__V1__Types__Process *found;

	q.container_id = gt_wire_string(id);
	q.exec_id = gt_wire_string(exec_id);
	GT_TRY(gt_grpc_call(remote_client(s), call, &get_method, &q.base, &m));
	found = ((V1(GetResponse) *)m)->process;
	GT_TRY(remote_answered(found, &get_method));
	process_get(found, out);
	return NULL;
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     struct gt_error *(*fn)(void *arg, const struct gt_task_state *t),
			     void *arg)
{
	V1(ListTasksRequest) q = INIT(LIST_TASKS_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(ListTasksResponse) *r;

	GT_TRY(gt_grpc_call(remote_client(s), call, &list_method, &q.base, &m));
	r = (const void *)m;
	for (size_t i = 0; i < r->n_tasks; i++) {
		gt_auto(gt_task_state) t = { 0 };

		process_get(r->tasks[i], &t);
		GT_TRY(fn(arg, &t));
	}
	return NULL;
}

static struct gt_error *kill_task(struct gt_services *s, struct gt_call *call, const char *id,
				  const char *exec_id, uint32_t signal, bool all)
{
	V1(KillRequest) q = INIT(KILL_REQUEST);

	q.container_id = gt_wire_string(id);
	q.exec_id = gt_wire_string(exec_id);
	q.signal = signal;
	q.all = all;
	return remote_do(s, call, &kill_method, &q.base);
}

static struct gt_error *exec(struct gt_services *s, struct gt_call *call, const struct gt_exec *req)
{
	V1(ExecProcessRequest) q = INIT(EXEC_PROCESS_REQUEST);
	gt_auto(gt_arena) a = { 0 };

	q.container_id = gt_wire_string(req->id);
	q.exec_id = gt_wire_string(req->exec_id);
	q.stdin = gt_wire_string(req->stdio.in);
	q.stdout = gt_wire_string(req->stdio.out);
	q.stderr = gt_wire_string(req->stdio.err);
	q.terminal = req->stdio.terminal;
	q.spec = req->spec ? gt_wire_any(&a, req->spec) : NULL;
	return remote_do(s, call, &exec_method, &q.base);
}

static struct gt_error *pids(struct gt_services *s, struct gt_call *call, const char *id,
			     struct gt_processes *out)
{
	V1(ListPidsRequest) q = INIT(LIST_PIDS_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(ListPidsResponse) *r;

	q.container_id = gt_wire_string(id);
	GT_TRY(gt_grpc_call(remote_client(s), call, &pids_method, &q.base, &m));
	r = (const void *)m;
	for (size_t i = 0; i < r->n_processes; i++) {
		struct gt_process_info *p;

		GT_GROW(out->v, out->n, out->alloc);
		p = &out->v[out->n++];
		*p = (struct gt_process_info){ .pid = r->processes[i]->pid };
		if (r->processes[i]->info)
			gt_wire_any_get(r->processes[i]->info, &p->info);
	}
	return NULL;
}

static struct gt_error *resize(struct gt_services *s, struct gt_call *call, const char *id,
			       const char *exec_id, uint32_t width, uint32_t height)
{
	V1(ResizePtyRequest) q = INIT(RESIZE_PTY_REQUEST);

	q.container_id = gt_wire_string(id);
	q.exec_id = gt_wire_string(exec_id);
	q.width = width;
	q.height = height;
	return remote_do(s, call, &resize_method, &q.base);
}

static struct gt_error *close_io(struct gt_services *s, struct gt_call *call, const char *id,
				 const char *exec_id)
{
	V1(CloseIORequest) q = INIT(CLOSE_IOREQUEST);

	q.container_id = gt_wire_string(id);
	q.exec_id = gt_wire_string(exec_id);
	q.stdin = true;
	return remote_do(s, call, &close_io_method, &q.base);
}

static struct gt_error *pause_task(struct gt_services *s, struct gt_call *call, const char *id)
{
	V1(PauseTaskRequest) q = INIT(PAUSE_TASK_REQUEST);

	q.container_id = gt_wire_string(id);
	return remote_do(s, call, &pause_method, &q.base);
}

static struct gt_error *resume(struct gt_services *s, struct gt_call *call, const char *id)
{
	V1(ResumeTaskRequest) q = INIT(RESUME_TASK_REQUEST);

	q.container_id = gt_wire_string(id);
	return remote_do(s, call, &resume_method, &q.base);
}

static struct gt_error *metrics(struct gt_services *s, struct gt_call *call,
				const struct gt_strv *filters,
				struct gt_error *(*fn)(void *arg, const struct gt_metric *m),
				void *arg)
{
	V1(MetricsRequest) q = INIT(METRICS_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(MetricsResponse) *r;

	REMOTE_STRINGS(q, filters, filters);
	GT_TRY(gt_grpc_call(remote_client(s), call, &metrics_method, &q.base, &m));
	r = (const void *)m;
	for (size_t i = 0; i < r->n_metrics; i++) {
		gt_auto(gt_metric) metric = { .id = gt_xstrdup(r->metrics[i]->id) };

		metric.timestamp = gt_wire_time_get(r->metrics[i]->timestamp);
		if (r->metrics[i]->data)
			gt_wire_any_get(r->metrics[i]->data, &metric.data);
		GT_TRY(fn(arg, &metric));
	}
	return NULL;
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call, const char *id,
			       const struct gt_any *resources, const struct gt_labels *annotations)
{
	V1(UpdateTaskRequest) q = INIT(UPDATE_TASK_REQUEST);
	gt_auto(gt_arena) a = { 0 };

	q.container_id = gt_wire_string(id);
	q.resources = resources ? gt_wire_any(&a, resources) : NULL;
	if (annotations)
		gt_wire_labels(&a, &q.base, "annotations", annotations);
	return remote_do(s, call, &update_method, &q.base);
}

static struct gt_error *checkpoint(struct gt_services *s, struct gt_call *call, const char *id,
				   const char *parent, const struct gt_any *options,
				   struct gt_descriptor **out, size_t *n)
{
	V1(CheckpointTaskRequest) q = INIT(CHECKPOINT_TASK_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };
	const V1(CheckpointTaskResponse) *r;

	q.container_id = gt_wire_string(id);
	q.parent_checkpoint = gt_wire_string(parent);
	q.options = options ? gt_wire_any(&a, options) : NULL;
	GT_TRY(gt_grpc_call(remote_client(s), call, &checkpoint_method, &q.base, &m));
	r = (const void *)m;
	*out = gt_xcalloc(r->n_descriptors + 1, sizeof(**out));
	for (*n = 0; *n < r->n_descriptors; (*n)++)
		gt_wire_descriptor_get(r->descriptors[*n], &(*out)[*n]);
	return NULL;
}

static void wait_read(const ProtobufCMessage *m, struct gt_exit *out)
{
	const V1(WaitResponse) *r = (const void *)m;

	out->status = r->exit_status;
	out->at = gt_wire_time_get(r->exited_at);
}

static struct gt_error *wait_for(struct gt_services *s, struct gt_call *call, const char *id,
				 const char *exec_id, gt_wait_fn *fn, void *arg)
{
	static const struct remote_wait_kind process = {
		.method = { "/" SERVICE "/Wait", &TYPE(wait_response) },
		.read = wait_read,
	};
	V1(WaitRequest) q = INIT(WAIT_REQUEST);

	q.container_id = gt_wire_string(id);
	q.exec_id = gt_wire_string(exec_id);
	return remote_wait(s, call, &process, &q.base, fn, arg);
}

/* The API has no such call: it is killed, waited for by asking, and deleted. */
static struct gt_error *purge(struct gt_services *s, struct gt_call *call, const char *id,
			      struct gt_exit *out)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	int64_t until = gt_now() + PURGE_TIME;
	struct gt_error *e;

	gt_error_free(resume(s, call, id)); /* what is paused cannot end */
	for (;;) {
		gt_error_free(kill_task(s, call, id, "", SIGKILL, true));
		e = remove_task(s, call, id, "", out);
		/* containerd has no class for what still runs */
		if (!e || gt_error_class(e) == GT_NOT_FOUND || gt_now() > until)
			return e;
		gt_error_free(e);
		GT_TRY(gt_call_check(call));
		nanosleep(&pause, NULL);
	}
}

const struct gt_tasks_ops remote_tasks = {
	.size = sizeof(remote_tasks),
	.create = create,
	.start = start,
	.remove = remove_task,
	.get = get,
	.list = list,
	.kill = kill_task,
	.wait = wait_for,
	.exec = exec,
	.pids = pids,
	.resize = resize,
	.close_io = close_io,
	.pause = pause_task,
	.resume = resume,
	.metrics = metrics,
	.update = update,
	.checkpoint = checkpoint,
	.purge = purge,
	.log_uri = remote_log_uri,
};
