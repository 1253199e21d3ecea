/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "folders.h"

#include "tree.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define ATTEMPTS 1000

struct gt_error *gt_folders_open(const char *root, struct gt_folders *out)
{
	gt_autofree char *path = gt_strf("%s/snapshots", root);
	int fd;

	GT_TRY(gt_file_mkdirs(path, 0700));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "open %s", path);
	*out = (struct gt_folders){ .fd = fd, .path = gt_steal(&path) };
	return NULL;
}

void gt_folders_close(struct gt_folders *f)
{
	if (!f->path)
		return;
	close(f->fd);
	free(f->path);
	*f = (struct gt_folders){ .fd = -1 };
}

/* Whether 'name' is (still) the folder 'fd'. */
static bool is_named(int dirfd, const char *name, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(dirfd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Opens and locks 'name'; -1 if it is not there, or somebody has it. */
static int lock_folder(const struct gt_folders *f, const char *name)
{
	gt_autofd int fd = openat(f->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_named(f->fd, name, fd))
		return -1;
	return gt_steal_fd(&fd);
}

static char *fresh_name(const char *prefix)
{
	static atomic_uint sequence;
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return gt_strf("%s-%d-%u-%ld", prefix, (int)getpid(), atomic_fetch_add(&sequence, 1),
		       t.tv_nsec);
}

struct gt_error *gt_folder_new(struct gt_folders *f, mode_t mode, struct gt_folder *out)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		gt_autofree char *name = fresh_name("new");
		int fd;

		if (mkdirat(f->fd, name, mode) < 0) {
			if (errno == EEXIST)
				continue;
			return gt_error_errno(gt_file_class(errno), errno, "make folder %s/%s",
					      f->path, name);
		}
		fd = lock_folder(f, name);
		if (fd < 0) /* a cleanup took it between the two */
			continue;
		*out = (struct gt_folder){ .in = f, .fd = fd, .name = gt_steal(&name) };
		if (fchmod(fd, mode) == 0)
			return NULL;
		gt_folder_drop(out);
		return gt_error_errno(gt_file_class(errno), errno, "set the mode of a folder in %s",
				      f->path);
	}
	return gt_error_new(GT_ABORTED, "make a folder in %s: %d attempts", f->path, ATTEMPTS);
}

struct gt_error *gt_folder_place(void *arg, uint64_t id, bool *taken)
{
	struct gt_folder *d = arg;
	gt_autofree char *name = gt_strf("%" PRIu64, id);

	*taken = false;
	if (!strcmp(d->name, name))
		return NULL;
	if (renameat2(d->in->fd, d->name, d->in->fd, name, RENAME_NOREPLACE) < 0) {
		*taken = errno == EEXIST;
		return *taken ? NULL
			      : gt_error_errno(gt_file_class(errno), errno, "rename %s/%s to %s",
					       d->in->path, d->name, name);
	}
	free(d->name);
	d->name = gt_steal(&name);
	if (d->synced && fsync(d->in->fd) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "sync %s", d->in->path);
	return NULL;
}

void gt_folder_keep(struct gt_folder *d)
{
	if (!d->name)
		return;
	close(d->fd);
	free(d->name);
	*d = (struct gt_folder){ .fd = -1 };
}

/*
 * Gives 'name', which we have locked as 'fd', a name that says it is garbage. An rm-* keeps its
 * own.
 */
static char *mark_garbage(const struct gt_folders *f, const char *name, int fd)
{
	gt_autofree char *to = NULL;

	if (!is_named(f->fd, name, fd))
		return NULL;
	if (!strncmp(name, "rm-", 3))
		return gt_xstrdup(name);
	to = fresh_name("rm");
	return renameat(f->fd, name, f->fd, to) < 0 ? NULL : gt_steal(&to);
}

void gt_folder_drop(struct gt_folder *d)
{
	gt_autofree char *garbage = NULL;

	if (!d->name)
		return;
	garbage = mark_garbage(d->in, d->name, d->fd);
	if (garbage) /* what cannot be deleted is known as garbage by its name */
		gt_error_free(gt_tree_delete(d->in->fd, garbage, 0));
	gt_folder_keep(d);
}

static struct gt_error *list(const struct gt_folders *f, struct gt_strv *out)
{
	int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;
	int err;

	if (!d) {
		err = errno;
		if (fd >= 0)
			close(fd);
		return gt_error_errno(gt_file_class(err), err, "list %s", f->path);
	}
	while ((errno = 0, ent = readdir(d)))
		if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
			gt_strv_add(out, ent->d_name);
	err = errno;
	closedir(d);
	return err ? gt_error_errno(GT_UNKNOWN, err, "list %s", f->path) : NULL;
}

/* Goes on with what others left as rm-*, until the deadline. */
static void delete_leftovers(const struct gt_folders *f, int64_t deadline)
{
	gt_auto(gt_strv) names = { 0 };

	gt_error_free(list(f, &names));
	for (size_t i = 0; i < names.n && (!deadline || gt_now() < deadline); i++) {
		gt_autofd int fd = -1;

		if (strncmp(names.v[i], "rm-", 3) != 0)
			continue;
		fd = lock_folder(f, names.v[i]);
		if (fd >= 0) /* best effort: cleanup says what is wrong with it */
			gt_error_free(gt_tree_delete(f->fd, names.v[i], deadline));
	}
}

static struct gt_error *delete_one(struct gt_folders *f, uint64_t id, int64_t deadline)
{
	gt_autofree char *name = gt_strf("%" PRIu64, id);
	gt_autofree char *garbage = NULL;
	gt_autofd int fd = lock_folder(f, name);

	if (fd >= 0)
		garbage = mark_garbage(f, name, fd);
	if (!garbage) /* gone already, or a cleanup is at it */
		return NULL;
	return gt_error_unless(gt_tree_delete(f->fd, garbage, deadline), GT_DEADLINE_EXCEEDED);
}

struct gt_error *gt_folders_remove(struct gt_folders *f, uint64_t id, int64_t patience)
{
	int64_t deadline = patience ? gt_now() + patience : 0;

	GT_TRY(delete_one(f, id, deadline));
	delete_leftovers(f, deadline);
	return NULL;
}

struct gt_error *gt_folders_delete(struct gt_folders *f, uint64_t id)
{
	return delete_one(f, id, 0);
}

/* How many folders are locked at the same time. */
#define CLEANUP_BATCH 64

struct cleanup {
	struct gt_folders *f;
	struct gt_strv names; /* that may be garbage */
	int fds[CLEANUP_BATCH]; /* locked; -1: not ours */
	size_t at, n; /* the batch */
	struct gt_strv garbage;
};

static bool has_record(const char *name, const uint64_t *ids, size_t n)
{
	size_t lo = 0, hi = n, len = strspn(name, "0123456789");
	uint64_t id;

	if (!len || name[len] || len > 20 || sscanf(name, "%" SCNu64, &id) != 1)
		return false;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (ids[mid] == id)
			return true;
		if (ids[mid] < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/* Those without a record; also what is just being put in its place, whose record comes after. */
static struct gt_error *suspect(void *arg, const uint64_t *ids, size_t n)
{
	struct cleanup *c = arg;
	gt_auto(gt_strv) all = c->names;

	c->names = (struct gt_strv){ 0 };
	for (size_t i = 0; i < all.n; i++)
		if (!has_record(all.v[i], ids, n))
			gt_strv_add(&c->names, all.v[i]);
	return NULL;
}

/*
 * Who makes a folder keeps it locked until its record is stored. So of a folder that we have locked it is
 * known: without a record now, it never gets one.
 */
static struct gt_error *convict(void *arg, const uint64_t *ids, size_t n)
{
	struct cleanup *c = arg;

	for (size_t i = 0; i < c->n; i++) {
		const char *name = c->names.v[c->at + i];
		gt_autofree char *garbage = NULL;

		if (c->fds[i] >= 0 && !has_record(name, ids, n))
			garbage = mark_garbage(c->f, name, c->fds[i]);
		if (garbage)
			gt_strv_add_take(&c->garbage, gt_steal(&garbage));
	}
	return NULL;
}

static struct gt_error *cleanup_batch(struct cleanup *c, struct gt_snapdb *db)
{
	struct gt_error *e;

	c->n = c->names.n - c->at < CLEANUP_BATCH ? c->names.n - c->at : CLEANUP_BATCH;
	for (size_t i = 0; i < c->n; i++)
		c->fds[i] = lock_folder(c->f, c->names.v[c->at + i]);
	e = gt_snapdb_with_ids(db, convict, c);
	for (size_t i = 0; i < c->n; i++)
		if (c->fds[i] >= 0)
			close(c->fds[i]);
	c->at += c->n;
	return e;
}

/* Finds all garbage and names it so. */
static struct gt_error *collect(struct cleanup *c, struct gt_snapdb *db)
{
	GT_TRY(list(c->f, &c->names)); /* before the records: one that is made later is not seen */
	GT_TRY(gt_snapdb_with_ids(db, suspect, c));
	while (c->at < c->names.n)
		GT_TRY(cleanup_batch(c, db));
	return NULL;
}

struct gt_error *gt_folders_cleanup(struct gt_folders *f, struct gt_snapdb *db,
				    const struct gt_call *call)
{
	struct cleanup c = { .f = f };
	struct gt_error *e = collect(&c, db), *first = NULL;

	for (size_t i = 0; !e && i < c.garbage.n; i++) {
		gt_autofd int fd = lock_folder(f, c.garbage.v[i]);

		/* One that cannot be deleted, as for a mount in it, keeps none of the others. */
		if (fd >= 0)
			first = gt_error_first(first, gt_tree_delete(f->fd, c.garbage.v[i], 0));
		e = gt_call_check(call);
	}
	gt_strv_done(&c.names);
	gt_strv_done(&c.garbage);
	return gt_error_first(first, e);
}
