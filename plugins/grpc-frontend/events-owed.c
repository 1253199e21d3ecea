/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "events-owed.h"

#include <gantry/api-stream.h>
#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWED_TIME INT64_C(30000000000)

struct owed {
	_Atomic uint64_t *told; /* mapped; 0: there is nobody to owe anything to */
	uint64_t before; /* what it was when this daemon began */
	int64_t until; /* when that does not count any more */
	pthread_mutex_t lock;
	size_t subscribers;
};

static struct gt_error *map(const char *dir, _Atomic uint64_t **out)
{
	gt_autofree char *path = gt_strf("%s/told", dir);
	gt_autofd int fd = -1;
	struct stat st;
	void *m;

	GT_TRY(gt_file_mkdirs(dir, 0700));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return gt_error_new(GT_FAILED_PRECONDITION, "%s is no regular file", path);
	/* its block is there before it is written to through the mapping: a full disk is no SIGBUS */
	if (posix_fallocate(fd, 0, sizeof(uint64_t)) != 0)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "no room for %s", path);
	m = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		return gt_error_errno(GT_UNKNOWN, errno, "map %s", path);
	*out = m;
	return NULL;
}

struct gt_error *owed_open(const char *dir, struct owed **out)
{
	_Atomic uint64_t *told;
	struct owed *o;

	GT_TRY(map(dir, &told));
	o = gt_xcalloc(1, sizeof(*o));
	o->told = told;
	o->before = atomic_load(told);
	o->until = gt_now() + OWED_TIME;
	pthread_mutex_init(&o->lock, NULL);
	*out = o;
	return NULL;
}

void owed_close(struct owed *o)
{
	if (!o)
		return;
	munmap((void *)o->told, sizeof(*o->told));
	pthread_mutex_destroy(&o->lock);
	free(o);
}

struct gt_error *owed_join(struct owed *o, struct gt_services *s, struct gt_call *call,
			   uint64_t *from)
{
	uint64_t position = 0;
	struct gt_error *e = NULL;

	pthread_mutex_lock(&o->lock);
	if (o->before && gt_now() >= o->until)
		o->before = 0;
	*from = o->before ? o->before + 1 : 0;
	if (!o->subscribers && !o->before) {
		e = gt_error_unless(gt_stream_position(s, call, &position), GT_UNIMPLEMENTED);
		if (!e)
			atomic_store(o->told, position);
	}
	if (!e)
		o->subscribers++;
	pthread_mutex_unlock(&o->lock);
	return e;
}

void owed_leave(struct owed *o)
{
	pthread_mutex_lock(&o->lock);
	if (!--o->subscribers && (!o->before || gt_now() >= o->until))
		atomic_store(o->told, 0);
	pthread_mutex_unlock(&o->lock);
}

void owed_told(struct owed *o, uint64_t sequence)
{
	uint64_t last = atomic_load(o->told);

	while (last < sequence && !atomic_compare_exchange_weak(o->told, &last, sequence))
		;
}
