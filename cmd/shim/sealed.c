/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "sealed.h"

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

#define HOLD INT64_C(1000000000)
/* runc has 9 MB, which take longer to copy than it needs to do without. */
#define SIZE_MAX_COPIED (2 << 20)
/* The variable by which such a program knows its second run; libcrun and libcontainer share it. */
#define MARK "_LIBCONTAINER_CLONED_BINARY"
/* All four: programs take nothing less for sealed. */
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct sealed {
	struct shim *shim;
	struct gt_timer timer;
	struct stat of; /* the program, as it was when it was copied */
	int fd; /* -1: that program is not run from a copy */
};

void sealed_drop(struct shim *shim)
{
	struct sealed *s = shim->sealed;

	if (!s)
		return;
	gt_timer_clear(&s->timer);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
	shim->sealed = NULL;
}

static void hold_over(struct gt_timer *t)
{
	sealed_drop(gt_container_of(t, struct sealed, timer)->shim);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int memory_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 all may be run */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

static int copy_sealed(const void *bytes, size_t len, const char *name)
{
	gt_autofd int fd = memory_file(name);
	struct gt_error *e;

	if (fd < 0)
		return -1;
	e = gt_file_write_all(fd, bytes, len, "memory file");
	if (e || fchmod(fd, 0755) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
		gt_error_free(e);
		return -1;
	}
	return gt_steal_fd(&fd);
}

/* The copy's descriptor, or -1. '*st' is that of the file that was looked at. */
static int copy_program(const char *path, struct stat *st)
{
	gt_autofd int file = open(path, O_RDONLY | O_CLOEXEC);
	const char *name = strrchr(path, '/');
	void *bytes;
	int fd = -1;

	if (file < 0 || fstat(file, st) < 0 || !S_ISREG(st->st_mode) ||
	    st->st_mode & (S_ISUID | S_ISGID) || st->st_size <= 0 ||
	    st->st_size > SIZE_MAX_COPIED)
		return -1;
	bytes = mmap(NULL, st->st_size, PROT_READ, MAP_PRIVATE, file, 0);
	if (bytes == MAP_FAILED)
		return -1;
	if (memmem(bytes, st->st_size, MARK, strlen(MARK)))
		fd = copy_sealed(bytes, st->st_size, name ? name + 1 : path);
	munmap(bytes, st->st_size);
	return fd;
}

static struct sealed *look(struct shim *shim, const char *path)
{
	struct sealed *s = shim->sealed;
	struct stat now;

	if (s && stat(path, &now) == 0 && is_same(&now, &s->of))
		return s;
	sealed_drop(shim);
	s = gt_xcalloc(1, sizeof(*s));
	s->shim = shim;
	s->timer.fn = hold_over;
	s->fd = copy_program(path, &s->of);
	shim->sealed = s;
	return s;
}

char *sealed_path(struct shim *shim, const char *path)
{
	struct sealed *s = path[0] == '/' ? look(shim, path) : NULL;

	if (!s)
		return NULL;
	gt_loop_at(shim->loop, &s->timer, gt_now() + HOLD);
	/* By our number: in the child the descriptor is closed before it runs. */
	return s->fd >= 0 ? gt_strf("/proc/%d/fd/%d", (int)getpid(), s->fd) : NULL;
}
