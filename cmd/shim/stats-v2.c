/* SPDX-License-Identifier: Apache-2.0 */
/* io.containerd.cgroups.v2.Metrics from the files of cgroup version 2. */
#include <config.h>

#include "stats.h"

#include <gantry/strv.h>

#include <io.containerd.cgroups.v2.pb-c.h>

#include <stddef.h>
#include <string.h>

typedef Io__Containerd__Cgroups__V2__Metrics Metrics;
typedef Io__Containerd__Cgroups__V2__MemoryStat Memory;
typedef Io__Containerd__Cgroups__V2__MemoryEvents Events;
typedef Io__Containerd__Cgroups__V2__CPUStat Cpu;
typedef Io__Containerd__Cgroups__V2__IOEntry IoEntry;
typedef Io__Containerd__Cgroups__V2__IOStat IoStat;
typedef Io__Containerd__Cgroups__V2__HugeTlbStat Hugetlb;

static const struct stats_key cpu_keys[] = {
	{ "usage_usec", offsetof(Cpu, usage_usec) },
	{ "user_usec", offsetof(Cpu, user_usec) },
	{ "system_usec", offsetof(Cpu, system_usec) },
	{ "nr_periods", offsetof(Cpu, nr_periods) },
	{ "nr_throttled", offsetof(Cpu, nr_throttled) },
	{ "throttled_usec", offsetof(Cpu, throttled_usec) },
	{ "nr_bursts", offsetof(Cpu, nr_bursts) },
	{ "burst_usec", offsetof(Cpu, burst_usec) },
	{ 0 },
};

#define MEMORY(field) { #field, offsetof(Memory, field) }
static const struct stats_key memory_keys[] = {
	MEMORY(anon),
	MEMORY(file),
	MEMORY(kernel_stack),
	MEMORY(slab),
	MEMORY(sock),
	MEMORY(shmem),
	MEMORY(file_mapped),
	MEMORY(file_dirty),
	MEMORY(file_writeback),
	{ "anon_thp", offsetof(Memory, anon_thp) },
	MEMORY(inactive_anon),
	MEMORY(active_anon),
	MEMORY(inactive_file),
	MEMORY(active_file),
	MEMORY(unevictable),
	MEMORY(slab_reclaimable),
	MEMORY(slab_unreclaimable),
	MEMORY(pgfault),
	MEMORY(pgmajfault),
	{ "workingset_refault", offsetof(Memory, workingset_refault) },
	{ "workingset_activate", offsetof(Memory, workingset_activate) },
	MEMORY(workingset_nodereclaim),
	MEMORY(pgrefill),
	MEMORY(pgscan),
	MEMORY(pgsteal),
	MEMORY(pgactivate),
	MEMORY(pgdeactivate),
	MEMORY(pglazyfree),
	MEMORY(pglazyfreed),
	MEMORY(thp_fault_alloc),
	MEMORY(thp_collapse_alloc),
	{ 0 },
};

#define EVENT(field) { #field, offsetof(Events, field) }
static const struct stats_key event_keys[] = {
	EVENT(low), EVENT(high), EVENT(max), EVENT(oom), EVENT(oom_kill), EVENT(oom_group_kill), { 0 },
};

static void io_value(IoEntry *e, const char *word)
{
	const struct {
		const char *name;
		uint64_t *value;
	} fields[] = {
		{ "rbytes=", &e->rbytes },
		{ "wbytes=", &e->wbytes },
		{ "rios=", &e->rios },
		{ "wios=", &e->wios },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (!strncmp(word, fields[i].name, strlen(fields[i].name)))
			stats_parse(word + strlen(fields[i].name), fields[i].value);
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6" */
static void io_add(IoStat *s, const char *dir)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	char *line, *rest;
	size_t alloc = 0;

	if (!stats_text(dir, "io.stat", &text))
		return;
	for (line = strtok_r(text.s, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct gt_strv words = { 0 };
		char *colon;
		IoEntry *e;

		gt_strv_split(&words, line, ' ');
		colon = words.n > 1 ? strchr(words.v[0], ':') : NULL;
		if (colon) {
			e = gt_xmalloc(sizeof(*e));
			io__containerd__cgroups__v2__ioentry__init(e);
			stats_parse(words.v[0], &e->major);
			stats_parse(colon + 1, &e->minor);
			for (size_t i = 1; i < words.n; i++)
				io_value(e, words.v[i]);
			GT_GROW(s->usage, s->n_usage, alloc);
			s->usage[s->n_usage++] = e;
		}
		gt_strv_done(&words);
	}
}

static void hugetlb_add(Metrics *m, const char *dir)
{
	struct gt_strv sizes = { 0 };

	stats_hugetlb_sizes(dir, ".current", &sizes);
	m->hugetlb = gt_xcalloc(sizes.n, sizeof(*m->hugetlb));
	for (size_t i = 0; i < sizes.n; i++) {
		gt_autofree char *current = gt_strf("hugetlb.%s.current", sizes.v[i]);
		gt_autofree char *max = gt_strf("hugetlb.%s.max", sizes.v[i]);
		Hugetlb *h = gt_xmalloc(sizeof(*h));

		io__containerd__cgroups__v2__huge_tlb_stat__init(h);
		h->pagesize = gt_xstrdup(sizes.v[i]);
		stats_number(dir, current, &h->current);
		stats_number(dir, max, &h->max);
		m->hugetlb[m->n_hugetlb++] = h;
	}
	gt_strv_done(&sizes);
}

static void metrics_done(Metrics *m, IoStat *io)
{
	for (size_t i = 0; i < m->n_hugetlb; i++) {
		free(m->hugetlb[i]->pagesize);
		free(m->hugetlb[i]);
	}
	free(m->hugetlb);
	for (size_t i = 0; i < io->n_usage; i++)
		free(io->usage[i]);
	free(io->usage);
}

void stats_v2(const struct cgroup *g, struct stats *out)
{
	gt_autofree char *dir = cgroup_path(g, "");
	Metrics m = IO__CONTAINERD__CGROUPS__V2__METRICS__INIT;
	Io__Containerd__Cgroups__V2__PidsStat pids = IO__CONTAINERD__CGROUPS__V2__PIDS_STAT__INIT;
	Cpu cpu = IO__CONTAINERD__CGROUPS__V2__CPUSTAT__INIT;
	Memory memory = IO__CONTAINERD__CGROUPS__V2__MEMORY_STAT__INIT;
	Events events = IO__CONTAINERD__CGROUPS__V2__MEMORY_EVENTS__INIT;
	IoStat io = IO__CONTAINERD__CGROUPS__V2__IOSTAT__INIT;

	if (dir) {
		if (stats_number(dir, "pids.current", &pids.current)) {
			stats_number(dir, "pids.max", &pids.limit);
			m.pids = &pids;
		}
		if (stats_keys(dir, "cpu.stat", cpu_keys, &cpu))
			m.cpu = &cpu;
		if (stats_keys(dir, "memory.stat", memory_keys, &memory)) {
			stats_number(dir, "memory.current", &memory.usage);
			stats_number(dir, "memory.max", &memory.usage_limit);
			stats_number(dir, "memory.peak", &memory.max_usage);
			stats_number(dir, "memory.swap.current", &memory.swap_usage);
			stats_number(dir, "memory.swap.max", &memory.swap_limit);
			stats_number(dir, "memory.swap.peak", &memory.swap_max_usage);
			m.memory = &memory;
		}
		if (stats_keys(dir, "memory.events", event_keys, &events))
			m.memory_events = &events;
		io_add(&io, dir);
		m.io = &io;
		hugetlb_add(&m, dir);
	}
	stats_pack(&m.base, out);
	metrics_done(&m, &io);
}
