/* SPDX-License-Identifier: Apache-2.0 */
/* `tasks start` and `tasks exec`: a process with the user's own stdio. */
#include <config.h>

#include "commands.h"
#include "create.h"
#include "lookup.h"
#include "network.h"
#include "tasks.h"

#include <client/task.h>
#include <proc/grace.h>

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

struct started {
	struct ctr *c;
	const char *id;
	bool network;
};

static struct gt_error *created(void *arg, uint32_t pid)
{
	const struct started *s = arg;

	GT_TRY(ctr_write_pid(ctr_string(s->c, "pid-file"), pid));
	return s->network ? ctr_network_up(s->c, s->id, pid) : NULL;
}

static struct gt_error *run_start(struct ctr *c)
{
	gt_autoptr(gt_signals) signals = NULL;
	gt_auto(gt_container) record = { 0 };
	gt_autoptr(gt_spec) spec = NULL;
	gt_autofree char *fifo_dir = NULL;
	struct started started = { .c = c, .id = ctr_arg(c, 0) };
	struct gt_task_options t = {
		.id = ctr_arg(c, 0),
		.detach = ctr_bool(c, "detach"),
		.null_io = ctr_bool(c, "null-io"),
		.log_uri = or_null(ctr_string(c, "log-uri")),
		.in = STDIN_FILENO,
		.out = STDOUT_FILENO,
		.err = STDERR_FILENO,
		.no_pivot = ctr_bool(c, "no-pivot"),
		.created = created,
		.arg = &started,
	};
	gt_auto(gt_grace) grace = { 0 };
	uint32_t status = 0;
	struct gt_services *s;
	struct gt_error *e;

	if (!*t.id)
		return ctr_usage_error("container id must be provided");
	if (!t.detach)
		GT_TRY(gt_signals_open(&signals));
	gt_grace_begin(&grace);
	t.signals = signals;
	t.fifo_dir = fifo_dir = ctr_fifo_dir(c);
	t.fifos = *ctr_string(c, "fifo-dir");
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_container(c, s, t.id, &record));
	GT_TRY(gt_spec_parse(record.spec.data, record.spec.len, &spec));
	t.terminal = gt_spec_tty(spec);
	if (t.terminal && t.null_io)
		return ctr_usage_error("tty and null-io cannot be used together");
	started.network = ctr_network_wanted(&record);
	e = gt_task_run(s, &c->call, &t, &status);
	if (started.network && (e || !t.detach))
		e = gt_error_first(e, ctr_network_after(c, s, t.id));
	GT_TRY(e);
	c->status = (int)status;
	return NULL;
}

static struct gt_error *run_exec(struct ctr *c)
{
	gt_autoptr(gt_signals) signals = NULL;
	gt_autofree char *fifo_dir = NULL;
	gt_auto(gt_container) record = { 0 };
	gt_auto(gt_task_state) task = { 0 };
	struct gt_task_options t = {
		.id = ctr_arg(c, 0),
		.terminal = ctr_bool(c, "tty"),
		.detach = ctr_bool(c, "detach"),
		.log_uri = or_null(ctr_string(c, "log-uri")),
		.in = STDIN_FILENO,
		.out = STDOUT_FILENO,
		.err = STDERR_FILENO,
	};
	struct gt_exec_options e = {
		.exec_id = ctr_string(c, "exec-id"),
		.args = ctr_args_from(c, 1),
		.cwd = or_null(ctr_string(c, "cwd")),
		.user = or_null(ctr_string(c, "user")),
	};
	gt_auto(gt_grace) grace = { 0 };
	struct gt_error *failed;
	uint32_t status = 0;
	struct gt_services *s;

	if (!*t.id)
		return ctr_usage_error("container id must be provided");
	if (t.log_uri && t.terminal)
		return ctr_usage_error("can't use log-uri with tty");
	if (t.log_uri && *ctr_string(c, "fifo-dir"))
		return ctr_usage_error("can't use log-uri with fifo-dir");
	if (!t.detach)
		GT_TRY(gt_signals_open(&signals));
	gt_grace_begin(&grace);
	t.signals = signals;
	t.fifo_dir = fifo_dir = ctr_fifo_dir(c);
	t.fifos = *ctr_string(c, "fifo-dir");
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_container(c, s, t.id, &record));
	/* That there is a task is seen in passing; it is asked for where there seems to be none. */
	failed = ctr_service_error(gt_task_exec(s, &c->call, &t, &e, &status));
	if (gt_error_class(failed) == GT_NOT_FOUND)
		failed = gt_error_first(ctr_find_task(c, s, t.id, &task), failed);
	GT_TRY(failed);
	c->status = (int)status;
	return NULL;
}

static struct gt_error *run_attach(struct ctr *c)
{
	gt_autoptr(gt_signals) signals = NULL;
	gt_auto(gt_task_state) task = { 0 };
	struct gt_task_options t = {
		.id = ctr_arg(c, 0),
		.in = STDIN_FILENO,
		.out = STDOUT_FILENO,
		.err = STDERR_FILENO,
	};
	uint32_t status = 0;
	struct gt_services *s;

	GT_TRY(gt_signals_open(&signals));
	t.signals = signals;
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_task(c, s, t.id, &task));
	GT_TRY(gt_task_attach(s, &c->call, &t, &status));
	c->status = (int)status;
	return NULL;
}

static const struct ctr_flag start_flags[] = {
	{ .name = "no-pivot", .type = CTR_BOOL, .text = "change the root by chroot, as on a ramdisk" },
	{ .name = "null-io", .type = CTR_BOOL, .text = "connect the process to /dev/null" },
	{ .name = "log-uri",
	  .type = CTR_STRING,
	  .text = "where output goes: file:///PATH, or binary:///PATH for a logging program" },
	{ .name = "fifo-dir", .type = CTR_STRING, .text = "folder for the FIFOs of stdio" },
	{ .name = "pid-file", .type = CTR_STRING, .text = "file to write the process's pid to" },
	{ .name = "detach", .alias = "d", .type = CTR_BOOL, .text = "leave it running and return" },
	{ 0 },
};

static const struct ctr_flag exec_flags[] = {
	{ .name = "cwd", .type = CTR_STRING, .text = "working folder of the process" },
	{ .name = "tty", .alias = "t", .type = CTR_BOOL, .text = "give the process a terminal" },
	{ .name = "detach", .alias = "d", .type = CTR_BOOL, .text = "leave it running and return" },
	{ .name = "exec-id",
	  .type = CTR_STRING,
	  .bits = CTR_REQUIRED,
	  .text = "id for the process, unique in its container" },
	{ .name = "fifo-dir", .type = CTR_STRING, .text = "folder for the FIFOs of stdio" },
	{ .name = "log-uri",
	  .type = CTR_STRING,
	  .text = "where output goes: file:///PATH, or binary:///PATH for a logging program" },
	{ .name = "user", .type = CTR_STRING, .text = "`NAME|UID[:GROUP|GID]`" },
	{ 0 },
};

const struct ctr_command ctr_task_start = {
	.name = "start",
	.text = "run a container that has been created",
	.args = "[flags] CONTAINER",
	.flags = (const struct ctr_flag *const[]){ start_flags, NULL },
	.run = run_start,
};

const struct ctr_command ctr_task_attach = {
	.name = "attach",
	.text = "connect to the standard streams of a container that runs",
	.args = "CONTAINER",
	.more = "Shows what nobody has seen yet of its output, at most 64 KiB, and what comes. The program\n"
		"ends with the container's exit status, and deletes the task then.",
	.run = run_attach,
};

const struct ctr_command ctr_task_exec = {
	.name = "exec",
	.text = "run a further process in a container",
	.args = "[flags] CONTAINER CMD [ARG...]",
	.flags = (const struct ctr_flag *const[]){ exec_flags, NULL },
	.run = run_exec,
	.bits = CTR_FLAGS_FIRST,
};
