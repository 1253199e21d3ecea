/* SPDX-License-Identifier: Apache-2.0 */
/* What the contract does not say: containerd's files, and what a death leaves at each step. */
#include <config.h>

#include "local.h"

#include <gantry/file.h>

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define REF "default/1/layer-sha256:ba78"
#define FOLDER "6d51970d96cc782aa38589dbf783e340de89018214e2e6d7c3a4342d1f9a6896"
#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_FILE "blobs/sha256/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static char *base; /* goes at the end, whatever fails */
static char *root; /* of one test */
static int at; /* the root's descriptor */
static struct gt_init init;
static struct local_config config = { .root = "" };
static struct gt_content *store;
static struct gt_call call = GT_CALL_INIT;

#define OK(expr)                                                                                  \
	do {                                                                                       \
		struct gt_error *ok_e = (expr);                                                    \
		ck_assert_msg(!ok_e, "%s: %s", #expr, gt_error_text(ok_e));                        \
	} while (0)
#define CLASS(expr, want)                                                                         \
	do {                                                                                       \
		gt_autoptr(gt_error) cl_e = (expr);                                                \
		ck_assert_msg(gt_error_class(cl_e) == (want), "%s: %s %s", #expr,                  \
			      gt_class_name(gt_error_class(cl_e)), gt_error_text(cl_e));           \
	} while (0)

static void reopen(void)
{
	if (store)
		local_close(store);
	OK(local_open(&init, &store));
}

static void setup(void)
{
	umask(022);
	root = gt_strf("%s/XXXXXX", base);
	ck_assert(mkdtemp(root));
	at = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	init = (struct gt_init){ .size = sizeof(init), .root = root, .config = &config };
	store = NULL;
	reopen();
}

static void teardown(void)
{
	local_close(store);
	close(at);
	free(root);
}

static char *text_of(const char *path)
{
	struct gt_buf b = GT_BUF_INIT;

	OK(gt_file_read(at, path, 100000, &b));
	return gt_buf_detach(&b);
}

static bool is_there(const char *path)
{
	return faccessat(at, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int entries(const char *path)
{
	DIR *d = fdopendir(openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *ent;
	int n = 0;

	while ((ent = readdir(d)))
		n += ent->d_name[0] != '.';
	closedir(d);
	return n;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

static void put(const char *path, const char *text)
{
	OK(gt_file_write(at, path, text, strlen(text), 0644, false));
}

/* containerd's own ingest: its folder, its files. */
static void make_foreign_ingest(const char *data)
{
	ck_assert_int_eq(mkdirat(at, "ingest/" FOLDER, 0755), 0);
	put("ingest/" FOLDER "/ref", REF);
	put("ingest/" FOLDER "/startedat", "2024-01-02T03:04:05.123456789+01:00");
	put("ingest/" FOLDER "/updatedat", "2024-01-02T03:04:05.123456789+01:00");
	put("ingest/" FOLDER "/total", "3");
	put("ingest/" FOLDER "/data", data);
}

static void set_old(const char *path)
{
	const struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };

	ck_assert_int_eq(utimensat(at, path, old, 0), 0);
}

START_TEST(test_layout)
{
	gt_autoptr(gt_writer) w = NULL;
	gt_autofree char *ref = NULL, *started = NULL, *updated = NULL, *total = NULL;
	struct timespec t;
	struct stat st;

	OK(writer_open(store, &call, REF, 3, NULL, &w));
	OK(gt_writer_write(w, "ab", 2));
	gt_writer_free(gt_steal(&w));
	ck_assert_int_eq(entries("ingest"), 1);
	ck_assert_int_eq(entries("ingest/" FOLDER), 5);
	ref = text_of("ingest/" FOLDER "/ref");
	ck_assert_str_eq(ref, REF);
	total = text_of("ingest/" FOLDER "/total");
	ck_assert_str_eq(total, "3");
	started = text_of("ingest/" FOLDER "/startedat");
	updated = text_of("ingest/" FOLDER "/updatedat");
	ck_assert_int_eq(strlen(started), strlen("2024-01-02T03:04:05.123456789Z"));
	ck_assert(stamp_parse(started, &t) && stamp_parse(updated, &t));
	ck_assert_int_eq(mode_of("ingest/" FOLDER "/data"), 0644);
	ck_assert_int_eq(mode_of("ingest/" FOLDER), 0755);

	OK(writer_open(store, &call, REF, 0, NULL, &w));
	OK(gt_writer_write(w, "c", 1));
	OK(gt_writer_commit(w, 3, ABC, NULL));
	ck_assert_int_eq(entries("ingest"), 0);
	ck_assert_int_eq(entries("blobs/sha256"), 1);
	ck_assert_int_eq(mode_of(ABC_FILE), 0444);
	ck_assert_int_eq(fstatat(at, ABC_FILE, &st, 0), 0);
	ck_assert_int_le(time(NULL) - st.st_mtim.tv_sec, 60);
}
END_TEST

START_TEST(test_few_files)
{
	gt_autoptr(gt_writer) w = NULL;

	/* What is small and committed at once makes no file but the folder, ref and data. */
	OK(writer_open(store, &call, REF, 3, NULL, &w));
	OK(gt_writer_write(w, "abc", 3));
	ck_assert_int_eq(entries("ingest/" FOLDER), 2);
	OK(gt_writer_commit(w, 3, NULL, NULL));
}
END_TEST

START_TEST(test_foreign_ingest)
{
	gt_autoptr(gt_writer) w = NULL;
	struct gt_ingest_info info;

	make_foreign_ingest("ab");
	OK(ingest_status(store, &call, REF, &info));
	ck_assert_int_eq(info.offset, 2);
	ck_assert_int_eq(info.total, 3);
	ck_assert_int_eq(info.started_at.tv_sec, 1704161045);
	ck_assert_int_eq(info.started_at.tv_nsec, 123456789);
	gt_ingest_info_done(&info);
	OK(writer_open(store, &call, REF, 3, ABC, &w));
	OK(gt_writer_write(w, "c", 1));
	OK(gt_writer_commit(w, 3, ABC, NULL));
	ck_assert(is_there(ABC_FILE));
}
END_TEST

START_TEST(test_total_differs)
{
	gt_autoptr(gt_writer) w = NULL;

	make_foreign_ingest("ab");
	CLASS(writer_open(store, &call, REF, 4, NULL, &w), GT_FAILED_PRECONDITION);
	OK(writer_open(store, &call, REF, 3, NULL, &w)); /* the lock was given back, the bytes stay */
	ck_assert(is_there("ingest/" FOLDER "/data"));
}
END_TEST

/* Died between naming the blob and taking the other name away: the blob must never be written. */
START_TEST(test_two_names)
{
	gt_autoptr(gt_writer) w = NULL;
	gt_autofree char *blob = NULL;

	make_foreign_ingest("abc");
	ck_assert_int_eq(linkat(at, "ingest/" FOLDER "/data", at, ABC_FILE, 0), 0);
	OK(writer_open(store, &call, REF, 0, NULL, &w));
	OK(gt_writer_write(w, "xyz", 3));
	gt_writer_free(gt_steal(&w));
	blob = text_of(ABC_FILE);
	ck_assert_str_eq(blob, "abc");
}
END_TEST

/* Died between sealing and naming. */
START_TEST(test_sealed)
{
	gt_autoptr(gt_writer) w = NULL;

	make_foreign_ingest("abc");
	ck_assert_int_eq(fchmodat(at, "ingest/" FOLDER "/data", 0444, 0), 0);
	OK(writer_open(store, &call, REF, 0, NULL, &w));
	OK(gt_writer_commit(w, 3, ABC, NULL));
	ck_assert_int_eq(mode_of(ABC_FILE), 0444);
}
END_TEST

static int walked;

static struct gt_error *count_ingest(void *arg, const struct gt_ingest_info *info)
{
	(void)arg;
	(void)info;
	walked++;
	return NULL;
}

START_TEST(test_garbage)
{
	gt_autofd int held = -1;

	ck_assert_int_eq(mkdirat(at, "ingest/new", 0755), 0);
	ck_assert_int_eq(mkdirat(at, "ingest/old", 0755), 0);
	put("ingest/old/data", "of nobody");
	put("ingest/old/startedat.1-2.tmp", "");
	set_old("ingest/old");
	ck_assert_int_eq(mkdirat(at, "ingest/held", 0755), 0);
	set_old("ingest/held");
	held = openat(at, "ingest/held", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(flock(held, LOCK_EX), 0);
	put("ingest/file", "no folder");
	make_foreign_ingest("ab");
	set_old("ingest/" FOLDER);
	walked = 0;
	OK(ingest_walk(store, &call, count_ingest, NULL));
	ck_assert_int_eq(walked, 1);
	reopen();
	ck_assert(is_there("ingest/new"));
	ck_assert(!is_there("ingest/old"));
	ck_assert(is_there("ingest/held"));
	ck_assert(is_there("ingest/file"));
	ck_assert(is_there("ingest/" FOLDER "/data"));
}
END_TEST

/* A ref that was written half, or of another ingest, is not believed. */
START_TEST(test_wrong_ref)
{
	gt_autoptr(gt_writer) w = NULL;
	gt_autofree char *ref = NULL;
	struct gt_ingest_info info;

	make_foreign_ingest("ab");
	put("ingest/" FOLDER "/ref", "default/1/lay");
	CLASS(ingest_status(store, &call, REF, &info), GT_NOT_FOUND);
	OK(writer_open(store, &call, REF, 0, NULL, &w));
	ref = text_of("ingest/" FOLDER "/ref");
	ck_assert_str_eq(ref, REF);
}
END_TEST

START_TEST(test_hostile_files)
{
	struct gt_blob_info info;
	struct gt_reader *r;

	ck_assert_int_eq(symlinkat("/etc/passwd", at, ABC_FILE), 0);
	CLASS(local_info(store, &call, ABC, &info), GT_NOT_FOUND);
	CLASS(local_reader(store, &call, ABC, &r), GT_UNKNOWN); /* ELOOP: not followed */
	ck_assert_int_eq(unlinkat(at, ABC_FILE, 0), 0);
	ck_assert_int_eq(mkfifoat(at, ABC_FILE, 0644), 0);
	CLASS(local_reader(store, &call, ABC, &r), GT_NOT_FOUND); /* and it does not hang */
}
END_TEST

START_TEST(test_own_root)
{
	gt_autofree char *mine = gt_strf("%s/a/b", root);

	config.root = mine;
	reopen();
	config.root = "";
	ck_assert(is_there("a/b/blobs/sha256") && is_there("a/b/ingest"));
}
END_TEST

START_TEST(test_stamps)
{
	struct timespec t = { .tv_sec = 1704161045, .tv_nsec = 1 };
	gt_autofree char *s = stamp_format(&t);

	ck_assert_str_eq(s, "2024-01-02T02:04:05.000000001Z");
	ck_assert(stamp_parse("2024-01-02T02:04:05Z", &t) && t.tv_nsec == 0);
	ck_assert(stamp_parse("2024-01-02T02:04:05.5-00:30", &t));
	ck_assert(t.tv_sec == 1704161045 + 1800 && t.tv_nsec == 500000000);
	ck_assert(!stamp_parse("", &t) && !stamp_parse("yesterday", &t));
	ck_assert(!stamp_parse("2024-01-02T02:04:05", &t));
	ck_assert(!stamp_parse("2024-01-02T02:04:05+1:00", &t));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("content-local");
	TCase *c = tcase_create("files");
	SRunner *r;
	const char *tmp = getenv("TMPDIR");
	int failed;

	base = gt_strf("%s/gantry-content.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(base))
		return 1;
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, test_layout);
	tcase_add_test(c, test_few_files);
	tcase_add_test(c, test_foreign_ingest);
	tcase_add_test(c, test_total_differs);
	tcase_add_test(c, test_two_names);
	tcase_add_test(c, test_sealed);
	tcase_add_test(c, test_garbage);
	tcase_add_test(c, test_wrong_ref);
	tcase_add_test(c, test_hostile_files);
	tcase_add_test(c, test_own_root);
	tcase_add_test(c, test_stamps);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	gt_error_free(gt_file_remove_tree(AT_FDCWD, base));
	free(base);
	return failed ? 1 : 0;
}
