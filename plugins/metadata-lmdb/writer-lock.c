/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A robust mutex in a file that all processes map. LMDB has such a lock too, but waits for it without
 * end: a process that is stopped in the middle of a write would hang all others. The kernel tells the
 * next owner when one died.
 *
 * The file's content means nothing after a reboot. Who can have the file's flock alone is the first
 * and makes the mutex anew; everyone keeps it shared while the store is open.
 */
#include <config.h>

#include "lmdb-store.h"

#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/log.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define MAGIC UINT64_C(0x67616e7472790002)
#define SLICE 50 /* ms between two looks at the call */
#define PATIENCE INT64_C(5000000000) /* ns; then the log names who is waited for */

struct writer_shared {
	_Atomic uint64_t magic; /* last to be written */
	uint64_t size; /* of this struct: 32 and 64 bit programs have different ones */
	_Atomic int32_t holder; /* pid, for messages */
	/*
	 * Who wants the lock takes his turn first and keeps it until he has the lock. So a process
	 * that writes again and again cannot get ahead of one that is being woken for the lock.
	 */
	pthread_mutex_t turn;
	pthread_mutex_t mutex;
};

static int make_mutex(struct writer_shared *w)
{
	pthread_mutexattr_t attr;
	int rc = pthread_mutexattr_init(&attr);

	atomic_store(&w->magic, 0);
	if (rc)
		return rc;
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	memset(&w->turn, 0, sizeof(w->turn));
	memset(&w->mutex, 0, sizeof(w->mutex));
	rc = pthread_mutex_init(&w->turn, &attr);
	if (!rc)
		rc = pthread_mutex_init(&w->mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	if (rc)
		return rc;
	w->size = sizeof(*w);
	atomic_store(&w->holder, 0);
	atomic_store(&w->magic, MAGIC);
	return 0;
}

/* Ends with the flock shared and the mutex made, by us or by somebody before. */
static struct gt_error *share(struct writer_lock *l)
{
	for (;;) {
		struct writer_shared *w = l->shared;

		if (flock(l->fd, LOCK_EX | LOCK_NB) == 0) {
			int rc = make_mutex(w);

			if (rc)
				return gt_error_errno(GT_UNKNOWN, rc, "make the writer lock");
		} else if (errno != EWOULDBLOCK) {
			return gt_error_errno(GT_UNKNOWN, errno, "lock writer.lock");
		}
		/* Between the two locks another first one may come: it finds nobody waiting. */
		while (flock(l->fd, LOCK_SH) < 0)
			if (errno != EINTR)
				return gt_error_errno(GT_UNKNOWN, errno, "lock writer.lock");
		if (atomic_load(&w->magic) == MAGIC) {
			if (w->size != sizeof(*w))
				return gt_error_new(GT_FAILED_PRECONDITION,
						    "a program of another architecture has it open");
			return NULL;
		}
		flock(l->fd, LOCK_UN); /* its maker died half-way */
	}
}

struct gt_error *writer_lock_open(struct writer_lock *l, const char *root)
{
	gt_autofree char *path = gt_strf("%s/writer.lock", root);
	struct gt_error *e = NULL;
	void *p;

	*l = (struct writer_lock){ .fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) };
	if (l->fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "open %s", path);
	/* Blocks of its own: writing through the map must not need the disk. */
	if (ftruncate(l->fd, sizeof(struct writer_shared)) < 0)
		e = gt_error_errno(gt_file_class(errno), errno, "size of %s", path);
	else if (fallocate(l->fd, 0, 0, sizeof(struct writer_shared)) < 0 && errno != EOPNOTSUPP)
		e = gt_error_errno(gt_file_class(errno), errno, "room for %s", path);
	if (!e) {
		p = mmap(NULL, sizeof(struct writer_shared), PROT_READ | PROT_WRITE, MAP_SHARED,
			 l->fd, 0);
		if (p == MAP_FAILED)
			e = gt_error_errno(GT_UNKNOWN, errno, "map %s", path);
		else
			l->shared = p;
	}
	if (!e)
		e = gt_error_wrap(share(l), "%s", path);
	if (e)
		writer_lock_close(l);
	return e;
}

void writer_lock_close(struct writer_lock *l)
{
	if (l->shared)
		munmap(l->shared, sizeof(*l->shared));
	if (l->fd >= 0)
		close(l->fd);
	*l = (struct writer_lock){ .fd = -1 };
}

static struct timespec slice_end(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += SLICE * 1000000L;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* How long one caller waits for both locks, and what has been said of it. */
struct waiting {
	const struct writer_shared *w;
	const struct gt_call *call;
	int64_t timeout;
	int64_t begin; /* 0: it need not wait yet */
	bool told;
};

static struct gt_error *keep_waiting(struct waiting *s)
{
	int64_t waited;

	GT_TRY(gt_call_check(s->call));
	if (!s->begin)
		s->begin = gt_now();
	waited = gt_now() - s->begin;
	if (s->timeout && !s->call->deadline && waited >= s->timeout)
		return gt_error_new(GT_UNAVAILABLE,
				    "metadata: process %d has been writing for %lld seconds",
				    (int)atomic_load(&s->w->holder),
				    (long long)(waited / 1000000000));
	if (!s->told && waited >= PATIENCE) {
		gt_log_warn("waiting for process %d to end its write",
			    (int)atomic_load(&s->w->holder));
		s->told = true;
	}
	return NULL;
}

static struct gt_error *take(pthread_mutex_t *mutex, struct waiting *s)
{
	int rc = pthread_mutex_trylock(mutex);

	while (rc == EBUSY || rc == ETIMEDOUT) {
		struct timespec end = slice_end();

		GT_TRY(keep_waiting(s));
		rc = pthread_mutex_timedlock(mutex, &end);
	}
	if (rc == EOWNERDEAD)
		rc = pthread_mutex_consistent(mutex); /* LMDB repairs what it guards */
	return rc ? gt_error_errno(GT_INTERNAL, rc, "metadata: writer lock") : NULL;
}

struct gt_error *writer_lock_take(struct writer_lock *l, const struct gt_call *call,
				  int64_t timeout)
{
	struct writer_shared *w = l->shared;
	struct waiting s = { .w = w, .call = call, .timeout = timeout };
	struct gt_error *e;

	GT_TRY(take(&w->turn, &s));
	e = take(&w->mutex, &s);
	pthread_mutex_unlock(&w->turn);
	if (!e)
		atomic_store(&w->holder, getpid());
	return e;
}

void writer_lock_give(struct writer_lock *l)
{
	atomic_store(&l->shared->holder, 0);
	pthread_mutex_unlock(&l->shared->mutex);
}
