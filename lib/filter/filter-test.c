/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <filter/filter.h>

#include <check.h>
#include <string.h>

struct object {
	const char *name;
	struct gt_labels labels;
};

static const char *object_field(const void *object, const struct gt_strv *path,
				struct gt_buf *scratch)
{
	const struct object *o = object;

	if (!strcmp(path->v[0], "name"))
		return gt_filter_string(o->name);
	if (!strcmp(path->v[0], "length")) {
		gt_buf_addf(scratch, "%zu", strlen(o->name));
		return scratch->s;
	}
	if (!strcmp(path->v[0], "labels"))
		return gt_filter_label(&o->labels, path, 1);
	return NULL;
}

/* Whether a filter of one or two strings matches; fails the test where it does not parse. */
static bool matches(const struct object *o, const char *one, const char *two)
{
	gt_auto(gt_strv) filters = { 0 };
	gt_autoptr(gt_filter) f = NULL;
	gt_autoptr(gt_error) e = NULL;

	gt_strv_add(&filters, one);
	if (two)
		gt_strv_add(&filters, two);
	e = gt_filter_parse(&filters, &f);
	ck_assert_msg(!e, "%s", gt_error_text(e));
	return gt_filter_matches(f, object_field, o);
}

static struct gt_error *parse_error(const char *text)
{
	gt_auto(gt_strv) filters = { 0 };
	gt_autoptr(gt_filter) f = NULL;

	gt_strv_add(&filters, text);
	return gt_filter_parse(&filters, &f);
}

static struct object image(void)
{
	struct object o = { .name = "docker.io/library/nginx:latest" };

	gt_labels_set(&o.labels, "a.b/c", "v");
	gt_labels_set(&o.labels, "plain", "two words, with comma");
	gt_labels_set(&o.labels, "x.y", "dotted");
	gt_labels_set(&o.labels, "empty", "");
	return o;
}

static const struct {
	const char *filter;
	bool want;
} selectors[] = {
	{ "", true },
	{ "  ", true },
	{ "name", true },
	{ "nothing", false },
	{ "labels.nothing", false },
	{ "labels.plain", true },
	{ "labels.empty", true },
	{ "name==docker.io/library/nginx:latest", true },
	{ "name == docker.io/library/nginx:latest", true },
	{ "name==docker.io/library/nginx", false },
	{ "name!=docker.io/library/nginx", true },
	{ "nothing!=x", true },
	{ "nothing==\"\"", false },
	{ "nothing!=\"\"", false },
	{ "labels.\"a.b/c\"==v", true },
	{ "labels.x.y==dotted", true },
	{ "labels.\"x.y\"==dotted", true },
	{ "labels.plain==\"two words, with comma\"", true },
	{ "labels.plain==\"two\\x20words\\u002c with\\040comma\"", true },
	{ "length==30", true },
	{ "name,length==30", true },
	{ "name,length==31", false },
	{ "name , length!=31", true },
	{ "name~=nginx", true },
	{ "name~=^nginx", false },
	{ "name~=/library\\/nginx/", true },
	{ "name~=|library/nginx|", true },
	{ "name~=\"^docker\\\\.io/\"", true },
	{ "name~=/^docker.io,/", false },
	{ "nothing~=^$", true },
};

START_TEST(test_selector)
{
	struct object o = image();

	ck_assert_msg(matches(&o, selectors[_i].filter, NULL) == selectors[_i].want, "%s",
		      selectors[_i].filter);
	gt_labels_done(&o.labels);
}
END_TEST

START_TEST(test_alternatives)
{
	struct object o = image();
	gt_autoptr(gt_filter) f = NULL;
	gt_autoptr(gt_error) e = gt_filter_parse(NULL, &f);

	ck_assert(!e);
	ck_assert(gt_filter_matches(f, object_field, &o));
	ck_assert(matches(&o, "name==x", "length==30"));
	ck_assert(!matches(&o, "name==x", "length==31"));
	gt_labels_done(&o.labels);
}
END_TEST

static const struct {
	const char *filter;
	const char *text; /* a part of what the error says */
} errors[] = {
	{ "==x", "expected a field at byte 0" },
	{ "name==", "expected a value at byte 6" },
	{ "name=x", "expected '==', '!=', '~=', ',' or the end at byte 4" },
	{ "name,", "expected a field at byte 5" },
	{ "name.", "expected a field at byte 5" },
	{ "name==a b", "expected ',' or the end at byte 8" },
	{ "name==\"x", "without end" },
	{ "name==\"\\q\"", "a broken escape" },
	{ "name==\"\\x0\"", "a broken escape" },
	{ "name==\"\\ud800\"", "a broken escape" },
	{ "name==\"\\x00\"", "NUL" },
	{ "na-me==x", "at byte 2" },
	{ "name~=/(/", "without its ')'" },
	{ "name~=\"a**\"", "nothing to repeat" },
};

START_TEST(test_error)
{
	gt_autoptr(gt_error) e = parse_error(errors[_i].filter);

	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	ck_assert_msg(strstr(gt_error_text(e), errors[_i].text) != NULL, "%s", gt_error_text(e));
}
END_TEST

static const struct {
	const char *pattern;
	const char *yes; /* texts that match, separated by spaces */
	const char *no;
} regexps[] = {
	{ "^a.c$", "abc a-c", "ac abcd" },
	{ "^\\d+$", "1 123", "a 1a" },
	{ "^\\D+$", "a", "1" },
	{ "^\\w+$", "a_1", "a-1" },
	{ "^[\\w.-]+$", "a_1.b-c", "a/b a]" },
	{ "^[^\\d]+$", "abc", "a1" },
	{ "^[\\]\\[^-]+$", "[]^-", "a" },
	{ "^[]a]+$", "]a", "b" },
	{ "^[\\^]$", "^", "a" },
	{ "^[^^]$", "a", "^" },
	{ "^[[:alpha:]0-3]+$", "abc3", "4" },
	{ "^[[:^digit:]]+$", "abc", "4" },
	{ "^(?:ab)+?$", "ab abab", "aba" },
	{ "^(?P<name>ab|c)*$", "ab abc", "b" },
	{ "(?i)^abc$", "ABC aBc", "abd" },
	{ "^a{2}$", "aa", "a aaa" },
	{ "^a{1,2}?b{1,}$", "ab aabb", "b aaab" },
	{ "^a{,2}$", "a{,2}", "aa" },
	{ "^a{b$", "a{b", "ab" },
	{ "^\\Qa.b*\\E+$", "a.b* a.b**", "aab" },
	{ "\\bfoo\\b", "a-foo-b", "afoob" },
	{ "\\Aab\\z", "ab", "abc" },
	{ "^\\x41\\x{42}\\.$", "AB.", "ABx" },
	{ "^(a|)$", "a", "b" },
	{ "^\303\251+$", "\303\251 \303\251\303\251", "e" },
};

START_TEST(test_regexp)
{
	for (int want = 0; want < 2; want++) {
		gt_auto(gt_strv) texts = { 0 };

		gt_strv_split(&texts, want ? regexps[_i].yes : regexps[_i].no, ' ');
		for (size_t i = 0; i < texts.n; i++) {
			gt_auto(gt_buf) filter = GT_BUF_INIT;
			struct object o = { .name = texts.v[i] };

			gt_buf_adds(&filter, "name~=");
			gt_buf_addq(&filter, regexps[_i].pattern);
			ck_assert_msg(matches(&o, filter.s, NULL) == want, "%s on %s", filter.s,
				      texts.v[i]);
		}
	}
}
END_TEST

static const struct {
	const char *pattern;
	const char *text;
} bad_regexps[] = {
	{ "*a", "nothing to repeat" },
	{ "a|*", "nothing to repeat" },
	{ "(a", "without its ')'" },
	{ "a)", "without its '('" },
	{ "[a", "without end" },
	{ "[z-a]", "ends before it begins" },
	{ "[[:foo:]]", "unknown class name" },
	{ "a{2,1}", "ends before it begins" },
	{ "a{1001}", "too many repetitions" },
	{ "((a{1000}){1000}){1000}", "multiply too far" },
	{ "\\1", "unknown escape" },
	{ "\\pL", "not supported" },
	{ "a(?i)b", "flags are supported in front only" },
	{ "(?m)a", "flags are supported in front only" },
	{ "(?=a)", "flags are supported in front only" },
	{ "[\303\251]", "beyond ASCII" },
	{ "\\", "unknown escape" },
};

START_TEST(test_bad_regexp)
{
	gt_auto(gt_buf) filter = GT_BUF_INIT;
	gt_autoptr(gt_error) e = NULL;

	gt_buf_adds(&filter, "name~=");
	gt_buf_addq(&filter, bad_regexps[_i].pattern);
	e = parse_error(filter.s);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	ck_assert_msg(strstr(gt_error_text(e), bad_regexps[_i].text) != NULL, "%s",
		      gt_error_text(e));
}
END_TEST

START_TEST(test_limits)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_auto(gt_strv) many = { 0 };
	gt_autoptr(gt_filter) f = NULL;
	struct gt_error *e;

	for (int i = 0; i < 10000; i++)
		gt_buf_addc(&text, 'a');
	e = parse_error(text.s);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	gt_error_free(e);

	gt_buf_setlen(&text, 0);
	gt_buf_adds(&text, "name~=\"");
	for (int i = 0; i < 2000; i++)
		gt_buf_addc(&text, '(');
	gt_buf_addc(&text, '"');
	e = parse_error(text.s);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	ck_assert(strstr(gt_error_text(e), "nested too deep"));
	gt_error_free(e);

	for (int i = 0; i < 300; i++)
		gt_strv_add(&many, "name");
	e = gt_filter_parse(&many, &f);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	gt_error_free(e);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
	Suite *s = suite_create("filter");
	TCase *t = tcase_create("filter");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, test_selector, 0, COUNT(selectors));
	tcase_add_test(t, test_alternatives);
	tcase_add_loop_test(t, test_error, 0, COUNT(errors));
	tcase_add_loop_test(t, test_regexp, 0, COUNT(regexps));
	tcase_add_loop_test(t, test_bad_regexp, 0, COUNT(bad_regexps));
	tcase_add_test(t, test_limits);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
