/* SPDX-License-Identifier: Apache-2.0 */
/* io.containerd.cgroups.v1.Metrics from the files of cgroup version 1. */
#include <config.h>

#include "stats.h"

#include <gantry/strv.h>

#include <io.containerd.cgroups.v1.pb-c.h>

#include <dirent.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

typedef Io__Containerd__Cgroups__V1__Metrics Metrics;
typedef Io__Containerd__Cgroups__V1__MemoryStat Memory;
typedef Io__Containerd__Cgroups__V1__MemoryEntry MemoryEntry;
typedef Io__Containerd__Cgroups__V1__Throttle Throttle;
typedef Io__Containerd__Cgroups__V1__BlkIOEntry BlkioEntry;
typedef Io__Containerd__Cgroups__V1__BlkIOStat Blkio;
typedef Io__Containerd__Cgroups__V1__HugetlbStat Hugetlb;

#define MEMORY(name, field) { name, offsetof(Memory, field) }
static const struct stats_key memory_keys[] = {
	MEMORY("cache", cache),
	MEMORY("rss", rss),
	MEMORY("rss_huge", rss_huge),
	MEMORY("mapped_file", mapped_file),
	MEMORY("dirty", dirty),
	MEMORY("writeback", writeback),
	MEMORY("pgpgin", pg_pg_in),
	MEMORY("pgpgout", pg_pg_out),
	MEMORY("pgfault", pg_fault),
	MEMORY("pgmajfault", pg_maj_fault),
	MEMORY("inactive_anon", inactive_anon),
	MEMORY("active_anon", active_anon),
	MEMORY("inactive_file", inactive_file),
	MEMORY("active_file", active_file),
	MEMORY("unevictable", unevictable),
	MEMORY("hierarchical_memory_limit", hierarchical_memory_limit),
	MEMORY("hierarchical_memsw_limit", hierarchical_swap_limit),
	MEMORY("total_cache", total_cache),
	MEMORY("total_rss", total_rss),
	MEMORY("total_rss_huge", total_rss_huge),
	MEMORY("total_mapped_file", total_mapped_file),
	MEMORY("total_dirty", total_dirty),
	MEMORY("total_writeback", total_writeback),
	MEMORY("total_pgpgin", total_pg_pg_in),
	MEMORY("total_pgpgout", total_pg_pg_out),
	MEMORY("total_pgfault", total_pg_fault),
	MEMORY("total_pgmajfault", total_pg_maj_fault),
	MEMORY("total_inactive_anon", total_inactive_anon),
	MEMORY("total_active_anon", total_active_anon),
	MEMORY("total_inactive_file", total_inactive_file),
	MEMORY("total_active_file", total_active_file),
	MEMORY("total_unevictable", total_unevictable),
	{ 0 },
};

static const struct stats_key throttle_keys[] = {
	{ "nr_periods", offsetof(Throttle, periods) },
	{ "nr_throttled", offsetof(Throttle, throttled_periods) },
	{ "throttled_time", offsetof(Throttle, throttled_time) },
	{ 0 },
};

static const struct stats_key oom_keys[] = {
	{ "oom_kill_disable",
	  offsetof(Io__Containerd__Cgroups__V1__MemoryOomControl, oom_kill_disable) },
	{ "under_oom", offsetof(Io__Containerd__Cgroups__V1__MemoryOomControl, under_oom) },
	{ "oom_kill", offsetof(Io__Containerd__Cgroups__V1__MemoryOomControl, oom_kill) },
	{ 0 },
};

static MemoryEntry *memory_entry(const char *dir, const char *prefix, MemoryEntry *m)
{
	gt_autofree char *usage = gt_strf("%s.usage_in_bytes", prefix);
	gt_autofree char *max = gt_strf("%s.max_usage_in_bytes", prefix);
	gt_autofree char *limit = gt_strf("%s.limit_in_bytes", prefix);
	gt_autofree char *failcnt = gt_strf("%s.failcnt", prefix);

	io__containerd__cgroups__v1__memory_entry__init(m);
	if (!stats_number(dir, usage, &m->usage))
		return NULL;
	stats_number(dir, max, &m->max);
	stats_number(dir, limit, &m->limit);
	stats_number(dir, failcnt, &m->failcnt);
	return m;
}

/* "8:0 Read 4096", and a "Total" at the end; blkio.sectors has no word in the middle. */
static void blkio_read(const char *dir, const char *name, BlkioEntry ***list, size_t *n)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	char *line, *rest;
	size_t alloc = 0;

	if (!stats_text(dir, name, &text))
		return;
	for (line = strtok_r(text.s, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct gt_strv words = { 0 };
		BlkioEntry *e;
		char *colon;

		gt_strv_split(&words, line, ' ');
		colon = words.n > 1 ? strchr(words.v[0], ':') : NULL;
		if (colon) {
			e = gt_xmalloc(sizeof(*e));
			io__containerd__cgroups__v1__blk_ioentry__init(e);
			stats_parse(words.v[0], &e->major);
			stats_parse(colon + 1, &e->minor);
			stats_parse(words.v[words.n - 1], &e->value);
			e->op = gt_xstrdup(words.n > 2 ? words.v[1] : "");
			e->device = gt_xstrdup("");
			GT_GROW(*list, *n, alloc);
			(*list)[(*n)++] = e;
		}
		gt_strv_done(&words);
	}
}

static Blkio *blkio(const char *dir)
{
	Blkio *b = gt_xmalloc(sizeof(*b));

	io__containerd__cgroups__v1__blk_iostat__init(b);
	blkio_read(dir, "blkio.throttle.io_service_bytes_recursive", &b->io_service_bytes_recursive,
		   &b->n_io_service_bytes_recursive);
	blkio_read(dir, "blkio.throttle.io_serviced_recursive", &b->io_serviced_recursive,
		   &b->n_io_serviced_recursive);
	if (!b->n_io_service_bytes_recursive)
		blkio_read(dir, "blkio.io_service_bytes_recursive", &b->io_service_bytes_recursive,
			   &b->n_io_service_bytes_recursive);
	if (!b->n_io_serviced_recursive)
		blkio_read(dir, "blkio.io_serviced_recursive", &b->io_serviced_recursive,
			   &b->n_io_serviced_recursive);
	blkio_read(dir, "blkio.io_queued_recursive", &b->io_queued_recursive,
		   &b->n_io_queued_recursive);
	blkio_read(dir, "blkio.io_service_time_recursive", &b->io_service_time_recursive,
		   &b->n_io_service_time_recursive);
	blkio_read(dir, "blkio.io_wait_time_recursive", &b->io_wait_time_recursive,
		   &b->n_io_wait_time_recursive);
	blkio_read(dir, "blkio.io_merged_recursive", &b->io_merged_recursive,
		   &b->n_io_merged_recursive);
	blkio_read(dir, "blkio.time_recursive", &b->io_time_recursive, &b->n_io_time_recursive);
	blkio_read(dir, "blkio.sectors_recursive", &b->sectors_recursive, &b->n_sectors_recursive);
	return b;
}

static void blkio_free(Blkio *b)
{
	if (b)
		io__containerd__cgroups__v1__blk_iostat__free_unpacked(b, NULL);
}

static void hugetlb_add(Metrics *m, const char *dir)
{
	struct gt_strv sizes = { 0 };

	stats_hugetlb_sizes(dir, ".usage_in_bytes", &sizes);
	m->hugetlb = gt_xcalloc(sizes.n, sizeof(*m->hugetlb));
	for (size_t i = 0; i < sizes.n; i++) {
		gt_autofree char *usage = gt_strf("hugetlb.%s.usage_in_bytes", sizes.v[i]);
		gt_autofree char *max = gt_strf("hugetlb.%s.max_usage_in_bytes", sizes.v[i]);
		gt_autofree char *failcnt = gt_strf("hugetlb.%s.failcnt", sizes.v[i]);
		Hugetlb *h = gt_xmalloc(sizeof(*h));

		io__containerd__cgroups__v1__hugetlb_stat__init(h);
		h->pagesize = gt_xstrdup(sizes.v[i]);
		stats_number(dir, usage, &h->usage);
		stats_number(dir, max, &h->max);
		stats_number(dir, failcnt, &h->failcnt);
		m->hugetlb[m->n_hugetlb++] = h;
	}
	gt_strv_done(&sizes);
}

static void hugetlb_done(Metrics *m)
{
	for (size_t i = 0; i < m->n_hugetlb; i++) {
		free(m->hugetlb[i]->pagesize);
		free(m->hugetlb[i]);
	}
	free(m->hugetlb);
}

/* cpuacct.stat counts clock ticks. */
static void cpu_times(const char *dir, Io__Containerd__Cgroups__V1__CPUUsage *u)
{
	static const struct stats_key keys[] = {
		{ "user", offsetof(Io__Containerd__Cgroups__V1__CPUUsage, user) },
		{ "system", offsetof(Io__Containerd__Cgroups__V1__CPUUsage, kernel) },
		{ 0 },
	};
	uint64_t tick = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);

	stats_number(dir, "cpuacct.usage", &u->total);
	stats_keys(dir, "cpuacct.stat", keys, u);
	u->user *= tick;
	u->kernel *= tick;
}

static void per_cpu(const char *dir, Io__Containerd__Cgroups__V1__CPUUsage *u)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	size_t alloc = 0;

	if (!stats_text(dir, "cpuacct.usage_percpu", &text))
		return;
	for (const char *p = text.s; *p >= '0' && *p <= '9'; p += strspn(p, " ")) {
		GT_GROW(u->per_cpu, u->n_per_cpu, alloc);
		stats_parse(p, &u->per_cpu[u->n_per_cpu++]);
		p += strspn(p, "0123456789");
	}
}

void stats_v1(const struct cgroup *g, struct stats *out)
{
	gt_autofree char *cpu_dir = cgroup_path(g, "cpu");
	gt_autofree char *acct_dir = cgroup_path(g, "cpuacct");
	gt_autofree char *memory_dir = cgroup_path(g, "memory");
	gt_autofree char *pids_dir = cgroup_path(g, "pids");
	gt_autofree char *blkio_dir = cgroup_path(g, "blkio");
	gt_autofree char *hugetlb_dir = cgroup_path(g, "hugetlb");
	Metrics m = IO__CONTAINERD__CGROUPS__V1__METRICS__INIT;
	Io__Containerd__Cgroups__V1__PidsStat pids = IO__CONTAINERD__CGROUPS__V1__PIDS_STAT__INIT;
	Io__Containerd__Cgroups__V1__CPUStat cpu = IO__CONTAINERD__CGROUPS__V1__CPUSTAT__INIT;
	Io__Containerd__Cgroups__V1__CPUUsage usage = IO__CONTAINERD__CGROUPS__V1__CPUUSAGE__INIT;
	Throttle throttle = IO__CONTAINERD__CGROUPS__V1__THROTTLE__INIT;
	Memory memory = IO__CONTAINERD__CGROUPS__V1__MEMORY_STAT__INIT;
	Io__Containerd__Cgroups__V1__MemoryOomControl oom =
		IO__CONTAINERD__CGROUPS__V1__MEMORY_OOM_CONTROL__INIT;
	MemoryEntry entries[4];

	if (pids_dir && stats_number(pids_dir, "pids.current", &pids.current)) {
		stats_number(pids_dir, "pids.max", &pids.limit);
		if (pids.limit == UINT64_MAX) /* "max" */
			pids.limit = 0;
		m.pids = &pids;
	}
	if (acct_dir) {
		cpu_times(acct_dir, &usage);
		per_cpu(acct_dir, &usage);
		cpu.usage = &usage;
		m.cpu = &cpu;
	}
	if (cpu_dir && stats_keys(cpu_dir, "cpu.stat", throttle_keys, &throttle)) {
		cpu.throttling = &throttle;
		m.cpu = &cpu;
	}
	if (memory_dir && stats_keys(memory_dir, "memory.stat", memory_keys, &memory)) {
		memory.usage = memory_entry(memory_dir, "memory", &entries[0]);
		memory.swap = memory_entry(memory_dir, "memory.memsw", &entries[1]);
		memory.kernel = memory_entry(memory_dir, "memory.kmem", &entries[2]);
		memory.kernel_tcp = memory_entry(memory_dir, "memory.kmem.tcp", &entries[3]);
		m.memory = &memory;
		if (stats_keys(memory_dir, "memory.oom_control", oom_keys, &oom))
			m.memory_oom_control = &oom;
	}
	if (blkio_dir)
		m.blkio = blkio(blkio_dir);
	if (hugetlb_dir)
		hugetlb_add(&m, hugetlb_dir);
	stats_pack(&m.base, out);
	free(usage.per_cpu);
	blkio_free(m.blkio);
	hugetlb_done(&m);
}
