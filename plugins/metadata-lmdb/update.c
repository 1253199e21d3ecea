/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes that come at the same time share one disk transaction. The first caller that finds no leader
 * becomes the leader, in its own thread: it takes the writer lock, runs all updates that wait by then,
 * each as a transaction nested in one, and commits once. Those that come meanwhile wait for the next
 * leader, which is the first of them. A caller that is alone does just its own work.
 *
 * Where a batch cannot be had as a whole (the map or the disk is full, the transaction too large), it
 * is undone and each update runs again by itself, and gets its own answer.
 */
#include <config.h>

#include "lmdb-store.h"

#include <errno.h>
#include <time.h>

#define BATCH_MAX 256
#define SLICE INT64_C(50000000) /* ns between two looks at whether the call was cancelled */
#define GROW_TRIES 40

enum update_state { UPDATE_WAITS, UPDATE_LEADS, UPDATE_RUNS, UPDATE_DONE };

struct update {
	struct update *next;
	struct gt_error *(*fn)(struct gt_txn *t, void *arg);
	void *arg;
	const struct gt_call *call;
	enum update_state state;
	pthread_cond_t cond; /* 'state' changed */
	struct gt_error *error;
};

static bool has_changes(const struct lmdb_txn *t)
{
	return t->puts || t->removes;
}

/* A write transaction inside the gate; follows the map where another process has made it larger. */
static struct gt_error *begin(struct lmdb_store *s, const struct gt_call *call, MDB_txn **out)
{
	int rc;

	for (;;) {
		space_enter(s);
		rc = mdb_txn_begin(s->env, NULL, 0, out);
		if (!rc)
			return NULL;
		space_leave(s);
		if (rc != MDB_MAP_RESIZED)
			return store_error(rc, "begin an update");
		GT_TRY(space_remap(s, call, 0));
	}
}

static void undo(struct lmdb_store *s, MDB_txn *txn)
{
	mdb_txn_abort(txn);
	space_leave(s);
}

static int commit(struct lmdb_store *s, MDB_txn *txn)
{
	int rc = mdb_txn_commit(txn);

	space_leave(s);
	return rc;
}

/* MDB_MAP_FULL: again, with a larger map. Otherwise '*e' is the answer. */
static int run_once(struct lmdb_store *s, struct update *u, struct gt_error **e)
{
	struct lmdb_txn t = { .base.m = &s->base, .writes = true };
	int rc;

	*e = begin(s, u->call, &t.mdb);
	if (*e)
		return 0;
	*e = u->fn(&t.base, u->arg);
	store_txn_done(&t);
	if (t.doom == MDB_MAP_FULL) {
		undo(s, t.mdb);
		gt_error_free(gt_steal(e));
		return MDB_MAP_FULL;
	}
	if (!*e && t.doom)
		*e = store_error(t.doom, "update");
	if (!*e && has_changes(&t))
		*e = space_reserve(s, &t);
	if (*e || !has_changes(&t)) {
		undo(s, t.mdb);
		return 0;
	}
	rc = commit(s, t.mdb);
	if (rc && rc != MDB_MAP_FULL)
		*e = store_error(rc, "commit");
	return rc;
}

static struct gt_error *run_alone(struct lmdb_store *s, struct update *u)
{
	for (int i = 0; i < GROW_TRIES; i++) {
		struct gt_error *e;

		if (run_once(s, u, &e) != MDB_MAP_FULL)
			return e;
		GT_TRY(space_grow(s, u->call));
	}
	return gt_error_new(GT_RESOURCE_EXHAUSTED, "metadata: the update is too large");
}

/* One update of a batch; false: the batch cannot go on. */
static bool run_nested(struct lmdb_store *s, MDB_txn *parent, struct update *u,
		       struct lmdb_txn *sum)
{
	struct lmdb_txn t = { .base.m = &s->base, .writes = true };

	if (mdb_txn_begin(s->env, parent, 0, &t.mdb))
		return false;
	u->error = u->fn(&t.base, u->arg);
	store_txn_done(&t);
	if (t.doom) {
		mdb_txn_abort(t.mdb);
		return false;
	}
	if (u->error || !has_changes(&t)) {
		mdb_txn_abort(t.mdb);
		return true;
	}
	if (mdb_txn_commit(t.mdb))
		return false;
	sum->puts += t.puts;
	sum->removes += t.removes;
	sum->put_bytes += t.put_bytes;
	sum->removed_bytes += t.removed_bytes;
	sum->room += t.room;
	return true;
}

static bool run_together(struct lmdb_store *s, struct update *batch)
{
	struct lmdb_txn sum = { .base.m = &s->base, .writes = true };
	struct gt_error *e = begin(s, batch->call, &sum.mdb);
	bool ok = true;

	if (e) {
		gt_error_free(e);
		return false;
	}
	for (struct update *u = batch; ok && u; u = u->next)
		ok = run_nested(s, sum.mdb, u, &sum);
	if (ok && has_changes(&sum)) {
		e = space_reserve(s, &sum);
		ok = !e;
		gt_error_free(e);
	}
	if (!ok || !has_changes(&sum)) {
		undo(s, sum.mdb);
		return ok;
	}
	return commit(s, sum.mdb) == 0;
}

static void run_batch(struct lmdb_store *s, struct update *batch)
{
	if (batch->next && run_together(s, batch))
		return;
	for (struct update *u = batch; u; u = u->next) {
		gt_error_free(u->error);
		u->error = run_alone(s, u);
	}
}

static void enqueue(struct lmdb_store *s, struct update *u)
{
	if (s->tail)
		s->tail->next = u;
	else
		s->head = u;
	s->tail = u;
}

static void dequeue(struct lmdb_store *s, struct update *u)
{
	struct update **p = &s->head, *before = NULL;

	while (*p != u) {
		before = *p;
		p = &before->next;
	}
	*p = u->next;
	if (s->tail == u)
		s->tail = before;
	u->next = NULL;
}

/* Under the mutex: hands the lead to the first that waits. */
static void pass_lead(struct lmdb_store *s)
{
	s->led = s->head != NULL;
	if (s->head) {
		s->head->state = UPDATE_LEADS;
		pthread_cond_signal(&s->head->cond);
	}
}

/* Under the mutex: all that wait, 'self' among them. */
static struct update *take_batch(struct lmdb_store *s, struct update *self)
{
	struct update *batch = s->head, *last = NULL;
	unsigned n = 0;

	for (struct update *u = batch; u && n < BATCH_MAX; u = u->next, n++) {
		u->state = UPDATE_RUNS;
		last = u;
	}
	s->head = last->next;
	if (!s->head)
		s->tail = NULL;
	last->next = NULL;
	self->state = UPDATE_RUNS; /* it is the first: leaders are */
	return batch;
}

static void lead(struct lmdb_store *s, struct update *self)
{
	struct gt_error *e = writer_lock_take(&s->lock, self->call, s->lock_timeout);
	struct update *batch, *next;

	pthread_mutex_lock(&s->mutex);
	if (e) {
		dequeue(s, self);
		self->error = e;
		pass_lead(s);
		pthread_mutex_unlock(&s->mutex);
		return;
	}
	batch = take_batch(s, self);
	pthread_mutex_unlock(&s->mutex);
	run_batch(s, batch);
	writer_lock_give(&s->lock);
	pthread_mutex_lock(&s->mutex);
	for (struct update *u = batch; u; u = next) {
		next = u->next; /* 'u' may be gone once it is done */
		u->state = UPDATE_DONE;
		if (u != self)
			pthread_cond_signal(&u->cond);
	}
	pass_lead(s);
	pthread_mutex_unlock(&s->mutex);
}

/* Under the mutex: until 'u' changes its state or its call has ended. */
static struct gt_error *wait_turn(struct lmdb_store *s, struct update *u)
{
	while (u->state == UPDATE_WAITS || u->state == UPDATE_RUNS) {
		int64_t until = gt_now() + SLICE;
		struct timespec t;
		struct gt_error *e;

		if (u->state == UPDATE_RUNS || (!u->call->deadline && !u->call->cancel)) {
			pthread_cond_wait(&u->cond, &s->mutex);
			continue;
		}
		e = gt_call_check(u->call);
		if (e) {
			dequeue(s, u);
			return e;
		}
		if (u->call->deadline && u->call->deadline < until)
			until = u->call->deadline;
		t.tv_sec = until / 1000000000;
		t.tv_nsec = until % 1000000000;
		pthread_cond_timedwait(&u->cond, &s->mutex, &t);
	}
	return NULL;
}

struct gt_error *store_update(struct gt_metadata *m, struct gt_call *call,
			      struct gt_error *(*fn)(struct gt_txn *t, void *arg), void *arg)
{
	struct lmdb_store *s = (struct lmdb_store *)m;
	struct update u = { .fn = fn, .arg = arg, .call = call, .state = UPDATE_WAITS };
	struct gt_error *e = NULL;
	pthread_condattr_t attr;

	GT_TRY(gt_call_check(call));
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&u.cond, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_lock(&s->mutex);
	enqueue(s, &u);
	if (!s->led) {
		s->led = true;
		u.state = UPDATE_LEADS;
	} else {
		e = wait_turn(s, &u);
	}
	pthread_mutex_unlock(&s->mutex);
	if (!e && u.state == UPDATE_LEADS)
		lead(s, &u);
	pthread_cond_destroy(&u.cond);
	return e ? e : u.error;
}
