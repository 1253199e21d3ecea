/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks: finds the runtime of a container and hands over. */
#include <config.h>

#include "tasks.h"

#include "logs.h"
#include "snapshots.h"

#include <gantry/api-containers.h>
#include <gantry/log.h>

/* The runtime that has a task whose container's record is gone; NULL: none has. */
static struct gt_runtime *runtime_with_task(struct local *l, struct gt_call *call, const char *id)
{
	gt_auto(gt_strv) ids = { 0 };

	gt_need_ids(l->init, GT_RUNTIME, &ids);
	for (size_t i = 0; i < ids.n; i++) {
		struct gt_runtime *r;
		gt_auto(gt_task_state) state = { 0 };
		gt_autoptr(gt_error) e = gt_need_runtime(l->init, ids.v[i], &r);

		if (!e)
			e = gt_runtime_state(r, call, id, "", &state);
		if (!e)
			return r;
	}
	return NULL;
}

struct gt_error *tasks_runtime_of(struct gt_services *s, struct gt_call *call, const char *id,
				  struct gt_runtime **out)
{
	struct local *l = local_of(s);
	gt_auto(gt_container) c = { 0 };
	struct gt_error *e = local_containers.get(s, call, id, &c);
	struct gt_runtime *r;

	if (gt_error_class(e) == GT_NOT_FOUND) {
		r = runtime_with_task(l, call, id);
		if (!r)
			return e;
		gt_error_free(e);
		*out = r;
		return NULL;
	}
	GT_TRY(e);
	return gt_error_wrap(gt_need_runtime(l->init, c.runtime, out), "runtime of container \"%s\"",
			     id);
}

/* Before anything is done in its name: a task that is not started yet still needs its checkpoint. */
static struct gt_error *no_task(struct gt_runtime *r, struct gt_call *call, const char *id)
{
	gt_auto(gt_task_state) p = { 0 };
	struct gt_error *e = gt_runtime_state(r, call, id, "", &p);

	if (!e)
		return gt_error_new(GT_ALREADY_EXISTS, "task %s", id);
	if (gt_error_class(e) != GT_NOT_FOUND)
		return e;
	gt_error_free(e);
	return NULL;
}

static struct gt_error *create(struct gt_services *s, struct gt_call *call,
			       const struct gt_tasks_create *req, uint32_t *pid)
{
	gt_auto(gt_container) c = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };
	gt_autofree char *checkpoint = NULL;
	struct gt_runtime *r;
	struct gt_error *e;
	struct gt_task_create task = {
		.size = sizeof(task),
		.id = req->id,
		.rootfs = req->rootfs,
		.stdio = req->stdio,
		.checkpoint = req->checkpoint,
		.options = req->options,
	};

	GT_TRY(local_containers.get(s, call, req->id, &c));
	GT_TRY(gt_error_wrap(gt_need_runtime(local_of(s)->init, c.runtime, &r),
			     "runtime of container \"%s\"", req->id));
	if ((!req->rootfs || !req->rootfs->n) && *c.snapshot_key) {
		GT_TRY(snapshots_mounts(s, call, c.snapshotter, c.snapshot_key, &mounts));
		task.rootfs = &mounts;
	}
	task.spec = &c.spec;
	task.runtime = c.runtime;
	task.runtime_options = c.runtime_options.type_url ? &c.runtime_options : NULL;
	task.sandbox = *c.sandbox ? c.sandbox : NULL;
	if (!req->checkpoint_blob)
		return gt_runtime_create(r, call, &task, pid);
	GT_TRY(no_task(r, call, req->id));
	GT_TRY(tasks_checkpoint_unpack(s, call, req->id, req->checkpoint_blob, &checkpoint));
	task.checkpoint = checkpoint;
	e = gt_runtime_create(r, call, &task, pid);
	return e ? gt_error_first(e, tasks_checkpoint_drop(s, call, req->id)) : NULL;
}

/* A task has read what it was restored from, or never will. */
static void checkpoint_used(struct gt_services *s, const struct gt_call *call, const char *id,
			    const char *exec_id)
{
	if (!*exec_id)
		gt_log_warn_take(tasks_checkpoint_drop(s, call, id),
				 "remove the unpacked checkpoint of %s", id);
}

static struct gt_error *start(struct gt_services *s, struct gt_call *call, const char *id,
			      const char *exec_id, uint32_t *pid)
{
	struct gt_runtime *r;

	GT_TRY(tasks_runtime_of(s, call, id, &r));
	GT_TRY(gt_runtime_start(r, call, id, exec_id, pid));
	checkpoint_used(s, call, id, exec_id);
	return NULL;
}

static struct gt_error *remove_task(struct gt_services *s, struct gt_call *call, const char *id,
				    const char *exec_id, struct gt_exit *out)
{
	struct gt_runtime *r;

	GT_TRY(tasks_runtime_of(s, call, id, &r));
	GT_TRY(gt_runtime_remove(r, call, id, exec_id, out));
	checkpoint_used(s, call, id, exec_id);
	return NULL;
}

static struct gt_error *get(struct gt_services *s, struct gt_call *call, const char *id,
			    const char *exec_id, struct gt_task_state *out)
{
	struct gt_runtime *r;

	GT_TRY(tasks_runtime_of(s, call, id, &r));
	return gt_runtime_state(r, call, id, exec_id, out);
}

static struct gt_error *kill_task(struct gt_services *s, struct gt_call *call, const char *id,
				  const char *exec_id, uint32_t signal, bool all)
{
	struct gt_runtime *r;

	GT_TRY(tasks_runtime_of(s, call, id, &r));
	return gt_runtime_kill(r, call, id, exec_id, signal, all);
}

static struct gt_error *wait_task(struct gt_services *s, struct gt_call *call, const char *id,
				  const char *exec_id, gt_wait_fn *fn, void *arg)
{
	struct gt_runtime *r;

	GT_TRY(tasks_runtime_of(s, call, id, &r));
	return gt_runtime_wait(r, call, id, exec_id, fn, arg);
}

static struct gt_error *exec(struct gt_services *s, struct gt_call *call,
			     const struct gt_exec *req)
{
	struct gt_runtime *r;

	GT_TRY(tasks_runtime_of(s, call, req->id, &r));
	return gt_runtime_exec(r, call, req);
}

static struct gt_error *pids(struct gt_services *s, struct gt_call *call, const char *id,
			     struct gt_processes *out)
{
	struct gt_runtime *r;

	GT_TRY(tasks_runtime_of(s, call, id, &r));
	return gt_runtime_pids(r, call, id, out);
}

static struct gt_error *resize(struct gt_services *s, struct gt_call *call, const char *id,
			       const char *exec_id, uint32_t width, uint32_t height)
{
	struct gt_runtime *r;

	GT_TRY(tasks_runtime_of(s, call, id, &r));
	return gt_runtime_resize(r, call, id, exec_id, width, height);
}

static struct gt_error *close_io(struct gt_services *s, struct gt_call *call, const char *id,
				 const char *exec_id)
{
	struct gt_runtime *r;

	GT_TRY(tasks_runtime_of(s, call, id, &r));
	return gt_runtime_close_io(r, call, id, exec_id);
}

static struct gt_error *pause_task(struct gt_services *s, struct gt_call *call, const char *id)
{
	struct gt_runtime *r;

	GT_TRY(tasks_runtime_of(s, call, id, &r));
	return gt_runtime_pause(r, call, id);
}

static struct gt_error *resume(struct gt_services *s, struct gt_call *call, const char *id)
{
	struct gt_runtime *r;

	GT_TRY(tasks_runtime_of(s, call, id, &r));
	return gt_runtime_resume(r, call, id);
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call, const char *id,
			       const struct gt_any *resources, const struct gt_labels *annotations)
{
	struct gt_runtime *r;

	GT_TRY(tasks_runtime_of(s, call, id, &r));
	return gt_runtime_update(r, call, id, resources, annotations);
}

static struct gt_error *pass_by(void *arg, const char *ns, const char *id)
{
	(void)arg;
	(void)ns;
	(void)id;
	return NULL;
}

/* No runtime knows the task any more: what is half deleted goes when they are asked for all. */
static void clear_halves(struct local *l, struct gt_call *call)
{
	gt_auto(gt_strv) ids = { 0 };

	gt_need_ids(l->init, GT_RUNTIME, &ids);
	for (size_t i = 0; i < ids.n; i++) {
		struct gt_runtime *r;
		struct gt_error *e = gt_need_runtime(l->init, ids.v[i], &r);

		if (!e)
			e = gt_runtime_walk(r, call, pass_by, NULL);
		gt_error_free(e);
	}
}

static struct gt_error *purge(struct gt_services *s, struct gt_call *call, const char *id,
			      struct gt_exit *out)
{
	struct gt_runtime *r;
	struct gt_error *e = tasks_runtime_of(s, call, id, &r);

	if (gt_error_class(e) == GT_NOT_FOUND)
		clear_halves(local_of(s), call);
	GT_TRY(e);
	return gt_runtime_purge(r, call, id, out);
}

const struct gt_tasks_ops local_tasks = {
	.size = sizeof(local_tasks),
	.create = create,
	.start = start,
	.remove = remove_task,
	.get = get,
	.list = tasks_list,
	.kill = kill_task,
	.wait = wait_task,
	.exec = exec,
	.pids = pids,
	.resize = resize,
	.close_io = close_io,
	.pause = pause_task,
	.resume = resume,
	.metrics = tasks_metrics,
	.update = update,
	.checkpoint = tasks_checkpoint,
	.purge = purge,
	.log_uri = logs_uri,
};
