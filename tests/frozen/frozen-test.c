/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins of another time, in today's host. */
#include <config.h>

#include <core/host.h>
#include <gantry/buf.h>
#include <gantry/content.h>
#include <gantry/differ.h>
#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <string.h>

static char *base; /* goes at the end, whatever fails */
static char *dir; /* of one test */
static struct gt_host *host;
static struct gt_differ *differ;

static void setup(void)
{
	dir = gt_strf("%s/XXXXXX", base);
	ck_assert(mkdtemp(dir));
	host = NULL;
	differ = NULL;
}

static void teardown(void)
{
	gt_host_close(host);
	free(dir);
}

static struct gt_error *load(const char *name, const struct gt_strv *options)
{
	const char *top = getenv("abs_top_builddir");
	gt_autofree char *file = gt_strf("%s/tests/frozen/.libs/%s.so", top ? top : ".", name);
	enum gt_kind kind;
	void *instance;

	GT_TRY(gt_host_open_file(file, dir, options, GT_DURABILITY_FULL, &host, &kind, &instance));
	ck_assert_int_eq(kind, GT_DIFFER);
	differ = instance;
	return NULL;
}

static struct gt_error *hello_pread(struct gt_reader *r, void *buf, size_t len, int64_t off,
				    size_t *out)
{
	static const char data[] = "hello";
	size_t left = off < 5 ? 5 - (size_t)off : 0;

	(void)r;
	*out = len < left ? len : left;
	memcpy(buf, data + (5 - left), *out);
	return NULL;
}

static int64_t hello_length(struct gt_reader *r)
{
	(void)r;
	return 5;
}

static void hello_close(struct gt_reader *r)
{
	(void)r;
}

static const struct gt_reader_ops hello_ops = {
	.size = sizeof(hello_ops),
	.pread = hello_pread,
	.length = hello_length,
	.close = hello_close,
};

static void check_apply(const char *options)
{
	struct gt_call call = GT_CALL_INIT;
	struct gt_reader blob = { .ops = &hello_ops };
	struct gt_descriptor desc = { .media_type = "type", .digest = "digest", .size = 37 };
	struct gt_mounts mounts = { 0 };
	struct gt_diff_result result = { 0 };
	gt_autoptr(gt_error) none = gt_differ_apply(differ, &call, &desc, &blob, &mounts, &result);
	struct gt_error *e;

	ck_assert_int_eq(gt_error_class(none), GT_FAILED_PRECONDITION);
	ck_assert_str_eq(gt_error_text(none), "nothing is mounted for digest");
	gt_strv_add(&gt_mounts_add(&mounts, "bind", "/src", NULL)->options, "rbind");
	e = gt_differ_apply(differ, &call, &desc, &blob, &mounts, &result);
	ck_assert_msg(!e, "%s", gt_error_text(e));
	ck_assert_str_eq(result.media_type, "type rbind");
	ck_assert_str_eq(result.digest, options);
	ck_assert_int_eq(result.size, 42);
	gt_diff_result_done(&result);
	gt_mounts_done(&mounts);
}

static void check_no_diff(void)
{
	struct gt_call call = GT_CALL_INIT;
	struct gt_mounts mounts = { 0 };
	struct gt_diff_result result = { 0 };
	gt_autoptr(gt_error) e =
		gt_differ_diff(differ, &call, &mounts, &mounts, NULL, NULL, &result);

	ck_assert_int_eq(gt_error_class(e), GT_UNIMPLEMENTED);
}

static const char *const loads[] = { "differ-frozen", "differ-frozen-shorter",
				     "differ-frozen-longer" };

START_TEST(test_loads)
{
	struct gt_error *e = load(loads[_i], NULL);

	ck_assert_msg(!e, "%s: %s", loads[_i], gt_error_text(e));
	check_apply("hello b 7 2000000000 65536 1 2:x ell");
	check_no_diff();
}
END_TEST

START_TEST(test_options)
{
	struct gt_strv options = { 0 };
	struct gt_error *e;

	gt_strv_add(&options, "word=other");
	gt_strv_add(&options, "number=9");
	gt_strv_add(&options, "yes=false");
	gt_strv_add(&options, "wait=1m30s");
	e = load(loads[_i], &options);
	ck_assert_msg(!e, "%s: %s", loads[_i], gt_error_text(e));
	check_apply("other b 9 90000000000 65536 0 2:x ell");
	gt_strv_done(&options);
}
END_TEST

static void check_refused(const char *name, const char *const *words)
{
	gt_autoptr(gt_error) e = load(name, NULL);

	ck_assert_msg(e != NULL, "%s loads", name);
	for (; *words; words++)
		ck_assert_msg(strstr(gt_error_text(e), *words) != NULL, "%s: no \"%s\" in: %s", name,
			      *words, gt_error_text(e));
}

START_TEST(test_wrong_abi)
{
	gt_autofree char *theirs = gt_strf("ABI %d", GT_ABI + 41);
	gt_autofree char *ours = gt_strf("ABI %d", GT_ABI);
	const char *const words[] = { "differ-frozen-abi", theirs, ours, NULL };

	check_refused("differ-frozen-abi", words);
}
END_TEST

START_TEST(test_missing_symbol)
{
	check_refused("differ-frozen-symbol",
		      (const char *const[]){ "differ-frozen-symbol", "gt_plugin", NULL });
}
END_TEST

START_TEST(test_missing_op)
{
	check_refused("differ-frozen-lacks",
		      (const char *const[]){ "differ-frozen-lacks", "apply", NULL });
}
END_TEST

START_TEST(test_missing_file)
{
	check_refused("differ-frozen-none", (const char *const[]){ "differ-frozen-none", NULL });
}
END_TEST

int main(void)
{
	Suite *s = suite_create("frozen");
	TCase *c = tcase_create("plugins");
	SRunner *r;
	const char *tmp = getenv("TMPDIR");
	int failed;

	base = gt_strf("%s/gantry-frozen.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(base))
		return 1;
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, test_loads, 0, 3);
	tcase_add_loop_test(c, test_options, 0, 3);
	tcase_add_test(c, test_wrong_abi);
	tcase_add_test(c, test_missing_symbol);
	tcase_add_test(c, test_missing_op);
	tcase_add_test(c, test_missing_file);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	gt_error_free(gt_file_remove_tree(AT_FDCWD, base));
	free(base);
	return failed ? 1 : 0;
}
