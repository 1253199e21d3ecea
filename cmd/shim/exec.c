/* SPDX-License-Identifier: Apache-2.0 */
/* Further processes in a container: added by Exec, started by Start. */
#include <config.h>

#include "events.h"
#include "spec.h"
#include "task.h"

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/file.h>

#include <containerd.events.pb-c.h>

#include <fcntl.h>
#include <string.h>

typedef Containerd__Task__V2__ExecProcessRequest Request;

struct exec {
	struct op op; /* first */
	struct console console;
	char *document; /* a file, until the runtime has read it */
	char *pid_file;
};

static struct gt_error *exec_check(struct container *c, const Request *r)
{
	GT_TRY(gt_identifier_check("identifier", r->exec_id));
	if (process_find(c, r->exec_id))
		return gt_error_new(GT_ALREADY_EXISTS, "id %s", r->exec_id);
	if (c->paused || c->pausing)
		return gt_error_new(GT_UNKNOWN, "cannot exec in a paused state");
	if (c->init.state == PROCESS_STOPPED)
		return gt_error_new(GT_UNKNOWN, "cannot exec in a stopped state");
	if (!r->spec || !r->spec->value.len)
		return gt_error_new(GT_INVALID_ARGUMENT, "exec without a process document");
	return NULL;
}

void task_exec(struct container *c, struct gt_ttrpc_call *call)
{
	const Request *r = (const Request *)call->request;
	struct gt_error *e = exec_check(c, r);
	Containerd__Events__TaskExecAdded ev = CONTAINERD__EVENTS__TASK_EXEC_ADDED__INIT;
	struct process *p;

	if (e) {
		gt_ttrpc_answer_error_take(call, e);
		return;
	}
	p = gt_xcalloc(1, sizeof(*p));
	process_init(p, c, r->exec_id);
	p->in = gt_xstrdup(r->stdin);
	p->out = gt_xstrdup(r->stdout);
	p->err = gt_xstrdup(r->stderr);
	p->terminal = r->terminal;
	p->spec_len = r->spec->value.len;
	p->spec = gt_xmemdup(r->spec->value.data, p->spec_len);
	p->next = c->execs;
	c->execs = p;
	ev.container_id = c->id;
	ev.exec_id = p->exec_id;
	events_publish(c->shim->events, &ev.base);
	answer_empty(call);
}

static void exec_free(struct exec *x)
{
	struct shim *shim = x->op.process->container->shim;

	if (!--shim->n_unknown)
		shim->n_early = 0;
	console_close(&x->console);
	if (x->document)
		unlink(x->document);
	if (x->pid_file)
		unlink(x->pid_file);
	free(x->document);
	free(x->pid_file);
	free(x);
}

static void exec_tell(struct exec *x)
{
	struct process *p = x->op.process;
	Containerd__Task__V2__StartResponse m = CONTAINERD__TASK__V2__START_RESPONSE__INIT;
	Containerd__Events__TaskExecStarted ev = CONTAINERD__EVENTS__TASK_EXEC_STARTED__INIT;

	p->state = PROCESS_RUNNING;
	ev.container_id = p->container->id;
	ev.exec_id = p->exec_id;
	ev.pid = p->pid;
	events_publish(p->container->shim->events, &ev.base);
	m.pid = p->pid;
	op_answer(&x->op, &m.base);
}

/* Takes 'e'. The exec may be gone after this: a delete has waited for it. */
static void exec_end(struct exec *x, struct gt_error *e)
{
	struct process *p = x->op.process;
	struct container *c = p->container;

	if (e) {
		io_close(&p->io);
		op_answer_error(&x->op, e);
		exec_free(x);
		process_never_ran(p);
		process_exec_over(c);
	} else {
		exec_tell(x);
		process_known(p);
		exec_free(x);
		process_started(p);
	}
	process_leave(p);
}

static struct gt_error *exec_started(struct exec *x)
{
	struct process *p = x->op.process;
	int master;

	GT_TRY(runtime_pid_read(x->pid_file, &p->pid));
	if (p->terminal) {
		GT_TRY(gt_error_wrap(console_receive(&x->console, &master), "receive the console"));
		GT_TRY(io_console_take(&p->io, master));
	}
	return io_stdin_begin(&p->io);
}

static void exec_done(struct run *r, struct gt_error *e)
{
	struct exec *x = (struct exec *)r;

	io_started(&x->op.process->io);
	e = runtime_error_take(r, e, "OCI runtime exec failed");
	if (!e)
		e = exec_started(x);
	exec_end(x, e);
}

static struct gt_error *exec_run(struct exec *x)
{
	struct process *p = x->op.process;
	struct container *c = p->container;
	gt_auto(gt_buf) document = GT_BUF_INIT;
	struct gt_strv argv = { 0 };

	GT_TRY(spec_process(p->spec, p->spec_len, p->terminal, &document));
	free(p->spec);
	p->spec = NULL;
	x->document = gt_strf("%s/%s.process.json", c->bundle, p->exec_id);
	x->pid_file = gt_strf("%s/%s.pid", c->bundle, p->exec_id);
	GT_TRY(gt_file_write(AT_FDCWD, x->document, document.s, document.len, 0600, false));
	runtime_argv(&c->runtime, &argv);
	gt_strv_add(&argv, "exec");
	gt_strv_add(&argv, "--process");
	gt_strv_add(&argv, x->document);
	if (p->terminal) {
		struct gt_error *e = console_open(&x->console);

		if (e) {
			gt_strv_done(&argv);
			return e;
		}
		gt_strv_add(&argv, "--console-socket");
		gt_strv_add(&argv, x->console.path);
	}
	gt_strv_add(&argv, "--detach");
	gt_strv_add(&argv, "--pid-file");
	gt_strv_add(&argv, x->pid_file);
	gt_strv_add(&argv, c->id);
	x->op.run.done = exec_done;
	return run_start_take(c->shim, &x->op.run, &c->runtime, &argv,
			      &(struct run_stdio){ .fds = p->io.child }, c->bundle,
			      op_time(&x->op, LONG_TIMEOUT));
}

static void exec_ready(void *arg, struct gt_error *e)
{
	struct exec *x = arg;

	if (!e)
		e = exec_run(x);
	if (e)
		exec_end(x, e);
}

void task_exec_start(struct process *p, struct gt_ttrpc_call *call)
{
	struct container *c = p->container;
	struct gt_error *e = NULL;
	struct exec *x;

	if (p->state == PROCESS_RUNNING)
		e = gt_error_new(GT_UNKNOWN, "cannot start a running process");
	else if (p->state == PROCESS_STOPPED)
		e = gt_error_new(GT_UNKNOWN, "cannot start a stopped process");
	else if (c->init.state != PROCESS_RUNNING || c->init.ended)
		e = gt_error_new(GT_FAILED_PRECONDITION,
				 "container %s init process is not running", c->id);
	if (e) {
		gt_ttrpc_answer_error_take(call, e);
		return;
	}
	x = gt_xcalloc(1, sizeof(*x));
	x->console = (struct console)CONSOLE_INIT;
	op_bind(&x->op, p, call);
	p->busy = p->starting = true;
	c->n_active++;
	c->shim->n_unknown++;
	io_open(&p->io,
		&(struct io_spec){
			.in = p->in,
			.out = p->out,
			.err = p->err,
			.terminal = p->terminal,
			.uid = c->runtime.options.io_uid,
			.gid = c->runtime.options.io_gid,
			.id = c->id,
		},
		exec_ready, x);
}
