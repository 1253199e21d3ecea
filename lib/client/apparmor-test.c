/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/apparmor.h>

#include <gantry/buf.h>

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

START_TEST(names)
{
	static const char *const bad[] = { "", "a b", "a\"b", "a\n}", "a/b", "@{x}" };
	struct gt_call call = GT_CALL_INIT;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct gt_error *e = gt_apparmor_load_default(&call, bad[i]);

		ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
		gt_error_free(e);
	}
}
END_TEST

START_TEST(kernel_without)
{
	struct gt_call call = GT_CALL_INIT;
	struct gt_error *e;

	if (access("/sys/kernel/security/apparmor/profiles", F_OK) == 0)
		return; /* it has: tests/flags.sh loads one */
	e = gt_apparmor_load_default(&call, "x");
	ck_assert_int_eq(gt_error_class(e), GT_UNAVAILABLE);
	ck_assert_str_eq(gt_error_text(e),
			 "open /sys/kernel/security/apparmor/profiles: No such file or directory");
	gt_error_free(e);
}
END_TEST

START_TEST(text)
{
	gt_autofree char *profile = gt_apparmor_default("gantry-x");

	ck_assert_ptr_nonnull(strstr(profile, "profile \"gantry-x\" flags="));
	ck_assert_ptr_nonnull(strstr(profile, "deny mount,"));
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s = suite_create("apparmor");
	TCase *t = tcase_create("apparmor");
	SRunner *r;
	int failed;

	if (argc > 1) { /* for apparmor_parser to read: see tests/flags.sh */
		gt_autofree char *profile = gt_apparmor_default(argv[1]);

		return fputs(profile, stdout) < 0;
	}
	tcase_add_test(t, names);
	tcase_add_test(t, kernel_without);
	tcase_add_test(t, text);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
