/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/source.h>

#include <archive/tar-bytes.h>
#include <gantry/file.h>

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum form { PLAIN, GZIP, ZSTD, PIPE, GZIP_PIPE, FORMS };

static const char *const form_names[] = { "plain", "gzip", "zstd", "pipe", "gzip pipe" };

struct given {
	int fd;
	pthread_t feeder;
	bool piped;
	struct gt_buf bytes;
	int write_end;
};

static void *feed(void *arg)
{
	struct given *g = arg;

	gt_error_free(gt_file_write_all(g->write_end, g->bytes.s, g->bytes.len, "pipe"));
	close(g->write_end);
	return NULL;
}

/* The archive as a descriptor, in one of its forms. */
static void give(struct given *g, const struct gt_buf *tar, enum form form)
{
	*g = (struct given){ .bytes = GT_BUF_INIT };
	if (form == GZIP || form == GZIP_PIPE)
		tar_gzip(tar, &g->bytes);
	else if (form == ZSTD)
		tar_zstd(tar, &g->bytes);
	else
		gt_buf_add(&g->bytes, tar->s, tar->len);
	if (form == PIPE || form == GZIP_PIPE) {
		int ends[2];

		ck_assert_int_eq(pipe(ends), 0);
		g->fd = ends[0];
		g->write_end = ends[1];
		g->piped = true;
		pthread_create(&g->feeder, NULL, feed, g);
	} else {
		g->fd = memfd_create("archive", MFD_CLOEXEC);
		gt_error_free(gt_file_write_all(g->fd, g->bytes.s, g->bytes.len, "memory"));
	}
}

static void given_done(struct given *g)
{
	close(g->fd);
	if (g->piped)
		pthread_join(g->feeder, NULL);
	gt_buf_done(&g->bytes);
}

static struct gt_archive_source *open_source(int fd, int64_t max_size, int64_t max_entries)
{
	gt_autofree char *worker = gt_strf("%s/gantry-layer", getenv("abs_top_builddir"));
	struct gt_archive_source_options o = { .worker = worker, .max_size = max_size,
					       .max_entries = max_entries };
	struct gt_archive_source *s = NULL;
	struct gt_error *e = gt_archive_source_open(&o, fd, &s);

	ck_assert_msg(!e, "%s", gt_error_text(e));
	return s;
}

/* Reads all entries to the end or an error; their names, sizes and contents go to 'seen'. */
static struct gt_error *read_all(struct gt_archive_source *s, struct gt_buf *seen)
{
	struct gt_call call = GT_CALL_INIT;

	for (;;) {
		const struct gt_archive_entry *n;

		GT_TRY(gt_archive_source_next(s, &call, &n));
		if (!n)
			return NULL;
		gt_buf_addf(seen, "%d %s %s %lld ", n->type, n->name, n->link, (long long)n->size);
		if (n->size < 100)
			GT_TRY(gt_archive_source_read_all(s, &call, 100, seen));
		gt_buf_addc(seen, '\n');
	}
}

static void expect_error(const struct gt_buf *tar, enum form form, int64_t max_size,
			 enum gt_class want, const char *text)
{
	gt_auto(gt_buf) seen = GT_BUF_INIT;
	gt_autoptr(gt_archive_source) s = NULL;
	struct gt_error *e;
	struct given g;

	give(&g, tar, form);
	s = open_source(g.fd, max_size, 0);
	e = read_all(s, &seen);
	ck_assert_msg(gt_error_class(e) == want, "%s: %s: %s (%s)", form_names[form],
		      gt_class_name(gt_error_class(e)), gt_error_text(e), seen.s);
	ck_assert_msg(strstr(gt_error_text(e), text) != NULL, "%s", gt_error_text(e));
	gt_error_free(e);
	/* Ends the worker, and so a feeder that still waits for it. */
	gt_archive_source_free(gt_steal(&s));
	given_done(&g);
}

START_TEST(entries_of_every_form)
{
	gt_auto(gt_buf) tar = GT_BUF_INIT, seen = GT_BUF_INIT;
	gt_autoptr(gt_archive_source) s = NULL;
	gt_autofree char *big = gt_xcalloc(1, 300000);
	struct given g;
	struct gt_error *e;

	TAR_ADD(&tar, .name = "./", .type = '5');
	TAR_ADD(&tar, .name = "index.json", .data = "{}", .len = 2);
	TAR_ADD(&tar, .name = "/blobs//sha256/", .type = '5');
	TAR_ADD(&tar, .name = "blobs/./sha256/abc", .data = big, .len = 300000);
	TAR_ADD(&tar, .name = "latest", .type = '2', .link = "../../etc");
	TAR_ADD(&tar, .name = "same", .type = '1', .link = "./index.json");
	TAR_ADD(&tar, .name = "blobs/sha256/empty");
	TAR_ADD(&tar, .name = "last", .data = "end", .len = 3);
	tar_end(&tar);
	give(&g, &tar, _i);
	s = open_source(g.fd, 0, 0);
	e = read_all(s, &seen);
	ck_assert_msg(!e, "%s", gt_error_text(e));
	ck_assert_str_eq(seen.s, "1   0 \n0 index.json  2 {}\n1 blobs/sha256  0 \n"
				 "0 blobs/sha256/abc  300000 \n2 latest ../../etc 0 \n"
				 "3 same index.json 0 \n0 blobs/sha256/empty  0 \n"
				 "0 last  3 end\n");
	gt_archive_source_free(gt_steal(&s));
	given_done(&g);
}
END_TEST

START_TEST(offsets_are_right)
{
	gt_auto(gt_buf) tar = GT_BUF_INIT;
	gt_autoptr(gt_archive_source) s = NULL;
	struct gt_call call = GT_CALL_INIT;
	const struct gt_archive_entry *n;
	const char *pax[] = { "mtime=1.5", NULL };
	gt_autofree char *name = gt_xmalloc(301);
	struct given g;

	memset(name, 'n', 300);
	name[300] = '\0';
	TAR_ADD(&tar, .name = "a", .data = "first", .len = 5);
	TAR_ADD(&tar, .name = "b", .data = "second", .len = 6, .pax = pax);
	TAR_ADD(&tar, .name = name, .data = "third", .len = 5);
	tar_end(&tar);
	give(&g, &tar, PLAIN);
	s = open_source(g.fd, 0, 0);
	for (int i = 0; i < 3; i++) {
		char text[16] = "";

		gt_error_free(gt_archive_source_next(s, &call, &n));
		ck_assert_ptr_nonnull(n);
		ck_assert_int_eq(pread(g.fd, text, n->size, n->offset), n->size);
		ck_assert_str_eq(text, i == 0 ? "first" : i == 1 ? "second" : "third");
	}
	gt_archive_source_free(gt_steal(&s));
	given_done(&g);
}
END_TEST

START_TEST(names_that_leave_are_refused)
{
	static const char *const names[] = { "../x", "a/../../x", "/../x", "..", "./.." };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		gt_auto(gt_buf) tar = GT_BUF_INIT, link = GT_BUF_INIT;

		TAR_ADD(&tar, .name = names[i], .data = "x", .len = 1);
		tar_end(&tar);
		expect_error(&tar, _i, 0, GT_INVALID_ARGUMENT, "leads out of the root");
		TAR_ADD(&link, .name = "l", .type = '1', .link = names[i]);
		tar_end(&link);
		expect_error(&link, _i, 0, GT_INVALID_ARGUMENT, "leads out of the root");
	}
}
END_TEST

START_TEST(sizes_that_lie_are_refused)
{
	gt_auto(gt_buf) tar = GT_BUF_INIT;

	TAR_ADD(&tar, .name = "index.json", .data = "{}", .len = 2, .size = INT64_C(100) << 30);
	tar_end(&tar);
	expect_error(&tar, _i, 0, GT_INVALID_ARGUMENT,
		     _i == PLAIN ? "claims 107374182400 bytes" : "runcated");
}
END_TEST

START_TEST(cut_archives_are_refused)
{
	gt_auto(gt_buf) tar = GT_BUF_INIT, gz = GT_BUF_INIT;
	gt_autofree char *big = gt_xcalloc(1, 100000);

	TAR_ADD(&tar, .name = "a", .data = big, .len = 100000);
	gt_buf_setlen(&tar, 60000);
	expect_error(&tar, _i, 0, GT_INVALID_ARGUMENT, _i == PLAIN ? "claims" : "runcated");
	tar_gzip(&tar, &gz);
	gt_buf_setlen(&gz, gz.len - 9);
	expect_error(&gz, PLAIN, 0, GT_INVALID_ARGUMENT, "runcated");
}
END_TEST

START_TEST(limits_hold)
{
	gt_auto(gt_buf) tar = GT_BUF_INIT;
	gt_autofree char *big = gt_xcalloc(1, 4 << 20);

	TAR_ADD(&tar, .name = "bomb", .data = big, .len = 4 << 20);
	tar_end(&tar);
	expect_error(&tar, GZIP, 1 << 20, GT_RESOURCE_EXHAUSTED, "the limit");
	expect_error(&tar, ZSTD, 1 << 20, GT_RESOURCE_EXHAUSTED, "the limit");
}
END_TEST

START_TEST(no_archive_at_all)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;

	for (int i = 0; i < 1000; i++)
		gt_buf_adds(&text, "<html>nothing here</html>");
	expect_error(&text, _i, 0, GT_INVALID_ARGUMENT, "archive");
}
END_TEST

START_TEST(metadata_is_read_with_a_limit)
{
	gt_auto(gt_buf) tar = GT_BUF_INIT, out = GT_BUF_INIT;
	gt_autoptr(gt_archive_source) s = NULL;
	struct gt_call call = GT_CALL_INIT;
	const struct gt_archive_entry *n;
	struct given g;
	struct gt_error *e;

	TAR_ADD(&tar, .name = "manifest.json", .data = "0123456789", .len = 10);
	tar_end(&tar);
	give(&g, &tar, _i);
	s = open_source(g.fd, 0, 0);
	gt_error_free(gt_archive_source_next(s, &call, &n));
	e = gt_archive_source_read_all(s, &call, 9, &out);
	ck_assert_int_eq(gt_error_class(e), GT_RESOURCE_EXHAUSTED);
	gt_error_free(e);
	gt_archive_source_free(gt_steal(&s));
	given_done(&g);
}
END_TEST

START_TEST(too_many_entries)
{
	gt_auto(gt_buf) tar = GT_BUF_INIT, seen = GT_BUF_INIT;
	gt_autoptr(gt_archive_source) s = NULL;
	struct gt_error *e;
	struct given g;

	for (int i = 0; i < 20; i++)
		TAR_ADD(&tar, .name = "a");
	tar_end(&tar);
	give(&g, &tar, PLAIN);
	s = open_source(g.fd, 0, 19);
	e = read_all(s, &seen);
	ck_assert_int_eq(gt_error_class(e), GT_RESOURCE_EXHAUSTED);
	gt_error_free(e);
	gt_archive_source_free(gt_steal(&s));
	given_done(&g);
}
END_TEST

/* An archive that never ends is left in the middle; the worker must be gone. */
START_TEST(left_in_the_middle)
{
	gt_autoptr(gt_archive_source) s = NULL;
	struct gt_call call = GT_CALL_INIT;
	const struct gt_archive_entry *n;
	gt_auto(gt_buf) tar = GT_BUF_INIT;
	gt_autofree char *big = gt_xcalloc(1, 64 << 20);
	struct given g;

	TAR_ADD(&tar, .name = "big", .data = big, .len = 64 << 20);
	tar_end(&tar);
	give(&g, &tar, GZIP);
	s = open_source(g.fd, 0, 0);
	gt_error_free(gt_archive_source_next(s, &call, &n));
	ck_assert_str_eq(n->name, "big");
	gt_archive_source_free(gt_steal(&s));
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	given_done(&g);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("source");
	TCase *tc = tcase_create("source");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, entries_of_every_form, 0, FORMS);
	tcase_add_test(tc, offsets_are_right);
	tcase_add_loop_test(tc, names_that_leave_are_refused, 0, FORMS);
	tcase_add_loop_test(tc, sizes_that_lie_are_refused, 0, FORMS);
	tcase_add_loop_test(tc, cut_archives_are_refused, 0, FORMS);
	tcase_add_test(tc, limits_hold);
	tcase_add_loop_test(tc, no_archive_at_all, 0, FORMS);
	tcase_add_loop_test(tc, metadata_is_read_with_a_limit, 0, FORMS);
	tcase_add_test(tc, too_many_entries);
	tcase_add_test(tc, left_in_the_middle);
	suite_add_tcase(suite, tc);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
