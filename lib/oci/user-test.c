/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <oci/user.h>

#include <gantry/buf.h>
#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static char *dir;
static int root;

static void put(const char *path, const char *text)
{
	struct gt_error *e = gt_file_write(root, path, text, strlen(text), 0644, false);

	ck_assert_msg(!e, "%s", gt_error_text(e));
}

static void set_up(void)
{
	const char *tmp = getenv("TMPDIR");

	dir = gt_strf("%s/gantry-user-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(root, 0);
	ck_assert_int_eq(mkdirat(root, "etc", 0755), 0);
	put("etc/passwd", "root:x:0:0:root:/:/bin/sh\n"
			  "broken\n"
			  "web:x:101:102::/:\n"
			  "huge:x:4294967297:1::/:\n"
			  "num:x:103:0\n"
			  "twin:x:101:7\n");
	put("etc/group", "root:x:0:\nbin:x:1:root,daemon\nwebg:x:102:\nextra:x:200:web,root\n"
			 "bad:x:99999999999:web\nweb:x:777:web\nextra2:x:150:weber,web\n"
			 "twins:x:300:twin");
}

static void tear_down(void)
{
	gt_error_free(gt_file_remove_tree(AT_FDCWD, dir));
	close(root);
	free(dir);
}

static const struct {
	const char *spec;
	const char *out; /* "uid:gid:groups"; NULL: refused */
	const char *image; /* as an image's; NULL: the same */
} users[] = {
	{ "", "0:0:0,1,200", NULL },
	{ "root", "0:0:0,1,200", NULL },
	{ "0", "0:0:0,1,200", NULL },
	{ "web", "101:102:102,200,150", NULL },
	{ "101", "101:102:102,200,150", NULL },
	{ "web:extra", "101:200:200", "101:200:200,150" },
	{ "101:8", "101:8:8", "101:8:8,200,150" },
	{ "twin", "101:7:7,300", "101:7:7,200,150" },
	{ "twin:bin", "101:1:1", "101:1:1,200,150" },
	{ "num", "103:0:0", NULL },
	{ "55", "55:0:0", NULL },
	{ "55:66", "55:66:66", NULL },
	{ "2147483647:2147483647", "2147483647:2147483647:2147483647", NULL },
	{ "4294967296", NULL, NULL },
	{ "2147483648", NULL, NULL },
	{ "-1", NULL, NULL },
	{ "+1", NULL, NULL },
	{ "0x0", NULL, NULL },
	{ " 1", NULL, NULL },
	{ "1 ", NULL, NULL },
	{ "1e3", NULL, NULL },
	{ "00000000000", NULL, NULL },
	{ "0:4294967296", NULL, NULL },
	{ "0:-1", NULL, NULL },
	{ "0:", NULL, NULL },
	{ ":0", NULL, NULL },
	{ ":", NULL, NULL },
	{ "0:0:0", NULL, NULL },
	{ "web\n", NULL, NULL },
	{ "web\tx", NULL, NULL },
	{ "nobody", NULL, NULL },
	{ "0:nogroup", NULL, NULL },
	{ "huge", NULL, NULL },
	{ "broken", NULL, NULL },
};

static void check(struct gt_error *e, const struct gt_user *u, const char *spec, const char *want)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;

	if (!want) {
		ck_assert_msg(gt_error_class(e) == GT_INVALID_ARGUMENT, "'%s' gave %u", spec, u->uid);
		gt_error_free(e);
		return;
	}
	ck_assert_msg(!e, "%s", gt_error_text(e));
	gt_buf_addf(&b, "%u:%u:", u->uid, u->gid);
	for (size_t i = 0; i < u->n_groups; i++)
		gt_buf_addf(&b, "%s%u", i ? "," : "", u->groups[i]);
	ck_assert_str_eq(b.s, want);
}

START_TEST(resolve)
{
	gt_auto(gt_user) u = { 0 };
	gt_auto(gt_user) i = { 0 };
	const char *spec = users[_i].spec;
	struct gt_error *e = gt_user_resolve(spec, root, &u);

	check(e, &u, spec, users[_i].out);
	e = gt_user_resolve_image(spec, root, &i);
	check(e, &i, spec, users[_i].image ? users[_i].image : users[_i].out);
}
END_TEST

static enum gt_class class_of(const char *spec)
{
	gt_auto(gt_user) u = { 0 };
	struct gt_error *e = gt_user_resolve(spec, root, &u);
	enum gt_class c = gt_error_class(e);

	gt_error_free(e);
	return c;
}

START_TEST(no_files)
{
	gt_auto(gt_user) u = { 0 };

	unlinkat(root, "etc/passwd", 0);
	unlinkat(root, "etc/group", 0);
	ck_assert_int_eq(class_of(""), GT_OK);
	ck_assert_int_eq(class_of("7:8"), GT_OK);
	ck_assert_int_eq(class_of("web"), GT_INVALID_ARGUMENT);
	ck_assert_ptr_null(gt_user_resolve("7", -1, &u));
	ck_assert_uint_eq(u.uid, 7);
	ck_assert_uint_eq(u.n_groups, 1);
}
END_TEST

/* A file that would hang the reader, or lead it out, or fill its memory. */
START_TEST(traps)
{
	gt_autofree char *big = gt_xmalloc(GT_USER_FILE_MAX + 2);

	unlinkat(root, "etc/passwd", 0);
	ck_assert_int_eq(mkfifoat(root, "etc/passwd", 0644), 0);
	ck_assert_int_eq(class_of("web"), GT_INVALID_ARGUMENT);
	unlinkat(root, "etc/passwd", 0);
	ck_assert_int_eq(symlinkat("/dev/zero", root, "etc/passwd"), 0);
	ck_assert_int_eq(class_of("web"), GT_INVALID_ARGUMENT); /* there is no such file in here */
	unlinkat(root, "etc/passwd", 0);
	ck_assert_int_eq(symlinkat("../../../../../../etc/hostname", root, "etc/passwd"), 0);
	ck_assert_int_eq(class_of("web"), GT_INVALID_ARGUMENT);
	unlinkat(root, "etc/passwd", 0);
	ck_assert_int_eq(mkdirat(root, "etc/passwd", 0755), 0);
	ck_assert_int_ne(class_of("web"), GT_OK);
	unlinkat(root, "etc/passwd", AT_REMOVEDIR);
	memset(big, 'x', GT_USER_FILE_MAX + 1);
	big[GT_USER_FILE_MAX + 1] = '\0';
	put("etc/passwd", big);
	ck_assert_int_eq(class_of("web"), GT_RESOURCE_EXHAUSTED);
	unlinkat(root, "etc/passwd", 0);
	put("etc/other", "web:x:5:6::/:");
	ck_assert_int_eq(symlinkat("/etc/other", root, "etc/passwd"), 0);
	ck_assert_int_eq(class_of("web"), GT_OK);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("oci-user");
	TCase *t = tcase_create("user");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, resolve, 0, sizeof(users) / sizeof(*users));
	tcase_add_test(t, no_files);
	tcase_add_test(t, traps);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
