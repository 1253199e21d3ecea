/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "snapdb.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static char *root;
static struct gt_snapdb *db;

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

	root = gt_strf("%s/gantry-snapdb.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(root));
	ok(gt_snapdb_open(root, GT_DURABILITY_FULL, &db));
}

static void teardown(void)
{
	gt_snapdb_close(db);
	ok(gt_file_remove_tree(AT_FDCWD, root));
	free(root);
}

static void reopen(enum gt_durability durability)
{
	gt_snapdb_close(db);
	db = NULL;
	ok(gt_snapdb_open(root, durability, &db));
}

static struct gt_error *place_nothing(void *arg, uint64_t id, bool *taken)
{
	(void)arg;
	(void)id;
	*taken = false;
	return NULL;
}

static struct gt_error *create(enum gt_snapshot_kind kind, const char *key, const char *parent)
{
	gt_auto(gt_snapdb_entry) p = { 0 }, e = { 0 };
	struct gt_snapdb_create c = {
		.kind = kind, .key = key, .parent = parent, .place = place_nothing
	};

	if (*parent)
		GT_TRY(gt_snapdb_get_parent(db, parent, &p));
	c.parent_id = p.id;
	return gt_snapdb_create(db, &c, &e);
}

static void layer(const char *name, const char *parent)
{
	gt_autofree char *key = gt_strf("%s-active", name);

	ok(create(GT_SNAPSHOT_ACTIVE, key, parent));
	ok(gt_snapdb_commit(db, name, key, NULL, NULL));
}

static struct gt_error *drop(const char *key)
{
	uint64_t id;

	return gt_snapdb_remove(db, key, &id);
}

static struct gt_error *count_one(void *arg, const struct gt_snapdb_entry *e)
{
	(void)e;
	++*(int *)arg;
	return NULL;
}

static int count(void)
{
	int n = 0;

	ok(gt_snapdb_walk(db, count_one, &n));
	return n;
}

START_TEST(test_life_of_a_snapshot)
{
	gt_auto(gt_snapdb_entry) a = { 0 }, b = { 0 };
	gt_auto(gt_labels) labels = { 0 };
	struct gt_usage usage = { .inodes = 7, .size = 4096 };

	gt_labels_set(&labels, "containerd.io/snapshot/x", "y");
	gt_labels_set(&labels, "empty", "");
	ok(create(GT_SNAPSHOT_ACTIVE, "a", ""));
	ok(gt_snapdb_stat(db, "a", &a));
	ck_assert_int_eq(a.info.kind, GT_SNAPSHOT_ACTIVE);
	ck_assert_str_eq(a.info.parent, "");
	ck_assert_uint_eq(a.id, 1);
	ck_assert_uint_eq(a.info.labels.n, 0);
	ok(gt_snapdb_update(db, "a", &labels));
	ok(gt_snapdb_commit(db, "layer", "a", &labels, NULL));
	fails(gt_snapdb_stat(db, "a", &b), GT_NOT_FOUND, "snapshot a does not exist");
	ok(gt_snapdb_set_usage(db, "layer", 1, &usage));
	ok(gt_snapdb_set_usage(db, "layer", 99, &(struct gt_usage){ 0 }));
	reopen(GT_DURABILITY_FAST);
	ok(gt_snapdb_get(db, "layer", &b));
	ck_assert_uint_eq(b.id, 1);
	ck_assert_int_eq(b.info.kind, GT_SNAPSHOT_COMMITTED);
	ck_assert_str_eq(gt_labels_get(&b.info.labels, "containerd.io/snapshot/x"), "y");
	ck_assert_str_eq(gt_labels_get(&b.info.labels, "empty"), "");
	ck_assert(b.measured);
	ck_assert_int_eq(b.usage.inodes, 7);
	ck_assert_int_eq(b.usage.size, 4096);
	ck_assert_int_eq(b.info.created_at.tv_sec, b.info.updated_at.tv_sec);
	ok(drop("layer"));
	ck_assert_int_eq(count(), 0);
}
END_TEST

START_TEST(test_rules)
{
	gt_auto(gt_buf) longest = GT_BUF_INIT;
	gt_auto(gt_snapdb_entry) e = { 0 };

	layer("base", "");
	ok(create(GT_SNAPSHOT_ACTIVE, "active", "base"));
	ok(create(GT_SNAPSHOT_VIEW, "view", "base"));
	fails(create(GT_SNAPSHOT_ACTIVE, "view", ""), GT_ALREADY_EXISTS, "snapshot view");
	fails(create(GT_SNAPSHOT_ACTIVE, "base", ""), GT_ALREADY_EXISTS, "snapshot base");
	fails(create(GT_SNAPSHOT_ACTIVE, "x", "active"), GT_INVALID_ARGUMENT,
	      "parent active is not committed");
	fails(create(GT_SNAPSHOT_ACTIVE, "x", "nothing"), GT_NOT_FOUND, "nothing");
	fails(gt_snapdb_commit(db, "x", "view", NULL, NULL), GT_FAILED_PRECONDITION,
	      "snapshot view is not active");
	fails(gt_snapdb_commit(db, "x", "base", NULL, NULL), GT_FAILED_PRECONDITION,
	      "snapshot base is not active");
	fails(gt_snapdb_commit(db, "base", "active", NULL, NULL), GT_ALREADY_EXISTS, "base");
	fails(gt_snapdb_commit(db, "x", "nothing", NULL, NULL), GT_NOT_FOUND, "nothing");
	fails(drop("base"), GT_FAILED_PRECONDITION, "snapshot base has children");
	fails(drop("nothing"), GT_NOT_FOUND, "nothing");
	ok(drop("view"));
	fails(drop("base"), GT_FAILED_PRECONDITION, "snapshot base has children");
	ok(drop("active"));
	ok(drop("base"));
	fails(create(GT_SNAPSHOT_ACTIVE, "", ""), GT_INVALID_ARGUMENT, "empty");
	for (int i = 0; i < GT_SNAPSHOT_KEY_MAX; i++)
		gt_buf_addc(&longest, "a/\xff\n"[i % 4]);
	ok(create(GT_SNAPSHOT_ACTIVE, longest.s, ""));
	ok(gt_snapdb_stat(db, longest.s, &e));
	ck_assert_str_eq(e.info.key, longest.s);
	gt_buf_addc(&longest, 'x');
	fails(create(GT_SNAPSHOT_ACTIVE, longest.s, ""), GT_INVALID_ARGUMENT, "longer than");
}
END_TEST

START_TEST(test_chain)
{
	gt_auto(gt_snapdb_entry) e = { 0 };

	layer("one", "");
	layer("two", "one");
	layer("three", "two");
	ok(create(GT_SNAPSHOT_ACTIVE, "top", "three"));
	ok(gt_snapdb_get(db, "top", &e));
	ck_assert_uint_eq(e.id, 4);
	ck_assert_uint_eq(e.n_parents, 3);
	for (uint64_t i = 0; i < 3; i++)
		ck_assert_uint_eq(e.parents[i], 3 - i);
}
END_TEST

START_TEST(test_rebase)
{
	gt_auto(gt_snapdb_entry) e = { 0 };

	layer("one", "");
	ok(create(GT_SNAPSHOT_ACTIVE, "a", ""));
	ok(create(GT_SNAPSHOT_ACTIVE, "b", "one"));
	fails(gt_snapdb_commit(db, "two", "a", NULL, "b"), GT_INVALID_ARGUMENT,
	      "parent b is not committed");
	fails(gt_snapdb_commit(db, "two", "a", NULL, "nothing"), GT_NOT_FOUND, "nothing");
	fails(gt_snapdb_commit(db, "two", "b", NULL, "two"), GT_FAILED_PRECONDITION, "one");
	ok(gt_snapdb_commit(db, "two", "a", NULL, "one"));
	ok(gt_snapdb_commit(db, "three", "b", NULL, "one"));
	ok(drop("three"));
	fails(drop("one"), GT_FAILED_PRECONDITION, "children");
	ok(gt_snapdb_get(db, "two", &e));
	ck_assert_uint_eq(e.n_parents, 1);
	ck_assert_str_eq(e.info.parent, "one");
}
END_TEST

struct placing {
	int calls;
	uint64_t last;
	bool fail;
};

static struct gt_error *place_some(void *arg, uint64_t id, bool *taken)
{
	struct placing *p = arg;

	p->calls++;
	p->last = id;
	*taken = id < 5;
	return p->fail ? gt_error_new(GT_UNKNOWN, "no place") : NULL;
}

START_TEST(test_place)
{
	gt_auto(gt_snapdb_entry) e = { 0 };
	struct placing p = { .fail = true };
	struct gt_snapdb_create c = {
		.kind = GT_SNAPSHOT_ACTIVE, .key = "k", .place = place_some, .arg = &p
	};

	fails(gt_snapdb_create(db, &c, &e), GT_UNKNOWN, "no place");
	fails(gt_snapdb_stat(db, "k", &e), GT_NOT_FOUND, "k");
	p = (struct placing){ 0 };
	ok(gt_snapdb_create(db, &c, &e));
	ck_assert_int_eq(p.calls, 5);
	ck_assert_uint_eq(p.last, 5);
	ck_assert_uint_eq(e.id, 5);
	/* A parent that was removed and made again is another one. */
	layer("parent", "");
	c = (struct gt_snapdb_create){ .kind = GT_SNAPSHOT_VIEW,
				       .key = "v",
				       .parent = "parent",
				       .parent_id = 5,
				       .place = place_nothing };
	fails(gt_snapdb_create(db, &c, &e), GT_ABORTED, "replaced");
}
END_TEST

static struct gt_error *walk_and_change(void *arg, const struct gt_snapdb_entry *e)
{
	GT_TRY(count_one(arg, e));
	if (e->info.kind == GT_SNAPSHOT_ACTIVE)
		return drop(e->info.key);
	return NULL;
}

/* More than the map holds at first, and more than one batch of a walk; which may change things. */
START_TEST(test_many)
{
	enum { N = 3000 };
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_buf) text = GT_BUF_INIT;
	int n = 0;

	reopen(GT_DURABILITY_FAST);
	for (int i = 0; i < 3000; i++)
		gt_buf_addc(&text, 'x');
	gt_labels_set(&labels, "label", text.s);
	for (int i = 0; i < N; i++) {
		gt_autofree char *key = gt_strf("key-%d", i);

		ok(create(GT_SNAPSHOT_ACTIVE, key, ""));
		ok(gt_snapdb_update(db, key, &labels));
	}
	ok(gt_snapdb_walk(db, walk_and_change, &n));
	ck_assert_int_eq(n, N);
	ck_assert_int_eq(count(), 0);
}
END_TEST

static void *prepare_some(void *arg)
{
	const char *name = arg;

	for (int i = 0; i < 100; i++) {
		gt_autofree char *key = gt_strf("%s-%d", name, i);
		gt_autofree char *layer_name = gt_strf("%s-%d-layer", name, i);

		ok(create(GT_SNAPSHOT_ACTIVE, key, ""));
		if (i % 2)
			ok(gt_snapdb_commit(db, layer_name, key, NULL, NULL));
		if (i % 4 == 2)
			ok(drop(key));
	}
	return NULL;
}

static struct gt_error *check_ids(void *arg, const uint64_t *ids, size_t n)
{
	*(size_t *)arg = n;
	for (size_t i = 1; i < n; i++)
		ck_assert_uint_lt(ids[i - 1], ids[i]);
	return NULL;
}

START_TEST(test_threads_and_processes)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	pthread_t threads[4];
	size_t n;
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) { /* not with the parent's environment: with one of its own */
		gt_snapdb_close(db);
		if (gt_snapdb_open(root, GT_DURABILITY_FULL, &db))
			_exit(1);
		prepare_some("process");
		gt_snapdb_close(db);
		_exit(0);
	}
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, prepare_some, (void *)names[i]),
				 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(count(), 5 * 75);
	ok(gt_snapdb_with_ids(db, check_ids, &n));
	ck_assert_uint_eq(n, 5 * 75);
}
END_TEST

/* A process that is killed while it writes leaves a whole environment that others go on with. */
START_TEST(test_kill)
{
	for (int round = 0; round < 8; round++) {
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			gt_snapdb_close(db);
			if (gt_snapdb_open(root, GT_DURABILITY_FULL, &db))
				_exit(1);
			for (unsigned i = 0;; i++) {
				gt_autofree char *key = gt_strf("k-%d-%u", round, i);

				gt_error_free(create(GT_SNAPSHOT_ACTIVE, key, ""));
				gt_error_free(gt_snapdb_commit(db, "layer", key, NULL, NULL));
				gt_error_free(drop("layer"));
			}
		}
		nanosleep(&(struct timespec){ .tv_nsec = 30000000 + round * 1000000 }, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		ok(create(GT_SNAPSHOT_ACTIVE, "after", ""));
		ok(drop("after"));
		ck_assert_int_le(count(), 2 * (round + 1));
	}
}
END_TEST

/* A full disk refuses what is new and still lets one remove. */
START_TEST(test_full_disk)
{
	gt_autofree char *small = gt_strf("%s/small", root);
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_buf) text = GT_BUF_INIT;
	struct gt_error *e = NULL;
	int n = 0;

	ck_assert_int_eq(mkdir(small, 0700), 0);
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("tmpfs", small, "tmpfs", 0, "size=2m"), 0);
	gt_snapdb_close(db);
	db = NULL;
	ok(gt_snapdb_open(small, GT_DURABILITY_FULL, &db));
	for (int i = 0; i < 2000; i++)
		gt_buf_addc(&text, 'x');
	gt_labels_set(&labels, "label", text.s);
	while (!e && n < 10000) {
		gt_autofree char *key = gt_strf("key-%d", n);

		e = create(GT_SNAPSHOT_ACTIVE, key, "");
		if (e)
			break;
		n++;
		e = gt_snapdb_update(db, key, &labels);
	}
	fails(e, GT_RESOURCE_EXHAUSTED, "No space left");
	ck_assert_int_gt(n, 100);
	for (int i = 0; i < n; i++) {
		gt_autofree char *key = gt_strf("key-%d", i);

		ok(drop(key));
	}
	ck_assert_int_eq(count(), 0);
	ok(create(GT_SNAPSHOT_ACTIVE, "again", ""));
	gt_snapdb_close(db);
	db = NULL;
	ck_assert_int_eq(umount2(small, MNT_DETACH), 0);
}
END_TEST

START_TEST(test_broken_file)
{
	gt_autofree char *path = gt_strf("%s/metadata.mdb", root);

	gt_snapdb_close(db);
	db = NULL;
	ok(gt_file_write(AT_FDCWD, path, "this is no database at all, but some words", 43, 0600,
			 false));
	fails(gt_snapdb_open(root, GT_DURABILITY_FULL, &db), GT_DATA_LOSS, path);
	fails(gt_snapdb_open("/nonexistent/folder", GT_DURABILITY_FULL, &db), GT_UNKNOWN,
	      "No such file");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("snapdb");
	TCase *t = tcase_create("snapdb");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, test_life_of_a_snapshot);
	tcase_add_test(t, test_rules);
	tcase_add_test(t, test_chain);
	tcase_add_test(t, test_rebase);
	tcase_add_test(t, test_place);
	tcase_add_test(t, test_many);
	tcase_add_test(t, test_threads_and_processes);
	tcase_add_test(t, test_kill);
	if (geteuid() == 0)
		tcase_add_test(t, test_full_disk);
	tcase_add_test(t, test_broken_file);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
