/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container_*, under containerd's names. Those are mostly the fields of the cgroup messages, with a unit behind
 * them: so the messages' descriptors make the names, and what is named otherwise stands in a table.
 */
#include <config.h>

#include "metrics.h"

#include <gantry/api-containers.h>
#include <gantry/api-namespaces.h>
#include <gantry/api-tasks.h>
#include <gantry/log.h>

#include <wire/values.h>

#include "io.containerd.cgroups.v1.pb-c.h"
#include "io.containerd.cgroups.v2.pb-c.h"

#include <string.h>

#define V1(name) Io__Containerd__Cgroups__V1__##name
#define V2(name) Io__Containerd__Cgroups__V2__##name

#define LABELS_MAX 16

/* Where the samples of one container go. */
struct subject {
	struct metrics_text *text;
	const char *labels[LABELS_MAX]; /* the container's; ends with NULL */
};

struct look {
	const struct metrics *m;
	struct metrics_text *text;
	const char *ns;
	struct gt_labels runtimes; /* by container */
};

/* A sample "container_A_B_UNIT" with further labels. */
static void add(struct subject *x, const char *a, const char *b, const char *unit, double value,
		const char *const *more)
{
	gt_autofree char *name = gt_strf("container_%s%s%s_%s", a, *b ? "_" : "", b, unit);
	gt_autofree char *help = gt_strf("%s%s%s of the container's cgroup (%s).", a, *b ? " " : "", b, unit);
	struct gt_sample s = { .name = name, .help = help, .labels = x->labels, .value = value };
	size_t n = 0, k = 0;

	while (x->labels[n])
		n++;
	for (; more && more[k]; k++)
		x->labels[n + k] = more[k];
	x->labels[n + k] = NULL;
	metrics_text_add(x->text, &s);
	x->labels[n] = NULL;
}

struct naming {
	const char *field, *name, *unit; /* NULL: as the field, as all; "": not shown */
};

static const struct naming *naming_of(const struct naming *names, const char *field)
{
	for (; names && names->field; names++)
		if (!strcmp(names->field, field))
			return names;
	return NULL;
}

/* All plain numbers of a message: "container_GROUP_FIELD_UNIT". */
static void add_numbers(struct subject *x, const void *message, const char *group, const char *unit,
			const struct naming *names, const char *const *more)
{
	const ProtobufCMessage *m = message;

	for (unsigned i = 0; m && i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const struct naming *n = naming_of(names, f->name);
		uint64_t value;

		if (f->type != PROTOBUF_C_TYPE_UINT64 || f->label == PROTOBUF_C_LABEL_REPEATED ||
		    (n && n->name && !*n->name))
			continue;
		memcpy(&value, (const char *)m + f->offset, sizeof(value));
		add(x, group, n && n->name ? n->name : f->name, n && n->unit ? n->unit : unit,
		    (double)value, more);
	}
}

/* --- cgroup v1 -------------------------------------------------------------------------- */

static void v1_memory(struct subject *x, const V1(MemoryStat) *m)
{
	static const struct naming names[] = {
		{ "pg_pg_in", "pgpgin", NULL },
		{ "pg_pg_out", "pgpgout", NULL },
		{ "pg_fault", "pgfault", NULL },
		{ "pg_maj_fault", "pgmajfault", NULL },
		{ "total_pg_pg_in", "total_pgpgin", NULL },
		{ "total_pg_pg_out", "total_pgpgout", NULL },
		{ "total_pg_fault", "total_pgfault", NULL },
		{ "total_pg_maj_fault", "total_pgmajfault", NULL },
		{ "hierarchical_swap_limit", "hierarchical_memsw_limit", NULL },
		{ 0 }
	};
	static const struct naming entry[] = { { "failcnt", "failcnt", "total" }, { 0 } };

	if (!m)
		return;
	add_numbers(x, m, "memory", "bytes", names, NULL);
	add_numbers(x, m->usage, "memory_usage", "bytes", entry, NULL);
	add_numbers(x, m->swap, "memory_swap", "bytes", entry, NULL);
	add_numbers(x, m->kernel, "memory_kernel", "bytes", entry, NULL);
	add_numbers(x, m->kernel_tcp, "memory_kerneltcp", "bytes", entry, NULL);
}

static void v1_cpu(struct subject *x, const V1(CPUStat) *m)
{
	static const struct naming throttling[] = {
		{ "periods", "throttle_periods", "total" },
		{ "throttled_periods", "throttled_periods", "total" },
		{ "throttled_time", "throttled_time", "nanoseconds" },
		{ 0 }
	};

	if (!m)
		return;
	add_numbers(x, m->usage, "cpu", "nanoseconds", NULL, NULL);
	add_numbers(x, m->throttling, "cpu", "total", throttling, NULL);
	for (size_t i = 0; m->usage && i < m->usage->n_per_cpu; i++) {
		gt_autofree char *cpu = gt_strf("%zu", i);
		const char *const more[] = { "cpu", cpu, NULL };

		add(x, "per_cpu", "", "nanoseconds", (double)m->usage->per_cpu[i], more);
	}
}

static void v1_blkio(struct subject *x, const V1(BlkIOStat) *m)
{
	for (unsigned i = 0; m && i < m->base.descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->base.descriptor->fields[i];
		size_t n = *(const size_t *)((const char *)m + f->quantifier_offset);
		V1(BlkIOEntry) *const *v = *(V1(BlkIOEntry) *const *const *)((const char *)m + f->offset);

		for (size_t k = 0; k < n; k++) {
			gt_autofree char *major = gt_strf("%llu", (unsigned long long)v[k]->major);
			gt_autofree char *minor = gt_strf("%llu", (unsigned long long)v[k]->minor);
			const char *const more[] = { "op",    v[k]->op, "device", v[k]->device,
						     "major", major,	"minor",  minor, NULL };

			add(x, "blkio", f->name, strstr(f->name, "bytes") ? "bytes" : "total",
			    (double)v[k]->value, more);
		}
	}
}

static void v1_add(struct subject *x, const V1(Metrics) *m)
{
	static const struct naming hugetlb[] = { { "failcnt", "failcnt", "total" }, { 0 } };

	if (m->pids) {
		add(x, "pids", "", "current", (double)m->pids->current, NULL);
		add(x, "pids", "", "limit", (double)m->pids->limit, NULL);
	}
	v1_cpu(x, m->cpu);
	v1_memory(x, m->memory);
	v1_blkio(x, m->blkio);
	for (size_t i = 0; i < m->n_hugetlb; i++) {
		const char *const more[] = { "page", m->hugetlb[i]->pagesize, NULL };

		add_numbers(x, m->hugetlb[i], "hugetlb", "bytes", hugetlb, more);
	}
	if (m->memory_oom_control)
		add(x, "memory_oom", "", "total", (double)m->memory_oom_control->oom_kill, NULL);
}

/* --- cgroup v2 -------------------------------------------------------------------------- */

static void v2_io(struct subject *x, const V2(IOStat) *m)
{
	static const struct naming names[] = { { "major", "", NULL },	   { "minor", "", NULL },
					       { "rios", "rios", "total" }, { "wios", "wios", "total" },
					       { 0 } };

	for (size_t i = 0; m && i < m->n_usage; i++) {
		gt_autofree char *major = gt_strf("%llu", (unsigned long long)m->usage[i]->major);
		gt_autofree char *minor = gt_strf("%llu", (unsigned long long)m->usage[i]->minor);
		const char *const more[] = { "major", major, "minor", minor, NULL };

		add_numbers(x, m->usage[i], "io", "bytes", names, more);
	}
}

static void v2_add(struct subject *x, const V2(Metrics) *m)
{
	static const struct naming cpu[] = { { "nr_periods", NULL, "total" },
					     { "nr_throttled", NULL, "total" },
					     { "nr_bursts", NULL, "total" },
					     { 0 } };

	if (m->pids) {
		add(x, "pids", "", "current", (double)m->pids->current, NULL);
		add(x, "pids", "", "limit", (double)m->pids->limit, NULL);
	}
	add_numbers(x, m->cpu, "cpu", "microseconds", cpu, NULL);
	add_numbers(x, m->memory, "memory", "bytes", NULL, NULL);
	v2_io(x, m->io);
	if (m->memory_events)
		add(x, "memory_oom", "", "total", (double)m->memory_events->oom, NULL);
}

/* --- all containers ----------------------------------------------------------------------- */

static struct gt_error *metric_add(void *arg, const struct gt_metric *metric)
{
	struct look *l = arg;
	const char *runtime = gt_labels_get(&l->runtimes, metric->id);
	struct subject x = { .text = l->text,
			     .labels = { "container_id", metric->id, "namespace", l->ns, "runtime",
					 runtime ? runtime : "" } };
	bool is_v2 = gt_any_is(&metric->data, "io.containerd.cgroups.v2.Metrics");
	gt_autowire ProtobufCMessage *m = NULL;

	if (!is_v2 && !gt_any_is(&metric->data, "io.containerd.cgroups.v1.Metrics"))
		return NULL; /* a runtime's own, which has no names here */
	GT_TRY(gt_wire_unpack(is_v2 ? &io__containerd__cgroups__v2__metrics__descriptor
				    : &io__containerd__cgroups__v1__metrics__descriptor,
			      metric->data.data, metric->data.len, &m));
	if (is_v2)
		v2_add(&x, (const void *)m);
	else
		v1_add(&x, (const void *)m);
	return NULL;
}

static struct gt_error *runtime_note(void *arg, const struct gt_container *c)
{
	gt_labels_set(arg, c->id, c->runtime);
	return NULL;
}

static struct gt_error *namespace_look(void *arg, const char *name, const struct gt_labels *labels)
{
	struct look *l = arg;
	struct gt_call call = metrics_call(l->m, name);
	struct gt_error *e;

	(void)labels;
	l->ns = name;
	e = gt_containers_list(l->m->services, &call, NULL, runtime_note, &l->runtimes);
	if (!e && l->runtimes.n)
		e = gt_tasks_metrics(l->m->services, &call, NULL, metric_add, l);
	gt_labels_done(&l->runtimes);
	/* The others have figures all the same. */
	if (e)
		gt_log_warn_limited("metrics of namespace %s: %s", name, gt_error_text(e));
	gt_error_free(e);
	return NULL;
}

void metrics_containers(const struct metrics *m, struct metrics_text *t)
{
	struct look l = { .m = m, .text = t };
	struct gt_call call = metrics_call(m, NULL);
	struct gt_error *e = gt_namespaces_list(m->services, &call, namespace_look, &l);

	if (e)
		gt_log_warn_limited("metrics of containers: %s", gt_error_text(e));
	gt_error_free(e);
}
