/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of the configuration: layers, places in errors, nearest names, types and ranges. */
#include <config.h>

#include "core/config.h"
#include "core/option.h"

#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

struct demo {
	char *path;
	bool flag;
	int64_t number;
	uint64_t bytes;
	int64_t wait;
	char *choice;
	struct gt_strv words;
};

static const struct gt_option demo_options[] = {
	GT_OPT_PATH(struct demo, path, "", "A path."),
	GT_OPT_BOOL(struct demo, flag, "true", "A flag."),
	GT_OPT_INT(struct demo, number, "3", 1, 10, "A number."),
	GT_OPT_SIZE(struct demo, bytes, "64MiB", "A size."),
	GT_OPT_DURATION(struct demo, wait, "10s", "A duration."),
	GT_OPT_ENUM(struct demo, choice, "one", "one|two", "A choice."),
	GT_OPT_LIST(struct demo, words, "[a, b]", "Words."),
	{ 0 }
};

static char *folder;

static void setup(void)
{
	const char *base = getenv("TMPDIR");

	folder = gt_strf("%s/gantry-config.XXXXXX", base && *base ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
	gt_error_free(gt_file_remove_tree(AT_FDCWD, folder));
	free(folder);
}

static char *file(const char *name, const char *text)
{
	char *path = gt_strf("%s/%s", folder, name);

	ck_assert_ptr_null(gt_file_write(AT_FDCWD, path, text, strlen(text), 0600, false));
	return path;
}

/* Loads the file, and demo's group from it; checks the error's text behind the folder. */
static void expect_error(const char *text, const char *want)
{
	gt_autofree char *path = file("c.conf", text);
	gt_autofree char *full = gt_strf("%s%s", path, want);
	struct gt_config *c = NULL;
	struct demo d = { 0 };
	struct gt_error *e = gt_config_load("", path, &c);

	if (!e)
		e = gt_config_plugin(c, "demo", demo_options, &d);
	ck_assert_msg(e != NULL, "no error for: %s", text);
	ck_assert_str_eq(gt_error_text(e), full);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	gt_error_free(e);
	gt_option_done(demo_options, &d);
	gt_config_free(c);
}

START_TEST(two_lines_are_complete)
{
	gt_autofree char *path = file("c.conf", "root = \"/a\";\nstate = \"/b\";\n");
	struct gt_config *c;
	const struct gt_settings *s;

	ck_assert_ptr_null(gt_config_load("active: { content = \"x\"; };", path, &c));
	s = gt_config_settings(c);
	ck_assert_str_eq(s->root, "/a");
	ck_assert_str_eq(s->state, "/b");
	ck_assert_str_eq(s->durability, "full");
	ck_assert_uint_eq(s->active[GT_CONTENT].n, 1);
	ck_assert_uint_eq(s->active[GT_SNAPSHOTTER].n, 0);
	gt_config_free(c);
}
END_TEST

START_TEST(imports_merge_key_by_key)
{
	gt_autofree char *main_file =
		file("c.conf", "root = \"/a\"; state = \"/b\"; imports = [ \"d/*.conf\", \"z.conf\" ];\n"
			       "demo: { number = 1; flag = false; };");
	gt_autofree char *sub = gt_strf("%s/d", folder);
	struct gt_config *c;
	struct demo d = { 0 };
	gt_autofree char *place = NULL;

	ck_assert_ptr_null(gt_file_mkdirs(sub, 0700));
	free(file("d/1.conf", "demo: { number = 2; };"));
	free(file("d/2.conf", "demo: { number = 4; words = \"w\"; };"));
	free(file("z.conf", "state = \"/z\";"));
	ck_assert_ptr_null(gt_config_load("", main_file, &c));
	ck_assert_str_eq(gt_config_settings(c)->state, "/z");
	ck_assert_str_eq(gt_config_settings(c)->root, "/a");
	ck_assert_ptr_null(gt_config_plugin(c, "demo", demo_options, &d));
	ck_assert_int_eq(d.number, 4);
	ck_assert(!d.flag);
	ck_assert_uint_eq(d.words.n, 1);
	ck_assert_uint_eq(d.bytes, 64 << 20);
	place = gt_config_group_place(c, "demo");
	ck_assert_ptr_nonnull(strstr(place, "/d/2.conf:1"));
	gt_option_done(demo_options, &d);
	gt_config_free(c);
}
END_TEST

START_TEST(missing_import_and_loop)
{
	gt_autofree char *path = file("c.conf", "imports = [ \"no.conf\" ];");
	struct gt_config *c;
	struct gt_error *e = gt_config_load("", path, &c);

	ck_assert_int_eq(gt_error_class(e), GT_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(gt_error_text(e), "c.conf:1: imports: no file"));
	gt_error_free(e);
	free(file("c.conf", "imports = \"c.conf\";"));
	e = gt_config_load("", path, &c);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	gt_error_free(e);
}
END_TEST

START_TEST(errors_name_place_and_setting)
{
	expect_error("root = ", ":1: syntax error");
	expect_error("\nrot = \"/x\";", ":2: rot: unknown option (did you mean root?)");
	expect_error("qqqqqqqq = 1;", ":1: qqqqqqqq: unknown option");
	expect_error("root = \"x\";", ":1: root: expected an absolute path, or \"\", found \"x\"");
	expect_error("durability = \"slow\";", ":1: durability: expected one of full, fast, found \"slow\"");
	expect_error("log: { levle = \"info\"; };",
		     ":1: log.levle: unknown option (did you mean level?)");
	expect_error("log = 1;", ":1: log: expected a group: log: { ... };");
	expect_error("demo: { flag = 1; };", ":1: demo.flag: expected true or false, found 1");
	expect_error("demo: {\n number = 11;\n};",
		     ":2: demo.number: expected a whole number from 1 to 10, found 11");
	expect_error("demo: { number = \"3\"; };",
		     ":1: demo.number: expected a whole number from 1 to 10, found \"3\"");
	expect_error("demo: { number = 1.5; };",
		     ":1: demo.number: expected a whole number from 1 to 10, found a number with a point");
	expect_error("demo: { bytes = \"64 MB\"; };",
		     ":1: demo.bytes: expected a size such as \"64MiB\" or \"10kB\", found \"64 MB\"");
	expect_error("demo: { wait = \"10\"; };",
		     ":1: demo.wait: expected a duration such as \"10s\", \"1h30m\" or \"500ms\", found "
		     "\"10\"");
	expect_error("demo: { choice = \"three\"; };",
		     ":1: demo.choice: expected one of one, two, found \"three\"");
	expect_error("demo: { words = [ 1, 2 ]; };",
		     ":1: demo.words: expected a list of strings such as [ \"a\", \"b\" ], found a list "
		     "that holds not only strings");
	expect_error("demo: { chioce = \"two\"; };",
		     ":1: demo.chioce: unknown option (did you mean choice?)");
}
END_TEST

START_TEST(printed_defaults_read_back)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;
	struct gt_config *c, *again;
	struct demo d = { 0 }, e = { 0 };
	gt_autofree char *path = NULL;

	ck_assert_ptr_null(gt_config_load("", NULL, &c));
	ck_assert_ptr_null(gt_config_plugin(c, "demo", demo_options, &d));
	gt_config_print_group(c, "demo", demo_options, &d, true, &out);
	path = file("back.conf", out.s);
	ck_assert_ptr_null(gt_config_load("", path, &again));
	ck_assert_ptr_null(gt_config_plugin(again, "demo", demo_options, &e));
	ck_assert_int_eq(e.number, 3);
	ck_assert_int_eq(e.wait, 10000000000);
	ck_assert_uint_eq(e.words.n, 2);
	ck_assert_str_eq(e.words.v[1], "b");
	gt_option_done(demo_options, &d);
	gt_option_done(demo_options, &e);
	gt_config_free(c);
	gt_config_free(again);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, two_lines_are_complete);
	tcase_add_test(t, imports_merge_key_by_key);
	tcase_add_test(t, missing_import_and_loop);
	tcase_add_test(t, errors_name_place_and_setting);
	tcase_add_test(t, printed_defaults_read_back);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
