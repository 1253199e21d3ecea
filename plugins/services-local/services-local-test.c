/* SPDX-License-Identifier: Apache-2.0 */
/* The services over the real drivers. */
#include <config.h>

#include "suites-test.h"

int main(void)
{
	Suite *s = suite_create("services-local");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, objects_tests());
	suite_add_tcase(s, content_tests());
	suite_add_tcase(s, isolation_tests());
	suite_add_tcase(s, snapshots_native_tests());
	suite_add_tcase(s, snapshots_overlay_tests());
	suite_add_tcase(s, diffs_tests());
	suite_add_tcase(s, gc_rules_tests());
	suite_add_tcase(s, others_tests());
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
