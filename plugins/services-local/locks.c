/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name's lock is one byte of the file "names", at a place that a hash of the name gives. Two names
 * that share a byte, which 62 bits make rare, only make a collection pass by what it could have taken.
 */
#include <config.h>

#include "local.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#define LOCK_POLL_MS 1

/* '*done' is false if somebody else has it. */
static struct gt_error *lock_byte(int fd, short type, uint64_t at, bool *done)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1
	};

	while (fcntl(fd, F_OFD_SETLK, &lock)) {
		if (errno == EINTR)
			continue;
		*done = false;
		if (errno != EAGAIN && errno != EACCES)
			return gt_error_errno(GT_UNKNOWN, errno, "lock");
		return NULL;
	}
	*done = true;
	return NULL;
}

static struct gt_error *lock_wait(struct gt_call *call, int fd, short type, uint64_t at)
{
	bool done;

	for (;;) {
		GT_TRY(lock_byte(fd, type, at, &done));
		if (done)
			return NULL;
		GT_TRY(gt_error_wrap(gt_call_check(call), "wait for a lock"));
		poll(NULL, 0, LOCK_POLL_MS);
	}
}

/* The folder is made by who first needs it: most processes only read. */
static struct gt_error *lock_open(struct local *l, const char *name, int *fd)
{
	const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
	gt_autofree char *path = gt_strf("%s/%s", l->init->root, name);

	*fd = open(path, flags, 0600);
	if (*fd < 0 && errno == ENOENT) {
		GT_TRY(gt_file_mkdirs(l->init->root, 0700));
		*fd = open(path, flags, 0600);
	}
	if (*fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "open %s", path);
	return NULL;
}

/* FNV-1a. */
static uint64_t place_of(char kind, const char *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	h = (h ^ (unsigned char)kind) * UINT64_C(0x100000001b3);
	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return (h ^ h >> 62) & (UINT64_MAX >> 2);
}

struct gt_error *name_lock_share(struct local *l, struct gt_call *call, char kind, const char *name,
				 struct name_lock *lock)
{
	if (lock->fd < 0)
		GT_TRY(lock_open(l, "names", &lock->fd));
	return gt_error_wrap(lock_wait(call, lock->fd, F_RDLCK, place_of(kind, name)), "%s", name);
}

struct gt_error *name_lock_try(struct local *l, char kind, const char *name, struct name_lock *lock,
			       bool *got)
{
	if (lock->fd < 0)
		GT_TRY(lock_open(l, "names", &lock->fd));
	return gt_error_wrap(lock_byte(lock->fd, F_WRLCK, place_of(kind, name), got), "%s", name);
}

void name_lock_drop(struct name_lock *lock, char kind, const char *name)
{
	bool done;

	if (lock->fd >= 0)
		gt_error_free(lock_byte(lock->fd, F_UNLCK, place_of(kind, name), &done));
}

void name_lock_done(struct name_lock *lock)
{
	if (lock->fd >= 0)
		close(lock->fd);
	lock->fd = -1;
}

struct gt_error *local_lock_alone(struct local *l, struct gt_call *call, const char *name, int *fd)
{
	gt_autofd int file = -1;

	GT_TRY(lock_open(l, name, &file));
	GT_TRY(gt_error_wrap(lock_wait(call, file, F_WRLCK, 0), "%s", name));
	*fd = gt_steal_fd(&file);
	return NULL;
}

struct gt_error *local_lock_try(struct local *l, const char *name, int *fd)
{
	gt_autofd int file = -1;
	bool done;

	GT_TRY(lock_open(l, name, &file));
	GT_TRY(gt_error_wrap(lock_byte(file, F_WRLCK, 0, &done), "%s", name));
	*fd = done ? gt_steal_fd(&file) : -1;
	return NULL;
}
