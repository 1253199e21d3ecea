/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <journal/format.h>

#include <gantry/call.h>
#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_POLL_NS 500000
#define ROUNDS 64 /* others may rotate it away that often while we look */

struct appender {
	const char *path;
	char *old; /* what 'path' becomes when it is full */
	int fd;
	struct journal_head head;
};

static struct gt_error *open_existing(const char *path, int *fd, struct stat *st)
{
	*fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : GT_UNKNOWN, errno, "open %s",
				      path);
	if (fstat(*fd, st) < 0 || !S_ISREG(st->st_mode)) {
		close(gt_steal_fd(fd));
		return gt_error_new(GT_INVALID_ARGUMENT, "journal %s is no regular file", path);
	}
	return NULL;
}

static struct gt_error *lock(const char *path, int fd, int64_t wait)
{
	const struct timespec pause = { .tv_nsec = LOCK_POLL_NS };
	int64_t until = wait ? gt_now() + wait : 0;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return gt_error_errno(GT_UNKNOWN, errno, "lock %s", path);
		if (!wait || gt_now() >= until)
			return gt_error_new(GT_UNAVAILABLE, "journal %s is locked by another", path);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* Whether 'path' is still the file that was opened. */
static bool is_current(const char *path, const struct stat *opened)
{
	struct stat now;

	return stat(path, &now) == 0 && now.st_ino == opened->st_ino && now.st_dev == opened->st_dev;
}

/* Where the last whole record ends, whatever the head says; false: there is no telling. */
static bool head_find(int fd, off_t size, struct journal_head *h)
{
	if (!journal_head_read(fd, h))
		return false;
	if (h->end > (uint64_t)size) {
		h->end = JOURNAL_HEAD;
		h->last = h->first - 1;
	}
	journal_scan(fd, h);
	return true;
}

/* The number of the last record of the file that is full; 0 if there is none. Waits for who fills it. */
static struct gt_error *last_of_old(const char *old, int64_t wait, uint64_t *last)
{
	gt_autofd int fd = -1;
	struct journal_head h;
	struct stat st;
	struct gt_error *e = open_existing(old, &fd, &st);

	*last = 0;
	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		return NULL;
	}
	GT_TRY(e);
	GT_TRY(lock(old, fd, wait));
	if (head_find(fd, st.st_size, &h))
		*last = h.last;
	return NULL;
}

static struct gt_error *write_first(int fd, const char *path, size_t limit, uint64_t last)
{
	const struct journal_head h = {
		.first = last + 1,
		.limit = limit ? limit : GT_JOURNAL_LIMIT,
		.end = JOURNAL_HEAD,
		.last = last,
	};
	uint8_t bytes[JOURNAL_HEAD];

	journal_head_pack(&h, bytes);
	return gt_file_write_all(fd, bytes, sizeof(bytes), path);
}

/* The first file of all, whole before it has its name. Fine if another was faster. */
static struct gt_error *create(const char *path, size_t limit, uint64_t last)
{
	gt_autofree char *name = gt_strf("%s.XXXXXX", path);
	gt_autofd int fd = mkostemp(name, O_CLOEXEC);
	struct gt_error *e;

	if (fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "create journal %s", path);
	e = write_first(fd, path, limit, last);
	if (!e && link(name, path) < 0 && errno != EEXIST)
		e = gt_error_errno(gt_file_class(errno), errno, "create journal %s", path);
	unlink(name);
	return e;
}

static struct gt_error *keep_as(const char *path, const char *tmp, const char *other)
{
	if ((unlink(tmp) < 0 && errno != ENOENT) || link(path, tmp) < 0 || rename(tmp, other) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "keep journal %s as %s", path,
				      other);
	unlink(tmp); /* still there if 'other' was that file before */
	return NULL;
}

/*
 * An empty file takes the place of the one that is locked, which becomes 'other'. At no moment is there
 * none: who found none would begin one, with a number that others have gone beyond by then. The names in
 * between are those of who has the lock.
 */
static struct gt_error *replace(struct appender *a, const char *other, size_t limit, uint64_t last)
{
	gt_autofree char *name = gt_strf("%s.new", a->path);
	gt_autofree char *tmp = gt_strf("%s.old", a->path);
	gt_autofd int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct gt_error *e;

	if (fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "create journal %s", name);
	e = write_first(fd, name, limit, last);
	if (!e)
		e = keep_as(a->path, tmp, other);
	if (!e && rename(name, a->path) < 0)
		e = gt_error_errno(gt_file_class(errno), errno, "rotate journal %s", a->path);
	if (e)
		unlink(name);
	return e;
}

/* A file that is none of ours makes room; nobody can tell which numbers it had. */
static struct gt_error *set_aside(struct appender *a, size_t limit, int64_t wait)
{
	gt_autofree char *bad = gt_strf("%s.bad", a->path);
	uint64_t last;

	GT_TRY(last_of_old(a->old, wait, &last));
	return replace(a, bad, limit, last);
}

static struct gt_error *write_record(struct appender *a, const void *data, size_t len)
{
	uint8_t head[JOURNAL_HEAD];
	gt_auto(gt_buf) record = GT_BUF_INIT;
	ssize_t n;

	journal_record_pack(a->head.last + 1, data, len, &record);
	n = pwrite(a->fd, record.s, record.len, (off_t)a->head.end);
	if (n < 0 || (size_t)n != record.len) {
		int err = n < 0 ? errno : ENOSPC;

		/* what cannot be cut off is taken for torn */
		if (n > 0 && ftruncate(a->fd, (off_t)a->head.end) < 0)
			err = errno;
		return gt_error_errno(gt_file_class(err), err, "append to journal %s", a->path);
	}
	a->head.last++;
	a->head.end += record.len;
	journal_head_pack(&a->head, head);
	/* should this not be written, the next one finds the record all the same */
	return pwrite(a->fd, head, sizeof(head), 0) < 0 ?
		       gt_error_errno(GT_UNKNOWN, errno, "write head of journal %s", a->path) :
		       NULL;
}

/* One try; '*again' if the file was made, or is another now. */
static struct gt_error *try_append(struct appender *a, size_t limit, const void *data, size_t len,
				   int64_t wait, bool *again)
{
	struct stat st;
	uint64_t last;
	struct gt_error *e = open_existing(a->path, &a->fd, &st);

	*again = true;
	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		GT_TRY(last_of_old(a->old, wait, &last));
		return create(a->path, limit, last);
	}
	GT_TRY(e);
	GT_TRY(lock(a->path, a->fd, wait));
	if (!is_current(a->path, &st))
		return NULL;
	if (fstat(a->fd, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "stat %s", a->path);
	if (!head_find(a->fd, st.st_size, &a->head))
		return set_aside(a, limit, wait);
	if ((uint64_t)st.st_size > a->head.end && ftruncate(a->fd, (off_t)a->head.end) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "cut torn end of journal %s", a->path);
	if (a->head.end > JOURNAL_HEAD && a->head.end + JOURNAL_RECORD_HEAD + len > a->head.limit)
		return replace(a, a->old, a->head.limit, a->head.last);
	*again = false;
	return write_record(a, data, len);
}

struct gt_error *gt_journal_append(const char *path, size_t limit, const void *data, size_t len,
				   int64_t wait, uint64_t *seq)
{
	gt_autofree char *old = gt_strf("%s.1", path);
	struct appender a = { .path = path, .old = old, .fd = -1 };
	struct gt_error *e = NULL;
	bool again = true;

	if (len > GT_JOURNAL_RECORD_MAX)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "a record of %zu bytes is too long for a "
							   "journal",
				    len);
	for (int i = 0; i < ROUNDS && again && !e; i++) {
		e = try_append(&a, limit, data, len, wait, &again);
		if (a.fd >= 0)
			close(gt_steal_fd(&a.fd));
	}
	GT_TRY(e);
	if (again)
		return gt_error_new(GT_UNAVAILABLE, "journal %s is rotated again and again", path);
	if (seq)
		*seq = a.head.last;
	return NULL;
}
