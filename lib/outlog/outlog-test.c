/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <outlog/outlog.h>

#include <gantry/buf.h>
#include <gantry/file.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *dir;
static struct gt_outlog_place place;

static void setup(void)
{
	dir = gt_strf("%s/outlog-test.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	place = (struct gt_outlog_place){ .path = gt_strf("%s/a/b/log", dir), .size = 10000, .files = 3 };
}

static void teardown(void)
{
	gt_outlog_place_done(&place);
	gt_error_free(gt_file_remove_tree(AT_FDCWD, dir));
	free(dir);
}

static void ok(struct gt_error *e)
{
	ck_assert_msg(!e, "%s", gt_error_text(e));
}

/* Adds all that there is to read; returns how many entries. */
static size_t read_all(struct gt_outlog_reader *r, struct gt_buf *out, struct gt_buf *err)
{
	struct gt_outlog_entry e;
	size_t n = 0;

	for (; gt_outlog_next(r, &e); n++) {
		struct gt_buf *b = e.is_err ? err : out;

		ck_assert(!e.is_lost);
		gt_buf_add(b, e.bytes, e.len);
		if (e.ends_line)
			gt_buf_addc(b, '\n');
	}
	return n;
}

START_TEST(test_bytes)
{
	static const char *const pieces[] = { "one\ntwo\n", "/ # ", "\n", "\n\n", "a\r\n", "end" };
	struct gt_outlog *l = gt_outlog_new(&place);
	gt_autoptr(gt_outlog_reader) r = NULL;
	gt_auto(gt_buf) out = GT_BUF_INIT, err = GT_BUF_INIT, want = GT_BUF_INIT;
	struct stat st;

	ok(gt_outlog_reader_new(place.path, &r));
	ck_assert_uint_eq(read_all(r, &out, &err), 0);
	ck_assert_int_lt(stat(place.path, &st), 0);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		ck_assert(gt_outlog_write(l, false, pieces[i], strlen(pieces[i])));
		gt_buf_adds(&want, pieces[i]);
	}
	ck_assert(gt_outlog_write(l, true, "\0\377 x", 4));
	ck_assert_uint_eq(read_all(r, &out, &err), 9);
	ck_assert_str_eq(out.s, want.s);
	ck_assert_uint_eq(err.len, 4);
	ck_assert_mem_eq(err.s, "\0\377 x", 4);
	ck_assert_int_eq(stat(place.path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	gt_outlog_free(l);
}
END_TEST

/* Random bytes in random pieces, lines longer than a piece among them: each comes back. */
START_TEST(test_every_byte)
{
	struct gt_outlog *l;
	gt_autoptr(gt_outlog_reader) r = NULL;
	gt_auto(gt_buf) out = GT_BUF_INIT, err = GT_BUF_INIT, want = GT_BUF_INIT;
	unsigned x = 1;

	place.size = 100000000;
	l = gt_outlog_new(&place);
	for (int i = 0; i < 300; i++) {
		char bytes[20000];
		size_t n;

		for (n = 0; n < (size_t)(i * 61 % 20000); n++) {
			x = x * 1103515245 + 12345;
			bytes[n] = i % 3 ? (char)(x >> 16) : "x\n"[x >> 16 & 1];
		}
		if (i % 7 == 0)
			memset(bytes, 'y', n);
		ck_assert(gt_outlog_write(l, false, bytes, n));
		gt_buf_add(&want, bytes, n);
	}
	ok(gt_outlog_reader_new(place.path, &r));
	read_all(r, &out, &err);
	ck_assert_uint_eq(out.len, want.len);
	ck_assert_mem_eq(out.s, want.s, want.len);
	gt_outlog_free(l);
}
END_TEST

START_TEST(test_rotation)
{
	struct gt_outlog *l = gt_outlog_new(&place);
	gt_autoptr(gt_outlog_reader) all = NULL;
	gt_autoptr(gt_outlog_reader) late = NULL;
	gt_auto(gt_buf) followed = GT_BUF_INIT, rest = GT_BUF_INIT, want = GT_BUF_INIT;
	gt_auto(gt_buf) err = GT_BUF_INIT;
	struct stat st;
	int fd;

	ok(gt_outlog_reader_new(place.path, &all));
	ok(gt_outlog_watch(all, &fd));
	for (int i = 0; i < 2000; i++) {
		gt_autofree char *line = gt_strf("line %d\n", i);
		struct pollfd p = { .fd = fd, .events = POLLIN };

		ck_assert(gt_outlog_write(l, false, line, strlen(line)));
		gt_buf_adds(&want, line);
		if (i % 50 == 0) {
			ck_assert_int_eq(poll(&p, 1, 0), 1);
			read_all(all, &followed, &err);
			ck_assert_int_eq(poll(&p, 1, 0), 0);
		}
	}
	read_all(all, &followed, &err);
	ck_assert_str_eq(followed.s, want.s);
	for (unsigned i = 0; i < 4; i++) {
		gt_autofree char *name = i ? gt_strf("%s.%u", place.path, i) : gt_xstrdup(place.path);

		ck_assert_int_eq(stat(name, &st), i < 3 ? 0 : -1);
		ck_assert(i == 3 || st.st_size <= 10000);
	}
	ok(gt_outlog_reader_new(place.path, &late));
	read_all(late, &rest, &err);
	ck_assert_uint_gt(rest.len, 2500);
	ck_assert_str_eq(rest.s, want.s + want.len - rest.len);
	gt_outlog_free(l);
	/* The next writer goes on where the last ended. */
	l = gt_outlog_new(&place);
	ck_assert(gt_outlog_write(l, false, "again\n", 6));
	gt_buf_setlen(&rest, 0);
	read_all(late, &rest, &err);
	ck_assert_str_eq(rest.s, "again\n");
	gt_outlog_free(l);
}
END_TEST

START_TEST(test_one_file)
{
	struct gt_outlog *l;
	struct stat st;

	place.files = 1;
	l = gt_outlog_new(&place);
	for (int i = 0; i < 2000; i++)
		ck_assert(gt_outlog_write(l, false, "some line\n", 10));
	ck_assert_int_eq(stat(place.path, &st), 0);
	ck_assert_int_le(st.st_size, 10000);
	gt_outlog_free(l);
}
END_TEST

/* A full disk: what does not fit is counted, the lines around it are whole. */
START_TEST(test_full)
{
	gt_autoptr(gt_outlog_reader) r = NULL;
	struct gt_outlog_entry e;
	size_t lines = 0, lost = 0;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct rlimit limit = { .rlim_cur = 1000, .rlim_max = RLIM_INFINITY };
		struct gt_outlog *l = gt_outlog_new(&place);
		int failed = 0;

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		for (int i = 0; i < 100; i++)
			failed += !gt_outlog_write(l, false, "0123456789\n", 11);
		limit.rlim_cur = RLIM_INFINITY;
		setrlimit(RLIMIT_FSIZE, &limit);
		failed += !gt_outlog_write(l, false, "room\n", 5) * 1000;
		_exit(failed);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_gt(WEXITSTATUS(status), 50);
	ck_assert_int_lt(WEXITSTATUS(status), 100);
	ok(gt_outlog_reader_new(place.path, &r));
	while (gt_outlog_next(r, &e)) {
		ck_assert(e.ends_line);
		if (e.is_lost)
			lost = strtoul(e.bytes, NULL, 10);
		else
			lines++;
	}
	ck_assert_uint_eq(lost, 11 * (size_t)WEXITSTATUS(status));
	ck_assert_uint_eq(lines, 101 - (size_t)WEXITSTATUS(status));
}
END_TEST

START_TEST(test_foreign)
{
	gt_autoptr(gt_outlog_reader) r = NULL;
	struct gt_outlog_entry e;
	struct gt_outlog *l = gt_outlog_new(&place);
	gt_autofd int fd = -1;
	gt_autofree char *big = gt_xmalloc(300000);

	ck_assert(gt_outlog_write(l, false, "x\n", 2));
	fd = open(place.path, O_WRONLY | O_APPEND);
	memset(big, 'z', 300000);
	ck_assert_int_eq(write(fd, "no line of ours\n2026-13-45T nonsense\n", 37), 37);
	ck_assert_int_eq(write(fd, big, 300000), 300000);
	ck_assert_int_eq(write(fd, "\n2026-01-02T15:04:05.000000000Z stdout F \n", 42), 42);
	ok(gt_outlog_reader_new(place.path, &r));
	ck_assert(gt_outlog_next(r, &e));
	ck_assert_uint_eq(e.len, 1);
	ck_assert(gt_outlog_next(r, &e));
	ck_assert_uint_eq(e.len, 0);
	ck_assert_int_eq(e.at.tv_sec, 1767366245);
	ck_assert(!gt_outlog_next(r, &e));
	gt_outlog_free(l);
	/* A link at its place is not followed. */
	unlink(place.path);
	ck_assert_int_eq(symlink("/etc/passwd", place.path), 0);
	l = gt_outlog_new(&place);
	ck_assert(!gt_outlog_write(l, false, "x\n", 2));
	ck_assert_int_eq(errno, ELOOP);
	gt_outlog_free(l);
}
END_TEST

START_TEST(test_uri)
{
	static const char *const bad[] = { "file:///x", "gantry-log://x?size=10000&files=1",
					   "gantry-log:///x", "gantry-log:///x?size=1&files=1",
					   "gantry-log:///x?size=10000&files=0",
					   "gantry-log:///x?size=10000&files=1001",
					   "gantry-log:///x?size=10000&files=2&more=1",
					   "gantry-log:///%0?size=10000&files=2",
					   "gantry-log:///%00?size=10000&files=2" };
	gt_auto(gt_outlog_place) got = { 0 };
	gt_autofree char *uri = NULL;

	free(place.path);
	place.path = gt_xstrdup("/a b/c?d%e&\303\244");
	uri = gt_outlog_uri(&place);
	ck_assert_str_eq(uri, "gantry-log:///a%20b/c%3fd%25e%26%c3%a4?size=10000&files=3");
	ok(gt_outlog_uri_parse(uri, &got));
	ck_assert_str_eq(got.path, place.path);
	ck_assert_uint_eq(got.size, 10000);
	ck_assert_uint_eq(got.files, 3);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		gt_auto(gt_outlog_place) none = { 0 };
		struct gt_error *e = gt_outlog_uri_parse(bad[i], &none);

		ck_assert_msg(gt_error_class(e) == GT_INVALID_ARGUMENT, "%s", bad[i]);
		gt_error_free(e);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("outlog");
	TCase *t = tcase_create("outlog");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_bytes);
	tcase_add_test(t, test_every_byte);
	tcase_add_test(t, test_rotation);
	tcase_add_test(t, test_one_file);
	tcase_add_test(t, test_full);
	tcase_add_test(t, test_foreign);
	tcase_add_test(t, test_uri);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
