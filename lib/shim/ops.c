/* SPDX-License-Identifier: Apache-2.0 */
/* The ops that are one call to the shim. */
#include <config.h>

#include <outlog/outlog.h>
#include <shim/message.h>
#include <shim/program.h>
#include <shim/task.h>

#include <proc/grace.h>
#include <ttrpc/frame.h>

#include <containerd.task.v2.pb-c.h>
#include <google/protobuf/empty.pb-c.h>
#include <string.h>

#define EMPTY (&google__protobuf__empty__descriptor)

static struct gt_shim_runtime *runtime_of(struct gt_runtime *r)
{
	return (struct gt_shim_runtime *)r;
}

/* Calls the shim of a task. A shim that has no such task is of no task's. */
static struct gt_error *ask(struct gt_runtime *r, struct gt_call *call, const char *id,
			    enum gt_shim_patience patience, const char *method,
			    const ProtobufCMessage *request,
			    const ProtobufCMessageDescriptor *type, ProtobufCMessage **reply)
{
	gt_autoptr(gt_shim_task) t = NULL;
	struct gt_error *e;
	bool dead;

	GT_TRY(gt_shim_task_get(runtime_of(r), call, id, &dead, &t));
	e = gt_shim_task_call(t, call, patience, method, request, type, reply);
	if (!gt_shim_is_unknown_task(e))
		return e;
	gt_error_free(e);
	return gt_error_new(GT_NOT_FOUND, "task %s not found", id);
}

struct gt_error *gt_shim_runtime_start(struct gt_runtime *r, struct gt_call *call, const char *id,
				       const char *exec_id, uint32_t *pid)
{
	Containerd__Task__V2__StartRequest m = CONTAINERD__TASK__V2__START_REQUEST__INIT;
	gt_auto(gt_grace) grace = { 0 };
	ProtobufCMessage *reply = NULL;

	m.id = gt_shim_string(id);
	m.exec_id = gt_shim_string(exec_id);
	if (*m.exec_id) /* while the runtime's program starts */
		gt_grace_begin(&grace);
	GT_TRY(ask(r, call, id, GT_SHIM_TASK, "Start", &m.base,
		   &containerd__task__v2__start_response__descriptor, &reply));
	*pid = ((Containerd__Task__V2__StartResponse *)reply)->pid;
	gt_ttrpc_message_free(reply);
	return NULL;
}

static void read_state(const Containerd__Task__V2__StateResponse *s, struct gt_task_state *out)
{
	*out = (struct gt_task_state){
		.id = gt_xstrdup(s->id),
		.exec_id = gt_xstrdup(s->exec_id),
		.bundle = gt_xstrdup(s->bundle),
		.pid = s->pid,
		.status = (enum gt_task_status)s->status,
		.in = gt_xstrdup(s->stdin),
		.out = gt_xstrdup(s->stdout),
		.err = gt_xstrdup(s->stderr),
		.terminal = s->terminal,
		.exit_status = s->exit_status,
		.exited_at = gt_shim_time(s->exited_at),
	};
	if ((unsigned)out->status > GT_TASK_PAUSING)
		out->status = GT_TASK_UNKNOWN;
}

/* Nobody knows how the task of a dead shim is; that it is there, and can be removed, is all there is. */
static void unknown_state(struct gt_shim_runtime *r, const struct gt_call *call, const char *id,
			  struct gt_task_state *out)
{
	*out = (struct gt_task_state){
		.id = gt_xstrdup(id),
		.exec_id = gt_xstrdup(""),
		.bundle = gt_strf("%s/%s/%s", r->bundles.state, call->ns, id),
		.status = GT_TASK_UNKNOWN,
		.in = gt_xstrdup(""),
		.out = gt_xstrdup(""),
		.err = gt_xstrdup(""),
	};
}

struct gt_error *gt_shim_runtime_state(struct gt_runtime *base, struct gt_call *call, const char *id,
				       const char *exec_id, struct gt_task_state *out)
{
	struct gt_shim_runtime *r = runtime_of(base);
	Containerd__Task__V2__StateRequest m = CONTAINERD__TASK__V2__STATE_REQUEST__INIT;
	gt_autoptr(gt_shim_task) t = NULL;
	ProtobufCMessage *reply = NULL;
	struct gt_error *e;
	bool dead, gone;

	m.id = gt_shim_string(id);
	m.exec_id = gt_shim_string(exec_id);
	e = gt_shim_task_get(r, call, id, &dead, &t);
	if (!e) {
		e = gt_shim_task_call(t, call, GT_SHIM_STATE, "State", &m.base,
				      &containerd__task__v2__state_response__descriptor, &reply);
		dead = e && !gt_ttrpc_client_is_open(t->client);
	}
	if (!e) {
		read_state((Containerd__Task__V2__StateResponse *)reply, out);
		gt_ttrpc_message_free(reply);
		return NULL;
	}
	if (dead && !*m.exec_id) {
		gt_error_free(e);
		unknown_state(r, call, id, out);
		return NULL;
	}
	if (!gt_shim_is_unknown_task(e))
		return e;
	gt_error_free(e); /* made by a process that died before it came further, or half deleted */
	GT_TRY(gt_shim_sweep(r, call, id, &gone));
	return gt_error_new(GT_NOT_FOUND, "task %s not found", id);
}

struct gt_error *gt_shim_runtime_kill(struct gt_runtime *r, struct gt_call *call, const char *id,
				      const char *exec_id, uint32_t signal, bool all)
{
	Containerd__Task__V2__KillRequest m = CONTAINERD__TASK__V2__KILL_REQUEST__INIT;

	m.id = gt_shim_string(id);
	m.exec_id = gt_shim_string(exec_id);
	m.signal = signal;
	m.all = all;
	return ask(r, call, id, GT_SHIM_TASK, "Kill", &m.base, EMPTY, NULL);
}

struct waiter {
	struct gt_shim_task *task;
	gt_wait_fn *fn;
	void *arg;
};

static void wait_done(void *arg, struct gt_error *e, ProtobufCMessage *reply)
{
	struct waiter *w = arg;
	struct gt_exit exit = { 0 };

	if (reply) {
		Containerd__Task__V2__WaitResponse *m = (void *)reply;

		exit.status = m->exit_status;
		exit.at = gt_shim_time(m->exited_at);
		gt_ttrpc_message_free(reply);
	}
	if (gt_shim_is_unknown_task(e)) {
		gt_error_free(e);
		e = gt_error_new(GT_NOT_FOUND, "task %s not found", w->task->id);
	} else if (gt_error_class(e) == GT_UNAVAILABLE) {
		e = gt_error_wrap(e, "the shim of task %s", w->task->id);
	}
	w->fn(w->arg, e, e ? NULL : &exit);
	gt_shim_task_free(w->task);
	free(w);
}

struct gt_error *gt_shim_runtime_wait(struct gt_runtime *r, struct gt_call *call, const char *id,
				      const char *exec_id, gt_wait_fn *fn, void *arg)
{
	Containerd__Task__V2__WaitRequest m = CONTAINERD__TASK__V2__WAIT_REQUEST__INIT;
	struct gt_ttrpc_method how = { .name = "Wait",
				       .reply = &containerd__task__v2__wait_response__descriptor };
	struct gt_shim_task *t;
	struct waiter *w;
	struct gt_error *e;
	bool dead;

	GT_TRY(gt_shim_task_get(runtime_of(r), call, id, &dead, &t));
	m.id = gt_shim_string(id);
	m.exec_id = gt_shim_string(exec_id);
	how.service = t->service;
	w = gt_xmalloc(sizeof(*w));
	*w = (struct waiter){ .task = t, .fn = fn, .arg = arg };
	e = gt_ttrpc_call_async(t->client, call, &how, &m.base, wait_done, w);
	if (e) {
		gt_shim_task_free(t);
		free(w);
	}
	return e;
}

/* A log in bounded files is written by our own shim alone; others get no stdio in its place. */
static struct gt_error *writes_logs(struct gt_runtime *base, const struct gt_call *call,
				    const char *id, bool *yes)
{
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
	gt_autofree char *program = NULL;

	GT_TRY(gt_bundle_open(&runtime_of(base)->bundles, call->ns, id, &b));
	GT_TRY(gt_bundle_program(&b, &program));
	*yes = gt_shim_program_is_ours(program);
	return NULL;
}

struct gt_error *gt_shim_runtime_exec(struct gt_runtime *r, struct gt_call *call,
				      const struct gt_exec *req)
{
	Containerd__Task__V2__ExecProcessRequest m =
		CONTAINERD__TASK__V2__EXEC_PROCESS_REQUEST__INIT;
	Google__Protobuf__Any spec = GOOGLE__PROTOBUF__ANY__INIT;
	bool stdio = true;

	if (gt_outlog_is_uri(req->stdio.out))
		GT_TRY(writes_logs(r, call, req->id, &stdio));
	m.id = gt_shim_string(req->id);
	m.exec_id = gt_shim_string(req->exec_id);
	m.terminal = req->stdio.terminal;
	m.stdin = gt_shim_string(stdio ? req->stdio.in : NULL);
	m.stdout = gt_shim_string(stdio ? req->stdio.out : NULL);
	m.stderr = gt_shim_string(stdio ? req->stdio.err : NULL);
	if (req->spec) {
		gt_shim_any_message(req->spec, &spec);
		m.spec = &spec;
	}
	return ask(r, call, req->id, GT_SHIM_TASK, "Exec", &m.base, EMPTY, NULL);
}

struct gt_error *gt_shim_runtime_pids(struct gt_runtime *r, struct gt_call *call, const char *id,
				      struct gt_processes *out)
{
	Containerd__Task__V2__PidsRequest m = CONTAINERD__TASK__V2__PIDS_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;
	Containerd__Task__V2__PidsResponse *p;

	m.id = gt_shim_string(id);
	GT_TRY(ask(r, call, id, GT_SHIM_STATE, "Pids", &m.base,
		   &containerd__task__v2__pids_response__descriptor, &reply));
	p = (void *)reply;
	*out = (struct gt_processes){ 0 };
	for (size_t i = 0; i < p->n_processes; i++) {
		GT_GROW(out->v, out->n, out->alloc);
		out->v[out->n] = (struct gt_process_info){ .pid = p->processes[i]->pid };
		gt_shim_any_read(p->processes[i]->info, &out->v[out->n++].info);
	}
	gt_ttrpc_message_free(reply);
	return NULL;
}

struct gt_error *gt_shim_runtime_resize(struct gt_runtime *r, struct gt_call *call, const char *id,
					const char *exec_id, uint32_t width, uint32_t height)
{
	Containerd__Task__V2__ResizePtyRequest m = CONTAINERD__TASK__V2__RESIZE_PTY_REQUEST__INIT;

	m.id = gt_shim_string(id);
	m.exec_id = gt_shim_string(exec_id);
	m.width = width;
	m.height = height;
	return ask(r, call, id, GT_SHIM_STATE, "ResizePty", &m.base, EMPTY, NULL);
}

struct gt_error *gt_shim_runtime_close_io(struct gt_runtime *r, struct gt_call *call, const char *id,
					  const char *exec_id)
{
	Containerd__Task__V2__CloseIORequest m = CONTAINERD__TASK__V2__CLOSE_IOREQUEST__INIT;

	m.id = gt_shim_string(id);
	m.exec_id = gt_shim_string(exec_id);
	m.stdin = true;
	return ask(r, call, id, GT_SHIM_STATE, "CloseIO", &m.base, EMPTY, NULL);
}

struct gt_error *gt_shim_runtime_pause(struct gt_runtime *r, struct gt_call *call, const char *id)
{
	Containerd__Task__V2__PauseRequest m = CONTAINERD__TASK__V2__PAUSE_REQUEST__INIT;

	m.id = gt_shim_string(id);
	return ask(r, call, id, GT_SHIM_TASK, "Pause", &m.base, EMPTY, NULL);
}

struct gt_error *gt_shim_runtime_resume(struct gt_runtime *r, struct gt_call *call, const char *id)
{
	Containerd__Task__V2__ResumeRequest m = CONTAINERD__TASK__V2__RESUME_REQUEST__INIT;

	m.id = gt_shim_string(id);
	return ask(r, call, id, GT_SHIM_TASK, "Resume", &m.base, EMPTY, NULL);
}

struct gt_error *gt_shim_runtime_stats(struct gt_runtime *r, struct gt_call *call, const char *id,
				       struct gt_any *out)
{
	Containerd__Task__V2__StatsRequest m = CONTAINERD__TASK__V2__STATS_REQUEST__INIT;
	ProtobufCMessage *reply = NULL;

	m.id = gt_shim_string(id);
	GT_TRY(ask(r, call, id, GT_SHIM_STATE, "Stats", &m.base,
		   &containerd__task__v2__stats_response__descriptor, &reply));
	*out = (struct gt_any){ 0 };
	gt_shim_any_read(((Containerd__Task__V2__StatsResponse *)reply)->stats, out);
	gt_ttrpc_message_free(reply);
	return NULL;
}

struct gt_error *gt_shim_runtime_update(struct gt_runtime *r, struct gt_call *call, const char *id,
					const struct gt_any *resources,
					const struct gt_labels *annotations)
{
	typedef Containerd__Task__V2__UpdateTaskRequest__AnnotationsEntry entry;
	Containerd__Task__V2__UpdateTaskRequest m = CONTAINERD__TASK__V2__UPDATE_TASK_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	size_t n = annotations ? annotations->n : 0;
	gt_autofree entry *entries = gt_xcalloc(n + 1, sizeof(*entries));
	gt_autofree entry **pointers = gt_xcalloc(n + 1, sizeof(*pointers));

	for (size_t i = 0; i < n; i++) {
		containerd__task__v2__update_task_request__annotations_entry__init(&entries[i]);
		entries[i].key = annotations->v[i].key;
		entries[i].value = annotations->v[i].value;
		pointers[i] = &entries[i];
	}
	m.id = gt_shim_string(id);
	m.n_annotations = n;
	m.annotations = pointers;
	if (resources) {
		gt_shim_any_message(resources, &any);
		m.resources = &any;
	}
	return ask(r, call, id, GT_SHIM_TASK, "Update", &m.base, EMPTY, NULL);
}

struct gt_error *gt_shim_runtime_checkpoint(struct gt_runtime *base, struct gt_call *call,
					    const char *id, const char *path,
					    const struct gt_any *options)
{
	struct gt_shim_runtime *r = runtime_of(base);
	Containerd__Task__V2__CheckpointTaskRequest m =
		CONTAINERD__TASK__V2__CHECKPOINT_TASK_REQUEST__INIT;
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;

	GT_TRY(gt_bundle_open(&r->bundles, call->ns, id, &b));
	GT_TRY(gt_bundle_work(&b));
	m.id = gt_shim_string(id);
	m.path = gt_shim_string(path);
	if (options && options->type_url) {
		gt_shim_any_message(options, &any);
		m.options = &any;
	}
	return ask(base, call, id, GT_SHIM_CHECKPOINT, "Checkpoint", &m.base, EMPTY, NULL);
}

struct walk {
	struct gt_shim_runtime *runtime;
	struct gt_call *call;
	struct gt_error *(*fn)(void *arg, const char *ns, const char *id);
	void *arg;
};

/* A bundle without an address is being made, or nobody's: those go as they are seen. */
static struct gt_error *walk_one(void *arg, const char *ns, const char *id, bool has_address)
{
	struct walk *w = arg;
	struct gt_call call = GT_CALL_INIT;
	bool gone;

	GT_TRY(gt_call_check(w->call));
	if (has_address)
		return w->fn(w->arg, ns, id);
	call.ns = ns;
	call.deadline = w->call->deadline;
	call.cancel = w->call->cancel;
	gt_error_free(gt_shim_sweep(w->runtime, &call, id, &gone));
	return NULL;
}

struct gt_error *gt_shim_runtime_walk(struct gt_runtime *base, struct gt_call *call,
				      struct gt_error *(*fn)(void *arg, const char *ns,
							     const char *id),
				      void *arg)
{
	struct gt_shim_runtime *r = runtime_of(base);
	struct walk w = { .runtime = r, .call = call, .fn = fn, .arg = arg };
	const char *ns = call->ns && *call->ns ? call->ns : NULL;

	gt_bundles_tidy(&r->bundles, ns);
	return gt_bundles_walk(&r->bundles, ns, walk_one, &w);
}
