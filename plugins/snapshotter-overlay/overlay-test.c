/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the conformance suite cannot know: the mounts' exact words, the options, the layout on
 * disk.
 */
#include <config.h>

#include "overlay.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static char *top;
static struct overlay_config config;
static struct gt_init init;
static struct gt_snapshotter *s;
static struct gt_call call = GT_CALL_INIT;

static void ok(struct gt_error *e)
{
	ck_assert_msg(!e, "%s", gt_error_text(e));
}

static void fails(struct gt_error *e, enum gt_class want, const char *text)
{
	ck_assert_msg(gt_error_class(e) == want && strstr(gt_error_text(e), text),
		      "%s, not %s with \"%s\": %s", gt_class_name(gt_error_class(e)),
		      gt_class_name(want), text, gt_error_text(e));
	gt_error_free(e);
}

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");

	/* A tmpfs carries an overlay, whatever TMPDIR is on. */
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	top = gt_strf("%s/gantry-overlay.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(top));
	ck_assert_int_eq(mount("tmpfs", top, "tmpfs", 0, NULL), 0);
	config = (struct overlay_config){ .root = gt_xstrdup("") };
	init = (struct gt_init){
		.size = sizeof(init),
		.module = "snapshotter-overlay",
		.id = "overlayfs",
		.root = gt_strf("%s/root", top),
		.state = gt_strf("%s/state", top),
		.config = &config,
	};
	ck_assert_int_eq(mkdir(init.root, 0700), 0);
	s = NULL;
}

static void teardown(void)
{
	if (s)
		overlay_close(s);
	free((char *)init.root);
	free((char *)init.state);
	free(config.root);
	gt_strv_done(&config.mount_options);
	umount2(top, MNT_DETACH);
	ck_assert_int_eq(rmdir(top), 0);
	free(top);
}

static void layer(const char *name, const char *parent)
{
	gt_auto(gt_mounts) m = { 0 };

	ok(overlay_prepare(s, &call, "temporary", parent, NULL, &m));
	ok(overlay_commit(s, &call, name, "temporary", NULL));
}

/* "TYPE SOURCE OPTION,..." with ROOT for the snapshots' folder. */
static void expect(const struct gt_mounts *m, const char *want)
{
	gt_autofree char *folder = gt_strf("%s/snapshots/", init.root);
	gt_auto(gt_buf) raw = GT_BUF_INIT;
	gt_auto(gt_buf) is = GT_BUF_INIT;

	ck_assert_uint_eq(m->n, 1);
	gt_buf_addf(&raw, "%s %s ", m->v[0].type, m->v[0].source);
	for (size_t i = 0; i < m->v[0].options.n; i++)
		gt_buf_addf(&raw, "%s%s", i ? "," : "", m->v[0].options.v[i]);
	for (const char *p = raw.s; *p;) {
		if (!strncmp(p, folder, strlen(folder))) {
			gt_buf_adds(&is, "ROOT/");
			p += strlen(folder);
		} else {
			gt_buf_addc(&is, *p++);
		}
	}
	ck_assert_str_eq(is.s, want);
}

static mode_t mode_of(const char *below, uid_t *uid)
{
	gt_autofree char *path = gt_strf("%s/%s", init.root, below);
	struct stat st;

	if (stat(path, &st) < 0)
		return 0;
	if (uid)
		*uid = st.st_uid;
	return st.st_mode & 07777;
}

START_TEST(test_mounts)
{
	gt_auto(gt_mounts) a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 }, e = { 0 }, f = { 0 };
	bool index;

	ok(overlay_open(&init, &s));
	index = overlay_of(s)->index_off;
	ck_assert(!overlay_of(s)->userxattr);
	ok(overlay_prepare(s, &call, "a", "", NULL, &a));
	expect(&a, "bind ROOT/1/fs rw,rbind");
	ok(overlay_view(s, &call, "b", "", NULL, &b));
	expect(&b, "bind ROOT/2/fs ro,rbind");
	layer("one", ""); /* 3 */
	ok(overlay_view(s, &call, "c", "one", NULL, &c));
	expect(&c, "bind ROOT/3/fs ro,rbind");
	ok(overlay_prepare(s, &call, "d", "one", NULL, &d));
	expect(&d, index ? "overlay overlay index=off,workdir=ROOT/5/work,upperdir=ROOT/5/fs,"
			   "lowerdir=ROOT/3/fs"
			 : "overlay overlay workdir=ROOT/5/work,upperdir=ROOT/5/fs,"
			   "lowerdir=ROOT/3/fs");
	layer("two", "one"); /* 6 */
	ok(overlay_view(s, &call, "e", "two", NULL, &e));
	expect(&e, index ? "overlay overlay index=off,lowerdir=ROOT/6/fs:ROOT/3/fs"
			 : "overlay overlay lowerdir=ROOT/6/fs:ROOT/3/fs");
	overlay_close(s);
	gt_strv_add(&config.mount_options, "index=on");
	gt_strv_add(&config.mount_options, "volatile");
	ok(overlay_open(&init, &s));
	ok(overlay_mounts(s, &call, "d", &f));
	expect(&f, "overlay overlay index=on,volatile,workdir=ROOT/5/work,upperdir=ROOT/5/fs,"
		   "lowerdir=ROOT/3/fs");
}
END_TEST

START_TEST(test_layout)
{
	gt_auto(gt_mounts) m = { 0 };

	ok(overlay_open(&init, &s));
	ok(overlay_prepare(s, &call, "a", "", NULL, &m));
	ok(overlay_view(s, &call, "v", "", NULL, &m));
	ck_assert_uint_eq(mode_of("snapshots", NULL), 0700);
	ck_assert_uint_eq(mode_of("snapshots/1", NULL), 0700);
	ck_assert_uint_eq(mode_of("snapshots/1/fs", NULL), 0755);
	ck_assert_uint_eq(mode_of("snapshots/1/work", NULL), 0711);
	ck_assert_uint_eq(mode_of("snapshots/2/fs", NULL), 0755);
	ck_assert_uint_eq(mode_of("snapshots/2/work", NULL), 0);
	ck_assert_uint_eq(mode_of("metadata.mdb", NULL), 0600);
	ok(overlay_commit(s, &call, "layer", "a", NULL));
	ck_assert_uint_eq(mode_of("snapshots/1/work", NULL), 0711);
	ok(overlay_remove(s, &call, "layer"));
	ck_assert_uint_eq(mode_of("snapshots/1", NULL), 0);
}
END_TEST

START_TEST(test_owner)
{
	gt_auto(gt_labels) labels = { 0 }, wrong = { 0 };
	static const char *const bad[] = { "1:1000:5",	"0:1000", "0:-1:5",
					   "0:1000:5x", "",	  "0:4294967295:1",
					   "0:1000:0",	"a:b:c",  "99999999999999999999:1:1" };
	gt_auto(gt_mounts) m = { 0 };
	uid_t uid = 0;

	ok(overlay_open(&init, &s));
	gt_labels_set(&labels, "containerd.io/snapshot/uidmapping", "1:2000:5,0:1000:1");
	gt_labels_set(&labels, "containerd.io/snapshot/gidmapping", "0:3000:65536");
	ok(overlay_prepare(s, &call, "a", "", &labels, &m));
	ck_assert_uint_eq(mode_of("snapshots/1/fs", &uid), 0755);
	ck_assert_uint_eq(uid, 1000);
	ck_assert_uint_eq(mode_of("snapshots/1/work", &uid), 0711);
	ck_assert_uint_eq(uid, 0);
	ok(overlay_commit(s, &call, "layer", "a", NULL));
	ok(overlay_prepare(s, &call, "b", "layer", NULL, &m));
	mode_of("snapshots/2/fs", &uid);
	ck_assert_uint_eq(uid, 1000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		gt_labels_set(&wrong, "containerd.io/snapshot/uidmapping", bad[i]);
		fails(overlay_prepare(s, &call, "c", "", &wrong, &m), GT_INVALID_ARGUMENT,
		      "uidmapping");
	}
	ck_assert_uint_eq(mode_of("snapshots/3", NULL), 0);
}
END_TEST

static struct gt_error *has_label(void *arg, const struct gt_snapshot_info *i)
{
	const char *path = gt_labels_get(&i->labels, "containerd.io/snapshot/overlay.upperdir");

	*(bool *)arg = path && strstr(path, "/snapshots/1/fs");
	return NULL;
}

START_TEST(test_upperdir_label)
{
	gt_auto(gt_snapshot_info) i = { 0 };
	gt_auto(gt_mounts) m = { 0 };
	bool has;

	config.upperdir_label = true;
	ok(overlay_open(&init, &s));
	ok(overlay_prepare(s, &call, "a", "", NULL, &m));
	ok(overlay_stat(s, &call, "a", &i));
	ok(has_label(&has, &i));
	ck_assert(has);
	has = false;
	ok(overlay_walk(s, &call, has_label, &has));
	ck_assert(has);
}
END_TEST

/* A power cut may take the directory of an active snapshot, but not its record. */
START_TEST(test_lost_directory)
{
	gt_autofree char *path = gt_strf("%s/snapshots/2", init.root);
	gt_auto(gt_mounts) m = { 0 }, again = { 0 };
	gt_auto(gt_labels) labels = { 0 };
	uid_t uid = 0;

	ok(overlay_open(&init, &s));
	layer("one", "");
	gt_labels_set(&labels, "containerd.io/snapshot/uidmapping", "0:1000:5");
	ok(overlay_prepare(s, &call, "a", "one", &labels, &m));
	ok(gt_file_remove_tree(AT_FDCWD, path));
	ok(overlay_mounts(s, &call, "a", &again));
	ck_assert_uint_eq(mode_of("snapshots/2", NULL), 0700);
	ck_assert_uint_eq(mode_of("snapshots/2/fs", &uid), 0755);
	ck_assert_uint_eq(uid, 1000);
	ck_assert_uint_eq(mode_of("snapshots/2/work", NULL), 0711);
}
END_TEST

START_TEST(test_roots)
{
	gt_auto(gt_mounts) m = { 0 };

	free(config.root);
	config.root = gt_strf("%s/else/where", top);
	ok(overlay_open(&init, &s));
	ok(overlay_prepare(s, &call, "a", "", NULL, &m));
	ck_assert_ptr_nonnull(strstr(m.v[0].source, "/else/where/snapshots/1/fs"));
	overlay_close(s);
	s = NULL;
	free(config.root);
	config.root = gt_strf("%s/with:colon", top);
	fails(overlay_open(&init, &s), GT_INVALID_ARGUMENT, "with:colon");
}
END_TEST

/* Not an error of this plugin: it does not apply there. */
START_TEST(test_overlay_on_overlay)
{
	static const char *const names[] = { "l", "u", "w", "o" };
	gt_autofree char *options =
		gt_strf("lowerdir=%s/l,upperdir=%s/u,workdir=%s/w", top, top, top);
	gt_autofree char *target = gt_strf("%s/o", top);

	for (int i = 0; i < 4; i++) {
		gt_autofree char *path = gt_strf("%s/%s", top, names[i]);

		ck_assert_int_eq(mkdir(path, 0755), 0);
	}
	ck_assert_int_eq(mount("overlay", target, "overlay", 0, options), 0);
	free(config.root);
	config.root = gt_strf("%s/o/root", top);
	fails(overlay_open(&init, &s), GT_UNIMPLEMENTED, "overlay");
	umount2(target, MNT_DETACH);
}
END_TEST

/*
 * The first open asks the kernel; the next ones believe it, until a reboot empties the state
 * folder.
 */
START_TEST(test_probe_is_kept)
{
	gt_autofree char *marker = gt_strf("%s/overlay-works", init.state);
	struct stat a, b;

	ok(overlay_open(&init, &s));
	ck_assert_int_eq(stat(marker, &a), 0);
	overlay_close(s);
	ok(overlay_open(&init, &s));
	ck_assert_int_eq(stat(marker, &b), 0);
	ck_assert_uint_eq(a.st_ino, b.st_ino);
	overlay_close(s);
	ok(gt_file_write(AT_FDCWD, marker, "elsewhere 1\n", 12, 0600, false));
	ok(overlay_open(&init, &s));
	ck_assert_int_eq(stat(marker, &b), 0);
	ck_assert_int_ne(b.st_size, 12);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("overlay");
	TCase *t = tcase_create("overlay");
	SRunner *r = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	if (geteuid() == 0) {
		tcase_add_test(t, test_mounts);
		tcase_add_test(t, test_layout);
		tcase_add_test(t, test_owner);
		tcase_add_test(t, test_upperdir_label);
		tcase_add_test(t, test_lost_directory);
		tcase_add_test(t, test_roots);
		tcase_add_test(t, test_overlay_on_overlay);
		tcase_add_test(t, test_probe_is_kept);
	}
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
