/* SPDX-License-Identifier: Apache-2.0 */
/* Update of resources, and checkpoints. */
#include <config.h>

#include "criu.h"
#include "task.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <containerd.runc.v1.pb-c.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static void command_end(struct op *op, struct gt_error *e)
{
	struct process *p = op->process;

	if (e)
		op_answer_error(op, e);
	else
		op_answer_empty(op);
	free(op);
	process_leave(p);
}

static void updated(struct run *r, struct gt_error *e)
{
	command_end((struct op *)r, runtime_error_take(r, e, "OCI runtime update failed"));
}

static struct gt_error *update_run(struct op *op, const Google__Protobuf__Any *resources)
{
	struct container *c = op->process->container;
	gt_autofd int in = memfd_create("resources", MFD_CLOEXEC);
	struct gt_strv argv = { 0 };

	if (in < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "create a memory file");
	GT_TRY(gt_file_write_all(in, resources->value.data, resources->value.len, "resources"));
	if (lseek(in, 0, SEEK_SET) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "rewind a memory file");
	runtime_argv(&c->runtime, &argv);
	gt_strv_add(&argv, "update");
	gt_strv_add(&argv, "--resources");
	gt_strv_add(&argv, "-");
	gt_strv_add(&argv, c->id);
	return op_run_take(op, &argv, in, SHORT_TIMEOUT, updated);
}

void task_update(struct process *p, struct gt_ttrpc_call *call)
{
	const Containerd__Task__V2__UpdateTaskRequest *r =
		(const Containerd__Task__V2__UpdateTaskRequest *)call->request;
	struct gt_error *e = NULL;
	struct op *op;

	if (p->state == PROCESS_STOPPED || p->ended)
		e = gt_error_new(GT_UNKNOWN, "cannot update a stopped container");
	else if (!r->resources || !r->resources->value.len)
		e = gt_error_new(GT_INVALID_ARGUMENT, "update without resources");
	if (e) {
		gt_ttrpc_answer_error_take(call, e);
		return;
	}
	op = gt_xcalloc(1, sizeof(*op));
	op_bind(op, p, call);
	p->busy = true;
	e = update_run(op, r->resources);
	if (e)
		command_end(op, e);
}

static void checkpointed(struct run *r, struct gt_error *e)
{
	struct op *op = (struct op *)r;

	e = runtime_error_take(r, e, "OCI runtime checkpoint failed");
	command_end(op, criu_error_take(op->process->container, e, "dump.log"));
}

static void checkpoint_options(const Containerd__Runc__V1__CheckpointOptions *o,
			       struct gt_strv *argv)
{
	if (!o->exit)
		gt_strv_add(argv, "--leave-running");
	if (o->open_tcp)
		gt_strv_add(argv, "--tcp-established");
	if (o->external_unix_sockets)
		gt_strv_add(argv, "--ext-unix-sk");
	if (o->terminal)
		gt_strv_add(argv, "--shell-job");
	if (o->file_locks)
		gt_strv_add(argv, "--file-locks");
	for (size_t i = 0; i < o->n_empty_namespaces; i++) {
		gt_strv_add(argv, "--empty-ns");
		gt_strv_add(argv, o->empty_namespaces[i]);
	}
	if (*o->cgroups_mode) {
		gt_strv_add(argv, "--manage-cgroups-mode");
		gt_strv_add(argv, o->cgroups_mode);
	}
	if (*o->parent_path) {
		gt_strv_add(argv, "--parent-path");
		gt_strv_add(argv, o->parent_path);
	}
}

static struct gt_error *checkpoint_run(struct op *op,
				       const Containerd__Task__V2__CheckpointTaskRequest *r)
{
	static const Containerd__Runc__V1__CheckpointOptions none =
		CONTAINERD__RUNC__V1__CHECKPOINT_OPTIONS__INIT;
	struct container *c = op->process->container;
	Containerd__Runc__V1__CheckpointOptions *given = NULL;
	const Containerd__Runc__V1__CheckpointOptions *o = &none;
	gt_autofree char *work = gt_strf("%s/work/criu-work", c->bundle);
	struct gt_strv argv = { 0 };

	if (r->options && r->options->value.len) {
		given = (Containerd__Runc__V1__CheckpointOptions *)gt_ttrpc_message_unpack(
			&containerd__runc__v1__checkpoint_options__descriptor,
			r->options->value.data, r->options->value.len);
		if (!given)
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "malformed containerd.runc.v1.CheckpointOptions");
		o = given;
	}
	mkdir(work, 0700); /* CRIU says what is wrong if it is not there */
	runtime_argv(&c->runtime, &argv);
	gt_strv_add(&argv, "checkpoint");
	gt_strv_add(&argv, "--image-path");
	gt_strv_add(&argv, *r->path ? r->path : o->image_path);
	gt_strv_add(&argv, "--work-path");
	gt_strv_add(&argv, *o->work_path		       ? o->work_path
			   : *c->runtime.options.criu_work_path ? c->runtime.options.criu_work_path
								: work);
	checkpoint_options(o, &argv);
	gt_strv_add(&argv, c->id);
	if (given)
		gt_ttrpc_message_free(&given->base);
	return op_run_take(op, &argv, -1, CHECKPOINT_TIMEOUT, checkpointed);
}

void task_checkpoint(struct process *p, struct gt_ttrpc_call *call)
{
	const Containerd__Task__V2__CheckpointTaskRequest *r =
		(const Containerd__Task__V2__CheckpointTaskRequest *)call->request;
	struct gt_error *e = NULL;
	struct op *op;

	if (p->state == PROCESS_CREATED)
		e = gt_error_new(GT_UNKNOWN, "cannot checkpoint a task in created state");
	else if (p->state == PROCESS_STOPPED || p->ended)
		e = gt_error_new(GT_UNKNOWN, "cannot checkpoint a stopped container");
	if (e) {
		gt_ttrpc_answer_error_take(call, e);
		return;
	}
	op = gt_xcalloc(1, sizeof(*op));
	op_bind(op, p, call);
	p->busy = true;
	e = checkpoint_run(op, r);
	if (e)
		command_end(op, e);
}
