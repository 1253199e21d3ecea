/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/api-tasks.h>

#include "core/op.h"

#include <gantry/buf.h>

#include <string.h>

void gt_metric_done(struct gt_metric *m)
{
	free(m->id);
	gt_any_done(&m->data);
	*m = (struct gt_metric){ 0 };
}

static struct gt_error *exec_id_check(const char *exec_id)
{
	return exec_id && *exec_id ? gt_identifier_check("exec id", exec_id) : NULL;
}

struct gt_error *gt_tasks_create(struct gt_services *s, struct gt_call *call,
				 const struct gt_tasks_create *req, uint32_t *pid)
{
	struct gt_tasks_create whole = { 0 };

	/* Who asks may be older than what it could ask for. */
	memcpy(&whole, req, req->size < sizeof(whole) ? req->size : sizeof(whole));
	whole.size = sizeof(whole);
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->create, s->init,
			    "tasks.create", call));
	GT_TRY(gt_identifier_check("container id", whole.id));
	return s->ops->tasks->create(s, call, &whole, pid);
}

struct gt_error *gt_tasks_start(struct gt_services *s, struct gt_call *call, const char *id,
				const char *exec_id, uint32_t *pid)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->start, s->init, "tasks.start", call));
	GT_TRY(gt_identifier_check("container id", id));
	GT_TRY(exec_id_check(exec_id));
	return s->ops->tasks->start(s, call, id, exec_id ? exec_id : "", pid);
}

struct gt_error *gt_tasks_remove(struct gt_services *s, struct gt_call *call, const char *id,
				 const char *exec_id, struct gt_exit *out)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->remove, s->init,
			    "tasks.remove", call));
	GT_TRY(gt_identifier_check("container id", id));
	GT_TRY(exec_id_check(exec_id));
	return s->ops->tasks->remove(s, call, id, exec_id ? exec_id : "", out);
}

struct gt_error *gt_tasks_get(struct gt_services *s, struct gt_call *call, const char *id,
			      const char *exec_id, struct gt_task_state *out)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->get, s->init, "tasks.get", call));
	GT_TRY(gt_identifier_check("container id", id));
	GT_TRY(exec_id_check(exec_id));
	return s->ops->tasks->get(s, call, id, exec_id ? exec_id : "", out);
}

struct gt_error *gt_tasks_list(struct gt_services *s, struct gt_call *call,
			       struct gt_error *(*fn)(void *, const struct gt_task_state *),
			       void *arg)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->list, s->init, "tasks.list", call));
	return s->ops->tasks->list(s, call, fn, arg);
}

struct gt_error *gt_tasks_kill(struct gt_services *s, struct gt_call *call, const char *id,
			       const char *exec_id, uint32_t signal, bool all)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->kill, s->init, "tasks.kill", call));
	GT_TRY(gt_identifier_check("container id", id));
	GT_TRY(exec_id_check(exec_id));
	return s->ops->tasks->kill(s, call, id, exec_id ? exec_id : "", signal, all);
}

struct gt_error *gt_tasks_wait(struct gt_services *s, struct gt_call *call, const char *id,
			       const char *exec_id, gt_wait_fn *fn, void *arg)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->wait, s->init, "tasks.wait", call));
	GT_TRY(gt_identifier_check("container id", id));
	GT_TRY(exec_id_check(exec_id));
	return s->ops->tasks->wait(s, call, id, exec_id ? exec_id : "", fn, arg);
}

struct gt_error *gt_tasks_exec(struct gt_services *s, struct gt_call *call,
			       const struct gt_exec *req)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->exec, s->init, "tasks.exec", call));
	GT_TRY(gt_identifier_check("container id", req->id));
	GT_TRY(gt_op_required("exec id", req->exec_id));
	GT_TRY(gt_identifier_check("exec id", req->exec_id));
	return s->ops->tasks->exec(s, call, req);
}

struct gt_error *gt_tasks_pids(struct gt_services *s, struct gt_call *call, const char *id,
			       struct gt_processes *out)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->pids, s->init, "tasks.pids", call));
	GT_TRY(gt_identifier_check("container id", id));
	return s->ops->tasks->pids(s, call, id, out);
}

struct gt_error *gt_tasks_resize(struct gt_services *s, struct gt_call *call, const char *id,
				 const char *exec_id, uint32_t width, uint32_t height)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->resize, s->init,
			    "tasks.resize", call));
	GT_TRY(gt_identifier_check("container id", id));
	GT_TRY(exec_id_check(exec_id));
	return s->ops->tasks->resize(s, call, id, exec_id ? exec_id : "", width, height);
}

struct gt_error *gt_tasks_close_io(struct gt_services *s, struct gt_call *call, const char *id,
				   const char *exec_id)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->close_io, s->init,
			    "tasks.close_io", call));
	GT_TRY(gt_identifier_check("container id", id));
	GT_TRY(exec_id_check(exec_id));
	return s->ops->tasks->close_io(s, call, id, exec_id ? exec_id : "");
}

struct gt_error *gt_tasks_pause(struct gt_services *s, struct gt_call *call, const char *id)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->pause, s->init, "tasks.pause", call));
	GT_TRY(gt_identifier_check("container id", id));
	return s->ops->tasks->pause(s, call, id);
}

struct gt_error *gt_tasks_resume(struct gt_services *s, struct gt_call *call, const char *id)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->resume, s->init,
			    "tasks.resume", call));
	GT_TRY(gt_identifier_check("container id", id));
	return s->ops->tasks->resume(s, call, id);
}

struct gt_error *gt_tasks_metrics(struct gt_services *s, struct gt_call *call,
				  const struct gt_strv *filters,
				  struct gt_error *(*fn)(void *, const struct gt_metric *),
				  void *arg)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->metrics, s->init,
			    "tasks.metrics", call));
	return s->ops->tasks->metrics(s, call, filters, fn, arg);
}

struct gt_error *gt_tasks_update(struct gt_services *s, struct gt_call *call, const char *id,
				 const struct gt_any *resources,
				 const struct gt_labels *annotations)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->update, s->init,
			    "tasks.update", call));
	GT_TRY(gt_identifier_check("container id", id));
	return s->ops->tasks->update(s, call, id, resources, annotations);
}

struct gt_error *gt_tasks_checkpoint(struct gt_services *s, struct gt_call *call, const char *id,
				     const char *parent, const struct gt_any *options,
				     struct gt_descriptor **out, size_t *n)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->checkpoint, s->init,
			    "tasks.checkpoint", call));
	GT_TRY(gt_identifier_check("container id", id));
	return s->ops->tasks->checkpoint(s, call, id, parent, options, out, n);
}

struct gt_error *gt_tasks_purge(struct gt_services *s, struct gt_call *call, const char *id,
				struct gt_exit *out)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->purge, s->init, "tasks.purge", call));
	GT_TRY(gt_identifier_check("container id", id));
	return s->ops->tasks->purge(s, call, id, out);
}

struct gt_error *gt_tasks_log_uri(struct gt_services *s, struct gt_call *call, const char *id,
				  const char *exec_id, char **out)
{
	GT_TRY(gt_op_check_ns(s->ops->tasks && s->ops->tasks->log_uri, s->init, "tasks.log_uri",
			      call));
	GT_TRY(gt_identifier_check("container id", id));
	if (exec_id && *exec_id)
		GT_TRY(gt_identifier_check("exec id", exec_id));
	return s->ops->tasks->log_uri(s, call, id, exec_id ? exec_id : "", out);
}
