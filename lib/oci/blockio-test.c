/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <oci/spec.h>

#include <check.h>
#include <jansson.h>
#include <string.h>

static struct gt_strv ignored;

/* The spec's blockIO of 'class_name', or "ERROR: ..." */
static char *blockio(const char *text, const char *class_name)
{
	gt_autoptr(gt_spec) spec = gt_spec_new("ns", "id");
	gt_auto(gt_buf) doc = GT_BUF_INIT;
	struct gt_error *e;
	json_t *j;
	char *out;

	gt_strv_done(&ignored);
	ignored = (struct gt_strv){ 0 };
	e = gt_spec_set_blockio(spec, text, strlen(text), class_name, &ignored);
	if (e) {
		out = gt_strf("%s: %s", gt_class_name(gt_error_class(e)), gt_error_text(e));
		gt_error_free(e);
		return out;
	}
	gt_spec_write(spec, 0, &doc);
	j = json_loadb(doc.s, doc.len, 0, NULL);
	out = json_dumps(json_object_get(json_object_get(json_object_get(j, "linux"), "resources"),
					 "blockIO"),
			 JSON_COMPACT);
	json_decref(j);
	return out;
}

static const struct {
	const char *text, *want;
} cases[] = {
	{ "Classes:\n  a:\n  - Weight: 80\n", "{\"weight\":80}" },
	{ "classes: { a: [ { weight: \"500\" } ], b: [] }", "{\"weight\":500}" },
	{ "Classes:\n  a:\n", "{}" },
	{ "Classes:\n  a:\n  - Weight: 80\n  - Weight: 90\n", "{\"weight\":90}" },
	{ "Classes:\n  b:\n  - Weight: 80\n", "NOT_FOUND: no BlockIO parameters for class \"a\"" },
	{ "", "NOT_FOUND: no BlockIO parameters for class \"a\"" },
	{ "Classes:\n  a:\n  - Weight: 9\n",
	  "INVALID_ARGUMENT: class a: line 3: value of \"Weight\" (9) is not from 10 to 1000" },
	{ "Classes:\n  a:\n  - Weight: 1001\n",
	  "INVALID_ARGUMENT: class a: line 3: value of \"Weight\" (1001) is not from 10 to 1000" },
	{ "Classes:\n  b:\n  - Weight: x\n  a:\n  - Weight: 20\n",
	  "INVALID_ARGUMENT: class b: line 3: syntax error in \"Weight\" (\"x\")" },
	{ "Classes:\n  a:\n  - Speed: 9\n", "INVALID_ARGUMENT: class a: line 3: unknown field" },
	{ "Classes:\n  a:\n  - ThrottleReadBps: 5\n",
	  "INVALID_ARGUMENT: class a: line 3: a limit without \"Devices\"" },
	{ "Classes:\n  a: 5\n", "INVALID_ARGUMENT: class a: line 2: a class is no list" },
	{ "Classes: []\n", "INVALID_ARGUMENT: line 1: \"Classes\" is no mapping" },
	{ "[]\n", "INVALID_ARGUMENT: line 1: \"Classes:\" is expected" },
	{ "Klasses: {}\n", "INVALID_ARGUMENT: line 1: unknown field" },
	{ "Classes:\n  a:\n - b\n",
	  "INVALID_ARGUMENT: line 3: did not find expected key" },
	{ "Classes:\n  a:\n  - Devices: /dev/null\n",
	  "INVALID_ARGUMENT: class a: line 3: \"Devices\" is no list" },
	{ "Classes:\n  a:\n  - Devices: [ [] ]\n",
	  "INVALID_ARGUMENT: class a: line 3: \"Devices\" is no list of patterns" },
};

START_TEST(files)
{
	gt_autofree char *have = blockio(cases[_i].text, "a");

	ck_assert_str_eq(have, cases[_i].want);
}
END_TEST

static const struct {
	const char *text;
	long long want; /* -1: refused */
} numbers[] = {
	{ "0", 0 },	       { "10", 10 },	   { "10k", 10000 },	 { "50M", 50000000 },
	{ "1.5k", 1500 },      { "64Ki", 65536 },  { "1e3", 1000 },	 { "1E3", 1000 },
	{ "1500m", 2 },	       { "1n", 1 },	   { "2Gi", 2147483648LL }, { "8E", 8000000000000000000LL },
	{ "10E", -1 },	       { "-1", -1 },	   { "0x10", -1 },	 { "1 k", -1 },
	{ "k", -1 },	       { ".", -1 },	   { "1.2.3", -1 },	 { "1kk", -1 },
	{ "99999999999999999999999999999999999999999", -1 },		 { "1e99", -1 },
};

START_TEST(quantities)
{
	gt_autofree char *text = gt_strf("Classes:\n  a:\n  - Devices: []\n    ThrottleReadBps: \"%s\"\n",
					 numbers[_i].text);
	gt_autofree char *have = blockio(text, "a");

	if (numbers[_i].want < 0)
		ck_assert_ptr_nonnull(strstr(have, "syntax error in \"ThrottleReadBps\""));
	else
		ck_assert_str_eq(have, "{}");
}
END_TEST

START_TEST(devices)
{
	gt_autofree char *have = blockio("Classes:\n  a:\n"
					 "  - Devices: [ /dev/null, /no/such, /dev/nul? ]\n"
					 "    Weight: 10\n",
					 "a");

	ck_assert_str_eq(have, "{}");
	ck_assert_uint_eq(ignored.n, 3);
	ck_assert_str_eq(ignored.v[0], "/dev/null is no block device");
	ck_assert_str_eq(ignored.v[1], "/no/such matches no device");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("blockio");
	TCase *t = tcase_create("blockio");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, files, 0, sizeof(cases) / sizeof(*cases));
	tcase_add_loop_test(t, quantities, 0, sizeof(numbers) / sizeof(*numbers));
	tcase_add_test(t, devices);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
