/* SPDX-License-Identifier: Apache-2.0 */
/* What the contract does not say: the files, the writer lock, the room on disk. */
#include <config.h>

#include "lmdb-store.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char *base; /* goes at the end, whatever fails */
static char *root; /* of one test */
static struct lmdb_config config;
static struct gt_init init;
static struct gt_metadata *store;
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
		store_close(store);
	store = NULL;
	OK(store_open(&init, &store));
}

static void setup(void)
{
	umask(0); /* modes must be right whatever it is */
	root = gt_strf("%s/XXXXXX", base);
	ck_assert(mkdtemp(root));
	config = (struct lmdb_config){ .map_size = 1 << 20, .lock_timeout = 300000000 };
	init = (struct gt_init){ .size = sizeof(init), .root = root, .config = &config };
	store = NULL;
	reopen();
}

static void teardown(void)
{
	store_close(store);
	free(root);
}

static char *below(const char *name)
{
	return gt_strf("%s/%s", root, name);
}

static struct gt_slice slice(const char *s)
{
	return (struct gt_slice){ .data = s, .len = strlen(s) };
}

static struct gt_error *put(struct gt_txn *t, void *arg)
{
	return store_put(t, slice(arg), slice("value"));
}

static struct gt_error *get(struct gt_txn *t, void *arg)
{
	struct gt_slice v;

	return store_get(t, slice(arg), &v);
}

START_TEST(test_files)
{
	const char *const names[] = { "meta.mdb", "meta.mdb-lock", "writer.lock" };
	struct stat st;

	OK(store_update(store, &call, put, "a"));
	for (size_t i = 0; i < 3; i++) {
		gt_autofree char *path = below(names[i]);

		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_int_eq(st.st_mode & 07777, 0600);
		/* Nothing that is written through a map may be a hole: a full disk would be a SIGBUS. */
		ck_assert_int_ge(st.st_blocks * 512, st.st_size);
	}
}
END_TEST

/* No child of ours may keep the store's descriptors. */
START_TEST(test_descriptors)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *ent;
	int seen = 0;

	while ((ent = readdir(d))) {
		gt_autofree char *path = gt_strf("/proc/self/fd/%s", ent->d_name);
		gt_autofree char *target = gt_xcalloc(1, 4096);

		if (readlink(path, target, 4095) < 0 || strncmp(target, root, strlen(root)))
			continue;
		seen++;
		ck_assert_msg(fcntl(atoi(ent->d_name), F_GETFD) & FD_CLOEXEC, "%s", target);
	}
	closedir(d);
	ck_assert_int_ge(seen, 3);
}
END_TEST

START_TEST(test_cut_file)
{
	gt_autofree char *path = below("meta.mdb");

	OK(store_update(store, &call, put, "a"));
	store_close(store);
	store = NULL;
	ck_assert_int_eq(truncate(path, 2 * 4096), 0);
	CLASS(store_open(&init, &store), GT_DATA_LOSS);
	ck_assert_int_eq(truncate(path, 0), 0); /* as if never written */
	reopen();
}
END_TEST

START_TEST(test_foreign_file)
{
	gt_autofree char *path = below("meta.mdb");

	store_close(store);
	store = NULL;
	OK(gt_file_write(AT_FDCWD, path, root, strlen(root), 0600, false));
	CLASS(store_open(&init, &store), GT_DATA_LOSS);
	ck_assert_int_eq(unlink(path), 0);
	reopen();
}
END_TEST

/* The map grows within one update, within a batch, and for views. */
static struct gt_error *put_much(struct gt_txn *t, void *arg)
{
	gt_autofree char *value = gt_xcalloc(1, 3 << 20);

	++*(int *)arg;
	return store_put(t, slice("much"), (struct gt_slice){ value, 3 << 20 });
}

START_TEST(test_growth)
{
	struct lmdb_store *s = (struct lmdb_store *)store;
	MDB_envinfo info;
	int runs = 0;

	OK(store_update(store, &call, put_much, &runs));
	ck_assert_int_gt(runs, 1);
	mdb_env_info(s->env, &info);
	ck_assert_int_gt(info.me_mapsize, 3 << 20);
	OK(store_view(store, &call, get, "much"));
	reopen(); /* the option is smaller than the file now */
	OK(store_view(store, &call, get, "much"));
}
END_TEST

static struct gt_error *view_and_grow(struct gt_txn *t, void *arg)
{
	struct gt_slice v;
	int runs = 0;

	(void)arg;
	CLASS(store_update(store, &call, put_much, &runs), GT_UNAVAILABLE);
	return store_get(t, slice("a"), &v);
}

/* A view that waits for what waits for the view: an error in time, not a deadlock. */
START_TEST(test_growth_in_view)
{
	int runs = 0;

	OK(store_update(store, &call, put, "a"));
	OK(store_view(store, &call, view_and_grow, NULL));
	OK(store_update(store, &call, put_much, &runs));
}
END_TEST

/* Runs 'fn' in a process that says when it is there, then waits to be killed. */
static pid_t other(void (*fn)(void))
{
	int fds[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		fn();
		if (write(fds[1], "r", 1) == 1)
			poll(NULL, 0, 60000);
		_exit(1);
	}
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &c, 1), 1);
	close(fds[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void take_lock(void)
{
	struct writer_lock l;

	if (writer_lock_open(&l, root) || writer_lock_take(&l, &call, 0))
		_exit(2);
}

START_TEST(test_lock_times_out)
{
	pid_t pid = other(take_lock);
	gt_autofree char *want = gt_strf("process %d ", (int)pid);
	gt_autoptr(gt_error) e = store_update(store, &call, put, "a");

	ck_assert_int_eq(gt_error_class(e), GT_UNAVAILABLE);
	ck_assert_msg(strstr(gt_error_text(e), want) != NULL, "%s", gt_error_text(e));
	end(pid);
	OK(store_update(store, &call, put, "a"));
}
END_TEST

/* After a power cut the file still says that somebody holds the lock; nobody has it open. */
START_TEST(test_lock_of_last_boot)
{
	gt_autofree char *path = below("writer.lock");
	gt_autofree char *copy = below("copy");
	gt_autofree char *command = gt_strf("cp %s %s", path, copy);
	pid_t pid = other(take_lock);

	ck_assert_int_eq(system(command), 0); /* as it is while it is held */
	end(pid);
	store_close(store);
	store = NULL;
	ck_assert_int_eq(rename(copy, path), 0);
	reopen();
	OK(store_update(store, &call, put, "a"));
}
END_TEST

static void spoil_lock(void)
{
	gt_autofree char *path = below("writer.lock");
	int fd = open(path, O_RDWR);
	const char zeros[8] = { 0 };

	if (fd < 0 || pwrite(fd, zeros, sizeof(zeros), 0) != sizeof(zeros))
		_exit(2);
}

/* Its maker died half-way, and somebody else got in before us. */
START_TEST(test_lock_half_made)
{
	store_close(store);
	store = NULL;
	spoil_lock();
	reopen();
	OK(store_update(store, &call, put, "a"));
}
END_TEST

static struct gt_error *die_in_view(struct gt_txn *t, void *arg)
{
	(void)t;
	if (write(*(int *)arg, "r", 1) == 1)
		poll(NULL, 0, 60000);
	return NULL;
}

/* A reader that was killed does not keep old pages for ever. */
START_TEST(test_dead_reader)
{
	struct lmdb_store *s;
	int fds[2], dead = -1;
	pid_t pid;
	char c;

	store_close(store); /* LMDB wants an environment of its own in each process */
	store = NULL;
	ck_assert_int_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		OK(store_open(&init, &store));
		OK(store_view(store, &call, die_in_view, &fds[1]));
		_exit(1);
	}
	ck_assert_int_eq(read(fds[0], &c, 1), 1);
	close(fds[0]);
	close(fds[1]);
	reopen(); /* somebody has it open when the reader dies */
	end(pid);
	s = (struct lmdb_store *)store;
	ck_assert_int_eq(mdb_reader_check(s->env, &dead), 0);
	ck_assert_int_eq(dead, 1);
	ck_assert_int_eq(mdb_reader_check(s->env, &dead), 0);
	ck_assert_int_eq(dead, 0);
}
END_TEST

static struct gt_error *nothing(struct gt_txn *t, void *arg)
{
	return gt_error_unless(get(t, arg), GT_NOT_FOUND);
}

START_TEST(test_no_change_no_commit)
{
	struct lmdb_store *s = (struct lmdb_store *)store;
	MDB_envinfo before, after;

	mdb_env_info(s->env, &before);
	OK(store_update(store, &call, nothing, "a"));
	mdb_env_info(s->env, &after);
	ck_assert_int_eq(before.me_last_txnid, after.me_last_txnid);
	OK(store_update(store, &call, put, "a"));
	mdb_env_info(s->env, &after);
	ck_assert_int_eq(before.me_last_txnid + 1, after.me_last_txnid);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("metadata-lmdb");
	TCase *c = tcase_create("store");
	SRunner *r;
	const char *tmp = getenv("TMPDIR");
	int failed;

	base = gt_strf("%s/gantry-metadata.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(base))
		return 1;
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 30);
	tcase_add_test(c, test_files);
	tcase_add_test(c, test_descriptors);
	tcase_add_test(c, test_cut_file);
	tcase_add_test(c, test_foreign_file);
	tcase_add_test(c, test_growth);
	tcase_add_test(c, test_growth_in_view);
	tcase_add_test(c, test_lock_times_out);
	tcase_add_test(c, test_lock_of_last_boot);
	tcase_add_test(c, test_lock_half_made);
	tcase_add_test(c, test_dead_reader);
	tcase_add_test(c, test_no_change_no_commit);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	gt_error_free(gt_file_remove_tree(AT_FDCWD, base));
	free(base);
	return failed ? 1 : 0;
}
