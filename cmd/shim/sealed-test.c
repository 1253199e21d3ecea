/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "sealed.h"

#include <gantry/buf.h>
#include <gantry/cleanup.h>
#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct shim shim;
static char dir[] = "/tmp/gantry-sealed.XXXXXX";
static char *program;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	program = gt_strf("%s/program", dir);
	ck_assert_ptr_null(gt_loop_new(&shim.loop));
}

static void teardown(void)
{
	sealed_drop(&shim);
	gt_loop_free(shim.loop);
	unlink(program);
	rmdir(dir);
	free(program);
	memset(&shim, 0, sizeof(shim));
	strcpy(dir, "/tmp/gantry-sealed.XXXXXX");
}

/* A program that says 'word', and perhaps that it copies itself. */
static void program_make(const char *word, bool marked, size_t padding)
{
	FILE *f = fopen(program, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "#!/bin/sh\necho %s\nexit\n", word);
	if (marked)
		fputs("_LIBCONTAINER_CLONED_BINARY=1\n", f);
	while (padding--)
		fputc('#', f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(program, 0755), 0);
}

static void says(const char *path, const char *want)
{
	gt_autofree char *command = gt_strf("exec %s", path);
	char got[64] = "";
	FILE *f = popen(command, "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(got, sizeof(got), f));
	ck_assert_int_eq(pclose(f), 0);
	ck_assert_str_eq(got, want);
}

static char *copy_of(const char *path)
{
	return sealed_path(&shim, path);
}

START_TEST(others_run_as_they_are)
{
	program_make("plain", false, 0);
	ck_assert_ptr_null(copy_of(program));
	ck_assert_ptr_null(copy_of("/nonexistent"));
	ck_assert_ptr_null(copy_of("runc")); /* found nowhere */
	program_make("large", true, 3 << 20);
	ck_assert_ptr_null(copy_of(program));
	program_make("setuid", true, 0);
	ck_assert_int_eq(chmod(program, 04755), 0);
	ck_assert_ptr_null(copy_of(program));
}
END_TEST

START_TEST(nobody_can_write_to_a_copy)
{
	gt_autofree char *path = NULL;
	gt_autofd int fd = -1;

	program_make("sealed", true, 0);
	path = copy_of(program);
	ck_assert_ptr_nonnull(path);
	says(path, "sealed\n");
	fd = open(path, O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS),
			 F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	ck_assert_int_eq(write(fd, "x", 1), -1);
}
END_TEST

START_TEST(one_copy_until_the_program_changes)
{
	gt_autofree char *first = NULL, *second = NULL, *third = NULL;

	program_make("one", true, 0);
	first = copy_of(program);
	second = copy_of(program);
	ck_assert_str_eq(first, second);
	unlink(program);
	program_make("another", true, 0);
	third = copy_of(program);
	says(third, "another\n");
}
END_TEST

START_TEST(it_goes_by_itself)
{
	gt_autofree char *path = NULL;

	program_make("short", true, 0);
	path = copy_of(program);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_ptr_null(gt_loop_step(shim.loop)); /* nothing but its timer is there to wait for */
	ck_assert_ptr_null(shim.sealed);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sealed");
	TCase *tc = tcase_create("sealed");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, others_run_as_they_are);
	tcase_add_test(tc, nobody_can_write_to_a_copy);
	tcase_add_test(tc, one_copy_until_the_program_changes);
	tcase_add_test(tc, it_goes_by_itself);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
