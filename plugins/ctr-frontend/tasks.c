/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "checkpoint.h"
#include "commands.h"
#include "lookup.h"
#include "network.h"
#include "table.h"
#include "tasks.h"

#include <gantry/buf.h>

#include <client/task.h>

#include <string.h>

struct listing {
	struct ctr *c;
	struct ctr_table *table;
};

static const struct ctr_column list_columns[] = {
	{ "TASK", "task" }, { "PID", "pid" }, { "STATUS", "status" }, { 0 },
};

static struct gt_error *add_task(void *arg, const struct gt_task_state *t)
{
	struct listing *l = arg;

	if (ctr_bool(l->c, "quiet")) {
		fprintf(l->c->out, "%s\n", t->id);
		return NULL;
	}
	ctr_cell(l->table, t->id);
	ctr_cell_int(l->table, t->pid);
	ctr_cell(l->table, gt_task_status_name(t->status));
	return NULL;
}

static struct gt_error *run_list(struct ctr *c)
{
	struct listing l = { .c = c };
	gt_autoptr(ctr_table) table = NULL;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	l.table = table = ctr_table_new(c, list_columns, 4, 4, CTR_OPEN);
	GT_TRY(gt_tasks_list(s, &c->call, add_task, &l));
	if (!ctr_bool(c, "quiet"))
		ctr_table_print(gt_steal(&table), true);
	return NULL;
}

static struct gt_error *need_id(const struct ctr *c)
{
	if (!*ctr_arg(c, 0))
		return ctr_usage_error("container id must be provided");
	return NULL;
}

static struct gt_error *run_kill(struct ctr *c)
{
	const char *id = ctr_arg(c, 0), *exec = ctr_string(c, "exec-id");
	bool all = ctr_bool(c, "all");
	gt_auto(gt_container) record = { 0 };
	gt_auto(gt_task_state) task = { 0 };
	struct gt_error *bad = NULL;
	struct gt_services *s;
	int signal;

	GT_TRY(need_id(c));
	if (*exec && all)
		return ctr_usage_error("specify an exec-id or all; not both");
	if (*ctr_string(c, "signal"))
		bad = gt_signal_parse(ctr_string(c, "signal"), &signal);
	if (bad) {
		gt_error_free(bad);
		return ctr_usage_error("invalid signal: %s", ctr_string(c, "signal"));
	}
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_container(c, s, id, &record));
	if (!*ctr_string(c, "signal"))
		GT_TRY(gt_container_stop_signal(&record, &signal));
	GT_TRY(ctr_find_task(c, s, id, &task));
	return ctr_service_error(gt_tasks_kill(s, &c->call, id, exec, (uint32_t)signal, all));
}

/* An exec's end is the program's own. */
static struct gt_error *delete_exec(struct ctr *c, struct gt_services *s, const char *id,
				    const char *exec)
{
	gt_auto(gt_task_state) task = { 0 };
	struct gt_exit end = { 0 };
	struct gt_error *e;

	GT_TRY(ctr_find_task(c, s, id, &task));
	e = gt_task_delete(s, &c->call, id, exec, ctr_bool(c, "force"), &end);
	if (gt_error_class(e) == GT_NOT_FOUND)
		e = gt_error_wrap(e, "no running process found");
	GT_TRY(e);
	c->status = (int)end.status;
	return NULL;
}

static struct gt_error *run_delete(struct ctr *c)
{
	const char *exec = ctr_string(c, "exec-id");
	struct gt_error *kept = NULL;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	if (*exec)
		return delete_exec(c, s, ctr_arg(c, 0), exec);
	for (size_t i = 0; i < ctr_n_args(c); i++) {
		const char *id = ctr_arg(c, i);
		gt_auto(gt_task_state) task = { 0 };
		struct gt_exit end = { 0 };

		if (ctr_keep_error(c, &kept, ctr_find_task(c, s, id, &task),
				   "failed to load task from %s", id))
			continue;
		if (ctr_keep_error(c, &kept,
				   gt_task_delete(s, &c->call, id, "", ctr_bool(c, "force"), &end),
				   "unable to delete %s", id))
			continue;
		if (ctr_keep_error(c, &kept, ctr_network_down(c, id, false), "network of %s", id))
			continue;
		if (end.status)
			ctr_log(c, "warning", NULL, "task %s exit with non-zero exit code %u", id,
				end.status);
	}
	return kept;
}

static struct gt_error *run_pause(struct ctr *c)
{
	bool resume = !strcmp(c->command->name, "resume");
	gt_auto(gt_task_state) task = { 0 };
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_task(c, s, ctr_arg(c, 0), &task));
	return ctr_service_error(
		(resume ? gt_tasks_resume : gt_tasks_pause)(s, &c->call, ctr_arg(c, 0)));
}

static const struct ctr_flag list_flags[] = {
	{ .name = "quiet", .alias = "q", .type = CTR_BOOL, .text = "print the ids only" },
	{ 0 },
};

static const struct ctr_flag kill_flags[] = {
	{ .name = "signal",
	  .alias = "s",
	  .type = CTR_STRING,
	  .text = "name or number; without, the one that the image asks for, else SIGTERM" },
	{ .name = "exec-id", .type = CTR_STRING, .text = "only that further process" },
	{ .name = "all", .alias = "a", .type = CTR_BOOL, .text = "all processes in the container" },
	{ 0 },
};

static const struct ctr_flag delete_flags[] = {
	{ .name = "force", .alias = "f", .type = CTR_BOOL, .text = "kill the process first" },
	{ .name = "exec-id", .type = CTR_STRING, .text = "only that further process" },
	{ 0 },
};

static const struct ctr_command delete_command = {
	.name = "delete",
	.aliases = "del, remove, rm",
	.text = "delete tasks that have ended",
	.args = "CONTAINER [CONTAINER, ...]",
	.flags = (const struct ctr_flag *const[]){ delete_flags, NULL },
	.run = run_delete,
};

static const struct ctr_command list = {
	.name = "list",
	.aliases = "ls",
	.text = "list the tasks",
	.args = "[flags]",
	.flags = (const struct ctr_flag *const[]){ list_flags, ctr_json_flag, NULL },
	.run = run_list,
};

static const struct ctr_command kill_command = {
	.name = "kill",
	.text = "send a signal to a container's process",
	.args = "[flags] CONTAINER",
	.flags = (const struct ctr_flag *const[]){ kill_flags, NULL },
	.run = run_kill,
};

static const struct ctr_command pause_command = {
	.name = "pause",
	.text = "freeze a container",
	.args = "CONTAINER",
	.run = run_pause,
};

static const struct ctr_command resume_command = {
	.name = "resume",
	.text = "have a frozen container go on",
	.args = "CONTAINER",
	.run = run_pause,
};

const struct ctr_command ctr_tasks = {
	.name = "tasks",
	.aliases = "t, task",
	.text = "manage tasks: containers that run",
	.commands = (const struct ctr_command *const[]){ &ctr_task_attach, &ctr_task_checkpoint, &delete_command, &ctr_task_exec, &list,
							 &kill_command, &pause_command,
							 &ctr_task_ps, &resume_command,
							 &ctr_task_start, &ctr_task_metrics,
							 NULL },
};
