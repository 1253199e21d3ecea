/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <shim/bundle.h>

#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char *dir;
static struct gt_bundles all;
static struct gt_call call = GT_CALL_INIT;
static char spec_text[] = "{\"ociVersion\":\"1.0.2\"}";
static struct gt_any spec = { .type_url = spec_text, .data = spec_text,
			      .len = sizeof(spec_text) - 1 };

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");
	gt_autofree char *state = NULL, *root = NULL;

	dir = gt_strf("%s/bundle-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	state = gt_strf("%s/state", dir);
	root = gt_strf("%s/root", dir);
	gt_bundles_init(&all, state, root, NULL);
	call.ns = "ns1";
	umask(077);
}

static void teardown(void)
{
	gt_bundles_done(&all);
	gt_error_free(gt_file_remove_tree(AT_FDCWD, dir));
	free(dir);
}

static mode_t mode_of(const char *path, const char *name)
{
	gt_autofree char *file = gt_strf("%s/%s", path, name);
	struct stat st;

	ck_assert_msg(lstat(file, &st) == 0, "%s", file);
	return st.st_mode;
}

static void expect(struct gt_error *e, enum gt_class want)
{
	ck_assert_msg(gt_error_class(e) == want, "%s", gt_error_text(e));
	gt_error_free(e);
}

START_TEST(layout)
{
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT, again = GT_BUNDLE_INIT;
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_autofree char *program = NULL;

	expect(gt_bundle_make(&all, "ns1", "c1", &spec, "/bin/shim", &b), GT_OK);
	ck_assert_uint_eq(mode_of(dir, "state/io.containerd.runtime.v2.task") & 0777, 0711);
	ck_assert_uint_eq(mode_of(dir, "state/io.containerd.runtime.v2.task/ns1") & 0777, 0711);
	ck_assert_uint_eq(mode_of(b.path, "") & 0777, 0700);
	ck_assert_uint_eq(mode_of(b.path, "rootfs") & 0777, 0711);
	ck_assert(S_ISFIFO(mode_of(b.path, "log")));
	ck_assert(S_ISLNK(mode_of(b.path, "work")));
	expect(gt_bundle_spec(&b, &text), GT_OK);
	ck_assert_str_eq(text.s, spec_text);
	expect(gt_bundle_program(&b, &program), GT_OK);
	ck_assert_str_eq(program, "/bin/shim");
	ck_assert(!gt_bundle_is_grouped(&b));
	expect(gt_bundle_make(&all, "ns1", "c1", &spec, "/bin/shim", &again), GT_ALREADY_EXISTS);
	expect(gt_bundle_work(&b), GT_OK);
	ck_assert_int_eq(access(b.work, F_OK), 0);
	expect(gt_bundle_remove(&b), GT_OK);
	ck_assert_int_ne(access(b.path, F_OK), 0);
	ck_assert_int_ne(access(b.work, F_OK), 0);
	expect(gt_bundle_open(&all, "ns1", "c1", &again), GT_NOT_FOUND);
}
END_TEST

START_TEST(user_namespace)
{
	static char mapped[] =
		"{\"linux\":{\"gidMappings\":[{\"containerID\":5,\"hostID\":9,\"size\":1},"
		"{\"containerID\":0,\"hostID\":100000,\"size\":65536}]},"
		"\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\"}}";
	struct gt_any any = { .data = mapped, .len = sizeof(mapped) - 1 };
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
	struct stat st;

	if (geteuid() != 0)
		return;
	expect(gt_bundle_make(&all, "ns1", "c1", &any, "/bin/shim", &b), GT_OK);
	ck_assert_int_eq(stat(b.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0710);
	ck_assert_uint_eq(st.st_gid, 100000);
	ck_assert(gt_bundle_is_grouped(&b));
	expect(gt_bundle_remove(&b), GT_OK);
}
END_TEST

START_TEST(locks)
{
	gt_auto(gt_bundle) b = GT_BUNDLE_INIT, other = GT_BUNDLE_INIT, late = GT_BUNDLE_INIT;

	expect(gt_bundle_make(&all, "ns1", "c1", &spec, "/bin/shim", &b), GT_OK);
	expect(gt_bundle_open_locked(&all, "c1", &call, 0, &other), GT_UNAVAILABLE);
	expect(gt_bundle_open(&all, "ns1", "c1", &late), GT_OK);
	expect(gt_bundle_lock(&late, &call, 20), GT_UNAVAILABLE);
	expect(gt_bundle_remove(&b), GT_OK);
	gt_bundle_done(&b);
	expect(gt_bundle_lock(&late, &call, 20), GT_NOT_FOUND);
	/* Made anew: the old descriptor does not stand for it. */
	expect(gt_bundle_make(&all, "ns1", "c1", &spec, "/bin/shim", &b), GT_OK);
	gt_bundle_done(&b);
	expect(gt_bundle_lock(&late, &call, 20), GT_NOT_FOUND);
	expect(gt_bundle_open_locked(&all, "c1", &call, 0, &other), GT_OK);
	expect(gt_bundle_remove(&other), GT_OK);
}
END_TEST

struct seen {
	char text[256];
};

static struct gt_error *note(void *arg, const char *ns, const char *id, bool has_address)
{
	struct seen *s = arg;
	size_t len = strlen(s->text);

	snprintf(s->text + len, sizeof(s->text) - len, "%s/%s%s ", ns, id, has_address ? "" : "?");
	return NULL;
}

START_TEST(walking)
{
	gt_auto(gt_bundle) a = GT_BUNDLE_INIT, b = GT_BUNDLE_INIT, c = GT_BUNDLE_INIT;
	gt_autofree char *strange = NULL;
	struct seen s = { "" };

	expect(gt_bundles_walk(&all, NULL, note, &s), GT_OK);
	ck_assert_str_eq(s.text, "");
	expect(gt_bundle_make(&all, "ns1", "b", &spec, "/bin/shim", &b), GT_OK);
	expect(gt_bundle_make(&all, "ns1", "a", &spec, "/bin/shim", &a), GT_OK);
	expect(gt_bundle_make(&all, "ns2", "c", &spec, "/bin/shim", &c), GT_OK);
	expect(gt_file_write(a.fd, "address", "unix:///x", 9, 0644, false), GT_OK);
	expect(gt_file_write(c.fd, "bootstrap.json", "{}", 2, 0644, false), GT_OK);
	strange = gt_strf("%s/ns1/not an id", all.state);
	ck_assert_int_eq(mkdir(strange, 0700), 0);
	expect(gt_bundles_walk(&all, NULL, note, &s), GT_OK);
	ck_assert_str_eq(s.text, "ns1/a ns1/b? ns2/c ");
	s.text[0] = '\0';
	expect(gt_bundles_walk(&all, "ns2", note, &s), GT_OK);
	ck_assert_str_eq(s.text, "ns2/c ");
}
END_TEST

/* Makers killed at any moment: what is hidden is tidied away, what is there is whole. */
START_TEST(killed_makers)
{
	gt_autofree char *folder = gt_strf("%s/ns1", all.state);

	for (int i = 0; i < 60; i++) {
		gt_auto(gt_bundle) b = GT_BUNDLE_INIT;
		gt_autofree char *program = NULL;
		struct gt_error *e;
		pid_t pid = fork();

		if (pid == 0) {
			for (int k = 0;; k++) {
				gt_auto(gt_bundle) mine = GT_BUNDLE_INIT;

				e = gt_bundle_make(&all, "ns1", "c1", &spec, "/bin/shim", &mine);
				if (!e)
					e = gt_bundle_remove(&mine);
				if (e)
					_exit(1);
			}
		}
		usleep(1000 + i * 97);
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		waitpid(pid, NULL, 0);
		e = gt_bundle_open_locked(&all, "c1", &call, 0, &b);
		if (!e) {
			expect(gt_bundle_program(&b, &program), GT_OK);
			expect(gt_bundle_remove(&b), GT_OK);
		} else {
			expect(e, GT_NOT_FOUND);
		}
		gt_bundles_tidy(&all, i % 2 ? "ns1" : NULL);
		if (access(folder, F_OK) == 0)
			ck_assert_msg(rmdir(folder) == 0, "something is left in round %d", i);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("shim bundle");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, layout);
	tcase_add_test(t, user_namespace);
	tcase_add_test(t, locks);
	tcase_add_test(t, walking);
	tcase_add_test(t, killed_makers);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
