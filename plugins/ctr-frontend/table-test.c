/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "format.h"
#include "table.h"

#include <check.h>
#include <string.h>

static void expect_take(char *got, const char *want)
{
	ck_assert_str_eq(got, want);
	free(got);
}

START_TEST(test_sizes)
{
	expect_take(ctr_size_binary(0), "0.0 B");
	expect_take(ctr_size_binary(1023), "1023.0 B");
	expect_take(ctr_size_binary(3040870), "2.9 MiB");
	expect_take(ctr_size_binary(1024), "1.0 KiB");
	expect_take(ctr_size_decimal(3), "3B");
	expect_take(ctr_size_decimal(242), "242B");
	expect_take(ctr_size_decimal(1028472), "1.028MB");
	expect_take(ctr_size_decimal(1000), "1kB");
	expect_take(ctr_size_decimal(2746000), "2.746MB");
}
END_TEST

START_TEST(test_durations)
{
	static const struct {
		int64_t ns;
		const char *text;
	} all[] = {
		{ 0, "0s" },		     { 1, "1ns" },
		{ 1500, "1.5µs" },	     { 105588184, "105.588184ms" },
		{ 2000000000, "2s" },	     { 62500000000, "1m2.5s" },
		{ 3600000000000, "1h0m0s" }, { 5025000000001, "1h23m45.000000001s" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		expect_take(ctr_duration_go(all[i].ns), all[i].text);
}
END_TEST

START_TEST(test_ages)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} all[] = {
		{ -5, "Less than a second" },
		{ 0, "Less than a second" },
		{ 1, "1 second" },
		{ 59, "59 seconds" },
		{ 60, "About a minute" },
		{ 119, "About a minute" },
		{ 120, "2 minutes" },
		{ 3599, "59 minutes" },
		{ 3600, "About an hour" },
		{ 5399, "About an hour" },
		{ 5400, "2 hours" },
		{ 47 * 3600, "47 hours" },
		{ 48 * 3600, "2 days" },
		{ 13 * 86400, "13 days" },
		{ 14 * 86400, "2 weeks" },
		{ 59 * 86400, "8 weeks" },
		{ 60 * 86400, "2 months" },
		{ 729 * 86400, "24 months" },
		{ 730 * 86400, "2 years" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		expect_take(ctr_age(all[i].seconds), all[i].text);
}
END_TEST

START_TEST(test_times)
{
	struct timespec t = { .tv_sec = 1795543230, .tv_nsec = 70278154 };
	struct timespec zero = { 0 };

	setenv("TZ", "UTC", 1);
	tzset();
	expect_take(ctr_time_utc(t), "2026-11-24T18:00:30.070278154Z");
	expect_take(ctr_time_go(t), "2026-11-24 18:00:30.070278154 +0000 UTC");
	expect_take(ctr_time_local(t), "2026-11-24T18:00:30Z");
	t.tv_nsec = 500000000;
	expect_take(ctr_time_utc(t), "2026-11-24T18:00:30.5Z");
	setenv("TZ", "XXX-5:30", 1);
	tzset();
	expect_take(ctr_time_local(t), "2026-11-24T23:30:30+05:30");
	expect_take(ctr_time_utc(zero), "0001-01-01T00:00:00Z");
}
END_TEST

START_TEST(test_base64)
{
	expect_take(ctr_base64("", 0), "");
	expect_take(ctr_base64("f", 1), "Zg==");
	expect_take(ctr_base64("fo", 2), "Zm8=");
	expect_take(ctr_base64("foo", 3), "Zm9v");
	expect_take(ctr_base64("\xff\xfe\xfd\xfc", 4), "//79/A==");
}
END_TEST

START_TEST(test_labels)
{
	gt_auto(gt_labels) l = { 0 };

	expect_take(ctr_labels(&l, "-"), "-");
	ctr_label_parse(&l, "b=2=3", "true");
	ctr_label_parse(&l, "a", "true");
	ctr_label_parse(&l, "c=", "true");
	expect_take(ctr_labels(&l, "-"), "a=true,b=2=3,c=");
}
END_TEST

static const struct ctr_column columns[] = {
	{ "REF", "ref" }, { "SIZE", "size" }, { "LABELS", "labels" }, { 0 },
};

/* Prints two rows, or none, in the form that is asked for. */
static char *print(bool json, int min, int pad, unsigned bits, bool rows)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct ctr_table *t = ctr_table_make(out, json, columns, min, pad, bits);
	gt_auto(gt_labels) none = { 0 };
	gt_auto(gt_labels) some = { 0 };

	gt_labels_set(&some, "k", "v");
	if (rows) {
		ctr_cell(t, "a-long-name");
		ctr_cell_binary(t, 2048);
		ctr_cell_labels(t, &none, "-");
		ctr_cell(t, "\xc3\xa9"); /* one character of two bytes */
		ctr_cell_or_dash(t, "");
		ctr_cell_labels(t, &some, "-");
	}
	ctr_table_print(t, true);
	fclose(out);
	return text;
}

START_TEST(test_spaces)
{
	expect_take(print(false, 1, 1, 0, true), "REF         SIZE    LABELS \n"
						 "a-long-name 2.0 KiB -      \n"
						 "\xc3\xa9           -       k=v    \n");
	expect_take(print(false, 4, 4, CTR_OPEN, true), "REF            SIZE       LABELS    \n"
							"a-long-name    2.0 KiB    -\n"
							"\xc3\xa9              -          k=v\n");
	expect_take(print(false, 4, 4, 0, false), "REF    SIZE    LABELS    \n");
}
END_TEST

START_TEST(test_tabs)
{
	expect_take(print(false, 1, 1, CTR_TABS, true), "REF\t\tSIZE\tLABELS\t\n"
							"a-long-name\t2.0 KiB\t-\t\n"
							"\xc3\xa9\t\t-\tk=v\t\n");
	expect_take(print(false, 1, 1, CTR_TABS | CTR_OPEN | CTR_OPEN_TITLE, true), "REF\t\tSIZE\tLABELS\n"
								   "a-long-name\t2.0 KiB\t-\n"
								   "\xc3\xa9\t\t-\tk=v\n");
}
END_TEST

START_TEST(test_json)
{
	expect_take(print(true, 1, 1, 0, false), "[]\n");
	expect_take(print(true, 1, 1, CTR_TABS, true), "[\n"
						       "    {\n"
						       "        \"ref\": \"a-long-name\",\n"
						       "        \"size\": 2048,\n"
						       "        \"labels\": {}\n"
						       "    },\n"
						       "    {\n"
						       "        \"ref\": \"\xc3\xa9\",\n"
						       "        \"size\": null,\n"
						       "        \"labels\": {\n"
						       "            \"k\": \"v\"\n"
						       "        }\n"
						       "    }\n"
						       "]\n");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctr tables");
	TCase *t = tcase_create("tables");
	SRunner *r;
	int failed;

	tcase_add_test(t, test_sizes);
	tcase_add_test(t, test_durations);
	tcase_add_test(t, test_ages);
	tcase_add_test(t, test_times);
	tcase_add_test(t, test_base64);
	tcase_add_test(t, test_labels);
	tcase_add_test(t, test_spaces);
	tcase_add_test(t, test_tabs);
	tcase_add_test(t, test_json);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
