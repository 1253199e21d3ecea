/* SPDX-License-Identifier: Apache-2.0 */
/* Names of runtimes, and shims that print what they should not. */
#include <config.h>

#include <shim/endpoint.h>
#include <shim/name.h>
#include <shim/program.h>

#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <string.h>

static char *dir;
static struct gt_bundles all;
static struct gt_bundle bundle = GT_BUNDLE_INIT;
static const struct gt_shim_config config = { .events_address = "" };
static struct gt_shim_settings settings;
static struct gt_call call = GT_CALL_INIT;

static void expect(struct gt_error *e, enum gt_class want)
{
	ck_assert_msg(gt_error_class(e) == want, "%s", gt_error_text(e));
	gt_error_free(e);
}

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");
	struct gt_any spec = { .data = (char *)"{}", .len = 2 };

	dir = gt_strf("%s/program-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	gt_bundles_init(&all, dir, dir, NULL);
	settings = (struct gt_shim_settings){ .config = &config, .state = dir, .root = dir };
	call.deadline = gt_now() + 10 * INT64_C(1000000000);
	expect(gt_bundle_make(&all, "ns1", "c1", &spec, "/bin/sh", &bundle), GT_OK);
}

static void teardown(void)
{
	gt_bundle_done(&bundle);
	gt_bundles_done(&all);
	gt_error_free(gt_file_remove_tree(AT_FDCWD, dir));
	free(dir);
}

static char *shim(const char *script)
{
	char *path = gt_strf("%s/containerd-shim-test-v1", dir);
	gt_autofree char *text = gt_strf("#!/bin/sh\n%s\n", script);

	expect(gt_file_write(AT_FDCWD, path, text, strlen(text), 0755, false), GT_OK);
	return path;
}

START_TEST(names)
{
	static const char *const bad[] = { "", "runc", ".runc.v2", "io..v2x.", "a/b.c", "./x.y",
					   "/no/such/shim" };
	gt_autofree char *name = NULL, *path = NULL, *found = NULL, *again = NULL;
	gt_autofree char *search = gt_strf("relative::%s", dir);

	expect(gt_shim_program_name("io.containerd.runc.v2", &name), GT_OK);
	ck_assert_str_eq(name, "containerd-shim-runc-v2");
	free(gt_steal(&name));
	expect(gt_shim_program_name("a.b", &name), GT_OK);
	ck_assert_str_eq(name, "containerd-shim-a-b");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		expect(gt_shim_program(bad[i], NULL, &found), GT_INVALID_ARGUMENT);
	setenv("PATH", search, 1);
	expect(gt_shim_program("x.test.v1", NULL, &found), GT_NOT_FOUND);
	path = shim("true");
	expect(gt_shim_program("x.test.v1", NULL, &found), GT_OK);
	ck_assert_str_eq(found, path);
	expect(gt_shim_program(path, NULL, &again), GT_OK);
}
END_TEST

START_TEST(outputs)
{
	static const struct {
		const char *text;
		size_t len;
		enum gt_class want;
		unsigned version;
	} cases[] = {
#define TEXT(s) s, sizeof(s) - 1
		{ TEXT("unix:///run/x"), GT_OK, 2 },
		{ TEXT("  unix:///run/x\n"), GT_OK, 2 },
		{ TEXT("{\"version\":3,\"address\":\"unix:///run/x\",\"protocol\":\"ttrpc\"}"), GT_OK, 3 },
		{ TEXT("{\"version\":2,\"address\":\"unix:///run/x\"}\n"), GT_OK, 2 },
		{ TEXT("\x08\x03\x12\x0dunix:///run/x\x1a\x05ttrpc"), GT_OK, 3 },
		{ TEXT("{\"version\":4,\"address\":\"unix:///run/x\"}"), GT_UNIMPLEMENTED, 0 },
		{ TEXT("{\"version\":1,\"address\":\"unix:///run/x\"}"), GT_UNIMPLEMENTED, 0 },
		{ TEXT("{\"version\":3,\"address\":\"unix:///run/x\",\"protocol\":\"grpc\"}"), GT_UNIMPLEMENTED, 0 },
		{ TEXT(""), GT_INVALID_ARGUMENT, 0 },
		{ TEXT("{"), GT_INVALID_ARGUMENT, 0 },
		{ TEXT("{\"version\":2}"), GT_INVALID_ARGUMENT, 0 },
		{ TEXT("{\"version\":2,\"address\":5}"), GT_INVALID_ARGUMENT, 0 },
		{ TEXT("two words"), GT_INVALID_ARGUMENT, 0 },
		{ TEXT("unix:///run/\"x"), GT_INVALID_ARGUMENT, 0 },
		{ TEXT("unix:///run/\0x"), GT_INVALID_ARGUMENT, 0 },
		{ TEXT("\xff\xfe\xfd"), GT_INVALID_ARGUMENT, 0 },
		{ TEXT("\x08\x03\x12\x7f"), GT_INVALID_ARGUMENT, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct gt_shim_endpoint at = { 0 };
		struct gt_error *e = gt_shim_endpoint_parse(cases[i].text, cases[i].len, &at);

		ck_assert_msg(gt_error_class(e) == cases[i].want, "%s: %s", cases[i].text,
			      gt_error_text(e));
		if (!e)
			ck_assert_str_eq(at.address, "unix:///run/x");
		ck_assert_uint_eq(at.version, cases[i].version);
		gt_shim_endpoint_done(&at);
		gt_error_free(e);
	}
}
END_TEST

START_TEST(files)
{
	struct gt_shim_endpoint at = { .address = (char *)"unix:///run/x", .version = 3 };
	struct gt_shim_endpoint got = { 0 };

	expect(gt_shim_endpoint_load(bundle.fd, &got), GT_NOT_FOUND);
	expect(gt_shim_endpoint_save(bundle.fd, &at), GT_OK);
	expect(gt_shim_endpoint_load(bundle.fd, &got), GT_OK);
	ck_assert_str_eq(got.address, at.address);
	ck_assert_uint_eq(got.version, 3);
	gt_shim_endpoint_done(&got);
	unlinkat(bundle.fd, "bootstrap.json", 0);
	/* What the shim has written itself is not said twice. */
	at.version = 2;
	expect(gt_file_write(bundle.fd, "address", at.address, strlen(at.address), 0644, false),
	       GT_OK);
	expect(gt_shim_endpoint_save(bundle.fd, &at), GT_OK);
	ck_assert_int_ne(faccessat(bundle.fd, "bootstrap.json", F_OK, 0), 0);
	expect(gt_shim_endpoint_load(bundle.fd, &got), GT_OK);
	ck_assert_uint_eq(got.version, 2);
	gt_shim_endpoint_done(&got);
}
END_TEST

static struct gt_error *start(const char *script, struct gt_shim_endpoint *at)
{
	gt_autofree char *path = shim(script);
	struct gt_any options = { .type_url = (char *)"a.b", .data = (char *)"xyz", .len = 3 };

	return gt_shim_program_start(&settings, &bundle, &call, path, &options, at);
}

START_TEST(starts)
{
	struct gt_shim_endpoint at = { 0 };
	gt_auto(gt_buf) seen = GT_BUF_INIT;
	gt_autofree char *want = NULL;

	setenv("TTRPC_ADDRESS", "/of/another/daemon", 1);
	expect(start("{ echo \"$@\"; pwd; echo $NAMESPACE $MAX_SHIM_VERSION $GOMAXPROCS "
		     "[$TTRPC_ADDRESS] $GANTRY_SHIM_SOCKET_DIR; cat; } >seen\necho unix:///run/x",
		     &at),
	       GT_OK);
	ck_assert_str_eq(at.address, "unix:///run/x");
	gt_shim_endpoint_done(&at);
	expect(gt_file_read(bundle.fd, "seen", 65536, &seen), GT_OK);
	want = gt_strf("-id c1 start\n%s\nns1 2 2 [] %s/s\n\n\x03" "a.b\x12\x03xyz", bundle.path,
		       dir);
	ck_assert_msg(strstr(seen.s, want) && !strncmp(seen.s, "-namespace ns1 -address ", 24),
		      "%s", seen.s);
}
END_TEST

START_TEST(bad_starts)
{
	struct gt_shim_endpoint at = { 0 };
	gt_autoptr(gt_error) e = start("printf 'no \\033[31mway\\n' >&2; exit 3", &at);
	int64_t before = gt_now();

	ck_assert_ptr_nonnull(strstr(gt_error_text(e), ": no  [31mway: exit status 3"));
	expect(start("exit 0", &at), GT_INVALID_ARGUMENT);
	expect(start("head -c 50000000 /dev/zero", &at), GT_INVALID_ARGUMENT);
	expect(start("head -c 50000000 /dev/zero | tr '\\0' x", &at), GT_INVALID_ARGUMENT);
	expect(start("kill -9 $$", &at), GT_UNKNOWN);
	expect(start("sleep 3 & echo unix:///run/x", &at), GT_OK); /* holds the output open */
	gt_shim_endpoint_done(&at);
	call.deadline = gt_now() + 200000000;
	expect(start("exec sleep 100", &at), GT_DEADLINE_EXCEEDED);
	ck_assert_int_lt(gt_now() - before, 8 * INT64_C(1000000000));
}
END_TEST

START_TEST(deletes)
{
	gt_autofree char *good = shim("echo noise >&2; printf '\\010\\012\\020\\211\\001'");
	struct gt_exit exit = { 0 };
	gt_autoptr(gt_error) e = NULL;

	expect(gt_shim_program_delete(&settings, &bundle, &call, good, &exit), GT_OK);
	ck_assert_uint_eq(exit.pid, 10);
	ck_assert_uint_eq(exit.status, 137);
	free(shim("echo why >&2; exit 1"));
	e = gt_shim_program_delete(&settings, &bundle, &call, good, &exit);
	ck_assert_ptr_nonnull(strstr(gt_error_text(e), "why: exit status 1"));
	free(shim("yes"));
	expect(gt_shim_program_delete(&settings, &bundle, &call, good, &exit), GT_UNKNOWN);
	free(shim("exec sleep 100"));
	call.deadline = gt_now() + 300000000;
	expect(gt_shim_program_delete(&settings, &bundle, &call, good, &exit),
	       GT_DEADLINE_EXCEEDED);
	call.deadline = 0;
	free(shim("echo this is no message"));
	expect(gt_shim_program_delete(&settings, &bundle, &call, good, &exit), GT_DATA_LOSS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("shim program");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, names);
	tcase_add_test(t, outputs);
	tcase_add_test(t, files);
	tcase_add_test(t, starts);
	tcase_add_test(t, bad_starts);
	tcase_add_test(t, deletes);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
