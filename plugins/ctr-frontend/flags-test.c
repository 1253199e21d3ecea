/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "flags.h"
#include "numbers.h"

#include <check.h>
#include <string.h>

static const struct ctr_flag group[] = {
	{ .name = "quiet", .alias = "q", .type = CTR_BOOL, .text = "" },
	{ .name = "yes", .type = CTR_BOOL, .value = "true", .text = "" },
	{ .name = "name", .alias = "n", .type = CTR_STRING, .value = "default", .env = "CTR_TEST_NAME",
	  .text = "" },
	{ .name = "number", .type = CTR_INT, .value = "-1", .text = "" },
	{ .name = "natural", .type = CTR_UINT, .text = "" },
	{ .name = "real", .type = CTR_FLOAT, .text = "" },
	{ .name = "wait", .type = CTR_DURATION, .value = "24h0m0s", .text = "" },
	{ .name = "env", .type = CTR_LIST, .env = "CTR_TEST_ENV", .text = "" },
	{ .name = "cap", .type = CTR_LIST, .bits = CTR_COMMAS, .text = "" },
	{ 0 },
};

static const struct ctr_flag own[] = {
	{ .name = "exec-id", .type = CTR_STRING, .bits = CTR_REQUIRED, .text = "" },
	{ 0 },
};

static const struct ctr_flag *const tables[] = { group, own, NULL };

static struct gt_error *parse(struct ctr_level *l, bool first, const char *line)
{
	/* the level borrows the words: they live as long as the process */
	static char *lines[64], *words[64][64];
	static int n;
	char *save = NULL, **argv = words[n];
	int argc = 0;
	char *copy = lines[n++] = strdup(line);

	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	*l = (struct ctr_level){ 0 };
	return ctr_level_parse(l, tables, first, argc, argv);
}

static void expect_error(const char *line, const char *text)
{
	struct ctr_level l;
	struct gt_error *e = parse(&l, false, line);

	ck_assert_msg(e, "no error for: %s", line);
	ck_assert_str_eq(gt_error_text(e), text);
	ck_assert_int_eq(gt_error_class(e), GT_UNKNOWN);
	gt_error_free(e);
	ctr_level_done(&l);
}

#define V(l, name, type) ctr_level_value(l, name, type)

START_TEST(test_values)
{
	struct ctr_level l;

	unsetenv("CTR_TEST_NAME");
	ck_assert_ptr_null(parse(&l, false,
				 "-q --yes=false -name=x --number 0x10 --natural=18446744073709551615 "
				 "--real 1.5 --wait 1h30m --env A=1,2 -env B --cap X,Y a --cap=Z"));
	ck_assert(V(&l, "quiet", CTR_BOOL)->yes);
	ck_assert(!V(&l, "yes", CTR_BOOL)->yes);
	ck_assert_str_eq(V(&l, "name", CTR_STRING)->text, "x");
	ck_assert_int_eq(V(&l, "number", CTR_INT)->number, 16);
	ck_assert_uint_eq(V(&l, "natural", CTR_UINT)->natural, UINT64_MAX);
	ck_assert_double_eq(V(&l, "real", CTR_FLOAT)->real, 1.5);
	ck_assert_int_eq(V(&l, "wait", CTR_DURATION)->number, INT64_C(5400000000000));
	ck_assert_uint_eq(V(&l, "env", CTR_LIST)->list.n, 2);
	ck_assert_str_eq(V(&l, "env", CTR_LIST)->list.v[0], "A=1,2");
	ck_assert_uint_eq(V(&l, "cap", CTR_LIST)->list.n, 3);
	ck_assert_str_eq(V(&l, "cap", CTR_LIST)->list.v[2], "Z");
	ck_assert_uint_eq(l.args.n, 1);
	ctr_level_done(&l);
}
END_TEST

START_TEST(test_defaults)
{
	struct ctr_level l;

	unsetenv("CTR_TEST_NAME");
	unsetenv("CTR_TEST_ENV");
	ck_assert_ptr_null(parse(&l, false, ""));
	ck_assert(!V(&l, "quiet", CTR_BOOL)->yes);
	ck_assert(V(&l, "yes", CTR_BOOL)->yes);
	ck_assert_str_eq(V(&l, "name", CTR_STRING)->text, "default");
	ck_assert(!V(&l, "name", CTR_STRING)->set);
	ck_assert_int_eq(V(&l, "number", CTR_INT)->number, -1);
	ck_assert_int_eq(V(&l, "wait", CTR_DURATION)->number, INT64_C(86400000000000));
	ck_assert_str_eq(V(&l, "exec-id", CTR_STRING)->text, "");
	ctr_level_done(&l);

	setenv("CTR_TEST_NAME", "fromenv", 1);
	setenv("CTR_TEST_ENV", "E=1", 1);
	ck_assert_ptr_null(parse(&l, false, ""));
	ck_assert_str_eq(V(&l, "name", CTR_STRING)->text, "fromenv");
	ck_assert_str_eq(V(&l, "env", CTR_LIST)->list.v[0], "E=1");
	ctr_level_done(&l);
	/* what is typed takes the environment's place, in a list, too */
	ck_assert_ptr_null(parse(&l, false, "-n typed --env A --env B"));
	ck_assert_str_eq(V(&l, "name", CTR_STRING)->text, "typed");
	ck_assert_uint_eq(V(&l, "env", CTR_LIST)->list.n, 2);
	ctr_level_done(&l);
	/* set but empty is set */
	setenv("CTR_TEST_NAME", "", 1);
	ck_assert_ptr_null(parse(&l, false, ""));
	ck_assert_str_eq(V(&l, "name", CTR_STRING)->text, "");
	ctr_level_done(&l);
	unsetenv("CTR_TEST_NAME");
	unsetenv("CTR_TEST_ENV");
}
END_TEST

START_TEST(test_errors)
{
	expect_error("--bogus", "flag provided but not defined: -bogus");
	expect_error("-qx", "flag provided but not defined: -qx");
	expect_error("--bogus=1", "flag provided but not defined: -bogus");
	expect_error("-n", "flag needs an argument: -n");
	expect_error("a --name", "flag needs an argument: -name");
	expect_error("---q", "bad flag syntax: ---q");
	expect_error("--=x", "bad flag syntax: --=x");
	expect_error("-=x", "bad flag syntax: -=x");
	expect_error("-q=maybe", "invalid boolean value \"maybe\" for -q: parse error");
	expect_error("--number abc", "invalid value \"abc\" for flag -number: parse error");
	expect_error("--number 9223372036854775808",
		     "invalid value \"9223372036854775808\" for flag -number: value out of range");
	expect_error("--natural -1", "invalid value \"-1\" for flag -natural: parse error");
	expect_error("--wait 10", "invalid value \"10\" for flag -wait: parse error");
	expect_error("--real x", "invalid value \"x\" for flag -real: parse error");
}
END_TEST

START_TEST(test_order)
{
	struct ctr_level l;

	/* flags may follow arguments; what is none then is an argument */
	ck_assert_ptr_null(parse(&l, false, "a -q b --bogus - c"));
	ck_assert(V(&l, "quiet", CTR_BOOL)->yes);
	ck_assert_uint_eq(l.args.n, 5);
	ck_assert_str_eq(l.args.v[2], "--bogus");
	ck_assert_str_eq(l.args.v[3], "-");
	ctr_level_done(&l);

	/* ... unless the first argument ends them */
	ck_assert_ptr_null(parse(&l, true, "a -q --bogus"));
	ck_assert(!V(&l, "quiet", CTR_BOOL)->yes);
	ck_assert_uint_eq(l.args.n, 3);
	ctr_level_done(&l);

	ck_assert_ptr_null(parse(&l, false, "-q -- -n x"));
	ck_assert_uint_eq(l.args.n, 2);
	ck_assert_str_eq(l.args.v[0], "-n");
	ctr_level_done(&l);
	/* behind an argument "--" is one itself */
	ck_assert_ptr_null(parse(&l, false, "a -- -q"));
	ck_assert_uint_eq(l.args.n, 3);
	ck_assert(!V(&l, "quiet", CTR_BOOL)->yes);
	ctr_level_done(&l);
}
END_TEST

START_TEST(test_required)
{
	struct gt_error *e;
	struct ctr_level l;

	ck_assert_ptr_null(parse(&l, false, ""));
	e = ctr_level_required(&l);
	ck_assert_str_eq(gt_error_text(e), "Required flag \"exec-id\" not set");
	gt_error_free(e);
	ctr_level_done(&l);
	ck_assert_ptr_null(parse(&l, false, "--exec-id x"));
	ck_assert_ptr_null(ctr_level_required(&l));
	ctr_level_done(&l);
}
END_TEST

START_TEST(test_levels)
{
	static const struct ctr_flag other[] = {
		{ .name = "name", .type = CTR_STRING, .text = "" },
		{ 0 },
	};
	const struct ctr_flag *const inner_tables[] = { other, NULL };
	struct ctr_level outer, inner = { .up = &outer }, same;

	unsetenv("CTR_TEST_NAME");
	ck_assert_ptr_null(parse(&outer, false, "--name outer -q"));
	/* another flag of that name hides the outer one, given or not */
	ck_assert_ptr_null(ctr_level_parse(&inner, inner_tables, false, 0, NULL));
	ck_assert_str_eq(V(&inner, "name", CTR_STRING)->text, "");
	ck_assert(V(&inner, "quiet", CTR_BOOL)->yes);
	ctr_level_done(&inner);
	/* the same flag on both levels is one flag */
	ck_assert_ptr_null(parse(&same, false, ""));
	same.up = &outer;
	ck_assert_str_eq(V(&same, "name", CTR_STRING)->text, "outer");
	ctr_level_done(&same);
	ctr_level_done(&outer);
}
END_TEST

START_TEST(test_numbers)
{
	uint64_t u;
	int64_t i;
	bool b;

	ck_assert_int_eq(ctr_parse_uint("0b101", &u), CTR_NUMBER_OK);
	ck_assert_uint_eq(u, 5);
	ck_assert_int_eq(ctr_parse_uint("017", &u), CTR_NUMBER_OK);
	ck_assert_uint_eq(u, 15);
	ck_assert_int_eq(ctr_parse_uint("0", &u), CTR_NUMBER_OK);
	ck_assert_uint_eq(u, 0);
	ck_assert_int_eq(ctr_parse_uint("0x", &u), CTR_NUMBER_SYNTAX);
	ck_assert_int_eq(ctr_parse_uint("09", &u), CTR_NUMBER_SYNTAX);
	ck_assert_int_eq(ctr_parse_uint("", &u), CTR_NUMBER_SYNTAX);
	ck_assert_int_eq(ctr_parse_uint(" 1", &u), CTR_NUMBER_SYNTAX);
	ck_assert_int_eq(ctr_parse_uint("18446744073709551616", &u), CTR_NUMBER_RANGE);
	ck_assert_int_eq(ctr_parse_int("-9223372036854775808", &i), CTR_NUMBER_OK);
	ck_assert_int_eq(i, INT64_MIN);
	ck_assert_int_eq(ctr_parse_int("-9223372036854775809", &i), CTR_NUMBER_RANGE);
	ck_assert_int_eq(ctr_parse_int("--1", &i), CTR_NUMBER_SYNTAX);
	ck_assert(ctr_parse_bool("T", &b) && b);
	ck_assert(ctr_parse_bool("False", &b) && !b);
	ck_assert(!ctr_parse_bool("yes", &b));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctr flags");
	TCase *t = tcase_create("flags");
	SRunner *r;
	int failed;

	tcase_add_test(t, test_values);
	tcase_add_test(t, test_defaults);
	tcase_add_test(t, test_errors);
	tcase_add_test(t, test_order);
	tcase_add_test(t, test_required);
	tcase_add_test(t, test_levels);
	tcase_add_test(t, test_numbers);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
