/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <mount/format.h>

#include <check.h>
#include <stdlib.h>

static struct gt_mount first = { .type = (char *)"ext4", .source = (char *)"/a.img", .target = (char *)"t" };
static struct gt_mount second = { .type = (char *)"bind", .source = (char *)"/b", .target = (char *)"" };
static const struct gt_mount_made made[] = { { &first, "/m/1" }, { &second, "/m/2" }, { &second, "/m/3" } };

static void check(const char *text, const char *want)
{
	gt_auto(gt_buf) out = GT_BUF_INIT;
	struct gt_error *e = gt_mount_format(text, made, 3, &out);

	if (want) {
		ck_assert_msg(!e, "%s: %s", text, gt_error_text(e));
		ck_assert_str_eq(out.s, want);
	} else {
		ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	}
	gt_error_free(e);
}

START_TEST(test_filled)
{
	check("", "");
	check("plain", "plain");
	check("upperdir={{ mount 0 }}/upper", "upperdir=/m/1/upper");
	check("{{source 0}}:{{ target 0 }}:{{	mount 2	}}", "/a.img:t:/m/3");
	check("lowerdir={{ overlay 0 2 }}", "lowerdir=/m/1:/m/2:/m/3");
	check("lowerdir={{ overlay 2 1 }}", "lowerdir=/m/3:/m/2");
	check("{{ overlay 1 1 }}", "/m/2");
}
END_TEST

START_TEST(test_refused)
{
	check("{{ mount 3 }}", NULL);
	check("{{ mount -1 }}", NULL);
	check("{{ mount 99999999999999999999 }}", NULL);
	check("{{ mount }}", NULL);
	check("{{ mount 0 1 }}", NULL);
	check("{{ overlay 0 }}", NULL);
	check("{{ overlay 0 3 }}", NULL);
	check("{{ env 0 }}", NULL);
	check("{{ }}", NULL);
	check("{{ mount 0 1 2 3 4 }}", NULL);
	check("{{ mount 0", NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("format");
	TCase *t = tcase_create("format");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, test_filled);
	tcase_add_test(t, test_refused);
	suite_add_tcase(s, t);
	srunner_set_tap(r, "-");
	srunner_run_all(r, CK_SILENT);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
