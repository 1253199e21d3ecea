/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/runtime.h>

#include "core/op.h"

#include <gantry/buf.h>

const char *gt_task_status_name(enum gt_task_status s)
{
	static const char *const names[] = {
		[GT_TASK_UNKNOWN] = "UNKNOWN", [GT_TASK_CREATED] = "CREATED",
		[GT_TASK_RUNNING] = "RUNNING", [GT_TASK_STOPPED] = "STOPPED",
		[GT_TASK_PAUSED] = "PAUSED",   [GT_TASK_PAUSING] = "PAUSING",
	};

	return (size_t)s < sizeof(names) / sizeof(names[0]) ? names[s] : "UNKNOWN";
}

void gt_task_state_done(struct gt_task_state *s)
{
	free(s->id);
	free(s->exec_id);
	free(s->bundle);
	free(s->in);
	free(s->out);
	free(s->err);
	*s = (struct gt_task_state){ 0 };
}

void gt_processes_done(struct gt_processes *p)
{
	for (size_t i = 0; i < p->n; i++)
		gt_any_done(&p->v[i].info);
	free(p->v);
	*p = (struct gt_processes){ 0 };
}

/* What every op about one task asks first. "" is the exec id of init. */
static struct gt_error *task_check(struct gt_runtime *r, bool has, const char *op,
				   const struct gt_call *call, const char *id, const char *exec_id)
{
	GT_TRY(gt_op_check_ns(has, r->init, op, call));
	GT_TRY(gt_identifier_check("container id", id));
	if (exec_id && *exec_id)
		GT_TRY(gt_identifier_check("exec id", exec_id));
	return NULL;
}

static const char *or_init(const char *exec_id)
{
	return exec_id ? exec_id : "";
}

struct gt_error *gt_runtime_create(struct gt_runtime *r, struct gt_call *call,
				   const struct gt_task_create *req, uint32_t *pid)
{
	GT_TRY(task_check(r, true, "create", call, req->id, NULL));
	return GT_OP(runtime, r, create, call, req, pid);
}

struct gt_error *gt_runtime_start(struct gt_runtime *r, struct gt_call *call, const char *id,
				  const char *exec_id, uint32_t *pid)
{
	GT_TRY(task_check(r, true, "start", call, id, exec_id));
	return GT_OP(runtime, r, start, call, id, or_init(exec_id), pid);
}

struct gt_error *gt_runtime_remove(struct gt_runtime *r, struct gt_call *call, const char *id,
				   const char *exec_id, struct gt_exit *out)
{
	GT_TRY(task_check(r, true, "remove", call, id, exec_id));
	return GT_OP(runtime, r, remove, call, id, or_init(exec_id), out);
}

struct gt_error *gt_runtime_state(struct gt_runtime *r, struct gt_call *call, const char *id,
				  const char *exec_id, struct gt_task_state *out)
{
	GT_TRY(task_check(r, true, "state", call, id, exec_id));
	return GT_OP(runtime, r, state, call, id, or_init(exec_id), out);
}

struct gt_error *gt_runtime_kill(struct gt_runtime *r, struct gt_call *call, const char *id,
				 const char *exec_id, uint32_t signal, bool all)
{
	GT_TRY(task_check(r, true, "kill", call, id, exec_id));
	return GT_OP(runtime, r, kill, call, id, or_init(exec_id), signal, all);
}

struct gt_error *gt_runtime_wait(struct gt_runtime *r, struct gt_call *call, const char *id,
				 const char *exec_id, gt_wait_fn *fn, void *arg)
{
	GT_TRY(task_check(r, true, "wait", call, id, exec_id));
	return GT_OP(runtime, r, wait, call, id, or_init(exec_id), fn, arg);
}

struct gt_error *gt_runtime_walk(struct gt_runtime *r, struct gt_call *call,
				 struct gt_error *(*fn)(void *, const char *ns, const char *id),
				 void *arg)
{
	return GT_OP(runtime, r, walk, call, fn, arg);
}

struct gt_error *gt_runtime_exec(struct gt_runtime *r, struct gt_call *call,
				 const struct gt_exec *req)
{
	GT_TRY(task_check(r, r->ops->exec, "exec", call, req->id, NULL));
	GT_TRY(gt_op_required("exec id", req->exec_id));
	GT_TRY(gt_identifier_check("exec id", req->exec_id));
	return GT_OP(runtime, r, exec, call, req);
}

struct gt_error *gt_runtime_pids(struct gt_runtime *r, struct gt_call *call, const char *id,
				 struct gt_processes *out)
{
	GT_TRY(task_check(r, r->ops->pids, "pids", call, id, NULL));
	return GT_OP(runtime, r, pids, call, id, out);
}

struct gt_error *gt_runtime_resize(struct gt_runtime *r, struct gt_call *call, const char *id,
				   const char *exec_id, uint32_t width, uint32_t height)
{
	GT_TRY(task_check(r, r->ops->resize, "resize", call, id, exec_id));
	return GT_OP(runtime, r, resize, call, id, or_init(exec_id), width, height);
}

struct gt_error *gt_runtime_close_io(struct gt_runtime *r, struct gt_call *call, const char *id,
				     const char *exec_id)
{
	GT_TRY(task_check(r, r->ops->close_io, "close_io", call, id, exec_id));
	return GT_OP(runtime, r, close_io, call, id, or_init(exec_id));
}

struct gt_error *gt_runtime_pause(struct gt_runtime *r, struct gt_call *call, const char *id)
{
	GT_TRY(task_check(r, r->ops->pause, "pause", call, id, NULL));
	return GT_OP(runtime, r, pause, call, id);
}

struct gt_error *gt_runtime_resume(struct gt_runtime *r, struct gt_call *call, const char *id)
{
	GT_TRY(task_check(r, r->ops->resume, "resume", call, id, NULL));
	return GT_OP(runtime, r, resume, call, id);
}

struct gt_error *gt_runtime_stats(struct gt_runtime *r, struct gt_call *call, const char *id,
				  struct gt_any *out)
{
	GT_TRY(task_check(r, r->ops->stats, "stats", call, id, NULL));
	return GT_OP(runtime, r, stats, call, id, out);
}

struct gt_error *gt_runtime_update(struct gt_runtime *r, struct gt_call *call, const char *id,
				   const struct gt_any *resources, const struct gt_labels *annotations)
{
	GT_TRY(task_check(r, r->ops->update, "update", call, id, NULL));
	return GT_OP(runtime, r, update, call, id, resources, annotations);
}

struct gt_error *gt_runtime_checkpoint(struct gt_runtime *r, struct gt_call *call, const char *id,
				       const char *path, const struct gt_any *options)
{
	GT_TRY(task_check(r, r->ops->checkpoint, "checkpoint", call, id, NULL));
	return GT_OP(runtime, r, checkpoint, call, id, path, options);
}

struct gt_error *gt_runtime_purge(struct gt_runtime *r, struct gt_call *call, const char *id,
				  struct gt_exit *out)
{
	GT_TRY(task_check(r, r->ops->purge, "purge", call, id, NULL));
	return GT_OP(runtime, r, purge, call, id, out);
}

struct gt_error *gt_runtime_info(struct gt_runtime *r, struct gt_call *call, const char *runtime,
				 const struct gt_any *options, struct gt_any *out)
{
	return GT_OP(runtime, r, info, call, runtime, options, out);
}
