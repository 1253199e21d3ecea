/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "local.h"

#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define GARBAGE_AGE 600 /* seconds: another program may be about to make an ingest of it */
#define STAMP_MAX 64

static struct local_store *store_of(struct gt_content *c)
{
	return (struct local_store *)c;
}

static struct gt_error *check_ref(const char *ref)
{
	if (!*ref)
		return gt_error_new(GT_INVALID_ARGUMENT, "ref must not be empty");
	if (strlen(ref) > STORE_REF_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT, "ref is longer than %d bytes",
				    STORE_REF_MAX);
	return NULL;
}

static char *folder_name(const char *ref)
{
	gt_autofree char *digest = gt_digest_of(ref, strlen(ref));

	return gt_xstrdup(gt_digest_hex(digest));
}

static int open_folder(struct local_store *s, const char *name)
{
	return openat(s->ingests, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* 0; EWOULDBLOCK: somebody has it; ENOENT: it was removed before we had it. */
static int try_lock(int dir)
{
	struct stat st;

	if (flock(dir, LOCK_EX | LOCK_NB) < 0)
		return errno;
	if (fstat(dir, &st) < 0)
		return errno;
	return st.st_nlink ? 0 : ENOENT;
}

void ingest_unlock(int dir)
{
	flock(dir, LOCK_UN); /* also where a child between fork and exec still has the descriptor */
	close(dir);
}

struct gt_error *ingest_lock(struct local_store *s, const char *ref, bool make, int *dir,
			     char **name)
{
	gt_autofree char *folder = NULL;

	GT_TRY(check_ref(ref));
	folder = folder_name(ref);
	for (;;) {
		gt_autofd int fd = -1;
		int err;

		if (make && mkdirat(s->ingests, folder, 0755) < 0 && errno != EEXIST)
			return gt_error_errno(gt_file_class(errno), errno, "make ingest %s", ref);
		fd = open_folder(s, folder);
		if (fd < 0 && errno == ENOENT && make)
			continue;
		if (fd < 0)
			return errno == ENOENT
				       ? gt_error_new(GT_NOT_FOUND, "ingest %s", ref)
				       : gt_error_errno(GT_UNKNOWN, errno, "open ingest %s", ref);
		err = try_lock(fd);
		if (err == EWOULDBLOCK)
			return gt_error_new(GT_UNAVAILABLE, "ref %s locked", ref);
		if (err == ENOENT)
			continue;
		if (err)
			return gt_error_errno(GT_UNKNOWN, err, "lock ingest %s", ref);
		*dir = gt_steal_fd(&fd);
		*name = gt_steal(&folder);
		return NULL;
	}
}

/* A time from one of the files; false if it is not there or says nothing. */
static bool read_stamp(int dir, const char *path, struct timespec *out)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_file_read(dir, path, STAMP_MAX, &b);

	return !e && stamp_parse(b.s, out);
}

static int64_t read_total(int dir)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_file_read(dir, "total", STAMP_MAX, &b);
	int64_t total = 0;

	if (e)
		return 0;
	for (const char *p = b.s; *p >= '0' && *p <= '9'; p++) {
		if (total > (INT64_MAX - 9) / 10)
			return 0;
		total = total * 10 + (*p - '0');
	}
	return total;
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

struct gt_error *ingest_read(int dir, struct gt_ingest_info *out)
{
	gt_auto(gt_buf) ref = GT_BUF_INIT;
	struct stat data, named;

	GT_TRY(gt_file_read(dir, "ref", STORE_REF_MAX, &ref));
	if (!ref.len || fstatat(dir, "ref", &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(dir, "data", &data, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(data.st_mode))
		return gt_error_new(GT_NOT_FOUND, "no ingest is in this folder");
	*out = (struct gt_ingest_info){
		.ref = gt_buf_detach(&ref),
		.offset = data.st_size,
		.total = read_total(dir),
	};
	if (!read_stamp(dir, "startedat", &out->started_at))
		out->started_at = named.st_mtim;
	if (!read_stamp(dir, "updatedat", &out->updated_at) ||
	    is_later(&data.st_mtim, &out->updated_at))
		out->updated_at = data.st_mtim;
	return NULL;
}

struct gt_error *ingest_write_ref(int dir, const char *ref)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_file_read(dir, "ref", STORE_REF_MAX, &b);
	gt_autofd int fd = -1;

	if (!e && !strcmp(b.s, ref))
		return NULL;
	/* No temporary name: who reads half a ref finds that its hash is not the folder's name. */
	fd = openat(dir, "ref", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (fd < 0)
		return gt_error_errno(gt_file_class(errno), errno, "create ref of ingest %s", ref);
	return gt_file_write_all(fd, ref, strlen(ref), "ref");
}

struct gt_error *ingest_write_facts(int dir, const struct gt_ingest_info *info)
{
	gt_autofree char *started = stamp_format(&info->started_at);
	gt_autofree char *updated = stamp_format(&info->updated_at);

	if (faccessat(dir, "startedat", F_OK, AT_EACCESS) < 0)
		GT_TRY(gt_file_write(dir, "startedat", started, strlen(started), 0666, false));
	GT_TRY(gt_file_write(dir, "updatedat", updated, strlen(updated), 0666, false));
	if (info->total > 0) {
		gt_autofree char *total = gt_strf("%lld", (long long)info->total);

		GT_TRY(gt_file_write(dir, "total", total, strlen(total), 0666, false));
	}
	return NULL;
}

void ingest_drop(struct local_store *s, int dir, const char *name)
{
	static const char *const files[] = { "data", "startedat", "updatedat", "total", "ref" };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		unlinkat(dir, files[i], 0);
	if (unlinkat(s->ingests, name, AT_REMOVEDIR) < 0 && errno == ENOTEMPTY)
		gt_error_free(gt_file_remove_tree(s->ingests, name)); /* somebody's X.tmp */
}

/* Reads the ingest in the folder 'name' and makes sure that it is the one of that name. */
static struct gt_error *read_named(struct local_store *s, const char *name,
				   struct gt_ingest_info *out)
{
	gt_autofd int dir = open_folder(s, name);
	gt_autofree char *hash = NULL;
	struct gt_error *e = NULL;

	if (dir < 0)
		return gt_error_errno(errno == ENOENT || errno == ENOTDIR ? GT_NOT_FOUND
									  : GT_UNKNOWN,
				      errno, "open ingest folder %s", name);
	GT_TRY(ingest_read(dir, out));
	hash = folder_name(out->ref);
	if (strcmp(hash, name))
		e = gt_error_new(GT_NOT_FOUND, "the folder %s has the ref of another", name);
	if (e)
		gt_ingest_info_done(out);
	return e;
}

struct gt_error *ingest_status(struct gt_content *c, struct gt_call *call, const char *ref,
			       struct gt_ingest_info *out)
{
	struct local_store *s = store_of(c);
	gt_autofree char *name = NULL;
	struct gt_error *e;

	(void)call;
	GT_TRY(check_ref(ref));
	name = folder_name(ref);
	e = read_named(s, name, out);
	if (gt_error_class(e) != GT_NOT_FOUND)
		return e;
	gt_error_free(e);
	return gt_error_new(GT_NOT_FOUND, "ingest %s", ref);
}

static DIR *open_ingests(struct local_store *s)
{
	int fd = openat(s->ingests, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	return d;
}

static struct gt_error *walk_folder(struct local_store *s, DIR *d, struct gt_call *call,
				    struct gt_error *(*fn)(void *, const struct gt_ingest_info *),
				    void *arg)
{
	struct dirent *ent;

	while (errno = 0, (ent = readdir(d))) {
		struct gt_ingest_info info;
		struct gt_error *e;

		GT_TRY(gt_call_check(call));
		if (ent->d_name[0] == '.')
			continue;
		e = read_named(s, ent->d_name, &info);
		if (e) {
			GT_TRY(gt_error_unless(e, GT_NOT_FOUND));
			continue;
		}
		e = fn(arg, &info);
		gt_ingest_info_done(&info);
		GT_TRY(e);
	}
	if (errno)
		return gt_error_errno(GT_UNKNOWN, errno, "list ingests");
	return NULL;
}

struct gt_error *ingest_walk(struct gt_content *c, struct gt_call *call,
			     struct gt_error *(*fn)(void *arg, const struct gt_ingest_info *info),
			     void *arg)
{
	struct local_store *s = store_of(c);
	DIR *d = open_ingests(s);
	struct gt_error *e;

	if (!d)
		return gt_error_errno(GT_UNKNOWN, errno, "list ingests");
	e = walk_folder(s, d, call, fn, arg);
	closedir(d);
	return e;
}

struct gt_error *ingest_abort(struct gt_content *c, struct gt_call *call, const char *ref)
{
	struct local_store *s = store_of(c);
	gt_autofree char *name = NULL;
	struct gt_ingest_info info;
	struct gt_error *e;
	int dir;

	(void)call;
	GT_TRY(ingest_lock(s, ref, false, &dir, &name));
	e = ingest_read(dir, &info);
	if (!e)
		gt_ingest_info_done(&info);
	else if (gt_error_class(e) == GT_NOT_FOUND)
		e = gt_error_first(gt_error_new(GT_NOT_FOUND, "ingest %s", ref), e);
	if (!e || gt_error_class(e) == GT_NOT_FOUND)
		ingest_drop(s, dir, name);
	ingest_unlock(dir);
	return e;
}

/* What died while an ingest was made, committed or dropped. */
static void collect_one(struct local_store *s, const char *name)
{
	gt_autofd int dir = -1;
	struct timespec now;
	struct stat st;

	if (fstatat(s->ingests, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	if (st.st_mtim.tv_sec > now.tv_sec - GARBAGE_AGE)
		return;
	dir = open_folder(s, name);
	if (dir < 0)
		return;
	if (faccessat(dir, "ref", F_OK, AT_EACCESS) == 0 &&
	    faccessat(dir, "data", F_OK, AT_EACCESS) == 0)
		return;
	if (try_lock(dir) == 0 && (faccessat(dir, "ref", F_OK, AT_EACCESS) < 0 ||
				   faccessat(dir, "data", F_OK, AT_EACCESS) < 0))
		ingest_drop(s, dir, name);
	ingest_unlock(gt_steal_fd(&dir));
}

void ingest_collect(struct local_store *s)
{
	DIR *d = open_ingests(s);
	struct dirent *ent;

	while (d && (ent = readdir(d)))
		if (ent->d_name[0] != '.')
			collect_one(s, ent->d_name);
	if (d)
		closedir(d);
}
