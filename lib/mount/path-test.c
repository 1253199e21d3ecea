/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "path.h"

#include <gantry/file.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char *top; /* holds the root and what lies outside of it */
static int top_fd, root_fd;

static void ok(struct gt_error *e)
{
	ck_assert_msg(!e, "%s", gt_error_text(e));
}

static void fails(struct gt_error *e, enum gt_class want)
{
	ck_assert_msg(gt_error_class(e) == want, "%s, not %s: %s", gt_class_name(gt_error_class(e)),
		      gt_class_name(want), gt_error_text(e));
	gt_error_free(e);
}

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");

	top = gt_strf("%s/gantry-path.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(top));
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(mkdirat(top_fd, "root", 0755), 0);
	root_fd = openat(top_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(root_fd, 0);
	ok(gt_file_write(top_fd, "outside", "secret", 6, 0600, false));
	ok(gt_file_write(root_fd, "inside", "open", 4, 0600, false));
	ck_assert_int_eq(mkdirat(root_fd, "dir", 0755), 0);
}

static void teardown(void)
{
	close(root_fd);
	close(top_fd);
	ok(gt_file_remove_tree(AT_FDCWD, top));
	free(top);
}

static char *content(const char *path)
{
	struct gt_buf b = GT_BUF_INIT;

	ok(gt_path_read_in_root(root_fd, path, 100, &b));
	return gt_buf_detach(&b);
}

static void link_to(const char *target, const char *name)
{
	ck_assert_int_eq(symlinkat(target, root_fd, name), 0);
}

START_TEST(test_root_is_the_top)
{
	static const char *const paths[] = {
		"inside",   "/inside",	"../inside",	      "dir/../../inside",
		"absolute", "climbing", "///dir/./..//inside"
	};

	link_to("/inside", "absolute");
	link_to("../../../../inside", "climbing");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		gt_autofree char *s = content(paths[i]);

		ck_assert_str_eq(s, "open");
	}
}
END_TEST

START_TEST(test_nothing_leads_out)
{
	gt_autofree char *target = gt_strf("%s/outside", top);
	gt_auto(gt_buf) b = GT_BUF_INIT;
	int fd = -1;

	link_to(target, "absolute");
	link_to("../outside", "relative");
	link_to("/proc/self/root", "magic");
	fails(gt_path_read_in_root(root_fd, "absolute", 100, &b), GT_NOT_FOUND);
	fails(gt_path_read_in_root(root_fd, "relative", 100, &b), GT_NOT_FOUND);
	fails(gt_path_read_in_root(root_fd, "../outside", 100, &b), GT_NOT_FOUND);
	fails(gt_path_read_in_root(root_fd, "dir/../../outside", 100, &b), GT_NOT_FOUND);
	fails(gt_path_open_beneath(root_fd, "../outside", O_RDONLY, 0, &fd), GT_INVALID_ARGUMENT);
	fails(gt_path_open_beneath(root_fd, "relative", O_RDONLY, 0, &fd), GT_INVALID_ARGUMENT);
	fails(gt_path_open_beneath(root_fd, "/inside", O_RDONLY, 0, &fd), GT_INVALID_ARGUMENT);
	ok(gt_path_open_beneath(root_fd, "dir/../inside", O_RDONLY, 0, &fd));
	close(fd);
}
END_TEST

START_TEST(test_magic_links_are_refused)
{
	gt_autofd int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	gt_autofree char *path = gt_strf("self/fd/%d", root_fd);
	int fd = -1;

	ck_assert_int_ge(proc, 0);
	fails(gt_path_open_in_root(proc, path, O_RDONLY, 0, &fd), GT_INVALID_ARGUMENT);
	fails(gt_path_open_in_root(proc, "self/root/etc", O_RDONLY, 0, &fd), GT_INVALID_ARGUMENT);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(test_loops_and_limits)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;

	link_to("b", "a");
	link_to("a", "b");
	fails(gt_path_read_in_root(root_fd, "a", 100, &b), GT_INVALID_ARGUMENT);
	fails(gt_path_read_in_root(root_fd, "inside", 3, &b), GT_RESOURCE_EXHAUSTED);
	ck_assert_int_eq(mkfifoat(root_fd, "fifo", 0600), 0);
	fails(gt_path_read_in_root(root_fd, "fifo", 100, &b), GT_INVALID_ARGUMENT);
	fails(gt_path_read_in_root(root_fd, "dir", 100, &b), GT_INVALID_ARGUMENT);
	fails(gt_path_read_in_root(root_fd, "inside/below", 100, &b), GT_NOT_FOUND);
}
END_TEST

START_TEST(test_mkdirs)
{
	struct stat st;
	int fd = -1;

	ok(gt_path_mkdirs_in_root(root_fd, "/x/y//z/", 0750, &fd));
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert(S_ISDIR(st.st_mode));
	close(fd);
	ck_assert_int_eq(fstatat(root_fd, "x/y/z", &st, 0), 0);
	ok(gt_path_mkdirs_in_root(root_fd, "x/y/z", 0750, NULL));
	ok(gt_path_mkdirs_in_root(root_fd, "/", 0750, NULL));
	ok(gt_path_mkdirs_in_root(root_fd, "", 0750, NULL));

	/* A link that climbs ends in the root; one that dangles is not followed into creation. */
	link_to("../../..", "up");
	ok(gt_path_mkdirs_in_root(root_fd, "up/made/here", 0750, NULL));
	ck_assert_int_eq(fstatat(root_fd, "made/here", &st, 0), 0);
	ck_assert_int_lt(fstatat(top_fd, "made", &st, 0), 0);
	link_to("nowhere", "dangling");
	fails(gt_path_mkdirs_in_root(root_fd, "dangling/x", 0750, NULL), GT_NOT_FOUND);
	fails(gt_path_mkdirs_in_root(root_fd, "inside/x", 0750, NULL), GT_NOT_FOUND);
}
END_TEST

/* Somebody flips a folder for a link to the outside, again and again: nothing is made there. */
START_TEST(test_flipping_folder)
{
	struct stat st;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			unlinkat(root_fd, "flip", AT_REMOVEDIR);
			if (symlinkat("../victim", root_fd, "flip") == 0)
				unlinkat(root_fd, "flip", 0);
			mkdirat(root_fd, "flip", 0755);
			gt_error_free(gt_file_remove_tree(root_fd, "flip"));
		}
	}
	ck_assert_int_eq(mkdirat(top_fd, "victim", 0755), 0);
	for (int i = 0; i < 3000; i++) {
		gt_autofd int fd = -1;

		gt_error_free(gt_path_mkdirs_in_root(root_fd, "flip/made", 0755, NULL));
		gt_error_free(
			gt_path_open_in_root(root_fd, "flip/file", O_CREAT | O_WRONLY, 0600, &fd));
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_lt(fstatat(top_fd, "victim/made", &st, 0), 0);
	ck_assert_int_lt(fstatat(top_fd, "victim/file", &st, 0), 0);
}
END_TEST

START_TEST(test_path_of_fd)
{
	gt_autofree char *path = NULL;
	gt_autofree char *real = realpath(top, NULL);
	gt_autofree char *want = gt_strf("%s/root", real);

	ok(gt_path_of_fd(root_fd, &path));
	ck_assert_str_eq(path, want);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("path");
	TCase *t = tcase_create("path");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_root_is_the_top);
	tcase_add_test(t, test_nothing_leads_out);
	tcase_add_test(t, test_magic_links_are_refused);
	tcase_add_test(t, test_loops_and_limits);
	tcase_add_test(t, test_mkdirs);
	tcase_add_test(t, test_flipping_folder);
	tcase_add_test(t, test_path_of_fd);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
