/* SPDX-License-Identifier: Apache-2.0 */
/* What the conformance suite cannot know: the mounts' words, and the layout on disk. */
#include <config.h>

#include "native.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static char *top;
static struct native_config config = { .root = (char *)"" };
static struct gt_init init;
static struct gt_snapshotter *s;
static struct gt_call call = GT_CALL_INIT;

static void ok(struct gt_error *e)
{
	ck_assert_msg(!e, "%s", gt_error_text(e));
}

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");

	top = gt_strf("%s/gantry-native.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(top));
	init = (struct gt_init){
		.size = sizeof(init),
		.module = "snapshotter-native",
		.id = "native",
		.root = top,
		.state = top,
		.config = &config,
	};
	ok(native_open(&init, &s));
}

static void teardown(void)
{
	native_close(s);
	ok(gt_file_remove_tree(AT_FDCWD, top));
	free(top);
}

static void expect(const struct gt_mounts *m, const char *id, const char *options)
{
	gt_autofree char *source = gt_strf("%s/snapshots/%s", top, id);
	gt_autofree char *is = NULL;

	ck_assert_uint_eq(m->n, 1);
	ck_assert_uint_eq(m->v[0].options.n, 2);
	is = gt_strf("%s,%s", m->v[0].options.v[0], m->v[0].options.v[1]);
	ck_assert_str_eq(m->v[0].type, "bind");
	ck_assert_str_eq(m->v[0].source, source);
	ck_assert_str_eq(is, options);
}

static char *in(const char *below)
{
	return gt_strf("%s/snapshots/%s", top, below);
}

static void write_file(const char *below, const char *text)
{
	gt_autofree char *path = in(below);

	ok(gt_file_write(AT_FDCWD, path, text, strlen(text), 0644, false));
}

static void expect_file(const char *below, const char *text)
{
	gt_autofree char *path = in(below);
	gt_auto(gt_buf) b = GT_BUF_INIT;

	ok(gt_file_read(AT_FDCWD, path, 1000, &b));
	ck_assert_str_eq(b.s, text);
}

START_TEST(test_mounts)
{
	gt_auto(gt_mounts) a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };

	ok(native_prepare(s, &call, "a", "", NULL, &a));
	expect(&a, "1", "rbind,rw");
	write_file("1/file", "one");
	ok(native_commit(s, &call, "one", "a", NULL));
	ok(native_prepare(s, &call, "b", "one", NULL, &b));
	expect(&b, "2", "rbind,rw");
	expect_file("2/file", "one");
	write_file("2/file", "two");
	expect_file("1/file", "one");
	ok(native_view(s, &call, "c", "one", NULL, &c));
	expect(&c, "1", "rbind,ro");
	ok(native_view(s, &call, "d", "", NULL, &d));
	expect(&d, "4", "rbind,ro");
}
END_TEST

/* Its record came back with a power cut, after the directory had been deleted. */
START_TEST(test_lost_directory)
{
	gt_auto(gt_mounts) a = { 0 }, b = { 0 }, again = { 0 };
	gt_autofree char *path = in("2");

	ok(native_prepare(s, &call, "a", "", NULL, &a));
	write_file("1/file", "one");
	ok(native_commit(s, &call, "one", "a", NULL));
	ok(native_prepare(s, &call, "b", "one", NULL, &b));
	ok(gt_file_remove_tree(AT_FDCWD, path));
	ok(native_mounts(s, &call, "b", &again));
	expect(&again, "2", "rbind,rw");
	expect_file("2/file", "one");
}
END_TEST

/* A copy that cannot be finished leaves nothing. */
START_TEST(test_cancelled_copy)
{
	struct gt_cancel *cancel = gt_cancel_new();
	struct gt_call cancelled = { .size = sizeof(cancelled), .cancel = cancel };
	gt_autofree char *folder = in("");
	gt_autofree char *path = in("2");
	gt_auto(gt_mounts) m = { 0 };
	struct dirent **names = NULL;
	struct gt_error *e;
	struct stat st;
	int n;

	ok(native_prepare(s, &call, "a", "", NULL, &m));
	write_file("1/file", "one");
	ok(native_commit(s, &call, "one", "a", NULL));
	gt_cancel_set(cancel);
	e = native_prepare(s, &cancelled, "b", "one", NULL, &m);
	ck_assert_int_eq(gt_error_class(e), GT_CANCELED);
	gt_error_free(e);
	gt_cancel_free(cancel);
	ck_assert_int_lt(stat(path, &st), 0);
	n = scandir(folder, &names, NULL, NULL);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	ck_assert_int_eq(n, 3); /* ".", ".." and "1" */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("native");
	TCase *t = tcase_create("native");
	SRunner *r = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_mounts);
	tcase_add_test(t, test_lost_directory);
	tcase_add_test(t, test_cancelled_copy);
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
