/* SPDX-License-Identifier: Apache-2.0 */
/* Create: mounts, stdio, and the runtime's create. What was done is undone when a later step fails. */
#include <config.h>

#include "events.h"
#include "sandbox.h"
#include "spec.h"
#include "task.h"

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/log.h>
#include <mount/mount.h>

#include <containerd.events.pb-c.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <string.h>

typedef Containerd__Task__V2__CreateTaskRequest Request;

struct create {
	struct op op; /* first */
	struct container *c;
	struct console console;
	struct gt_error *why; /* it is being undone */
	bool unknown; /* counted in the shim's n_unknown */
	size_t n_rootfs;
	Containerd__Types__Mount **rootfs;
};

static void create_free(struct create *cr)
{
	if (cr->unknown && !--cr->c->shim->n_unknown)
		cr->c->shim->n_early = 0;
	console_close(&cr->console);
	for (size_t i = 0; i < cr->n_rootfs; i++)
		containerd__types__mount__free_unpacked(cr->rootfs[i], NULL);
	free(cr->rootfs);
	free(cr);
}

/* The last step of undoing. */
static void create_undone(struct create *cr)
{
	struct container *c = cr->c;

	op_answer_error(&cr->op, gt_steal(&cr->why));
	create_free(cr);
	container_free(c);
}

static void undo_done(struct run *r, struct gt_error *e)
{
	/* Where nothing was created there is nothing to delete. */
	gt_error_free(e);
	create_undone((struct create *)r);
}

/* Takes 'e'. 'ran': the runtime may have left something. */
static void create_undo(struct create *cr, struct gt_error *e, bool ran)
{
	struct container *c = cr->c;
	struct gt_strv argv = { 0 };
	struct gt_error *no_run;

	cr->why = e;
	io_close(&c->init.io);
	if (!ran) {
		create_undone(cr);
		return;
	}
	runtime_argv(&c->runtime, &argv);
	gt_strv_add(&argv, "delete");
	gt_strv_add(&argv, "--force");
	gt_strv_add(&argv, c->id);
	cr->op.run.done = undo_done;
	no_run = run_start_take(c->shim, &cr->op.run, &c->runtime, &argv,
				&(struct run_stdio){ .in = -1 }, c->bundle, SHORT_TIMEOUT);
	if (no_run) {
		gt_log_warn_take(no_run, "undo the creation of %s", c->id);
		create_undone(cr);
	}
}

static void create_tell(struct create *cr)
{
	struct container *c = cr->c;
	Containerd__Task__V2__CreateTaskResponse m = CONTAINERD__TASK__V2__CREATE_TASK_RESPONSE__INIT;
	Containerd__Events__TaskCreate ev = CONTAINERD__EVENTS__TASK_CREATE__INIT;
	Containerd__Events__TaskIO io = CONTAINERD__EVENTS__TASK_IO__INIT;

	io.stdin = c->init.in;
	io.stdout = c->init.out;
	io.stderr = c->init.err;
	io.terminal = c->init.terminal;
	ev.container_id = c->id;
	ev.bundle = c->bundle;
	ev.rootfs = cr->rootfs;
	ev.n_rootfs = cr->n_rootfs;
	ev.io = &io;
	ev.checkpoint = c->checkpoint ? c->checkpoint : (char *)"";
	ev.pid = c->init.pid;
	c->created = true;
	events_publish(c->shim->events, &ev.base);
	m.pid = c->init.pid;
	op_answer(&cr->op, &m.base);
	if (c->init.pid)
		process_known(&c->init);
	create_free(cr);
	process_leave(&c->init);
}

static struct gt_error *created(struct create *cr)
{
	struct container *c = cr->c;
	gt_autofree char *pid_file = gt_strf("%s/init.pid", c->bundle);
	int master;

	GT_TRY(runtime_pid_read(pid_file, &c->init.pid));
	if (c->init.terminal) {
		GT_TRY(gt_error_wrap(console_receive(&cr->console, &master), "receive the console"));
		GT_TRY(io_console_take(&c->init.io, master));
	}
	container_cgroup_find(c);
	return NULL;
}

static void create_done(struct run *r, struct gt_error *e)
{
	struct create *cr = (struct create *)r;

	io_started(&cr->c->init.io);
	e = runtime_error_take(r, e, "OCI runtime create failed");
	if (!e)
		e = created(cr);
	if (e)
		create_undo(cr, e, true);
	else
		create_tell(cr);
}

static struct gt_error *create_run(struct create *cr)
{
	struct container *c = cr->c;
	struct gt_strv argv = { 0 };

	runtime_argv(&c->runtime, &argv);
	gt_strv_add(&argv, "create");
	gt_strv_add(&argv, "--bundle");
	gt_strv_add(&argv, c->bundle);
	gt_strv_add(&argv, "--pid-file");
	gt_strv_addf(&argv, "%s/init.pid", c->bundle);
	if (c->init.terminal) {
		struct gt_error *e = console_open(&cr->console);

		if (e) {
			gt_strv_done(&argv);
			return e;
		}
		gt_strv_add(&argv, "--console-socket");
		gt_strv_add(&argv, cr->console.path);
	}
	if (c->runtime.options.no_pivot_root)
		gt_strv_add(&argv, "--no-pivot");
	if (c->runtime.options.no_new_keyring)
		gt_strv_add(&argv, "--no-new-keyring");
	gt_strv_add(&argv, c->id);
	cr->op.run.done = create_done;
	cr->unknown = true;
	c->shim->n_unknown++;
	return run_start_take(c->shim, &cr->op.run, &c->runtime, &argv,
			      &(struct run_stdio){ .fds = c->init.io.child }, c->bundle,
			      op_time(&cr->op, LONG_TIMEOUT));
}

static void create_ready(void *arg, struct gt_error *e)
{
	struct create *cr = arg;

	if (!e && cr->c->checkpoint) { /* Start restores it */
		create_tell(cr);
		return;
	}
	if (!e)
		e = create_run(cr);
	if (e)
		create_undo(cr, e, false);
}

static struct gt_error *rootfs_mount(struct create *cr, const Request *r)
{
	struct container *c = cr->c;
	struct gt_mounts mounts = { 0 };
	struct gt_error *e;

	if (!r->n_rootfs)
		return NULL;
	cr->rootfs = gt_xcalloc(r->n_rootfs, sizeof(*cr->rootfs));
	for (size_t i = 0; i < r->n_rootfs; i++) {
		const Containerd__Types__Mount *from = r->rootfs[i];
		struct gt_mount *m = gt_mounts_add(&mounts, from->type, from->source, from->target);
		size_t len = containerd__types__mount__get_packed_size(from);
		gt_autofree uint8_t *bytes = gt_xmalloc(len);

		for (size_t k = 0; k < from->n_options; k++)
			gt_strv_add(&m->options, from->options[k]);
		containerd__types__mount__pack(from, bytes);
		cr->rootfs[cr->n_rootfs] = containerd__types__mount__unpack(NULL, len, bytes);
		if (cr->rootfs[cr->n_rootfs])
			cr->n_rootfs++;
	}
	c->rootfs = gt_strf("%s/rootfs", c->bundle);
	e = gt_mount_all(&mounts, c->rootfs);
	gt_mounts_done(&mounts);
	if (e) {
		free(c->rootfs);
		c->rootfs = NULL;
	}
	return gt_error_wrap(e, "mount rootfs component");
}

/* What the bundle and the options say, before anything is done. */
static struct gt_error *create_prepare(struct container *c, const Request *r)
{
	struct options options __attribute__((cleanup(options_done)));
	gt_autofd int bundle = -1;
	struct spec spec;

	options_init(&options);
	GT_TRY(options_from_any(r->options, &options));
	bundle = open(c->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (bundle < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open bundle %s", c->bundle);
	GT_TRY(options_store(&options, bundle));
	runtime_init_take(&c->runtime, &options, c->shim->ns, c->bundle);
	GT_TRY(spec_read(bundle, &spec));
	c->private_pids = spec.private_pids;
	spec_done(&spec);
	/* The document's tree was large; what stays is small. */
	malloc_trim(0);
	return NULL;
}

static struct gt_error *request_check(struct shim *shim, const Request *r)
{
	GT_TRY(gt_identifier_check("identifier", r->id));
	if (r->bundle[0] != '/')
		return gt_error_new(GT_INVALID_ARGUMENT, "bundle \"%s\" is no absolute path",
				    r->bundle);
	if (container_find(shim, r->id))
		return gt_error_new(GT_ALREADY_EXISTS, "task %s", r->id);
	return sandbox_admit(shim);
}

void task_create(struct shim *shim, struct gt_ttrpc_call *call)
{
	const Request *r = (const Request *)call->request;
	struct gt_error *e = request_check(shim, r);
	struct container *c;
	struct create *cr;

	if (e) {
		gt_ttrpc_answer_error_take(call, e);
		return;
	}
	c = container_new(shim, r->id, r->bundle);
	c->init.busy = true;
	c->init.in = gt_xstrdup(r->stdin);
	c->init.out = gt_xstrdup(r->stdout);
	c->init.err = gt_xstrdup(r->stderr);
	c->init.terminal = r->terminal;
	if (*r->checkpoint)
		c->checkpoint = gt_xstrdup(r->checkpoint);
	cr = gt_xcalloc(1, sizeof(*cr));
	cr->c = c;
	cr->console = (struct console)CONSOLE_INIT;
	op_bind(&cr->op, &c->init, call);
	e = create_prepare(c, r);
	if (!e)
		e = rootfs_mount(cr, r);
	if (e) {
		create_undo(cr, e, false);
		return;
	}
	io_open(&c->init.io,
		&(struct io_spec){
			.in = c->init.in,
			.out = c->init.out,
			.err = c->init.err,
			.terminal = c->init.terminal,
			.direct = c->private_pids,
			.uid = c->runtime.options.io_uid,
			.gid = c->runtime.options.io_gid,
			.id = c->id,
		},
		create_ready, cr);
}
