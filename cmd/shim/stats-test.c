/* SPDX-License-Identifier: Apache-2.0 */
/* Figures of cgroup version 2, from files as Linux 6.1 writes them; most test machines have version 1. */
#include <config.h>

#include "stats.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <io.containerd.cgroups.v2.pb-c.h>

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef Io__Containerd__Cgroups__V2__Metrics Metrics;

static char dir[] = "/tmp/gantry-stats.XXXXXX";

static const char *const recorded[][2] = {
	{ "pids.current", "3\n" },
	{ "pids.max", "max\n" },
	{ "cpu.stat", "usage_usec 184503\nuser_usec 120001\nsystem_usec 64502\n"
		      "core_sched.force_idle_usec 0\nnr_periods 12\nnr_throttled 2\n"
		      "throttled_usec 31007\nnr_bursts 1\nburst_usec 5\n" },
	{ "memory.stat",
	  "anon 405504\nfile 8192\nkernel 1236992\nkernel_stack 49152\npagetables 98304\n"
	  "sec_pagetables 0\npercpu 0\nsock 4096\nvmalloc 0\nshmem 12288\nzswap 0\nzswapped 0\n"
	  "file_mapped 4096\nfile_dirty 1\nfile_writeback 2\nswapcached 0\nanon_thp 2097152\n"
	  "file_thp 0\nshmem_thp 0\ninactive_anon 401408\nactive_anon 8192\ninactive_file 3\n"
	  "active_file 4\nunevictable 5\nslab_reclaimable 345672\nslab_unreclaimable 192848\n"
	  "slab 538520\nworkingset_refault_anon 0\nworkingset_refault_file 0\n"
	  "workingset_nodereclaim 6\npgscan 7\npgsteal 8\npgscan_kswapd 0\npgfault 2471\n"
	  "pgmajfault 9\npgrefill 10\npgactivate 11\npgdeactivate 12\npglazyfree 13\n"
	  "pglazyfreed 14\nthp_fault_alloc 15\nthp_collapse_alloc 16\n" },
	{ "memory.current", "1843200\n" },
	{ "memory.max", "268435456\n" },
	{ "memory.swap.current", "0\n" },
	{ "memory.swap.max", "max\n" },
	{ "memory.events", "low 0\nhigh 1\nmax 27\noom 3\noom_kill 2\noom_group_kill 0\n" },
	{ "io.stat", "254:0 rbytes=1048576 wbytes=4096 rios=12 wios=1 dbytes=0 dios=0\n"
		     "7:3 \n"
		     "8:16 rbytes=18446744073709551615 wbytes=0 rios=0 wios=0 dbytes=0 dios=0\n" },
	{ "hugetlb.2MB.current", "4194304\n" },
	{ "hugetlb.2MB.max", "max\n" },
};

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	ck_assert_ptr_null(gt_file_remove_tree(AT_FDCWD, dir));
	strcpy(dir, "/tmp/gantry-stats.XXXXXX");
}

static void put(const char *name, const char *text)
{
	gt_autofree char *path = gt_strf("%s/%s", dir, name);

	ck_assert_ptr_null(gt_file_write(AT_FDCWD, path, text, strlen(text), 0600, false));
}

static void put_all(void)
{
	for (size_t i = 0; i < sizeof(recorded) / sizeof(*recorded); i++)
		put(recorded[i][0], recorded[i][1]);
}

/* The caller frees it. The test's folder stands in for the group's. */
static Metrics *figures(void)
{
	struct cgroup g = { .unified = true, .list = gt_strf("0::/../../..%s\n", dir) };
	struct stats out = { 0 };
	Metrics *m;

	stats_v2(&g, &out);
	ck_assert_str_eq(out.type, "io.containerd.cgroups.v2.Metrics");
	m = io__containerd__cgroups__v2__metrics__unpack(NULL, out.len, out.data);
	ck_assert_ptr_nonnull(m);
	free(out.data);
	free(g.list);
	return m;
}

START_TEST(every_figure)
{
	Metrics *m;

	put_all();
	m = figures();
	ck_assert_uint_eq(m->pids->current, 3);
	ck_assert_uint_eq(m->pids->limit, UINT64_MAX);
	ck_assert_uint_eq(m->cpu->usage_usec, 184503);
	ck_assert_uint_eq(m->cpu->user_usec, 120001);
	ck_assert_uint_eq(m->cpu->system_usec, 64502);
	ck_assert_uint_eq(m->cpu->nr_periods, 12);
	ck_assert_uint_eq(m->cpu->nr_throttled, 2);
	ck_assert_uint_eq(m->cpu->throttled_usec, 31007);
	ck_assert_uint_eq(m->memory->anon, 405504);
	ck_assert_uint_eq(m->memory->file, 8192);
	ck_assert_uint_eq(m->memory->kernel_stack, 49152);
	ck_assert_uint_eq(m->memory->slab, 538520);
	ck_assert_uint_eq(m->memory->anon_thp, 2097152);
	ck_assert_uint_eq(m->memory->inactive_file, 3);
	ck_assert_uint_eq(m->memory->pgfault, 2471);
	ck_assert_uint_eq(m->memory->thp_collapse_alloc, 16);
	ck_assert_uint_eq(m->memory->usage, 1843200);
	ck_assert_uint_eq(m->memory->usage_limit, 268435456);
	ck_assert_uint_eq(m->memory->swap_usage, 0);
	ck_assert_uint_eq(m->memory->swap_limit, UINT64_MAX);
	ck_assert_uint_eq(m->memory_events->max, 27);
	ck_assert_uint_eq(m->memory_events->oom, 3);
	ck_assert_uint_eq(m->memory_events->oom_kill, 2);
	io__containerd__cgroups__v2__metrics__free_unpacked(m, NULL);
}
END_TEST

START_TEST(devices_and_huge_pages)
{
	Metrics *m;

	put_all();
	m = figures();
	ck_assert_uint_ge(m->io->n_usage, 2);
	ck_assert_uint_eq(m->io->usage[0]->major, 254);
	ck_assert_uint_eq(m->io->usage[0]->minor, 0);
	ck_assert_uint_eq(m->io->usage[0]->rbytes, 1048576);
	ck_assert_uint_eq(m->io->usage[0]->wbytes, 4096);
	ck_assert_uint_eq(m->io->usage[0]->rios, 12);
	ck_assert_uint_eq(m->io->usage[0]->wios, 1);
	ck_assert_uint_eq(m->io->usage[m->io->n_usage - 1]->major, 8);
	ck_assert_uint_eq(m->io->usage[m->io->n_usage - 1]->minor, 16);
	ck_assert_uint_eq(m->io->usage[m->io->n_usage - 1]->rbytes, UINT64_MAX);
	ck_assert_uint_eq(m->n_hugetlb, 1);
	ck_assert_str_eq(m->hugetlb[0]->pagesize, "2MB");
	ck_assert_uint_eq(m->hugetlb[0]->current, 4194304);
	ck_assert_uint_eq(m->hugetlb[0]->max, UINT64_MAX);
	io__containerd__cgroups__v2__metrics__free_unpacked(m, NULL);
}
END_TEST

/* A group without controllers, as the root of a delegated tree has it, is no error. */
START_TEST(what_is_not_there_is_left_out)
{
	Metrics *m;

	put("cpu.stat", "usage_usec 1\nuser_usec 1\nsystem_usec 0\n");
	m = figures();
	ck_assert_uint_eq(m->cpu->usage_usec, 1);
	ck_assert_uint_eq(m->cpu->nr_periods, 0);
	ck_assert_ptr_null(m->pids);
	ck_assert_ptr_null(m->memory);
	ck_assert_ptr_null(m->memory_events);
	ck_assert_uint_eq(m->n_hugetlb, 0);
	io__containerd__cgroups__v2__metrics__free_unpacked(m, NULL);
}
END_TEST

/* Nobody promises what a kernel of tomorrow writes. */
START_TEST(nonsense_is_survived)
{
	Metrics *m;

	put("cpu.stat", "usage_usec\nuser_usec x\n\n \nsystem_usec 99999999999999999999999\n");
	put("memory.stat", "anon -1\nfile 1 2 3");
	put("memory.max", "");
	put("memory.events", "oom");
	put("io.stat", ":\n254 rbytes=1\n:0 rbytes=1\n254:0 rbytes= wbytes=q =\n");
	put("pids.current", "none\n");
	m = figures();
	ck_assert_ptr_null(m->pids);
	ck_assert_ptr_nonnull(m->memory);
	ck_assert_uint_eq(m->memory->usage_limit, 0);
	io__containerd__cgroups__v2__metrics__free_unpacked(m, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stats");
	TCase *tc = tcase_create("stats");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_figure);
	tcase_add_test(tc, devices_and_huge_pages);
	tcase_add_test(tc, what_is_not_there_is_left_out);
	tcase_add_test(tc, nonsense_is_survived);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
