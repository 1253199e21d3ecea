/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/task.h>

#include <gantry/api-snapshots.h>
#include <gantry/log.h>

#include <outlog/outlog.h>

#include <client/container-spec.h>
#include <client/log-pump.h>
#include <client/rootfs.h>
#include <client/runtime-options.h>
#include <client/signals.h>
#include <client/stdio.h>
#include <client/terminal.h>
#include <client/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#define KILL_WAIT_MS 5000

/* One process on its way from created to deleted. */
struct run {
	struct gt_services *s;
	struct gt_call *call;
	const struct gt_task_options *o;
	const char *exec_id; /* "" for the task's first */
	struct gt_copier *copier;
	struct gt_terminal *terminal;
	struct gt_waiter *waiter;
	struct gt_stdio stdio;
	struct gt_log_pump *pump; /* attached to a log */
	bool joined; /* to what another has started */
	char *log; /* where a detached one's output goes; NULL: elsewhere */
	bool made; /* there is a task or exec to delete */
	bool attached; /* we stay until it ends */
};

static void run_done(struct run *r)
{
	gt_waiter_free(r->waiter);
	gt_terminal_free(r->terminal);
	gt_copier_free(r->copier);
	gt_log_pump_free(r->pump);
	free(r->log);
}

static struct gt_call cleanup_call(const struct run *r)
{
	struct gt_call call = *r->call;

	call.cancel = NULL;
	call.deadline = 0;
	return call;
}

static const char *stdio_name(const struct run *r)
{
	return *r->exec_id ? r->exec_id : r->o->id;
}

static struct gt_error *fifos_for_others(struct run *r, bool outputs)
{
	GT_TRY(gt_copier_for_others(r->o->fifo_dir, stdio_name(r), outputs, r->o->terminal,
				    &r->copier));
	r->stdio = *gt_copier_stdio(r->copier);
	return NULL;
}

static struct gt_error *detached_open(struct run *r)
{
	struct gt_error *e;

	if (r->o->fifos)
		return fifos_for_others(r, true);
	e = gt_tasks_log_uri(r->s, r->call, r->o->id, r->exec_id, &r->log);
	if (gt_error_class(e) == GT_UNIMPLEMENTED) { /* nothing takes it */
		gt_error_free(e);
		return NULL;
	}
	GT_TRY(e);
	GT_TRY(fifos_for_others(r, false));
	r->stdio.out = r->log;
	r->stdio.err = r->o->terminal ? NULL : r->log;
	return NULL;
}

static struct gt_error *stdio_open(struct run *r)
{
	const struct gt_task_options *o = r->o;

	r->attached = !o->detach;
	r->stdio.terminal = o->terminal;
	if (o->log_uri) {
		r->stdio.out = o->log_uri;
		r->stdio.err = o->terminal ? NULL : o->log_uri;
		return NULL;
	}
	if (o->null_io)
		return NULL;
	if (!o->fifo_dir)
		return gt_error_new(GT_INVALID_ARGUMENT, "no folder for FIFOs");
	if (o->detach)
		return detached_open(r);
	GT_TRY(gt_copier_open(o->fifo_dir, stdio_name(r), o->in, o->out, o->err, o->terminal,
			      &r->copier));
	r->stdio = *gt_copier_stdio(r->copier);
	return NULL;
}

static void resize(struct run *r)
{
	uint32_t width, height;

	gt_terminal_size(r->terminal, &width, &height);
	if (width && height)
		gt_log_warn_take(gt_tasks_resize(r->s, r->call, r->o->id, r->exec_id, width,
						 height),
				 "resize the terminal of %s", r->o->id);
}

/* Everything between created and started that can go wrong without a process having run. */
static struct gt_error *start(struct run *r, uint32_t pid)
{
	const struct gt_task_options *o = r->o;
	uint32_t started;

	if (r->attached)
		GT_TRY(gt_waiter_open(r->s, r->call, o->id, r->exec_id, &r->waiter));
	if (o->created)
		GT_TRY(o->created(o->arg, pid));
	if (r->copier && r->attached && o->terminal) {
		GT_TRY(gt_terminal_open(o->in, &r->terminal));
		resize(r);
	}
	GT_TRY(gt_tasks_start(r->s, r->call, o->id, r->exec_id, &started));
	/* Not before: what a runtime says about a start that fails is in the error. */
	if (r->copier && r->attached)
		GT_TRY(gt_copier_start(r->copier));
	/* containerd's shim has no console for an exec before, and forgets the size. */
	if (r->terminal && *r->exec_id)
		resize(r);
	return NULL;
}

/* Hands a signal on. True: it was meant for us, and ends the waiting. */
static bool handle_signal(struct run *r, int signal)
{
	struct gt_error *e;

	if (r->terminal) {
		if (signal == SIGWINCH)
			resize(r);
		return signal == SIGTERM || signal == SIGHUP || signal == SIGINT ||
		       signal == SIGQUIT;
	}
	e = gt_tasks_kill(r->s, r->call, r->o->id, r->exec_id, signal, false);
	/* It may have ended just now. */
	e = gt_error_unless(e, GT_NOT_FOUND);
	gt_log_warn_take(e, "forward signal %d", signal);
	return false;
}

static void close_stdin(struct run *r)
{
	struct gt_error *e = gt_tasks_close_io(r->s, r->call, r->o->id, r->exec_id);

	gt_log_warn_take(gt_error_unless(e, GT_NOT_FOUND), "close stdin of %s", r->o->id);
	gt_copier_close_in(r->copier);
}

/* Until the process has ended. CANCELED: it goes on without us. */
static struct gt_error *follow(struct run *r, struct gt_exit *exit)
{
	struct gt_signals *signals = r->o->signals;
	bool in_open = r->copier != NULL && !r->joined;

	for (;;) {
		struct pollfd p[4] = {
			{ .fd = gt_waiter_fd(r->waiter), .events = POLLIN },
			{ .fd = signals ? gt_signals_fd(signals) : -1, .events = POLLIN },
			{ .fd = in_open ? gt_copier_eof_fd(r->copier) : -1, .events = POLLIN },
			{ .fd = r->call->cancel ? gt_cancel_fd(r->call->cancel) : -1,
			  .events = POLLIN },
		};
		int signal;

		if (poll(p, 4, gt_call_left(r->call, 1000000)) < 0 && errno != EINTR)
			return gt_error_errno(GT_UNKNOWN, errno, "wait for task %s", r->o->id);
		if (p[0].revents)
			return gt_waiter_result(r->waiter, exit);
		if (p[1].revents) {
			while ((signal = gt_signals_next(signals))) {
				if (handle_signal(r, signal))
					return gt_error_new(GT_CANCELED,
							    "signal %d; task %s goes on", signal,
							    r->o->id);
			}
		}
		if (p[2].revents) {
			in_open = false;
			close_stdin(r);
		}
		GT_TRY(gt_call_check(r->call));
	}
}

static struct gt_error *delete(struct run *r, struct gt_exit *exit)
{
	struct gt_call call = cleanup_call(r);
	struct gt_error *e = gt_tasks_remove(r->s, &call, r->o->id, r->exec_id, exit);

	r->made = false;
	return e;
}

/* From created to the end, or to started. */
static struct gt_error *run(struct run *r, uint32_t pid, uint32_t *status)
{
	struct gt_exit exit = { 0 }, removed = { 0 };
	struct gt_error *e = start(r, pid);

	if (e) {
		gt_terminal_free(gt_steal(&r->terminal));
		gt_log_warn_take(gt_error_unless(delete(r, &removed), GT_NOT_FOUND),
				 "delete what did not start of %s", r->o->id);
		return e;
	}
	if (!r->attached) {
		/* Nobody can attach to an exec, and the shim has its FIFO open: it can go. */
		if (!*r->exec_id || r->o->fifos)
			gt_copier_leave(gt_steal(&r->copier));
		*status = 0;
		return NULL;
	}
	GT_TRY(follow(r, &exit));
	e = gt_error_unless(delete(r, &removed), GT_NOT_FOUND);
	if (r->copier)
		gt_copier_drain(r->copier);
	*status = exit.status;
	return e;
}

static struct gt_error *task_options(struct run *r, struct gt_any *out)
{
	gt_auto(gt_container) c = { 0 };

	if (!r->o->no_pivot)
		return NULL;
	GT_TRY(gt_containers_get(r->s, r->call, r->o->id, &c));
	return gt_runtime_options_no_pivot(&c.runtime_options, out);
}

struct gt_error *gt_task_run(struct gt_services *s, struct gt_call *call,
			     const struct gt_task_options *o, uint32_t *status)
{
	struct run r = { .s = s, .call = call, .o = o, .exec_id = "" };
	gt_auto(gt_any) options = { 0 };
	struct gt_error *e = stdio_open(&r);
	uint32_t pid = 0;

	if (!e)
		e = task_options(&r, &options);
	if (!e) {
		struct gt_tasks_create req = {
			.size = sizeof(req),
			.id = o->id,
			.stdio = r.stdio,
			.checkpoint_blob = o->checkpoint,
			.options = options.type_url ? &options : NULL,
		};

		e = gt_tasks_create(s, call, &req, &pid);
		if (!e)
			e = run(&r, pid, status);
	}
	run_done(&r);
	return e;
}

/* What the state names, connected to the user. */
static struct gt_error *join_stdio(struct run *r, const struct gt_task_state *t)
{
	const struct gt_task_options *o = r->o;
	struct gt_stdio fifos = { .in = t->in, .out = t->out, .err = t->err };

	if (gt_outlog_is_uri(t->out))
		GT_TRY(gt_log_pump_open(t->out, o->out, o->err, &r->pump));
	GT_TRY(gt_copier_attach(&fifos, o->in, o->out, o->err, &r->copier));
	if (t->terminal) {
		GT_TRY(gt_terminal_open(o->in, &r->terminal));
		resize(r);
	}
	return gt_copier_start(r->copier);
}

struct gt_error *gt_task_attach(struct gt_services *s, struct gt_call *call,
				const struct gt_task_options *o, uint32_t *status)
{
	struct run r = { .s = s, .call = call, .o = o, .exec_id = "", .joined = true };
	gt_auto(gt_task_state) t = { 0 };
	struct gt_exit exit = { 0 }, removed = { 0 };
	struct gt_error *e;

	GT_TRY(gt_tasks_get(s, call, o->id, "", &t));
	e = gt_waiter_open(s, call, o->id, "", &r.waiter);
	if (!e)
		e = join_stdio(&r, &t);
	if (!e)
		e = follow(&r, &exit);
	if (!e) {
		e = gt_error_unless(delete(&r, &removed), GT_NOT_FOUND);
		gt_copier_drain(r.copier);
		if (r.pump)
			gt_log_pump_drain(r.pump);
		gt_task_forget_stdio(&t);
		*status = exit.status;
	}
	run_done(&r);
	return e;
}

/*
 * Users are looked up in the snapshot, not in what the running container shows: it may be a FUSE.
 */
static struct gt_error *exec_user(struct gt_services *s, struct gt_call *call,
				  const struct gt_container *c, const char *user,
				  struct gt_spec *spec)
{
	gt_auto(gt_mounts) mounts = { 0 };
	gt_auto(gt_user) u = { 0 };
	gt_autofd int root = -1;

	if (*c->snapshot_key) {
		GT_TRY(gt_snapshots_mounts(s, call, c->snapshotter, c->snapshot_key, &mounts));
		GT_TRY(gt_rootfs_open(&mounts, false, &root));
	} else {
		gt_autoptr(gt_spec) whole = NULL;
		gt_autofree char *path = NULL;

		GT_TRY(gt_spec_parse(c->spec.data, c->spec.len, &whole));
		path = gt_spec_rootfs(whole);
		if (path && *path == '/')
			root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	GT_TRY(gt_user_resolve(user, root, &u));
	gt_spec_set_user(spec, &u);
	return NULL;
}

static struct gt_error *exec_process(struct gt_services *s, struct gt_call *call,
				     const struct gt_task_options *t,
				     const struct gt_exec_options *e, struct gt_any *out)
{
	gt_auto(gt_container) c = { 0 };
	gt_autoptr(gt_spec) whole = NULL;
	gt_autoptr(gt_spec) spec = NULL;

	GT_TRY(gt_containers_get(s, call, t->id, &c));
	GT_TRY(gt_spec_parse(c.spec.data, c.spec.len, &whole));
	GT_TRY(gt_spec_exec(whole, &e->args, &spec));
	if (e->cwd)
		GT_TRY(gt_spec_set_cwd(spec, e->cwd));
	GT_TRY(gt_spec_add_env(spec, &e->env));
	if (e->user && *e->user)
		GT_TRY(exec_user(s, call, &c, e->user, spec));
	if (t->terminal)
		gt_spec_set_tty(spec, true);
	gt_spec_process_any(spec, out);
	return NULL;
}

struct gt_error *gt_task_exec(struct gt_services *s, struct gt_call *call,
			      const struct gt_task_options *t, const struct gt_exec_options *x,
			      uint32_t *status)
{
	struct run r = { .s = s, .call = call, .o = t, .exec_id = x->exec_id };
	gt_auto(gt_any) process = { 0 };
	struct gt_error *e;

	GT_TRY(gt_identifier_check("exec id", x->exec_id));
	if (!x->args.n)
		return gt_error_new(GT_INVALID_ARGUMENT, "no arguments specified");
	GT_TRY(exec_process(s, call, t, x, &process));
	e = stdio_open(&r);
	if (!e) {
		struct gt_exec req = {
			.size = sizeof(req),
			.id = t->id,
			.exec_id = x->exec_id,
			.spec = &process,
			.stdio = r.stdio,
		};

		e = gt_tasks_exec(s, call, &req);
		if (!e)
			e = run(&r, 0, status);
	}
	run_done(&r);
	return e;
}

struct gt_error *gt_container_run(struct gt_services *s, struct gt_call *call,
				  const struct gt_container_options *c,
				  const struct gt_task_options *t, bool remove, uint32_t *status)
{
	gt_auto(gt_container) record = { 0 };
	struct gt_task_options task = *t;
	struct gt_call cleanup = *call;
	struct gt_error *e;

	if (remove && t->detach)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "flags --detach and --rm cannot be specified together");
	GT_TRY(gt_container_new(s, call, c, &record));
	task.id = c->id;
	task.terminal = c->tty;
	e = gt_task_run(s, call, &task, status);
	if (!remove)
		return e;
	cleanup.cancel = NULL;
	cleanup.deadline = 0;
	if (!e)
		return gt_container_remove_parts(s, &cleanup, &record, false);
	/* A task that goes on without us keeps its container. */
	return gt_error_first(e, gt_container_delete(s, &cleanup, c->id, false));
}

void gt_task_forget_stdio(const struct gt_task_state *t)
{
	gt_fifo_forget(t->in);
	gt_fifo_forget(t->out);
	gt_fifo_forget(t->err);
}

void gt_task_sweep_stdio(const char *fifo_dir)
{
	gt_fifos_sweep(fifo_dir);
}

static struct gt_call call_within(const struct gt_call *call, int ms)
{
	struct gt_call c = *call;
	int64_t end = gt_now() + ms * INT64_C(1000000);

	if (!c.deadline || c.deadline > end)
		c.deadline = end;
	return c;
}

static struct gt_error *kill_and_wait(struct gt_services *s, struct gt_call *call, const char *id,
				      const char *exec_id)
{
	gt_autoptr(gt_waiter) w = NULL;
	struct pollfd p = { .events = POLLIN };
	struct gt_call soon = call_within(call, KILL_WAIT_MS);
	struct gt_exit exit;
	struct gt_error *e;

	GT_TRY(gt_error_unless(gt_waiter_open(s, call, id, exec_id, &w), GT_NOT_FOUND));
	if (!w)
		return NULL;
	e = gt_tasks_kill(s, &soon, id, exec_id, SIGKILL, !*exec_id);
	e = gt_error_unless(gt_error_unless(e, GT_NOT_FOUND), GT_FAILED_PRECONDITION);
	p.fd = gt_waiter_fd(w);
	if (!e && poll(&p, 1, gt_call_left(&soon, KILL_WAIT_MS)) == 1)
		return gt_waiter_result(w, &exit);
	if (*exec_id)
		return gt_error_first(e, gt_error_new(GT_DEADLINE_EXCEEDED,
						      "process %s does not end", exec_id));
	gt_log_warn_take(e, "kill task %s", id);
	return gt_tasks_purge(s, call, id, &exit);
}

struct gt_error *gt_task_delete(struct gt_services *s, struct gt_call *call, const char *id,
				const char *exec_id, bool force, struct gt_exit *out)
{
	gt_auto(gt_task_state) t = { 0 };
	struct gt_exit exit = { 0 };
	struct gt_error *e;

	e = gt_tasks_get(s, call, id, exec_id, &t);
	/* A shim that does not answer will not kill either. */
	if (force && !*exec_id && gt_error_class(e) == GT_UNAVAILABLE) {
		gt_error_free(e);
		return gt_tasks_purge(s, call, id, out ? out : &exit);
	}
	GT_TRY(e);
	if (t.status == GT_TASK_RUNNING || t.status == GT_TASK_PAUSED ||
	    t.status == GT_TASK_PAUSING) {
		if (!force) {
			const char *word = t.status == GT_TASK_RUNNING ? "running" :
					   t.status == GT_TASK_PAUSED  ? "paused" :
									 "pausing";

			if (*exec_id)
				return gt_error_new(GT_FAILED_PRECONDITION,
						    "current process state: %s, process must be "
						    "stopped before deletion",
						    word);
			return gt_error_new(GT_FAILED_PRECONDITION,
					    "task must be stopped before deletion: %s", word);
		}
		GT_TRY(kill_and_wait(s, call, id, exec_id));
	}
	e = gt_tasks_remove(s, call, id, exec_id, &exit);
	if (force) /* a purge has deleted it by now */
		e = gt_error_unless(e, GT_NOT_FOUND);
	GT_TRY(e);
	gt_task_forget_stdio(&t);
	if (out)
		*out = exit;
	return NULL;
}
