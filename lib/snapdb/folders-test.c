/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "folders.h"
#include "tree.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static char *root;
static int fd;
static struct gt_snapdb *db;
static struct gt_folders folders;
static const struct gt_call call = GT_CALL_INIT;

static void ok(struct gt_error *e)
{
	ck_assert_msg(!e, "%s", gt_error_text(e));
}

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");

	root = gt_strf("%s/gantry-folders.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(root));
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(gt_snapdb_open(root, GT_DURABILITY_FULL, &db));
	ok(gt_folders_open(root, &folders));
}

static void teardown(void)
{
	gt_folders_close(&folders);
	gt_snapdb_close(db);
	close(fd);
	ok(gt_tree_delete(AT_FDCWD, root, 0));
	free(root);
}

static bool exists(const char *name)
{
	struct stat st;

	return fstatat(folders.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static uint64_t make(const char *key)
{
	gt_auto(gt_snapdb_entry) e = { 0 };
	struct gt_folder d = { 0 };
	struct gt_snapdb_create c = {
		.kind = GT_SNAPSHOT_ACTIVE, .key = key, .place = gt_folder_place, .arg = &d
	};

	ok(gt_folder_new(&folders, 0700, &d));
	d.synced = true;
	ok(gt_snapdb_create(db, &c, &e));
	gt_folder_keep(&d);
	return e.id;
}

START_TEST(test_life_of_a_folder)
{
	uint64_t id = make("a"), gone;
	struct stat st;

	ck_assert_uint_eq(id, 1);
	ck_assert_int_eq(fstatat(folders.fd, "1", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(fstatat(fd, "snapshots", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ok(gt_snapdb_remove(db, "a", &gone));
	ok(gt_folders_remove(&folders, gone, 0));
	ck_assert(!exists("1"));
	ok(gt_folders_remove(&folders, gone, 0));
}
END_TEST

START_TEST(test_taken_ids_are_skipped)
{
	ck_assert_int_eq(mkdirat(folders.fd, "1", 0700), 0);
	ck_assert_int_eq(mkdirat(folders.fd, "2", 0700), 0);
	ck_assert_uint_eq(make("a"), 3);
	ck_assert_uint_eq(make("b"), 4);
}
END_TEST

START_TEST(test_cleanup)
{
	struct gt_folder live = { 0 };

	make("a");
	ck_assert_int_eq(mkdirat(folders.fd, "7", 0700), 0);
	ck_assert_int_eq(mkdirat(folders.fd, "7/full", 0), 0);
	ck_assert_int_eq(mkdirat(folders.fd, "new-of-the-dead", 0700), 0);
	ck_assert_int_eq(mkdirat(folders.fd, "rm-1", 0700), 0);
	ok(gt_file_write(folders.fd, "rm-1/file", "x", 1, 0600, false));
	ok(gt_folder_new(&folders, 0755, &live));
	ok(gt_folders_cleanup(&folders, db, &call));
	ck_assert(exists("1"));
	ck_assert(exists(live.name));
	ck_assert(!exists("7"));
	ck_assert(!exists("new-of-the-dead"));
	ck_assert(!exists("rm-1"));
	gt_folder_drop(&live);
	gt_folder_drop(&live);
	ok(gt_folders_cleanup(&folders, db, &call));
	ck_assert(exists("1"));
}
END_TEST

/* Removal that has no more time leaves the rest to the next. */
START_TEST(test_patience)
{
	uint64_t a = make("a"), b = make("b"), gone;

	for (int i = 0; i < 2000; i++) {
		gt_autofree char *name = gt_strf("1/%d", i);

		ok(gt_file_write(folders.fd, name, "", 0, 0600, false));
	}
	ok(gt_snapdb_remove(db, "a", &gone));
	ok(gt_folders_remove(&folders, a, 1000));
	ck_assert(!exists("1"));
	ok(gt_snapdb_remove(db, "b", &gone));
	ok(gt_folders_remove(&folders, b, 0));
	ck_assert_int_eq(unlinkat(fd, "snapshots", AT_REMOVEDIR), 0);
}
END_TEST

static void deep(int at, int levels)
{
	gt_autofd int dir = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < levels; i++) {
		int next;

		ck_assert_int_eq(mkdirat(dir, "a-folder-in-a-folder", 0700), 0);
		next = openat(dir, "a-folder-in-a-folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ck_assert_int_ge(next, 0);
		close(dir);
		dir = next;
	}
	ok(gt_file_write(dir, "bottom", "x", 1, 0600, false));
}

/* Deeper than a path can be long and than a process has descriptors. */
START_TEST(test_deep_tree)
{
	gt_autofd int dir = -1;
	struct gt_usage u;

	ck_assert_int_eq(mkdirat(fd, "deep", 0700), 0);
	dir = openat(fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	deep(dir, 3000);
	ok(gt_tree_usage(dir, &call, &u));
	ck_assert_int_eq(u.inodes, 3002);
	ok(gt_tree_delete(fd, "deep", 0));
	ck_assert_int_lt(faccessat(fd, "deep", F_OK, 0), 0);
}
END_TEST

START_TEST(test_usage)
{
	gt_autofree char *block = gt_xcalloc(1, 64 << 10);
	struct gt_usage empty, full;

	memset(block, 'x', 64 << 10);
	ok(gt_tree_usage(folders.fd, &call, &empty));
	ck_assert_int_eq(empty.inodes, 1);
	ok(gt_file_write(folders.fd, "file", block, 64 << 10, 0600, true));
	for (int i = 0; i < 1000; i++) {
		gt_autofree char *name = gt_strf("link-%d", i);

		ck_assert_int_eq(linkat(folders.fd, "file", folders.fd, name, 0), 0);
	}
	ck_assert_int_eq(symlinkat("/", folders.fd, "symlink"), 0);
	ok(gt_tree_usage(folders.fd, &call, &full));
	ck_assert_int_eq(full.inodes, 3);
	ck_assert_int_ge(full.size - empty.size, 64 << 10);
	ck_assert_int_lt(full.size - empty.size, 256 << 10);
}
END_TEST

START_TEST(test_delete_follows_no_link)
{
	ck_assert_int_eq(mkdirat(fd, "outside", 0700), 0);
	ok(gt_file_write(fd, "outside/file", "x", 1, 0600, false));
	ck_assert_int_eq(mkdirat(fd, "tree", 0700), 0);
	ck_assert_int_eq(symlinkat("../outside", fd, "tree/link"), 0);
	ok(gt_tree_delete(fd, "tree", 0));
	ck_assert_int_eq(symlinkat("outside", fd, "tree"), 0);
	ok(gt_tree_delete(fd, "tree", 0));
	ok(gt_tree_delete(fd, "tree", 0));
	ck_assert_int_eq(faccessat(fd, "outside/file", F_OK, 0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("folders");
	TCase *t = tcase_create("folders");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_life_of_a_folder);
	tcase_add_test(t, test_taken_ids_are_skipped);
	tcase_add_test(t, test_cleanup);
	tcase_add_test(t, test_patience);
	tcase_add_test(t, test_deep_tree);
	tcase_add_test(t, test_usage);
	tcase_add_test(t, test_delete_follows_no_link);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
