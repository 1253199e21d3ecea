/* SPDX-License-Identifier: Apache-2.0 */
/* Lack of memory by cgroup version 2, with files as the kernel writes them; most test machines have 1. */
#include <config.h>

#include "oom.h"

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static char dir[] = "/tmp/gantry-oom.XXXXXX";
static struct shim shim;
static struct oom ooms[2];
static int told[2];

struct oom *oom_find(struct shim *s, int wd)
{
	ck_assert_ptr_eq(s, &shim);
	for (size_t i = 0; i < 2; i++)
		if (ooms[i].wd == wd)
			return &ooms[i];
	return NULL;
}

static void happened(struct oom *o)
{
	told[o - ooms]++;
}

/* As the kernel does: in place, in one write. */
static void write_events(size_t i, int kills)
{
	gt_autofree char *path = gt_strf("%s/%zu/memory.events", dir, i);
	gt_autofree char *text =
		gt_strf("low 0\nhigh 0\nmax 41\noom 3\noom_kill %d\noom_group_kill 0\n", kills);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static bool is_over;

static void over(struct gt_timer *t)
{
	(void)t;
	is_over = true;
}

/* Handles what is there: inotify tells at once. */
static void loop_turn(void)
{
	struct gt_timer t = { .fn = over };

	is_over = false;
	gt_loop_at(shim.loop, &t, gt_now() + 20 * INT64_C(1000000));
	while (!is_over)
		ck_assert_ptr_null(gt_loop_step(shim.loop));
}

static void start(size_t i)
{
	gt_autofree char *folder = gt_strf("%s/%zu", dir, i);
	gt_autofree char *list = gt_strf("0::/../../..%s\n", folder);
	const struct cgroup g = { .unified = true, .list = list };

	ck_assert_ptr_null(gt_file_mkdirs(folder, 0700));
	write_events(i, 5);
	ck_assert_ptr_null(oom_start(&ooms[i], &shim, &g, happened));
}

START_TEST(each_kill_is_told_once)
{
	start(0);
	start(1);
	loop_turn();
	ck_assert_int_eq(told[0], 0); /* what was before is not ours to tell */
	write_events(0, 6);
	loop_turn();
	ck_assert_int_eq(told[0], 1);
	ck_assert_int_eq(told[1], 0);
	write_events(0, 6); /* another counter has changed */
	loop_turn();
	ck_assert_int_eq(told[0], 1);
	write_events(0, 8);
	write_events(1, 6);
	loop_turn();
	ck_assert_int_eq(told[0], 3);
	ck_assert_int_eq(told[1], 1);
	oom_stop(&ooms[0]);
	write_events(0, 9);
	loop_turn();
	ck_assert_int_eq(told[0], 3);
	oom_stop(&ooms[1]);
}
END_TEST

START_TEST(the_end_of_a_group_is_no_lack_of_memory)
{
	gt_autofree char *path = gt_strf("%s/0/memory.events", dir);

	start(0);
	ck_assert_int_eq(unlink(path), 0);
	loop_turn();
	ck_assert_int_eq(told[0], 0);
	ck_assert_int_eq(ooms[0].wd, 0);
	oom_stop(&ooms[0]);
}
END_TEST

START_TEST(a_group_that_has_gone_is_an_error)
{
	const struct cgroup g = { .unified = true, .list = (char *)"0::/no/such/group\n" };
	struct gt_error *e = oom_start(&ooms[0], &shim, &g, happened);

	ck_assert_ptr_nonnull(e);
	gt_error_free(e);
	oom_stop(&ooms[0]);
}
END_TEST

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_ptr_null(gt_loop_new(&shim.loop));
}

static void teardown(void)
{
	if (shim.oom.on) {
		gt_loop_unwatch(shim.loop, &shim.oom);
		close(shim.oom.fd);
	}
	gt_loop_free(shim.loop);
	ck_assert_ptr_null(gt_file_remove_tree(AT_FDCWD, dir));
}

int main(void)
{
	Suite *s = suite_create("oom");
	TCase *t = tcase_create("v2");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, each_kill_is_told_once);
	tcase_add_test(t, the_end_of_a_group_is_no_lack_of_memory);
	tcase_add_test(t, a_group_that_has_gone_is_an_error);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
