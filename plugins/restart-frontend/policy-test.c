/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "policy.h"

#include <gantry/buf.h>

#include <check.h>
#include <string.h>

/* ACTION for a container with labels "KEY=VALUE,..." (restart. left out) and a task in this state. */
static const char *decided(const char *labels, enum gt_task_status status, uint32_t exit_status)
{
	static const char *const names[] = { "nothing", "start", "stop" };
	const struct gt_task_state task = { .status = status, .exit_status = exit_status };
	struct gt_labels l = { 0 };
	enum restart_action action = RESTART_NOTHING;
	struct gt_error *e;
	bool bad;

	for (const char *p = labels; *p;) {
		size_t len = strcspn(p, ","), eq = strcspn(p, "=");
		char *key = gt_strf("containerd.io/restart.%.*s", (int)eq, p);
		char *value = gt_xstrndup(p + eq + 1, len - eq - 1);

		gt_labels_set(&l, key, value);
		free(key);
		free(value);
		p += len + (p[len] == ',');
	}
	e = restart_decide(&l, status == GT_TASK_UNKNOWN && exit_status ? NULL : &task, &action);
	bad = gt_error_class(e) == GT_INVALID_ARGUMENT;
	ck_assert(!e || bad);
	gt_error_free(e);
	gt_labels_done(&l);
	return bad ? "bad" : names[action];
}

#define NONE GT_TASK_UNKNOWN, 1 /* no task at all */
#define SILENT GT_TASK_UNKNOWN, 0
#define RUNNING GT_TASK_RUNNING, 0
#define WELL GT_TASK_STOPPED, 0
#define FAILED GT_TASK_STOPPED, 3


START_TEST(policies)
{
	static const struct {
		const char *labels, *none, *running, *well, *failed;
	} cases[] = {
		{ "", "nothing", "nothing", "nothing", "nothing" },
		{ "policy=always", "nothing", "nothing", "nothing", "nothing" },
		{ "status=running", "start", "nothing", "start", "start" },
		{ "status=running,policy=always", "start", "nothing", "start", "start" },
		{ "status=running,policy=always,explicitly-stopped=true", "start", "nothing", "start",
		  "start" },
		{ "status=running,policy=no", "nothing", "nothing", "nothing", "nothing" },
		{ "status=running,policy=unless-stopped", "start", "nothing", "start", "start" },
		{ "status=running,policy=unless-stopped,explicitly-stopped=true", "nothing", "nothing",
		  "nothing", "nothing" },
		{ "status=running,policy=unless-stopped,explicitly-stopped=false", "start", "nothing",
		  "start", "start" },
		{ "status=running,policy=on-failure", "nothing", "nothing", "nothing", "start" },
		{ "status=running,policy=on-failure,count=1000", "nothing", "nothing", "nothing",
		  "start" },
		{ "status=running,policy=on-failure:2", "nothing", "nothing", "nothing", "start" },
		{ "status=running,policy=on-failure:2,count=1", "nothing", "nothing", "nothing",
		  "start" },
		{ "status=running,policy=on-failure:2,count=2", "nothing", "nothing", "nothing",
		  "nothing" },
		{ "status=stopped", "nothing", "stop", "nothing", "nothing" },
		{ "status=stopped,policy=always", "nothing", "stop", "nothing", "nothing" },
		{ "status=running,policy=sometimes", "bad", "nothing", "bad", "bad" },
		{ "status=running,policy=on-failure:", "bad", "nothing", "bad", "bad" },
		{ "status=running,policy=on-failure:-1", "bad", "nothing", "bad", "bad" },
		{ "status=running,policy=on-failure:99999999999999999999", "bad", "nothing", "bad",
		  "bad" },
		{ "status=running,policy=on-failures", "bad", "nothing", "bad", "bad" },
		{ "status=running,policy=on-failure:3,count=x", "bad", "nothing", "bad", "bad" },
		{ "status=paused", "bad", "bad", "bad", "bad" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(!strcmp(decided(cases[i].labels, NONE), cases[i].none), "%s",
			      cases[i].labels);
		ck_assert_msg(!strcmp(decided(cases[i].labels, RUNNING), cases[i].running), "%s",
			      cases[i].labels);
		ck_assert_msg(!strcmp(decided(cases[i].labels, WELL), cases[i].well), "%s",
			      cases[i].labels);
		ck_assert_msg(!strcmp(decided(cases[i].labels, FAILED), cases[i].failed), "%s",
			      cases[i].labels);
	}
}
END_TEST

/* Those that are somebody's, or of which nothing is known, are left alone. */
START_TEST(states)
{
	static const enum gt_task_status others[] = { GT_TASK_CREATED, GT_TASK_PAUSED,
						      GT_TASK_PAUSING };

	ck_assert_str_eq(decided("status=running", SILENT), "nothing");
	ck_assert_str_eq(decided("status=stopped", SILENT), "stop");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		ck_assert_str_eq(decided("status=running", others[i], 0), "nothing");
		ck_assert_str_eq(decided("status=stopped", others[i], 0), "stop");
	}
}
END_TEST

static void logged(const char *uri, const char *path, const char *want)
{
	struct gt_labels l = { 0 };
	char *log = NULL;
	struct gt_error *e;

	if (uri)
		gt_labels_set(&l, RESTART_LOG_URI, uri);
	if (path)
		gt_labels_set(&l, RESTART_LOG_PATH, path);
	e = restart_log(&l, &log);
	ck_assert_str_eq(e ? "bad" : log ? log : "none", want);
	gt_error_free(e);
	free(log);
	gt_labels_done(&l);
}

START_TEST(logs)
{
	logged(NULL, NULL, "none");
	logged("", "", "none");
	logged("binary:///usr/bin/x?a=b", "/old", "binary:///usr/bin/x?a=b");
	logged(NULL, "/var/log/x", "file:///var/log/x");
	logged(NULL, "var/log/x", "bad");
}
END_TEST

START_TEST(counts)
{
	static const struct {
		const char *text;
		uint64_t want;
	} cases[] = { { "0", 0 }, { "7", 7 }, { "", 0 }, { "x", 0 }, { "-3", 0 }, { "3x", 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gt_labels l = { 0 };

		gt_labels_set(&l, RESTART_COUNT, cases[i].text);
		ck_assert_uint_eq(restart_count(&l), cases[i].want);
		gt_labels_done(&l);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy");
	TCase *t = tcase_create("policy");
	SRunner *r;
	int failed;

	tcase_add_test(t, policies);
	tcase_add_test(t, states);
	tcase_add_test(t, logs);
	tcase_add_test(t, counts);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
