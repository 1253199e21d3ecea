/* SPDX-License-Identifier: Apache-2.0 */
/* References and platforms. */
#include <config.h>

#include <oci/reference.h>

#include <check.h>
#include <oci/platform.h>
#include <string.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX

static const struct {
	const char *in, *locator, *object, *tag, *digest; /* locator NULL: refused */
} references[] = {
	{ "docker.io/library/bb:1", "docker.io/library/bb", "1", "1", NULL },
	{ "localhost:5000/a/b:t@" DIGEST, "localhost:5000/a/b", "t@" DIGEST, "t", DIGEST },
	{ "h/p@" DIGEST, "h/p", "@" DIGEST, NULL, DIGEST },
	{ "h/p", "h/p", "", NULL, NULL },
	{ "h/", "h/", "", NULL, NULL },
	{ "busybox", NULL, NULL, NULL, NULL },
	{ "busybox:latest", NULL, NULL, NULL, NULL },
	{ "/x", NULL, NULL, NULL, NULL },
	{ "http://h/p:1", NULL, NULL, NULL, NULL },
	{ "h/p p", NULL, NULL, NULL, NULL },
	{ "h/p\n", NULL, NULL, NULL, NULL },
	{ "u@h/p", NULL, NULL, NULL, NULL },
	{ "", NULL, NULL, NULL, NULL },
};

START_TEST(reference)
{
	gt_auto(gt_reference) r = { 0 };
	struct gt_error *e = gt_reference_parse(references[_i].in, &r);
	gt_autofree char *tag = NULL;
	const char *digest;

	if (!references[_i].locator) {
		ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
		gt_error_free(e);
		return;
	}
	ck_assert_msg(!e, "%s", gt_error_text(e));
	ck_assert_str_eq(r.locator, references[_i].locator);
	ck_assert_str_eq(r.object, references[_i].object);
	tag = gt_reference_tag(&r);
	digest = gt_reference_digest(&r);
	ck_assert_pstr_eq(tag, references[_i].tag);
	ck_assert_pstr_eq(digest, references[_i].digest);
}
END_TEST

static const struct {
	const char *in, *out; /* NULL: refused */
} names[] = {
	{ "busybox", "docker.io/library/busybox:latest" },
	{ "busybox:1.36", "docker.io/library/busybox:1.36" },
	{ "me/app", "docker.io/me/app:latest" },
	{ "docker.io/busybox", "docker.io/library/busybox:latest" },
	{ "index.docker.io/busybox", "docker.io/library/busybox:latest" },
	{ "localhost/app", "localhost/app:latest" },
	{ "localhost:5000/app:v1", "localhost:5000/app:v1" },
	{ "quay.io/a/b/c", "quay.io/a/b/c:latest" },
	{ "[::1]:5000/a", "[::1]:5000/a:latest" },
	{ "busybox@" DIGEST, "docker.io/library/busybox@" DIGEST },
	{ "busybox:1@" DIGEST, "docker.io/library/busybox:1@" DIGEST },
	{ "a.b/c__d-e--f.g", "a.b/c__d-e--f.g:latest" },
	{ "Foo/bar", "Foo/bar:latest" }, /* a capital makes it a host */
	{ "foo/Bar", NULL },
	{ "foo:", NULL },
	{ "foo:-x", NULL },
	{ "foo@sha256:00", NULL },
	{ "foo___bar", NULL },
	{ "foo..bar", NULL },
	{ "-foo", NULL },
	{ "foo/", NULL },
	{ "/foo", NULL },
	{ "a.b:x/c", NULL },
	{ HEX, NULL },
	{ "", NULL },
};

START_TEST(normalise)
{
	gt_autofree char *out = NULL;
	struct gt_error *e = gt_reference_normalise(names[_i].in, &out);

	if (names[_i].out) {
		ck_assert_msg(!e, "%s", gt_error_text(e));
		ck_assert_str_eq(out, names[_i].out);
		return;
	}
	ck_assert_msg(gt_error_class(e) == GT_INVALID_ARGUMENT, "%s gave %s", names[_i].in, out);
	gt_error_free(e);
}
END_TEST

START_TEST(familiar)
{
	gt_autofree char *a = gt_reference_familiar("docker.io/library/alpine:latest");
	gt_autofree char *b = gt_reference_familiar("docker.io/me/x:1");
	gt_autofree char *c = gt_reference_familiar("quay.io/x:1");

	ck_assert_str_eq(a, "alpine:latest");
	ck_assert_str_eq(b, "me/x:1");
	ck_assert_str_eq(c, "quay.io/x:1");
}
END_TEST

static const struct {
	const char *in, *out; /* NULL: refused */
} platforms[] = {
	{ "linux/amd64", "linux/amd64" },
	{ "LINUX/x86_64", "linux/amd64" },
	{ "linux/x86-64/v1", "linux/amd64" },
	{ "linux/amd64/v3", "linux/amd64/v3" },
	{ "linux/aarch64", "linux/arm64" },
	{ "linux/arm64/v8", "linux/arm64" },
	{ "linux/arm64/8", "linux/arm64" },
	{ "linux/arm64/v9.0", "linux/arm64/v9" },
	{ "linux/arm", "linux/arm/v7" },
	{ "linux/arm/7", "linux/arm/v7" },
	{ "linux/arm/6", "linux/arm/v6" },
	{ "linux/armhf", "linux/arm/v7" },
	{ "linux/armel", "linux/arm/v6" },
	{ "linux/i386", "linux/386" },
	{ "macos/arm64", "darwin/arm64" },
	{ "s390x", "linux/s390x" },
	{ "arm64", "linux/arm64" },
	{ "windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64" },
	{ "", NULL },
	{ "linux/", NULL },
	{ "/amd64", NULL },
	{ "linux/amd64/v1/x", NULL },
	{ "linux/*", NULL },
	{ "lin ux/amd64", NULL },
	{ "nosuch", NULL },
	{ "windows(/amd64", NULL },
};

START_TEST(platform)
{
	gt_auto(gt_platform) p = { 0 };
	gt_autofree char *text = NULL;
	struct gt_error *e = gt_platform_parse(platforms[_i].in, &p);

	if (!platforms[_i].out) {
		ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
		gt_error_free(e);
		return;
	}
	ck_assert_msg(!e, "%s", gt_error_text(e));
	text = gt_platform_format(&p);
	ck_assert_str_eq(text, platforms[_i].out);
}
END_TEST

static int rank(const char *want, const char *have, bool strict)
{
	gt_auto(gt_platforms) l = { .strict = strict };
	gt_auto(gt_platform) p = { 0 };

	if (*want)
		ck_assert_ptr_null(gt_platforms_add(&l, want));
	ck_assert_ptr_null(gt_platform_parse(have, &p));
	return gt_platforms_rank(&l, &p);
}

START_TEST(matching)
{
	ck_assert_int_eq(rank("linux/amd64", "linux/amd64", false), 0);
	ck_assert_int_eq(rank("linux/amd64", "linux/arm64", false), -1);
	ck_assert_int_eq(rank("linux/amd64", "windows/amd64", false), -1);
	ck_assert_int_eq(rank("linux/amd64", "linux/amd64/v2", false), -1);
	ck_assert_int_lt(rank("linux/amd64/v3", "linux/amd64/v2", false),
			 rank("linux/amd64/v3", "linux/amd64", false));
	ck_assert_int_gt(rank("linux/amd64", "linux/386", false), 0);
	ck_assert_int_eq(rank("linux/amd64", "linux/386", true), -1);
	ck_assert_int_lt(rank("linux/arm/v7", "linux/arm/v7", false),
			 rank("linux/arm/v7", "linux/arm/v6", false));
	ck_assert_int_eq(rank("linux/arm/v6", "linux/arm/v7", false), -1);
	ck_assert_int_lt(rank("linux/arm64", "linux/arm64", false),
			 rank("linux/arm64", "linux/arm/v8", false));
	ck_assert_int_lt(rank("linux/arm64", "linux/arm/v8", false),
			 rank("linux/arm64", "linux/arm/v7", false));
	ck_assert_int_gt(rank("linux/arm64/v9", "linux/arm64/v8.5", false), 0);
	ck_assert_int_eq(rank("linux/arm64/v9", "linux/arm64/v8.6", false), -1);
	ck_assert_int_eq(rank("", "plan9/mips", false), 0);
}
END_TEST

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

int main(void)
{
	Suite *s = suite_create("oci-reference");
	TCase *t = tcase_create("reference");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, reference, 0, COUNT(references));
	tcase_add_loop_test(t, normalise, 0, COUNT(names));
	tcase_add_test(t, familiar);
	tcase_add_loop_test(t, platform, 0, COUNT(platforms));
	tcase_add_test(t, matching);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
