/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <shim/message.h>
#include <shim/program.h>
#include <shim/sandbox.h>
#include <shim/task.h>

#include <proc/grace.h>
#include <outlog/outlog.h>
#include <ttrpc/frame.h>

#include <containerd.task.v2.pb-c.h>
#include <fcntl.h>
#include <string.h>

/* What a new task is made of. */
struct creation {
	struct gt_shim_runtime *runtime;
	struct gt_call *call;
	const struct gt_task_create *req;
	const char *program;
	const struct gt_any *start, *options;
	struct gt_bundle *bundle;
	struct gt_shim_task *task;
};

static struct gt_error *make_bundle(struct creation *c)
{
	struct gt_shim_runtime *r = c->runtime;
	struct gt_error *e = NULL;

	if (!c->req->spec || !c->req->spec->len)
		return gt_error_new(GT_INVALID_ARGUMENT, "task %s has no spec", c->req->id);
	for (int i = 0; i < 2; i++) {
		bool gone = false;

		e = gt_bundle_make(&r->bundles, c->call->ns, c->req->id, c->req->spec, c->program,
				   c->bundle);
		if (gt_error_class(e) != GT_ALREADY_EXISTS)
			return e;
		if (i == 0)
			e = gt_error_first(gt_shim_sweep(r, c->call, c->req->id, &gone), e);
		if (!gone)
			break;
		gt_error_free(gt_steal(&e));
	}
	return e;
}

/* A log in bounded files is written by our own shim alone; others get no stdio in its place. */
static struct gt_stdio stdio_of(const char *program, const struct gt_stdio *wanted)
{
	if (gt_outlog_is_uri(wanted->out) && !gt_shim_program_is_ours(program))
		return (struct gt_stdio){ .terminal = wanted->terminal };
	return *wanted;
}

static struct gt_error *call_create(struct creation *c, uint32_t *pid)
{
	Containerd__Task__V2__CreateTaskRequest m = CONTAINERD__TASK__V2__CREATE_TASK_REQUEST__INIT;
	Google__Protobuf__Any options = GOOGLE__PROTOBUF__ANY__INIT;
	struct gt_stdio stdio = stdio_of(c->program, &c->req->stdio);
	bool restore = c->req->checkpoint && *c->req->checkpoint;
	ProtobufCMessage *reply = NULL;
	struct gt_error *e;

	m.id = gt_shim_string(c->req->id);
	m.bundle = c->bundle->path;
	m.rootfs = gt_shim_mounts_message(c->req->rootfs);
	m.n_rootfs = m.rootfs ? c->req->rootfs->n : 0;
	m.terminal = stdio.terminal;
	m.stdin = gt_shim_string(stdio.in);
	m.stdout = gt_shim_string(stdio.out);
	m.stderr = gt_shim_string(stdio.err);
	m.checkpoint = gt_shim_string(c->req->checkpoint);
	if (c->options && c->options->type_url) {
		gt_shim_any_message(c->options, &options);
		m.options = &options;
	}
	e = gt_shim_task_call(c->task, c->call, restore ? GT_SHIM_CHECKPOINT : GT_SHIM_TASK,
			      "Create", &m.base,
			      &containerd__task__v2__create_task_response__descriptor, &reply);
	gt_shim_mounts_free(m.rootfs);
	GT_TRY(gt_error_wrap(e, "failed to create shim task")); /* containerd's words */
	*pid = ((Containerd__Task__V2__CreateTaskResponse *)reply)->pid;
	gt_ttrpc_message_free(reply);
	return NULL;
}

/* A shim that died has told the FIFO why, if anybody: its last line goes before the error. */
static struct gt_error *add_log(int log, struct gt_error *e)
{
	char text[16384];
	ssize_t n = log >= 0 ? read(log, text, sizeof(text) - 1) : -1;
	char *line;

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\0'))
		n--;
	if (n <= 0)
		return e;
	text[n] = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = ' ';
	return gt_error_wrap(e, "shim says: %.500s", line);
}

/* The shim of the sandbox that the task belongs to, if that holds tasks too: else no address. */
static struct gt_error *find_sandbox(const struct creation *c, struct gt_shim_endpoint *at)
{
	const struct gt_shim_settings *s = &c->runtime->settings;
	struct gt_bundles all;
	struct gt_error *e;

	if (!c->req->sandbox || !*c->req->sandbox)
		return NULL;
	gt_bundles_init(&all, s->state, s->root, GT_SHIM_SANDBOXES);
	e = gt_shim_sandbox_endpoint(&all, c->call->ns, c->req->sandbox, at);
	gt_bundles_done(&all);
	if (gt_error_class(e) == GT_NOT_FOUND) { /* a name that only groups, or one held by a container */
		gt_error_free(e);
		e = NULL;
	}
	if (e || !at->address || at->version >= 3)
		return e;
	gt_shim_endpoint_done(at);
	return NULL;
}

/* A shim of the task's own, or of its group. */
static struct gt_error *start_shim(const struct creation *c, struct gt_shim_endpoint *at)
{
	const struct gt_shim_settings *s = &c->runtime->settings;
	struct gt_call within = gt_shim_call_within(c->call, s->config->start_timeout);
	struct gt_error *e = gt_shim_program_start(s, c->bundle, &within, c->program, c->start, at);

	if (gt_error_class(e) == GT_DEADLINE_EXCEEDED && within.deadline != c->call->deadline)
		e = gt_error_reclass(e, GT_UNAVAILABLE);
	return e;
}

static struct gt_error *bring_up(struct creation *c, uint32_t *pid)
{
	struct gt_shim_runtime *r = c->runtime;
	struct gt_shim_endpoint at = { 0 };
	struct gt_error *e;
	bool dead;
	/* A shim waits for a reader before it serves; afterwards it can do without. */
	gt_autofd int log = openat(c->bundle->fd, "log", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (!r->settings.lazy_work || (c->req->checkpoint && *c->req->checkpoint))
		GT_TRY(gt_bundle_work(c->bundle));
	GT_TRY(find_sandbox(c, &at));
	if (at.address)
		e = gt_bundle_attach(c->bundle, c->req->sandbox);
	else
		e = start_shim(c, &at);
	if (!e)
		e = gt_shim_endpoint_save(c->bundle->fd, &at);
	if (!e)
		e = gt_shim_task_connect(r, c->call, &at, c->req->id, &dead, &c->task);
	gt_shim_endpoint_done(&at);
	if (!e)
		e = call_create(c, pid);
	if (c->task && gt_error_class(e) == GT_UNAVAILABLE)
		e = add_log(log, e);
	return e;
}

/* Nothing of it may be left; how that went is of less interest than why it is done. */
static void undo(struct creation *c)
{
	struct gt_call call = GT_CALL_INIT; /* the other may be over */
	struct gt_exit exit;

	call.ns = c->call->ns;
	if (c->task)
		gt_shim_dismiss(c->runtime, &call, c->task, c->bundle);
	gt_error_free(gt_shim_wreck_remove(c->runtime, &call, c->bundle, &exit));
}

struct gt_error *gt_shim_runtime_create(struct gt_shim_runtime *r, struct gt_call *call,
					const struct gt_task_create *req, const char *program,
					const struct gt_any *start, const struct gt_any *options,
					uint32_t *pid)
{
	gt_auto(gt_bundle) bundle = GT_BUNDLE_INIT;
	struct creation c = { .runtime = r, .call = call, .req = req, .program = program,
			      .start = start, .options = options, .bundle = &bundle };
	gt_auto(gt_grace) grace = { 0 };
	struct gt_error *e;

	GT_TRY(make_bundle(&c));
	gt_grace_begin(&grace); /* while the shim starts */
	e = bring_up(&c, pid);
	if (e)
		undo(&c);
	gt_shim_task_free(c.task);
	return e;
}
