/* SPDX-License-Identifier: Apache-2.0 */
/* `tasks metrics` and `tasks ps`: what the kernel and the shim say of a running container. */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "lookup.h"
#include "message.h"
#include "table.h"
#include "tasks.h"

#include <gantry/buf.h>

#include <containerd.runc.v1.pb-c.h>
#include <io.containerd.cgroups.v1.pb-c.h>
#include <io.containerd.cgroups.v2.pb-c.h>

#include <string.h>

struct line {
	const char *title; /* NULL ends the table */
	const char *path; /* in the message */
};

static const struct line lines_v1[] = {
	{ "memory.usage_in_bytes", "memory.usage.usage" },
	{ "memory.limit_in_bytes", "memory.usage.limit" },
	{ "memory.stat.cache", "memory.total_cache" },
	{ "cpuacct.usage", "cpu.usage.total" },
	{ "cpuacct.usage_percpu", "cpu.usage.per_cpu" },
	{ "pids.current", "pids.current" },
	{ "pids.limit", "pids.limit" },
	{ 0 },
};

static const struct line lines_v2[] = {
	{ "pids.current", "pids.current" },
	{ "pids.limit", "pids.limit" },
	{ "cpu.usage_usec", "cpu.usage_usec" },
	{ "cpu.user_usec", "cpu.user_usec" },
	{ "cpu.system_usec", "cpu.system_usec" },
	{ "cpu.nr_periods", "cpu.nr_periods" },
	{ "cpu.nr_throttled", "cpu.nr_throttled" },
	{ "cpu.throttled_usec", "cpu.throttled_usec" },
	{ "memory.usage", "memory.usage" },
	{ "memory.usage_limit", "memory.usage_limit" },
	{ "memory.swap_usage", "memory.swap_usage" },
	{ "memory.swap_limit", "memory.swap_limit" },
	{ 0 },
};

static const struct ctr_column id_columns[] = { { "ID", "id" }, { "TIMESTAMP", "timestamp" }, { 0 } };
static const struct ctr_column value_columns[] = { { "METRIC", "metric" }, { "VALUE", "value" }, { 0 } };

static void print_table(struct ctr *c, const struct gt_metric *m, const ProtobufCMessage *stats,
			const struct line *lines)
{
	gt_autofree char *when = ctr_time_go(m->timestamp);
	struct ctr_table *t = ctr_table_new(c, id_columns, 1, 4, 0);

	ctr_cell(t, m->id);
	ctr_cell(t, when);
	ctr_table_print(t, true);
	fprintf(c->out, "\n");
	t = ctr_table_new(c, value_columns, 1, 4, 0);
	for (; lines->title; lines++) {
		gt_autofree char *value = ctr_message_number(stats, lines->path);

		ctr_cell(t, lines->title);
		ctr_cell(t, value);
	}
	ctr_table_print(t, true);
}

struct metrics {
	struct ctr *c;
	bool json, found;
};

static struct gt_error *print_metric(void *arg, const struct gt_metric *m)
{
	const ProtobufCMessageDescriptor *type;
	struct metrics *x = arg;
	const struct line *lines;
	ProtobufCMessage *stats;

	if (strcmp(m->id, ctr_arg(x->c, 0)))
		return NULL;
	if (gt_any_is(&m->data, "io.containerd.cgroups.v1.Metrics")) {
		type = &io__containerd__cgroups__v1__metrics__descriptor;
		lines = lines_v1;
	} else if (gt_any_is(&m->data, "io.containerd.cgroups.v2.Metrics")) {
		type = &io__containerd__cgroups__v2__metrics__descriptor;
		lines = lines_v2;
	} else {
		return gt_error_new(GT_UNKNOWN, "cannot convert metric data to cgroups.Metrics");
	}
	stats = protobuf_c_message_unpack(type, NULL, m->data.len, m->data.data);
	if (!stats)
		return gt_error_new(GT_DATA_LOSS, "metrics of %s are no %s", m->id, type->name);
	x->found = true;
	if (x->json)
		ctr_json_print(x->c->out, ctr_message_json(stats), 2);
	else
		print_table(x->c, m, stats, lines);
	protobuf_c_message_free_unpacked(stats, NULL);
	return NULL;
}

static struct gt_error *run_metrics(struct ctr *c)
{
	const char *format = ctr_string(c, "format");
	struct metrics x = { .c = c, .json = !strcmp(format, "json") || ctr_bool(c, "json") };
	gt_auto(gt_task_state) task = { 0 };
	gt_auto(gt_strv) filters = { 0 };
	gt_auto(gt_buf) filter = GT_BUF_INIT;
	struct gt_services *s;

	if (!x.json && strcmp(format, "table"))
		return ctr_usage_error("format must be table or json");
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_task(c, s, ctr_arg(c, 0), &task));
	gt_buf_adds(&filter, "id==");
	gt_buf_addq(&filter, ctr_arg(c, 0));
	gt_strv_add(&filters, filter.s);
	GT_TRY(gt_tasks_metrics(s, &c->call, &filters, print_metric, &x));
	if (!x.found)
		return gt_error_new(GT_NOT_FOUND, "metrics of task %s", ctr_arg(c, 0));
	return NULL;
}

static const struct ctr_column ps_columns[] = { { "PID", "pid" }, { "INFO", "info" }, { 0 } };

/* Text as protobuf's text format has it: exec_id:"X". */
static struct gt_error *process_info(const struct gt_process_info *p, struct gt_buf *out)
{
	Containerd__Runc__V1__ProcessDetails *d;

	if (!p->info.type_url)
		return NULL;
	if (!gt_any_is(&p->info, "containerd.runc.v1.ProcessDetails")) {
		gt_buf_adds(out, p->info.type_url);
		return NULL;
	}
	d = containerd__runc__v1__process_details__unpack(NULL, p->info.len, p->info.data);
	if (!d)
		return gt_error_new(GT_DATA_LOSS, "details of process %u", p->pid);
	gt_buf_adds(out, "exec_id:");
	gt_buf_addq(out, d->exec_id);
	containerd__runc__v1__process_details__free_unpacked(d, NULL);
	return NULL;
}

static struct gt_error *run_ps(struct ctr *c)
{
	gt_auto(gt_processes) all = { 0 };
	gt_auto(gt_task_state) task = { 0 };
	gt_autoptr(ctr_table) table = NULL;
	struct gt_services *s;

	if (!*ctr_arg(c, 0))
		return ctr_usage_error("container id must be provided");
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_task(c, s, ctr_arg(c, 0), &task));
	GT_TRY(gt_tasks_pids(s, &c->call, ctr_arg(c, 0), &all));
	table = ctr_table_new(c, ps_columns, 1, 4, CTR_OPEN | CTR_OPEN_TITLE);
	for (size_t i = 0; i < all.n; i++) {
		gt_auto(gt_buf) info = GT_BUF_INIT;

		GT_TRY(process_info(&all.v[i], &info));
		ctr_cell_int(table, all.v[i].pid);
		ctr_cell_or_dash(table, info.s);
	}
	ctr_table_print(gt_steal(&table), true);
	return NULL;
}

static const struct ctr_flag metrics_flags[] = {
	{ .name = "format", .type = CTR_STRING, .value = "table", .text = "\"table\" or \"json\"" },
	{ 0 },
};

const struct ctr_command ctr_task_metrics = {
	.name = "metrics",
	.aliases = "metric",
	.text = "show what a container uses of processors, memory and processes",
	.args = "CONTAINER",
	.flags = (const struct ctr_flag *const[]){ metrics_flags, ctr_json_flag, NULL },
	.run = run_metrics,
};

const struct ctr_command ctr_task_ps = {
	.name = "ps",
	.text = "list the processes in a container",
	.args = "CONTAINER",
	.flags = (const struct ctr_flag *const[]){ ctr_json_flag, NULL },
	.run = run_ps,
};
