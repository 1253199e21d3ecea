/* SPDX-License-Identifier: Apache-2.0 */
/* Kind metadata: several threads, several processes, processes that die or stop, a full disk. */
#include <config.h>

#include "metadata.h"

#include <gantry/buf.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define THREADS 8
#define ROUNDS 100
#define DEATHS 15
#define ROW 8 /* keys that an update sets to the same number */

struct crowd {
	struct gt_metadata *m;
	atomic_int next, wrong;
	int rounds;
};

static struct gt_error *read_number(struct gt_txn *t, const char *key, int *out)
{
	struct gt_slice v;
	struct gt_error *e = gt_txn_get(t, slice(key), &v);

	*out = 0;
	if (e)
		return gt_error_unless(e, GT_NOT_FOUND);
	if (v.len != sizeof(*out))
		return gt_error_new(GT_DATA_LOSS, "%s has %zu bytes", key, v.len);
	memcpy(out, v.data, sizeof(*out));
	return NULL;
}

static struct gt_error *add_one(struct gt_txn *t, void *arg)
{
	int n;

	GT_TRY(read_number(t, arg, &n));
	n++;
	return gt_txn_put(t, slice(arg), (struct gt_slice){ &n, sizeof(n) });
}

struct numbers {
	int v[ROW];
};

static const char *row_key(int i)
{
	static const char *const keys[ROW] = { "row/0", "row/1", "row/2", "row/3",
					       "row/4", "row/5", "row/6", "row/7" };

	return keys[i];
}

static struct gt_error *set_row(struct gt_txn *t, void *arg)
{
	int n;

	(void)arg;
	GT_TRY(read_number(t, row_key(0), &n));
	n++;
	for (int i = 0; i < ROW; i++)
		GT_TRY(gt_txn_put(t, slice(row_key(i)), (struct gt_slice){ &n, sizeof(n) }));
	return NULL;
}

static struct gt_error *get_row(struct gt_txn *t, void *arg)
{
	struct numbers *n = arg;

	for (int i = 0; i < ROW; i++)
		GT_TRY(read_number(t, row_key(i), &n->v[i]));
	return NULL;
}

static bool row_is_whole(struct gt_metadata *m)
{
	struct gt_call call = GT_CALL_INIT;
	struct numbers n;
	gt_autoptr(gt_error) e = gt_metadata_view(m, &call, get_row, &n);

	for (int i = 1; !e && i < ROW; i++)
		if (n.v[i] != n.v[0])
			return false;
	return !e;
}

static struct gt_error *get_number(struct gt_txn *t, void *arg)
{
	return read_number(t, "count", arg);
}

static int number(struct gt_metadata *m)
{
	struct gt_call call = GT_CALL_INIT;
	int n = -1;
	gt_autoptr(gt_error) e = gt_metadata_view(m, &call, get_number, &n);

	return e ? -1 : n;
}

static void *count_up(void *arg)
{
	struct crowd *c = arg;
	struct gt_call call = GT_CALL_INIT;

	for (int i = 0; i < c->rounds; i++) {
		gt_autoptr(gt_error) e = gt_metadata_update(c->m, &call, add_one, "count");

		if (e)
			atomic_fetch_add(&c->wrong, 1);
	}
	return NULL;
}

struct mine {
	char *key;
	bool fail;
};

static struct gt_error *put_mine(struct gt_txn *t, void *arg)
{
	const struct mine *mine = arg;

	GT_TRY(gt_txn_put(t, slice(mine->key), slice(mine->key)));
	return mine->fail ? gt_error_new(GT_ABORTED, "%s is not to be", mine->key) : NULL;
}

/* Every other update fails: only its own change may go, and only it may hear of it. */
static void *put_or_fail(void *arg)
{
	struct crowd *c = arg;
	struct gt_call call = GT_CALL_INIT;
	int id = atomic_fetch_add(&c->next, 1);

	for (int i = 0; i < c->rounds; i++) {
		struct mine mine = { .key = gt_strf("mine/%d/%d", id, i), .fail = (id + i) % 2 };
		gt_autoptr(gt_error) e = gt_metadata_update(c->m, &call, put_mine, &mine);
		bool ok = mine.fail ? gt_error_class(e) == GT_ABORTED &&
					      strstr(gt_error_text(e), mine.key)
				    : !e;

		if (!ok)
			atomic_fetch_add(&c->wrong, 1);
		free(mine.key);
	}
	return NULL;
}

static void *write_rows(void *arg)
{
	struct crowd *c = arg;
	struct gt_call call = GT_CALL_INIT;
	bool reads = atomic_fetch_add(&c->next, 1) % 2;

	for (int i = 0; i < c->rounds; i++) {
		if (reads) {
			if (!row_is_whole(c->m))
				atomic_fetch_add(&c->wrong, 1);
		} else {
			gt_autoptr(gt_error) e = gt_metadata_update(c->m, &call, set_row, NULL);

			if (e)
				atomic_fetch_add(&c->wrong, 1);
		}
	}
	return NULL;
}

static void crowd(struct crowd *c, int n, void *(*fn)(void *))
{
	gt_autofree pthread_t *threads = gt_xcalloc(n, sizeof(*threads));

	c->next = c->wrong = 0;
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, fn, c))
			abort();
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}

static struct gt_error *count_key(void *arg, struct gt_slice key, struct gt_slice value)
{
	(void)key;
	(void)value;
	++*(int *)arg;
	return NULL;
}

static struct gt_error *count_mine(struct gt_txn *t, void *arg)
{
	*(int *)arg = 0;
	return gt_txn_scan(t, slice("mine/"), count_key, arg);
}

static void test_threads(struct gt_metadata *m)
{
	struct crowd c = { .m = m, .rounds = ROUNDS };
	struct gt_call call = GT_CALL_INIT;
	int n;

	crowd(&c, THREADS, count_up);
	suite_ok(c.wrong == 0 && number(m) == THREADS * ROUNDS,
		 "%d threads count to %d together", THREADS, THREADS * ROUNDS);
	crowd(&c, THREADS, put_or_fail);
	suite_ok(c.wrong == 0, "each update hears its own result only");
	suite_class(gt_metadata_view(m, &call, count_mine, &n), GT_OK, "scan");
	suite_ok(n == THREADS * ROUNDS / 2, "what failed is undone, what others did is kept");
	crowd(&c, THREADS, write_rows);
	suite_ok(c.wrong == 0, "views among updates see whole ones");
	suite_class(metadata_clear(m, ""), GT_OK, "clear");
}

static void *update_once(void *arg)
{
	struct gt_call call = GT_CALL_INIT;

	return gt_metadata_update(arg, &call, add_one, "count");
}

/* A view stays as it began, and lets an update through meanwhile. */
static struct gt_error *view_over_update(struct gt_txn *t, void *arg)
{
	struct gt_metadata *m = arg;
	gt_autoptr(gt_error) e = NULL;
	pthread_t thread;
	void *result = NULL;
	int before, after;

	GT_TRY(read_number(t, "count", &before));
	if (pthread_create(&thread, NULL, update_once, m))
		abort();
	pthread_join(thread, &result);
	e = result;
	suite_ok(!e, "an update ends while a view goes on");
	GT_TRY(read_number(t, "count", &after));
	suite_ok(before == after, "the view does not see it");
	return NULL;
}

static void test_isolation(struct gt_metadata *m)
{
	struct gt_call call = GT_CALL_INIT;

	suite_class(gt_metadata_view(m, &call, view_over_update, m), GT_OK, "a long view");
	suite_ok(number(m) == 1, "the next view sees it");
	suite_class(metadata_clear(m, ""), GT_OK, "clear");
}

static void test_processes(struct gt_metadata *m)
{
	struct suite_child a = { .name = "count" }, b = { .name = "count" };
	struct crowd c = { .m = m, .rounds = ROUNDS };
	gt_autofree char *v = NULL, *grown = NULL;

	if (!suite_ok(suite_child_start(&a) && suite_child_start(&b), "two more processes"))
		return;
	crowd(&c, 2, count_up);
	suite_ok(suite_child_end(&a, 60) == 0 && suite_child_end(&b, 60) == 0 && !c.wrong,
		 "three processes count");
	suite_ok(number(m) == 4 * ROUNDS, "no step is lost");
	a = (struct suite_child){ .name = "put" };
	if (suite_ok(suite_child_start(&a) && suite_child_wait_ready(&a, 20), "a process that puts")) {
		suite_class(metadata_get(m, "put", &v), GT_OK, "what it put is seen at once");
		suite_ok(suite_child_end(&a, 20) == 0, "it ends");
	}
	a = (struct suite_child){ .name = "grow" };
	suite_ok(suite_child_start(&a) && suite_child_end(&a, 60) == 0,
		 "a process lets the store grow");
	suite_class(metadata_get(m, "grown/39", &grown), GT_OK, "view: what another let it grow by");
	suite_class(metadata_clear(m, ""), GT_OK, "update: what another let it grow by");
}

static struct gt_error *put_none(struct gt_txn *t, void *arg)
{
	(void)arg;
	return gt_txn_put(t, slice("none"), slice("none"));
}

static void *cancel_soon(void *arg)
{
	poll(NULL, 0, 200);
	gt_cancel_set(arg);
	return NULL;
}

/* Another process stops in the middle of an update: nobody hangs for longer than he wants to. */
static void test_stopped(struct gt_metadata *m)
{
	struct suite_child child = { .name = "hang" };
	struct gt_cancel *cancel = gt_cancel_new();
	struct gt_call call = GT_CALL_INIT;
	gt_autofree char *v = NULL;
	pthread_t thread;
	int64_t begin;

	if (suite_ok(suite_child_start(&child) && suite_child_wait_ready(&child, 20),
		     "a process in the middle of an update")) {
		kill(child.pid, SIGSTOP);
		begin = gt_now();
		call.deadline = begin + 300000000;
		suite_class(gt_metadata_update(m, &call, put_none, NULL), GT_DEADLINE_EXCEEDED,
			    "it is stopped: an update waits until its deadline");
		suite_ok(gt_now() - begin < INT64_C(3000000000), "and not much longer");
		call.deadline = 0;
		call.cancel = cancel;
		if (pthread_create(&thread, NULL, cancel_soon, cancel))
			abort();
		suite_class(gt_metadata_update(m, &call, put_none, NULL), GT_CANCELED,
			    "or until it is cancelled");
		pthread_join(thread, NULL);
		suite_class(metadata_get(m, "count", &v), GT_NOT_FOUND, "a view does not wait");
		kill(child.pid, SIGKILL);
		kill(child.pid, SIGCONT);
		suite_child_end(&child, 20);
		suite_class(metadata_put(m, "after", "x", 1), GT_OK, "it is killed: an update goes on");
		suite_class(metadata_get(m, "hang", &v), GT_NOT_FOUND, "nothing of its update is seen");
		suite_class(metadata_get(m, "none", &v), GT_NOT_FOUND, "nor of those that gave up");
	}
	gt_cancel_free(cancel);
	suite_class(metadata_clear(m, ""), GT_OK, "clear");
}

static void test_deaths(struct gt_metadata *m)
{
	int bad = 0;

	for (int i = 0; i < DEATHS; i++) {
		struct suite_child child = { .name = "rows" };
		struct gt_call call = GT_CALL_INIT;
		gt_autoptr(gt_error) e = NULL;

		if (!suite_child_start(&child) || !suite_child_wait_ready(&child, 20)) {
			bad++;
			continue;
		}
		poll(NULL, 0, i * 3);
		suite_child_kill(&child);
		if (!row_is_whole(m))
			bad++;
		call.deadline = gt_now() + INT64_C(10000000000);
		e = gt_metadata_update(m, &call, set_row, NULL);
		if (e) {
			suite_note("death %d: %s", i, gt_error_text(e));
			bad++;
		}
	}
	suite_ok(bad == 0, "%d processes killed while they wrote: updates are whole, and go on", DEATHS);
	suite_class(metadata_clear(m, ""), GT_OK, "clear");
}

static void test_full_disk(const char *dir)
{
	gt_autofree char *root = gt_strf("%s/full", dir);
	struct suite_child child = { .name = "fill", .root = root, .tmpfs = "12m" };
	int status;

	if (mkdir(root, 0700) < 0 || !suite_child_start(&child)) {
		suite_ok(false, "a process for the full disk");
		return;
	}
	status = suite_child_end(&child, 60);
	if (status == SUITE_CHILD_SKIP)
		suite_skip("no mount namespace to be had", "a full disk");
	else
		suite_ok(status == 0, "a full disk: a clear error, and removing works (step %d)",
			 status);
}

void metadata_many(struct gt_metadata *m, const char *dir)
{
	test_threads(m);
	test_isolation(m);
	test_processes(m);
	test_stopped(m);
	test_deaths(m);
	test_full_disk(dir);
}

static int child_count(struct gt_metadata *m, int threads)
{
	struct crowd c = { .m = m, .rounds = ROUNDS };

	crowd(&c, threads, count_up);
	return c.wrong ? 1 : 0;
}

static struct gt_error *hang(struct gt_txn *t, void *arg)
{
	(void)arg;
	GT_TRY(gt_txn_put(t, slice("hang"), slice("half")));
	suite_child_ready();
	poll(NULL, 0, 60000);
	return NULL;
}

static int child_hang(struct gt_metadata *m)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autoptr(gt_error) e = gt_metadata_update(m, &call, hang, NULL);

	return e ? 1 : 2;
}

static int child_put(struct gt_metadata *m)
{
	gt_autoptr(gt_error) e = metadata_put(m, "put", "x", 1);

	suite_child_ready();
	return e != NULL;
}

static int child_grow(struct gt_metadata *m)
{
	gt_autofree char *value = gt_xcalloc(1, 100000);

	for (int i = 0; i < 40; i++) {
		gt_autofree char *key = gt_strf("grown/%d", i);
		gt_autoptr(gt_error) e = metadata_put(m, key, value, 100000);

		if (e)
			return 1;
	}
	return 0;
}

static int child_rows(struct gt_metadata *m)
{
	struct gt_call call = GT_CALL_INIT;

	suite_child_ready();
	for (int i = 0; i < 100000; i++) {
		gt_autoptr(gt_error) e = gt_metadata_update(m, &call, set_row, NULL);

		if (e)
			return 1;
	}
	return 2;
}

/* Puts until the disk is full; answers with how many were put. */
static int fill_up(struct gt_metadata *m, const char *prefix, size_t len, enum gt_class *end)
{
	gt_autofree char *value = gt_xcalloc(1, len);
	int n;

	*end = GT_OK;
	for (n = 0; n < 20000; n++) {
		gt_autofree char *key = gt_strf("%s/%05d", prefix, n);
		gt_autoptr(gt_error) e = metadata_put(m, key, value, len);

		if (e) {
			*end = gt_error_class(e);
			break;
		}
	}
	return n;
}

/* On 12 MiB: returns the step that went wrong. */
static int child_fill(struct gt_metadata *m)
{
	gt_autofree char *v = NULL;
	gt_autoptr(gt_error) e = NULL;
	enum gt_class end;
	int large = fill_up(m, "large", 100000, &end), small;

	if (end != GT_RESOURCE_EXHAUSTED || large < 5)
		return 1;
	small = fill_up(m, "small", 1000, &end);
	if (end != GT_RESOURCE_EXHAUSTED)
		return 2;
	e = metadata_get(m, "large/00000", &v);
	if (e)
		return 3;
	/* One by one, as a user would. */
	for (int i = 0; i < small; i++) {
		gt_autofree char *key = gt_strf("small/%05d", i);

		e = metadata_remove(m, key);
		if (e) {
			fprintf(stderr, "# %s: %s\n", key, gt_error_text(e));
			return 4;
		}
	}
	for (int i = 0; i < large; i += 2) {
		gt_autofree char *key = gt_strf("large/%05d", i);

		e = metadata_remove(m, key);
		if (e)
			return 5;
	}
	e = metadata_put(m, "again", "x", 1);
	if (e) {
		fprintf(stderr, "# put: %s\n", gt_error_text(e));
		return 6;
	}
	/* And all at once. */
	fill_up(m, "more", 1000, &end);
	if (end != GT_RESOURCE_EXHAUSTED)
		return 7;
	e = metadata_clear(m, "");
	if (e) {
		fprintf(stderr, "# clear: %s\n", gt_error_text(e));
		return 8;
	}
	return 0;
}

int suite_metadata_child(struct gt_metadata *m, const char *name, const char *arg)
{
	(void)arg;
	if (!strcmp(name, "count"))
		return child_count(m, 1);
	if (!strcmp(name, "crowd")) /* for a trace: 64 writers */
		return child_count(m, 64);
	if (!strcmp(name, "hang"))
		return child_hang(m);
	if (!strcmp(name, "put"))
		return child_put(m);
	if (!strcmp(name, "grow"))
		return child_grow(m);
	if (!strcmp(name, "rows"))
		return child_rows(m);
	if (!strcmp(name, "fill"))
		return child_fill(m);
	return 90;
}
