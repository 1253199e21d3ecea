/* SPDX-License-Identifier: Apache-2.0 */
/* Unit tests of the core's base: errors, buffers, lists, labels, calls, quantities, files, events. */
#include <config.h>

#include "core/event.h"
#include "core/log.h"

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/file.h>
#include <gantry/quantity.h>
#include <gantry/strv.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void expect_class(struct gt_error *e, enum gt_class want)
{
	ck_assert_msg(gt_error_class(e) == want, "%s: %s", gt_class_name(gt_error_class(e)),
		      gt_error_text(e));
	gt_error_free(e);
}

START_TEST(error_chain_keeps_class_and_order)
{
	struct gt_error *e = gt_error_errno(GT_NOT_FOUND, ENOENT, "open %s", "x");

	e = gt_error_wrap(e, "prepare '%s'", "k");
	ck_assert_int_eq(gt_error_class(e), GT_NOT_FOUND);
	ck_assert_str_eq(gt_error_text(e), "prepare 'k': open x: No such file or directory");
	e = gt_error_reclass(e, GT_INTERNAL);
	ck_assert_str_eq(gt_class_name(gt_error_class(e)), "INTERNAL");
	gt_error_free(e);
	ck_assert_ptr_null(gt_error_wrap(NULL, "nothing"));
	ck_assert_str_eq(gt_class_text(GT_NOT_FOUND), "not found");
	ck_assert_str_eq(gt_error_text(NULL), "");
}
END_TEST

START_TEST(error_first_and_unless)
{
	struct gt_error *a = gt_error_new(GT_ABORTED, "a"), *b = gt_error_new(GT_DATA_LOSS, "b");

	expect_class(gt_error_first(a, b), GT_ABORTED);
	expect_class(gt_error_first(NULL, gt_error_new(GT_DATA_LOSS, "b")), GT_DATA_LOSS);
	ck_assert_ptr_null(gt_error_unless(gt_error_new(GT_NOT_FOUND, "x"), GT_NOT_FOUND));
	expect_class(gt_error_unless(gt_error_new(GT_UNKNOWN, "x"), GT_NOT_FOUND), GT_UNKNOWN);
}
END_TEST

START_TEST(buf_grows_and_is_terminated)
{
	struct gt_buf b = GT_BUF_INIT;
	char *s;

	ck_assert_str_eq(b.s, "");
	for (int i = 0; i < 1000; i++)
		gt_buf_addf(&b, "%d,", i);
	ck_assert_uint_eq(strlen(b.s), b.len);
	gt_buf_setlen(&b, 3);
	ck_assert_str_eq(b.s, "0,1");
	gt_buf_add(&b, "a\0b", 3);
	ck_assert_uint_eq(b.len, 6);
	s = gt_buf_detach(&b);
	ck_assert_int_eq(memcmp(s, "0,1a\0b", 7), 0);
	free(s);
	ck_assert_str_eq(b.s, "");
	gt_buf_addq(&b, "q\"\\\n\x01");
	ck_assert_str_eq(b.s, "\"q\\\"\\\\\\n\\x01\"");
	gt_buf_done(&b);
}
END_TEST

START_TEST(strv_splits_and_stays_terminated)
{
	struct gt_strv l = { 0 };

	gt_strv_split(&l, "a,,b,", ',');
	ck_assert_uint_eq(l.n, 4);
	ck_assert_str_eq(l.v[1], "");
	ck_assert_str_eq(l.v[3], "");
	ck_assert_ptr_null(l.v[4]);
	gt_strv_sort(&l);
	ck_assert_str_eq(l.v[3], "b");
	ck_assert(gt_strv_has(&l, "a") && !gt_strv_has(&l, "c"));
	gt_strv_done(&l);
	gt_strv_split(&l, "", ',');
	ck_assert_uint_eq(l.n, 0);
}
END_TEST

START_TEST(labels_are_sorted_and_unique)
{
	struct gt_labels l = { 0 }, copy = { 0 };

	gt_labels_set(&l, "b", "1");
	gt_labels_set(&l, "a", "2");
	gt_labels_set(&l, "c", "3");
	gt_labels_set(&l, "b", "4");
	ck_assert_uint_eq(l.n, 3);
	ck_assert_str_eq(l.v[0].key, "a");
	ck_assert_str_eq(gt_labels_get(&l, "b"), "4");
	gt_labels_copy(&copy, &l);
	gt_labels_unset(&l, "b");
	gt_labels_unset(&l, "b");
	ck_assert_ptr_null(gt_labels_get(&l, "b"));
	ck_assert_str_eq(gt_labels_get(&copy, "b"), "4");
	gt_labels_done(&l);
	gt_labels_done(&copy);
}
END_TEST

START_TEST(call_ends_by_deadline_and_cancel)
{
	struct gt_call call = GT_CALL_INIT;

	ck_assert_ptr_null(gt_call_check(&call));
	ck_assert_int_eq(gt_call_left(&call, 77), 77);
	call.deadline = gt_now() - 1;
	expect_class(gt_call_check(&call), GT_DEADLINE_EXCEEDED);
	ck_assert_int_eq(gt_call_left(&call, 77), 0);
	call.deadline = gt_now() + 10000000000;
	ck_assert_int_eq(gt_call_left(&call, 77), 77);
	call.cancel = gt_cancel_new();
	ck_assert_ptr_null(gt_call_check(&call));
	gt_cancel_set(call.cancel);
	expect_class(gt_call_check(&call), GT_CANCELED);
	gt_cancel_free(call.cancel);
}
END_TEST

static const struct {
	const char *id;
	bool good;
} identifiers[] = {
	{ "a", true },	     { "default", true }, { "A1.b-c_d", true }, { "", false },
	{ "-a", false },     { "a-", false },	  { "a..b", false },	{ "a/b", false },
	{ "a b", false },    { "\xc3\xa4", false }, { "..", false },	{ "a\nb", false },
	{ "0123456789012345678901234567890123456789012345678901234567890123456789012345", true },
	{ "01234567890123456789012345678901234567890123456789012345678901234567890123456", false },
};

START_TEST(identifiers_by_containerds_rule)
{
	struct gt_error *e = gt_identifier_check("id", identifiers[_i].id);

	ck_assert_msg(!e == identifiers[_i].good, "%s: %s", identifiers[_i].id, gt_error_text(e));
	gt_error_free(e);
}
END_TEST

START_TEST(namespace_is_required_then_valid)
{
	struct gt_call call = GT_CALL_INIT;

	expect_class(gt_call_namespace(&call), GT_FAILED_PRECONDITION);
	call.ns = "a/b";
	expect_class(gt_call_namespace(&call), GT_INVALID_ARGUMENT);
	call.ns = "k8s.io";
	ck_assert_ptr_null(gt_call_namespace(&call));
}
END_TEST

static const struct {
	const char *text;
	bool good;
	uint64_t value;
	const char *printed;
} sizes[] = {
	{ "0", true, 0, "0" },		   { "64MiB", true, 64 << 20, "64MiB" },
	{ "10kB", true, 10000, "10kB" },   { "1G", true, 1 << 30, "1GiB" },
	{ "1500", true, 1500, "1500" },	   { "", false, 0, NULL },
	{ "-1", false, 0, NULL },	   { "1 MiB", false, 0, NULL },
	{ "99999999999TiB", false, 0, NULL }, { "1MiBx", false, 0, NULL },
	{ "0x10", false, 0, NULL },
};

START_TEST(size_parses_whole_or_not)
{
	struct gt_buf b = GT_BUF_INIT;
	uint64_t v;

	ck_assert_int_eq(gt_size_parse(sizes[_i].text, &v), sizes[_i].good);
	if (!sizes[_i].good)
		return;
	ck_assert_uint_eq(v, sizes[_i].value);
	gt_size_print(v, &b);
	ck_assert_str_eq(b.s, sizes[_i].printed);
	gt_buf_done(&b);
}
END_TEST

static const struct {
	const char *text;
	bool good;
	int64_t value;
	const char *printed;
} durations[] = {
	{ "10s", true, 10000000000, "10s" },   { "1h30m", true, 5400000000000, "1h30m" },
	{ "1.5s", true, 1500000000, "1s500ms" }, { "500ms", true, 500000000, "500ms" },
	{ "0", true, 0, "0s" },		       { "-2us", true, -2000, "-2us" },
	{ "10", false, 0, NULL },	       { "s", false, 0, NULL },
	{ "1d", false, 0, NULL },	       { "", false, 0, NULL },
	{ "9999999999999h", false, 0, NULL },  { ".5s", true, 500000000, "500ms" },
};

START_TEST(duration_parses_whole_or_not)
{
	struct gt_buf b = GT_BUF_INIT;
	int64_t v;

	ck_assert_int_eq(gt_duration_parse(durations[_i].text, &v), durations[_i].good);
	if (!durations[_i].good)
		return;
	ck_assert_int_eq(v, durations[_i].value);
	gt_duration_print(v, &b);
	ck_assert_str_eq(b.s, durations[_i].printed);
	gt_buf_done(&b);
}
END_TEST

static char *temp_folder(void)
{
	const char *base = getenv("TMPDIR");
	char *path = gt_strf("%s/gantry-core.XXXXXX", base && *base ? base : "/tmp");

	ck_assert_ptr_nonnull(mkdtemp(path));
	return path;
}

START_TEST(file_reads_with_a_limit_and_never_waits)
{
	gt_autofree char *dir = temp_folder();
	gt_autofree char *file = gt_strf("%s/f", dir), *fifo = gt_strf("%s/p", dir);
	struct gt_buf b = GT_BUF_INIT;

	ck_assert_ptr_null(gt_file_write(AT_FDCWD, file, "0123456789", 10, 0600, true));
	ck_assert_ptr_null(gt_file_read(AT_FDCWD, file, 10, &b));
	ck_assert_str_eq(b.s, "0123456789");
	expect_class(gt_file_read(AT_FDCWD, file, 9, &b), GT_RESOURCE_EXHAUSTED);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	expect_class(gt_file_read(AT_FDCWD, fifo, 9, &b), GT_INVALID_ARGUMENT);
	expect_class(gt_file_read(AT_FDCWD, "/dev/zero", 9, &b), GT_INVALID_ARGUMENT);
	expect_class(gt_file_read(AT_FDCWD, "/nonexistent/x", 9, &b), GT_NOT_FOUND);
	ck_assert_ptr_null(gt_file_write(AT_FDCWD, file, "new", 3, 0600, false));
	gt_buf_setlen(&b, 0);
	ck_assert_ptr_null(gt_file_read(AT_FDCWD, file, 10, &b));
	ck_assert_str_eq(b.s, "new");
	gt_buf_done(&b);
	ck_assert_ptr_null(gt_file_remove_tree(AT_FDCWD, dir));
	ck_assert_int_eq(access(dir, F_OK), -1);
}
END_TEST

START_TEST(remove_tree_follows_no_link)
{
	gt_autofree char *dir = temp_folder(), *other = temp_folder();
	gt_autofree char *sub = gt_strf("%s/a/b/c", dir), *link = gt_strf("%s/a/l", dir);
	gt_autofree char *kept = gt_strf("%s/kept", other);

	ck_assert_ptr_null(gt_file_mkdirs(sub, 0700));
	ck_assert_ptr_null(gt_file_mkdirs(sub, 0700));
	ck_assert_ptr_null(gt_file_write(AT_FDCWD, kept, "k", 1, 0600, false));
	ck_assert_int_eq(symlink(other, link), 0);
	ck_assert_ptr_null(gt_file_remove_tree(AT_FDCWD, dir));
	ck_assert_int_eq(access(dir, F_OK), -1);
	ck_assert_int_eq(access(kept, F_OK), 0);
	ck_assert_ptr_null(gt_file_remove_tree(AT_FDCWD, other));
	ck_assert_ptr_null(gt_file_remove_tree(AT_FDCWD, other));
}
END_TEST

static void count_event(void *arg, const struct gt_event *e)
{
	struct gt_buf *b = arg;

	gt_buf_addf(b, "%s %s;", e->ns, e->topic);
}

START_TEST(events_reach_subscribers_in_order)
{
	struct gt_events *x = gt_events_new();
	struct gt_buf a = GT_BUF_INIT, b = GT_BUF_INIT;
	struct gt_subscription *sa = gt_events_subscribe(x, count_event, &a);
	struct gt_event e = { .ns = "default", .topic = "/images/create" };

	ck_assert_ptr_null(gt_events_publish(x, &e));
	gt_events_subscribe(x, count_event, &b);
	e.topic = "/tasks/exit";
	ck_assert_ptr_null(gt_events_publish(x, &e));
	gt_events_unsubscribe(sa);
	ck_assert_ptr_null(gt_events_publish(x, &e));
	ck_assert_str_eq(a.s, "default /images/create;default /tasks/exit;");
	ck_assert_str_eq(b.s, "default /tasks/exit;default /tasks/exit;");
	e.topic = "images/create";
	expect_class(gt_events_publish(x, &e), GT_INVALID_ARGUMENT);
	e.topic = "/images//create";
	expect_class(gt_events_publish(x, &e), GT_INVALID_ARGUMENT);
	e.topic = "/images/create";
	e.ns = NULL;
	expect_class(gt_events_publish(x, &e), GT_FAILED_PRECONDITION);
	gt_buf_done(&a);
	gt_buf_done(&b);
	gt_events_free(x);
}
END_TEST

/* What the log writes while 'level' and 'topics' are set. */
static void log_capture(bool json, const char *topic, struct gt_buf *out)
{
	struct gt_strv topics = { 0 };
	struct gt_log_setup setup = { .json = json, .level = GT_LOG_WARN, .topics = &topics };
	struct gt_error *e = gt_error_new(GT_UNKNOWN, "why \"so\"");
	int ends[2];
	ssize_t n;

	gt_strv_add(&topics, topic);
	ck_assert_int_eq(pipe(ends), 0);
	setup.fd = ends[1];
	ck_assert_ptr_null(gt_log_set(&setup));
	gt_log_write("quiet", GT_LOG_INFO, "not this");
	gt_log_write("loud", GT_LOG_DEBUG, "this\n%d", 1);
	gt_log_write_error("quiet", GT_LOG_WARN, e, "and that");
	setup.fd = STDERR_FILENO;
	gt_strv_done(&topics);
	ck_assert_ptr_null(gt_log_set(&setup));
	close(ends[1]);
	while ((n = read(ends[0], gt_buf_reserve(out, 4096), 4096)) > 0)
		gt_buf_setlen(out, out->len + n);
	close(ends[0]);
	gt_error_free(e);
}

START_TEST(log_has_levels_per_topic_in_text_and_json)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_auto(gt_buf) json = GT_BUF_INIT;
	struct gt_strv bad = { 0 };
	struct gt_log_setup setup = { .fd = STDERR_FILENO, .topics = &bad };

	log_capture(false, "loud=debug", &text);
	ck_assert_ptr_null(strstr(text.s, "not this"));
	ck_assert_ptr_nonnull(strstr(text.s, "level=debug msg=\"this\\n1\" topic=loud\n"));
	ck_assert_ptr_nonnull(strstr(text.s, "level=warning msg=\"and that\" error=\"why \\\"so\\\"\""));
	log_capture(true, "loud=trace", &json);
	ck_assert_int_eq(json.s[0], '{');
	ck_assert_ptr_nonnull(strstr(json.s, "{\"level\":\"debug\",\"topic\":\"loud\","
					     "\"msg\":\"this\\u000a1\",\"time\":\""));
	ck_assert_ptr_nonnull(strstr(json.s, "\"error\":\"why \\\"so\\\"\""));
	gt_strv_add(&bad, "loud");
	expect_class(gt_log_set(&setup), GT_INVALID_ARGUMENT);
	gt_strv_done(&bad);
	gt_strv_add(&bad, "loud=shrill");
	expect_class(gt_log_set(&setup), GT_INVALID_ARGUMENT);
	gt_strv_done(&bad);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core");
	TCase *t = tcase_create("core");
	SRunner *r;
	int failed;

	tcase_add_test(t, error_chain_keeps_class_and_order);
	tcase_add_test(t, error_first_and_unless);
	tcase_add_test(t, buf_grows_and_is_terminated);
	tcase_add_test(t, strv_splits_and_stays_terminated);
	tcase_add_test(t, labels_are_sorted_and_unique);
	tcase_add_test(t, call_ends_by_deadline_and_cancel);
	tcase_add_loop_test(t, identifiers_by_containerds_rule, 0,
			    sizeof(identifiers) / sizeof(identifiers[0]));
	tcase_add_test(t, namespace_is_required_then_valid);
	tcase_add_loop_test(t, size_parses_whole_or_not, 0, sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_loop_test(t, duration_parses_whole_or_not, 0,
			    sizeof(durations) / sizeof(durations[0]));
	tcase_add_test(t, file_reads_with_a_limit_and_never_waits);
	tcase_add_test(t, remove_tree_follows_no_link);
	tcase_add_test(t, events_reach_subscribers_in_order);
	tcase_add_test(t, log_has_levels_per_topic_in_text_and_json);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
