/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <toml/toml.h>

#include <gantry/buf.h>

#include <check.h>
#include <string.h>

static struct gt_toml *parse(const char *text)
{
	struct gt_toml *t = NULL;
	gt_autoptr(gt_error) e = gt_toml_parse("t.toml", text, strlen(text), &t);

	ck_assert_msg(!e, "%s", gt_error_text(e));
	return t;
}

static void refused(const char *text, size_t len, const char *want)
{
	struct gt_toml *t = NULL;
	gt_autoptr(gt_error) e = gt_toml_parse("t.toml", text, len, &t);

	ck_assert_ptr_nonnull(e);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	ck_assert_msg(!strncmp(gt_error_text(e), want, strlen(want)), "%s", gt_error_text(e));
	ck_assert_ptr_null(t);
}

START_TEST(tables_come_in_the_order_of_the_file)
{
	gt_autoptr(gt_toml) t = parse("server = \"https://s\"\n"
				      "[host.\"https://z\"]\n  capabilities = [\"pull\"]\n"
				      "[host.\"https://a\"]\n  skip_verify = true\n"
				      "[host.\"https://m\".header]\n  x = \"1\"\n");
	const struct gt_toml *host = gt_toml_get(t, "host");

	ck_assert_str_eq(gt_toml_get(t, "server")->string, "https://s");
	ck_assert_uint_eq(host->n, 3);
	ck_assert_str_eq(host->items[0].key, "https://z");
	ck_assert_uint_eq(host->items[0].line, 2);
	ck_assert_str_eq(host->items[1].key, "https://a");
	ck_assert(gt_toml_get(&host->items[1], "skip_verify")->boolean);
	ck_assert_str_eq(host->items[2].key, "https://m");
	ck_assert_uint_eq(gt_toml_get(&host->items[1], "skip_verify")->line, 5);
	ck_assert_ptr_null(gt_toml_get(host, "https://x"));
}
END_TEST

START_TEST(each_type_has_its_value)
{
	gt_autoptr(gt_toml) t = parse("i = -7\nf = 1.5\nb = false\nd = 1979-05-27T07:32:00Z\n"
				      "a = [1, [\"x\", {y = 2}]]\ns = 'a\\b'\n");

	ck_assert_int_eq(gt_toml_get(t, "i")->integer, -7);
	ck_assert(gt_toml_get(t, "f")->real > 1.4 && gt_toml_get(t, "f")->real < 1.6);
	ck_assert_int_eq(gt_toml_get(t, "b")->type, GT_TOML_BOOLEAN);
	ck_assert_str_eq(gt_toml_get(t, "d")->string, "1979-05-27T07:32:00Z");
	ck_assert_uint_eq(gt_toml_get(t, "a")->n, 2);
	ck_assert_int_eq(gt_toml_get(&gt_toml_get(t, "a")->items[1].items[1], "y")->integer, 2);
	ck_assert_str_eq(gt_toml_get(t, "s")->string, "a\\b");
	ck_assert_str_eq(gt_toml_type_name(gt_toml_get(t, "a")->type), "list");
}
END_TEST

START_TEST(errors_name_the_line)
{
	refused("a = 1\nb = \n", 10, "t.toml:2: ");
	refused("a = 1\na = 2\n", 12, "t.toml:2: ");
	refused("[x]\ny = \"\\u0000\"\n", 17, "t.toml:2: a string with a NUL inside");
	refused("a = \0\n", 6, "t.toml:1: ");
	refused("a = \"\xff\"\n", 8, "t.toml:1: ");
}
END_TEST

START_TEST(depth_is_bounded)
{
	gt_auto(gt_buf) dotted = GT_BUF_INIT;
	gt_auto(gt_buf) nested = GT_BUF_INIT;
	gt_auto(gt_buf) said = GT_BUF_INIT;
	gt_autoptr(gt_toml) t = NULL;

	gt_buf_adds(&dotted, "\na");
	gt_buf_adds(&nested, "a = ");
	gt_buf_adds(&said, "# ");
	for (int i = 0; i < 200000; i++) {
		gt_buf_adds(&dotted, ".a");
		gt_buf_adds(&nested, "[");
		gt_buf_adds(&said, ".[{");
	}
	gt_buf_adds(&dotted, " = 1\n");
	refused(dotted.s, dotted.len, "t.toml:2: nested deeper than 32 levels");
	refused(nested.s, nested.len, "t.toml:1: nested deeper than 32 levels");
	/* what stands in comments and strings nests nothing */
	gt_buf_adds(&said, "\na = \"\"\"\\\"....................................[[[\n\"\"\"\n"
			   "b = '.....................................'\n"
			   "c = '''\n.....................................'\n'''\nd = 1\n");
	t = parse(said.s);
	ck_assert_uint_eq(gt_toml_get(t, "d")->line, 8);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("toml");
	TCase *c = tcase_create("toml");
	SRunner *r;
	int failed;

	tcase_add_test(c, tables_come_in_the_order_of_the_file);
	tcase_add_test(c, each_type_has_its_value);
	tcase_add_test(c, errors_name_the_line);
	tcase_add_test(c, depth_is_bounded);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
