/* SPDX-License-Identifier: Apache-2.0 */
/* Kind content: several threads, several processes, processes that die, a disk that is full. */
#include <config.h>

#include "content.h"

#include <gantry/buf.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define THREADS 8
#define BLOBS 40 /* of a churn */
#define DEATHS 15

char *content_bytes(unsigned seed, size_t len)
{
	char *p = gt_xmalloc(len);
	uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (char)x;
	}
	return p;
}

struct gt_error *content_store(struct gt_content *c, const char *ref, const void *data, size_t len,
			       char **digest)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autoptr(gt_writer) w = NULL;

	GT_TRY(gt_content_writer(c, &call, ref, 0, NULL, &w));
	GT_TRY(gt_writer_truncate(w, 0));
	GT_TRY(gt_writer_write(w, data, len));
	return gt_writer_commit(w, len, NULL, digest);
}

bool content_verify(struct gt_content *c, const char *digest)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autoptr(gt_reader) r = NULL;
	gt_autofree char *data = NULL, *is = NULL;
	gt_autoptr(gt_error) e = gt_content_reader(c, &call, digest, &r);
	size_t len;

	if (!e)
		e = gt_reader_all(r, 64 << 20, &data, &len);
	if (e) {
		fprintf(stderr, "# %s: %s\n", digest, gt_error_text(e));
		return false;
	}
	if (strncmp(digest, "sha256:", 7)) /* one that the suite made by a known digest */
		return true;
	is = gt_digest_of(data, len);
	return !strcmp(is, digest);
}

/* Stores blob 'i' of a churn, which others store at the same time. */
static struct gt_error *churn_one(struct gt_content *c, const char *who, unsigned i)
{
	size_t len = i * 5000 + 1;
	gt_autofree char *data = content_bytes(1000 + i, len);
	gt_autofree char *ref = gt_strf("churn/%s/%u", who, i);

	return content_store(c, ref, data, len, NULL);
}

struct race {
	struct gt_content *c;
	const char *data;
	size_t len;
	pthread_barrier_t start;
	atomic_int next, made, existed, locked, wrong;
};

static void *race_digest(void *arg)
{
	struct race *r = arg;
	gt_autofree char *ref = gt_strf("race/%d", atomic_fetch_add(&r->next, 1));
	gt_autoptr(gt_error) e = NULL;

	pthread_barrier_wait(&r->start);
	e = content_store(r->c, ref, r->data, r->len, NULL);
	if (!e)
		atomic_fetch_add(&r->made, 1);
	else if (gt_error_class(e) == GT_ALREADY_EXISTS)
		atomic_fetch_add(&r->existed, 1);
	else
		atomic_fetch_add(&r->wrong, 1);
	return NULL;
}

static void *race_ref(void *arg)
{
	struct race *r = arg;
	struct gt_call call = GT_CALL_INIT;
	gt_autoptr(gt_writer) w = NULL;
	gt_autoptr(gt_error) e = NULL;

	pthread_barrier_wait(&r->start);
	e = gt_content_writer(r->c, &call, "race/one", 0, NULL, &w);
	if (!e)
		atomic_fetch_add(&r->made, 1);
	else if (gt_error_class(e) == GT_UNAVAILABLE)
		atomic_fetch_add(&r->locked, 1);
	else
		atomic_fetch_add(&r->wrong, 1);
	pthread_barrier_wait(&r->start); /* all have tried while the winner holds it */
	return NULL;
}

static void *race_all(void *arg)
{
	struct race *r = arg;
	gt_autofree char *who = gt_strf("t%d", atomic_fetch_add(&r->next, 1));

	pthread_barrier_wait(&r->start);
	for (unsigned i = 0; i < BLOBS; i++) {
		gt_autoptr(gt_error) e = churn_one(r->c, who, i);

		if (e && gt_error_class(e) != GT_ALREADY_EXISTS)
			atomic_fetch_add(&r->wrong, 1);
	}
	return NULL;
}

static void run_race(struct race *r, void *(*fn)(void *))
{
	pthread_t threads[THREADS];

	r->next = r->made = r->existed = r->locked = r->wrong = 0;
	pthread_barrier_init(&r->start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, fn, r))
			abort();
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&r->start);
}

static struct gt_error *verify_blob(void *arg, const struct gt_blob_info *info)
{
	return content_verify(arg, info->digest)
		       ? NULL
		       : gt_error_new(GT_DATA_LOSS, "%s is not what its name says", info->digest);
}

static struct gt_error *verify_all(struct gt_content *c)
{
	struct gt_call call = GT_CALL_INIT;

	return gt_content_walk(c, &call, verify_blob, c);
}

static struct gt_error *remove_blob(void *arg, const struct gt_blob_info *info)
{
	struct gt_call call = GT_CALL_INIT;

	return gt_content_remove(arg, &call, info->digest);
}

static void remove_all(struct gt_content *c)
{
	struct gt_call call = GT_CALL_INIT;

	suite_class(gt_content_walk(c, &call, remove_blob, c), GT_OK, "remove from within walk");
}

static void test_threads(struct gt_content *c)
{
	gt_autofree char *data = content_bytes(20, 500000), *digest = gt_digest_of(data, 500000);
	struct race r = { .c = c, .data = data, .len = 500000 };
	struct gt_call call = GT_CALL_INIT;

	run_race(&r, race_digest);
	suite_ok(r.made == 1 && r.existed == THREADS - 1,
		 "%d threads write one blob: one commits, the others hear that it exists", THREADS);
	suite_ok(content_verify(c, digest), "the blob is right");
	run_race(&r, race_ref);
	suite_ok(r.made == 1 && r.locked == THREADS - 1,
		 "%d threads want one ref: one gets it, to the others it is locked", THREADS);
	suite_class(gt_content_abort(c, &call, "race/one"), GT_OK, "abort");
	run_race(&r, race_all);
	suite_ok(r.wrong == 0, "%d threads write the same %d blobs", THREADS, BLOBS);
	suite_class(verify_all(c), GT_OK, "all blobs are right");
}

static void test_processes(struct gt_content *c)
{
	struct suite_child a = { .name = "churn", .arg = "a" }, b = { .name = "churn", .arg = "b" };
	int wrong = 0;

	remove_all(c);
	if (!suite_ok(suite_child_start(&a) && suite_child_start(&b), "two more processes"))
		return;
	for (unsigned i = 0; i < BLOBS; i++) {
		gt_autoptr(gt_error) e = churn_one(c, "self", i);

		wrong += e && gt_error_class(e) != GT_ALREADY_EXISTS;
	}
	suite_ok(suite_child_end(&a, 60) == 0 && suite_child_end(&b, 60) == 0 && !wrong,
		 "three processes write the same %d blobs", BLOBS);
	suite_class(verify_all(c), GT_OK, "all blobs are right");
}

static void test_lock_of_other(struct gt_content *c)
{
	struct suite_child child = { .name = "hold" };
	struct gt_call call = GT_CALL_INIT;
	gt_autofree char *data = content_bytes(30, 300000), *digest = gt_digest_of(data, 300000);
	gt_autoptr(gt_writer) w = NULL;
	struct gt_ingest_info info = { 0 };
	int64_t at;

	if (!suite_ok(suite_child_start(&child) && suite_child_wait_ready(&child, 20),
		      "a process that writes"))
		return;
	suite_class(gt_content_writer(c, &call, "held", 0, NULL, &w), GT_UNAVAILABLE,
		    "writer: another process has the ref");
	suite_class(gt_content_abort(c, &call, "held"), GT_UNAVAILABLE,
		    "abort: another process has the ref");
	suite_class(gt_content_status(c, &call, "held", &info), GT_OK, "status of another's ingest");
	suite_ok(info.offset == 200000, "it tells the offset");
	gt_ingest_info_done(&info);
	suite_child_kill(&child);
	if (!suite_class(gt_content_writer(c, &call, "held", 0, NULL, &w), GT_OK,
			 "kill -9: the next process has the ref"))
		return;
	suite_class(gt_writer_status(w, &info), GT_OK, "status");
	at = info.offset;
	gt_ingest_info_done(&info);
	if (suite_ok(at == 200000, "what was written is there"))
		suite_class(gt_writer_write(w, data + at, 300000 - at), GT_OK, "write the rest");
	suite_class(gt_writer_commit(w, 300000, digest, NULL), GT_OK, "commit");
	suite_ok(content_verify(c, digest), "the blob is right");
}

static struct gt_error *abort_ingest(void *arg, const struct gt_ingest_info *info)
{
	struct gt_call call = GT_CALL_INIT;

	return gt_content_abort(arg, &call, info->ref);
}

static void test_deaths(struct gt_content *c)
{
	struct gt_call call = GT_CALL_INIT;
	int bad = 0, left = 0;

	for (int i = 0; i < DEATHS; i++) {
		struct suite_child child = { .name = "churn", .arg = "mortal" };
		gt_autoptr(gt_error) e = gt_content_walk(c, &call, remove_blob, c);

		if (e || !suite_child_start(&child) || !suite_child_wait_ready(&child, 20)) {
			bad++;
			continue;
		}
		poll(NULL, 0, i * 3);
		suite_child_kill(&child);
		e = verify_all(c);
		if (e)
			suite_note("death %d: %s", i, gt_error_text(e));
		bad += e != NULL;
	}
	suite_ok(bad == 0, "%d processes killed while they wrote: every blob is right", DEATHS);
	for (unsigned i = 0; i < BLOBS; i++) {
		gt_autoptr(gt_error) e = churn_one(c, "mortal", i);

		left += e && gt_error_class(e) != GT_ALREADY_EXISTS;
	}
	suite_ok(left == 0, "the next process ends what they began");
	suite_class(gt_content_walk_ingests(c, &call, abort_ingest, c), GT_OK,
		    "abort from within walk_ingests");
}

static void test_full_disk(const char *dir)
{
	gt_autofree char *root = gt_strf("%s/full", dir);
	struct suite_child child = { .name = "fill", .root = root, .tmpfs = "8m" };
	int status;

	if (mkdir(root, 0700) < 0 || !suite_child_start(&child)) {
		suite_ok(false, "a process for the full disk");
		return;
	}
	status = suite_child_end(&child, 60);
	if (status == SUITE_CHILD_SKIP)
		suite_skip("no mount namespace to be had", "a full disk");
	else
		suite_ok(status == 0, "a full disk: a clear error, and it goes on with room (step %d)",
			 status);
}

void content_many(struct gt_content *c, const char *dir)
{
	test_threads(c);
	test_processes(c);
	test_lock_of_other(c);
	test_deaths(c);
	test_full_disk(dir);
}

static int child_churn(struct gt_content *c, const char *who)
{
	suite_child_ready();
	for (unsigned i = 0; i < BLOBS; i++) {
		gt_autoptr(gt_error) e = churn_one(c, who, i);

		if (e && gt_error_class(e) != GT_ALREADY_EXISTS) {
			fprintf(stderr, "# churn: %s\n", gt_error_text(e));
			return 1;
		}
	}
	return 0;
}

static int child_hold(struct gt_content *c)
{
	struct gt_call call = GT_CALL_INIT;
	gt_autofree char *data = content_bytes(30, 300000);
	gt_autoptr(gt_writer) w = NULL;
	gt_autoptr(gt_error) e = gt_content_writer(c, &call, "held", 300000, NULL, &w);

	if (!e)
		e = gt_writer_write(w, data, 200000);
	if (e)
		return 1;
	suite_child_ready();
	poll(NULL, 0, 60000);
	return 2;
}

/* On 8 MiB: returns the step that went wrong. */
static int child_fill(struct gt_content *c)
{
	const size_t block = 64 * 1024;
	struct gt_call call = GT_CALL_INIT;
	gt_autofree char *data = content_bytes(40, 16 << 20), *ballast = NULL, *want = NULL;
	struct gt_ingest_info info = { 0 };
	gt_autoptr(gt_writer) w = NULL;
	gt_autoptr(gt_error) e = content_store(c, "ballast", data, 4 << 20, &ballast);
	size_t at = 0;

	if (e)
		return 1;
	e = gt_content_writer(c, &call, "big", 0, NULL, &w);
	if (e)
		return 2;
	while (!(e = gt_writer_write(w, data + at, block)) && at < 15u << 20)
		at += block;
	if (gt_error_class(e) != GT_RESOURCE_EXHAUSTED)
		return 3;
	gt_error_free(gt_steal(&e));
	e = gt_writer_status(w, &info);
	if (e || info.offset < (int64_t)at || info.offset > (int64_t)(at + block))
		return 4;
	at = info.offset;
	gt_ingest_info_done(&info);
	gt_writer_free(gt_steal(&w)); /* resume as another process would */
	if (!content_verify(c, ballast))
		return 5;
	e = gt_content_remove(c, &call, ballast);
	if (e)
		return 6;
	e = gt_content_writer(c, &call, "big", 0, NULL, &w);
	if (!e)
		e = gt_writer_write(w, data + at, block);
	if (e)
		return 7;
	want = gt_digest_of(data, at + block);
	e = gt_writer_commit(w, at + block, want, NULL);
	if (e)
		return 8;
	return content_verify(c, want) ? 0 : 9;
}

/* One blob, for a trace of what is done to the disk. */
static int child_one(struct gt_content *c)
{
	gt_autofree char *data = content_bytes(50, 20 << 20);
	gt_autoptr(gt_error) e = content_store(c, "one", data, 20 << 20, NULL);

	return e != NULL;
}

int suite_content_child(struct gt_content *c, const char *name, const char *arg)
{
	if (!strcmp(name, "churn"))
		return child_churn(c, arg);
	if (!strcmp(name, "hold"))
		return child_hold(c);
	if (!strcmp(name, "fill"))
		return child_fill(c);
	if (!strcmp(name, "one"))
		return child_one(c);
	return 90;
}
