/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "lmdb-store.h"

#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define RESERVE (2u << 20) /* what removals may write where the disk is full */
#define STEP (1u << 20) /* the file grows by this much at least */
#define GATE_WAIT 100 /* ms that a transaction waits for a remap under way */

static struct timespec after_ms(int ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += ms * 1000000L;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

void space_enter(struct lmdb_store *s)
{
	pthread_mutex_lock(&s->mutex);
	if (s->remapping) {
		struct timespec end = after_ms(GATE_WAIT);

		/* Not for long: it may be a view inside the view that the remap waits for. */
		while (s->remapping && s->active &&
		       pthread_cond_timedwait(&s->gate, &s->mutex, &end) != ETIMEDOUT)
			;
		while (s->remapping && !s->active)
			pthread_cond_wait(&s->gate, &s->mutex);
	}
	s->active++;
	pthread_mutex_unlock(&s->mutex);
}

void space_leave(struct lmdb_store *s)
{
	pthread_mutex_lock(&s->mutex);
	s->active--;
	if (s->remapping)
		pthread_cond_broadcast(&s->gate);
	pthread_mutex_unlock(&s->mutex);
}

/* LMDB cannot go back once it has given up the old map: see first whether there is room. */
static bool fits(size_t size)
{
	void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, size);
	return true;
}

/* Under the mutex, with no transaction under way. */
static struct gt_error *remap(struct lmdb_store *s, size_t size)
{
	int rc;

	if (size && !fits(size))
		return gt_error_new(GT_RESOURCE_EXHAUSTED,
				    "metadata: no address space for a map of %zu bytes", size);
	/* What idle readers remember of the old map is of no use. */
	while (s->n_idle)
		mdb_txn_abort(s->idle[--s->n_idle]);
	rc = mdb_env_set_mapsize(s->env, size);
	return rc ? store_error(rc, "resize the map") : NULL;
}

struct gt_error *space_remap(struct lmdb_store *s, const struct gt_call *call, size_t size)
{
	int64_t end = s->lock_timeout ? gt_now() + s->lock_timeout : INT64_MAX;
	struct gt_error *e = NULL;

	pthread_mutex_lock(&s->mutex);
	while (s->remapping)
		pthread_cond_wait(&s->gate, &s->mutex);
	s->remapping = true;
	while (!e && s->active) {
		struct timespec slice = after_ms(GATE_WAIT);

		pthread_cond_timedwait(&s->gate, &s->mutex, &slice);
		if (s->active && gt_now() >= end)
			e = gt_error_new(GT_UNAVAILABLE,
					 "metadata: the map must grow, but a view goes on and on");
		else
			e = gt_call_check(call);
	}
	if (!e)
		e = remap(s, size);
	s->remapping = false;
	pthread_cond_broadcast(&s->gate);
	pthread_mutex_unlock(&s->mutex);
	return e;
}

struct gt_error *space_grow(struct lmdb_store *s, const struct gt_call *call)
{
	MDB_envinfo info;

	mdb_env_info(s->env, &info);
	if (info.me_mapsize > SIZE_MAX / 4)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "metadata: the map cannot grow any more");
	return space_remap(s, call, info.me_mapsize * 2);
}

/* For file systems that have no fallocate: zeros behind the end, where nobody writes but us. */
static int fill(int fd, uint64_t end)
{
	static const char zeros[65536];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return errno;
	for (uint64_t at = st.st_size; at < end;) {
		size_t n = end - at < sizeof(zeros) ? end - at : sizeof(zeros);
		ssize_t done = pwrite(fd, zeros, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return errno;
		at += done;
	}
	return 0;
}

static int allocate(int fd, uint64_t from, uint64_t end)
{
	struct stat st;
	int rc = 0;

	/* Mostly an earlier process has done it all: a short command makes no work for the journal. */
	if (!from && fstat(fd, &st) == 0 && (uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size)
		from = st.st_size;
	if (from >= end)
		return 0;
	do
		rc = fallocate(fd, 0, from, end - from) < 0 ? errno : 0;
	while (rc == EINTR);
	return rc == EOPNOTSUPP || rc == ENOSYS ? fill(fd, end) : rc;
}

/*
 * Pages that removals gave back. LMDB keeps lists of them in its database 0, each beginning with its
 * length.
 */
static uint64_t free_pages(const struct lmdb_store *s)
{
	MDB_cursor *c;
	MDB_txn *txn; /* LMDB shows that database to readers only */
	MDB_val k, v;
	uint64_t n = 0;

	if (mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn))
		return 0;
	if (mdb_cursor_open(txn, 0, &c)) {
		mdb_txn_abort(txn);
		return 0;
	}
	while (!mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		size_t in_list;

		memcpy(&in_list, v.mv_data, sizeof(in_list));
		n += in_list;
	}
	mdb_cursor_close(c);
	mdb_txn_abort(txn);
	return n;
}

/* Whether the file as it is has room for 'need' bytes behind the first 'used' pages or between them. */
static bool has_room(const struct lmdb_store *s, int fd, uint64_t used, uint64_t need)
{
	struct stat st;
	uint64_t have;

	if (fstat(fd, &st) < 0 || (uint64_t)st.st_blocks * 512 < (uint64_t)st.st_size)
		return false;
	have = (uint64_t)st.st_size / s->page + free_pages(s);
	return have > used && (have - used) * s->page >= need;
}

struct gt_error *space_reserve(struct lmdb_store *s, const struct lmdb_txn *t)
{
	uint64_t used, pages, need, want;
	MDB_envinfo info;
	mdb_filehandle_t fd;
	int rc;

	if (t->put_bytes <= t->removed_bytes)
		return NULL;
	mdb_env_info(s->env, &info);
	used = info.me_last_pgno + 1;
	/*
	 * A change copies its leaf and now and then a branch; all of them together at most every page
	 * there is.
	 */
	pages = 2 * (t->puts + t->removes);
	if (pages > used)
		pages = used;
	need = pages * s->page + t->room + RESERVE;
	want = used * s->page + need;
	if (want <= s->reserved)
		return NULL;
	want = (want + STEP - 1) / STEP * STEP;
	rc = mdb_env_get_fd(s->env, &fd);
	if (!rc)
		rc = allocate(fd, s->reserved, want);
	if (rc && has_room(s, fd, used, need))
		return NULL;
	if (rc)
		return gt_error_errno(gt_file_class(rc), rc, "metadata: room for %llu bytes",
				      (unsigned long long)need);
	s->reserved = want;
	return NULL;
}
