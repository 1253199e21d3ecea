/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <journal/journal.h>

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT (10 * INT64_C(1000000000))

static char *dir, *path;

static void setup(void)
{
	dir = gt_strf("%s/journal-test.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = gt_strf("%s/events", dir);
}

static void teardown(void)
{
	gt_error_free(gt_file_remove_tree(AT_FDCWD, dir));
	free(dir);
	free(path);
}

static void ok(struct gt_error *e)
{
	ck_assert_msg(!e, "%s", gt_error_text(e));
}

static uint64_t append(const char *text)
{
	uint64_t seq = 0;

	ok(gt_journal_append(path, 1000, text, strlen(text), WAIT, &seq));
	return seq;
}

/* The next record is that one. */
static void next_is(struct gt_journal *j, uint64_t seq, const char *text)
{
	struct gt_journal_record r;
	bool found;

	ok(gt_journal_next(j, &r, &found));
	ck_assert_msg(found, "no record %" PRIu64, seq);
	ck_assert_uint_eq(r.seq, seq);
	ck_assert_uint_eq(r.len, strlen(text));
	ck_assert_mem_eq(r.data, text, r.len);
}

static void nothing_more(struct gt_journal *j)
{
	struct gt_journal_record r;
	bool found;

	ok(gt_journal_next(j, &r, &found));
	ck_assert(!found);
}

static bool is_readable(struct gt_journal *j)
{
	struct pollfd p = { .fd = gt_journal_fd(j), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

START_TEST(test_order)
{
	gt_autoptr(gt_journal) all = NULL;
	gt_autoptr(gt_journal) some = NULL;
	gt_autoptr(gt_journal) new = NULL;

	ck_assert_uint_eq(append("one"), 1);
	ck_assert_uint_eq(append(""), 2);
	ck_assert_uint_eq(append("three"), 3);
	ok(gt_journal_open(path, 0, &all));
	ok(gt_journal_open(path, 2, &some));
	ok(gt_journal_open(path, GT_JOURNAL_NEW, &new));
	next_is(all, 1, "one");
	next_is(all, 2, "");
	next_is(all, 3, "three");
	nothing_more(all);
	next_is(some, 3, "three");
	nothing_more(new);
	ck_assert(!is_readable(new));
	append("four");
	ck_assert(is_readable(new));
	next_is(new, 4, "four");
	next_is(all, 4, "four");
	nothing_more(new);
	ck_assert(!is_readable(new));
}
END_TEST

START_TEST(test_before_there_is_one)
{
	gt_autoptr(gt_journal) j = NULL;

	ok(gt_journal_open(path, GT_JOURNAL_NEW, &j));
	nothing_more(j);
	append("x");
	ck_assert(is_readable(j));
	next_is(j, 1, "x");
}
END_TEST

START_TEST(test_rotation)
{
	gt_autoptr(gt_journal) slow = NULL;
	gt_autoptr(gt_journal) late = NULL;
	gt_autoptr(gt_journal) exact = NULL;
	gt_autofree char *old = gt_strf("%s.1", path);
	struct gt_journal_record r;
	uint64_t last = 0, first;
	struct stat st;
	bool found;

	ok(gt_journal_open(path, 0, &slow));
	for (int i = 1; i <= 25; i++)
		last = append("a record that takes some bytes");
	for (uint64_t i = 1; i <= 25; i++)
		next_is(slow, i, "a record that takes some bytes");
	for (int i = 0; i < 475; i++)
		last = append("a record that takes some bytes");
	ck_assert_uint_eq(last, 500);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_le(st.st_size, 1000);
	ck_assert_int_eq(stat(old, &st), 0);
	ck_assert_int_le(st.st_size, 1000);

	/* What was overwritten is counted, the rest comes in order to the end. */
	ok(gt_journal_next(slow, &r, &found));
	ck_assert_uint_eq(r.seq, 26);
	while (r.seq <= 40) /* the file that it holds open */
		ok(gt_journal_next(slow, &r, &found));
	ck_assert(found);
	ck_assert_uint_gt(r.seq, 450);
	ck_assert_uint_gt(gt_journal_lost(slow), 400);
	ck_assert_uint_eq(gt_journal_lost(slow), 0);
	for (uint64_t i = r.seq + 1; i <= 500; i++)
		next_is(slow, i, "a record that takes some bytes");
	nothing_more(slow);

	ok(gt_journal_open(path, 0, &late));
	ok(gt_journal_next(late, &r, &found));
	first = r.seq;
	ck_assert_uint_gt(first, 450);
	ck_assert_uint_eq(gt_journal_lost(late), 0);
	ok(gt_journal_open(path, 100, &exact));
	next_is(exact, first, "a record that takes some bytes");
	ck_assert_uint_eq(gt_journal_lost(exact), first - 101);
}
END_TEST

START_TEST(test_torn)
{
	gt_autoptr(gt_journal) j = NULL;
	gt_autofd int fd = -1;
	struct stat st;

	append("whole");
	append("torn");
	ok(gt_journal_open(path, 0, &j));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(truncate(path, st.st_size - 1), 0);
	next_is(j, 1, "whole");
	nothing_more(j);
	ck_assert_uint_eq(append("again"), 2);
	next_is(j, 2, "again");

	/* Bytes that are no record, and a length out of all bounds. */
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	ck_assert_int_eq(write(fd, "\377\377\377\377garbage, more than a head", 30), 30);
	nothing_more(j);
	ck_assert_uint_eq(append("third"), 3);
	next_is(j, 3, "third");
	/* A record that is whole while the head does not know of it is kept. */
	ck_assert_int_eq(pwrite(fd, "", 0, 0), 0);
	nothing_more(j);
}
END_TEST

START_TEST(test_foreign_file)
{
	gt_autofd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_eq(write(fd, "not a journal", 13), 13);
	ck_assert_uint_eq(append("x"), 1);
	ck_assert_uint_eq(append("y"), 2);
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	struct gt_error *e = gt_journal_append(path, 0, "z", 1, WAIT, NULL);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	gt_error_free(e);
}
END_TEST

START_TEST(test_locked)
{
	gt_autofd int fd = -1;
	struct gt_error *e;
	int64_t before;

	append("x");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	e = gt_journal_append(path, 0, "y", 1, 0, NULL);
	ck_assert_int_eq(gt_error_class(e), GT_UNAVAILABLE);
	gt_error_free(e);
	before = gt_now();
	e = gt_journal_append(path, 0, "y", 1, 50000000, NULL);
	ck_assert_int_eq(gt_error_class(e), GT_UNAVAILABLE);
	ck_assert_int_ge(gt_now() - before, 50000000);
	gt_error_free(e);
	ck_assert_int_eq(flock(fd, LOCK_UN), 0);
	ck_assert_uint_eq(append("y"), 2);
}
END_TEST

START_TEST(test_disk_full)
{
	struct gt_error *e;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		const struct rlimit limit = { .rlim_cur = 300, .rlim_max = 300 };
		uint64_t seq = 0;

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		for (int i = 0; i < 20; i++) {
			e = gt_journal_append(path, 100000, "thirty bytes, more or less....", 30, 0,
					      &seq);
			gt_error_free(e);
			if (e)
				_exit(seq == 5 ? 0 : 1);
		}
		_exit(2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(append("room again"), 6);
}
END_TEST

static void write_for_ever(int id)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned n = 0;; n++) {
		gt_autofree char *text = gt_strf("%d %u", id, n);

		gt_error_free(gt_journal_append(path, 20000, text, strlen(text), WAIT, NULL));
	}
}

/* Writers that are killed at any moment, and a reader meanwhile: no gap, nothing twice. */
START_TEST(test_killed_writers)
{
	gt_autoptr(gt_journal) j = NULL;
	unsigned last[400];
	uint64_t next = 1;
	pid_t pids[4];

	memset(last, 0, sizeof(last));
	ok(gt_journal_open(path, 0, &j));
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			write_for_ever(i);
	}
	for (int id = 4; id < 100; id++) {
		struct gt_journal_record r;
		bool found = true;
		int status;

		kill(pids[id % 4], SIGKILL);
		waitpid(pids[id % 4], &status, 0);
		pids[id % 4] = fork();
		if (pids[id % 4] == 0)
			write_for_ever(id);
		for (int i = 0; i < 300 && found; i++) {
			gt_autofree char *text = NULL;
			unsigned who, n;

			ok(gt_journal_next(j, &r, &found));
			if (!found)
				break;
			next += gt_journal_lost(j);
			ck_assert_uint_eq(r.seq, next++);
			text = gt_xstrndup(r.data, r.len);
			ck_assert_int_eq(sscanf(text, "%u %u", &who, &n), 2);
			ck_assert_uint_lt(who, 400);
			ck_assert_uint_ge(n + 1, last[who] + 1);
			last[who] = n + 1;
		}
		usleep(2000);
	}
	for (int i = 0; i < 4; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	ck_assert_uint_gt(next, 1000);
	ck_assert_uint_ge(append("still"), next);
}
END_TEST

/* Who finds no file begins one: it must not happen between two that follow each other. */
START_TEST(test_never_missing)
{
	pid_t pid;
	int status;

	append("x");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			if (access(path, F_OK) < 0)
				_exit(1);
	}
	for (int i = 0; i < 3000; i++)
		append("every thirtieth of these begins another file");
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}
END_TEST

/* Killed between the two steps of a rotation: the next one finishes it. */
START_TEST(test_half_rotated)
{
	gt_autofree char *old = gt_strf("%s.1", path);
	gt_autoptr(gt_journal) j = NULL;
	uint64_t last = 0;

	for (int i = 0; i < 20; i++)
		last = append("twenty of these fill it up, very nearly");
	unlink(old);
	ck_assert_int_eq(link(path, old), 0);
	ok(gt_journal_open(path, last - 1, &j));
	next_is(j, last, "twenty of these fill it up, very nearly");
	for (int i = 0; i < 30; i++) {
		gt_autofree char *text = gt_strf("%d, as long as those before it were", i);

		ck_assert_uint_eq(append(text), ++last);
		next_is(j, last, text);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("journal");
	TCase *t = tcase_create("journal");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, test_order);
	tcase_add_test(t, test_before_there_is_one);
	tcase_add_test(t, test_rotation);
	tcase_add_test(t, test_torn);
	tcase_add_test(t, test_foreign_file);
	tcase_add_test(t, test_locked);
	tcase_add_test(t, test_disk_full);
	tcase_add_test(t, test_never_missing);
	tcase_add_test(t, test_half_rotated);
	tcase_add_test(t, test_killed_writers);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
