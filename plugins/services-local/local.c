/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "local.h"

#include <gantry/event.h>
#include <gantry/file.h>
#include <gantry/log.h>
#include <wire/values.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

/* Two bytes of the lock file: who wants it alone holds the gate meanwhile, so that no more come in. */
enum { GATE, BODY };

#define LOCK_POLL_MS 2

static struct gt_error *lock_byte(struct gt_call *call, int fd, const char *path, int byte,
				  short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	while (fcntl(fd, F_OFD_SETLK, &lock)) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EACCES)
			return gt_error_errno(GT_UNKNOWN, errno, "lock %s", path);
		GT_TRY(gt_error_wrap(gt_call_check(call), "wait for %s", path));
		poll(NULL, 0, LOCK_POLL_MS);
	}
	return NULL;
}

/* The folder is made by who first needs it: most processes only read. */
static struct gt_error *lock_open(struct local *l, const char *path, int *fd)
{
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0 && errno == ENOENT) {
		GT_TRY(gt_file_mkdirs(l->init->root, 0700));
		*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	}
	if (*fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "open %s", path);
	return NULL;
}

static struct gt_error *lock(struct local *l, struct gt_call *call, short type, int *out)
{
	gt_autofree char *path = gt_strf("%s/lock", l->init->root);
	gt_autofd int fd = -1;

	GT_TRY(lock_open(l, path, &fd));
	GT_TRY(lock_byte(call, fd, path, GATE, type));
	GT_TRY(lock_byte(call, fd, path, BODY, type));
	GT_TRY(lock_byte(call, fd, path, GATE, F_UNLCK));
	*out = gt_steal_fd(&fd);
	return NULL;
}

struct gt_error *local_lock_shared(struct local *l, struct gt_call *call, int *fd)
{
	return lock(l, call, F_RDLCK, fd);
}

struct gt_error *local_lock_alone(struct local *l, struct gt_call *call, int *fd)
{
	return lock(l, call, F_WRLCK, fd);
}

struct timespec local_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t;
}

uint64_t local_sequence(struct local *l)
{
	struct timespec t = local_time();
	uint64_t now = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	uint64_t last = atomic_load(&l->last_sequence), next;

	do
		next = now > last ? now : last + 1;
	while (!atomic_compare_exchange_weak(&l->last_sequence, &last, next));
	return next;
}

void local_publish(struct local *l, const char *ns, const char *topic, const ProtobufCMessage *m)
{
	gt_auto(gt_any) payload = { 0 };
	struct gt_event e = {
		.timestamp = local_time(),
		.ns = ns,
		.topic = topic,
		.payload = &payload,
	};

	gt_wire_any_pack(m, &payload);
	gt_log_warn_take(gt_events_publish(l->init->events, &e), "event %s", topic);
}
