/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "local.h"

#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define REMOVALS 8 /* stored at once */

struct local_reader {
	struct gt_reader base;
	int fd;
	int64_t length;
};

static struct local_store *store_of(struct gt_content *c)
{
	return (struct local_store *)c;
}

struct gt_error *local_sync_folder(int dirfd, const char *path)
{
	gt_autofd int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "sync folder %s", path);
	return NULL;
}

static struct gt_error *make_folder(int dirfd, const char *path)
{
	if (mkdirat(dirfd, path, 0755) < 0 && errno != EEXIST)
		return gt_error_errno(gt_file_class(errno), errno, "make folder %s", path);
	return NULL;
}

/*
 * The first open makes the folders. ingest/ comes last, when all above the blobs is on disk: where
 * it is there, nobody needs to look again.
 */
static struct gt_error *make_folders(struct local_store *s, int root)
{
	if (faccessat(root, "ingest", F_OK, AT_EACCESS) == 0)
		return NULL;
	GT_TRY(make_folder(root, "blobs"));
	GT_TRY(make_folder(root, "blobs/sha256"));
	if (s->durable) {
		GT_TRY(local_sync_folder(root, "blobs"));
		GT_TRY(local_sync_folder(root, "."));
		GT_TRY(local_sync_folder(root, ".."));
	}
	return make_folder(root, "ingest");
}

static struct gt_error *open_folder(int dirfd, const char *path, int *out)
{
	*out = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out < 0)
		return gt_error_errno(gt_file_class(errno), errno, "open folder %s", path);
	return NULL;
}

struct gt_error *local_open(const struct gt_init *init, struct gt_content **out)
{
	const struct local_config *config = init->config;
	const char *path = config && *config->root ? config->root : init->root;
	struct local_store *s = gt_xcalloc(1, sizeof(*s));
	gt_autofd int root = -1;
	struct gt_error *e;

	s->durable = init->durability == GT_DURABILITY_FULL;
	s->blobs = s->ingests = -1;
	e = gt_file_mkdirs(path, 0700);
	if (!e)
		e = open_folder(AT_FDCWD, path, &root);
	if (!e)
		e = make_folders(s, root);
	if (!e)
		e = open_folder(root, "blobs", &s->blobs);
	if (!e)
		e = open_folder(root, "ingest", &s->ingests);
	if (e) {
		local_close(&s->base);
		return gt_error_wrap(e, "content store %s", path);
	}
	ingest_collect(s);
	*out = &s->base;
	return NULL;
}

void local_close(struct gt_content *c)
{
	struct local_store *s = store_of(c);

	if (!s)
		return;
	if (s->blobs >= 0)
		close(s->blobs);
	if (s->ingests >= 0)
		close(s->ingests);
	free(s);
}

char *local_blob_path(const char *digest)
{
	char *path = gt_xstrdup(digest);

	*strchr(path, ':') = '/';
	return path;
}

char *local_blob_folder(const char *digest)
{
	return gt_xstrndup(digest, strcspn(digest, ":"));
}

struct gt_error *local_sync_blobs(struct local_store *s, const char *digest)
{
	gt_autofree char *folder = local_blob_folder(digest);

	return local_sync_folder(s->blobs, folder);
}

static struct gt_error *no_content(const char *digest, int err)
{
	if (err == ENOENT || err == ENOTDIR)
		return gt_error_new(GT_NOT_FOUND, "content %s", digest);
	return gt_error_errno(gt_file_class(err), err, "content %s", digest);
}

struct gt_error *local_has(struct local_store *s, const char *digest, bool *out)
{
	gt_autofree char *path = local_blob_path(digest);
	struct stat st;

	*out = fstatat(s->blobs, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
	if (*out && s->durable) {
		/* Who renamed it may not have come to syncing its folder; our caller relies on it. */
		*strchr(path, '/') = '\0';
		return local_sync_folder(s->blobs, path);
	}
	return NULL;
}

static void fill_info(const struct stat *st, struct gt_blob_info *out)
{
	out->size = st->st_size;
	out->created_at = st->st_mtim;
	out->updated_at = st->st_atim;
}

struct gt_error *local_info(struct gt_content *c, struct gt_call *call, const char *digest,
			    struct gt_blob_info *out)
{
	struct local_store *s = store_of(c);
	gt_autofree char *path = NULL;
	struct stat st;

	(void)call;
	GT_TRY(gt_digest_check(digest));
	path = local_blob_path(digest);
	if (fstatat(s->blobs, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return no_content(digest, errno);
	if (!S_ISREG(st.st_mode))
		return no_content(digest, ENOENT);
	*out = (struct gt_blob_info){ .digest = gt_xstrdup(digest) };
	fill_info(&st, out);
	return NULL;
}

static struct gt_error *reader_pread(struct gt_reader *reader, void *buf, size_t len, int64_t off,
				     size_t *out)
{
	struct local_reader *r = (struct local_reader *)reader;
	ssize_t n;

	if (off < 0)
		return gt_error_new(GT_OUT_OF_RANGE, "read at offset %lld", (long long)off);
	do
		n = pread(r->fd, buf, len, off);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "read content at %lld", (long long)off);
	*out = n;
	return NULL;
}

static int64_t reader_length(struct gt_reader *reader)
{
	return ((struct local_reader *)reader)->length;
}

static int reader_fd(struct gt_reader *reader)
{
	return ((struct local_reader *)reader)->fd;
}

static void reader_close(struct gt_reader *reader)
{
	struct local_reader *r = (struct local_reader *)reader;

	close(r->fd);
	free(r);
}

static const struct gt_reader_ops reader_ops = {
	.size = sizeof(reader_ops),
	.pread = reader_pread,
	.length = reader_length,
	.close = reader_close,
	.fd = reader_fd,
};

struct gt_error *local_reader(struct gt_content *c, struct gt_call *call, const char *digest,
			      struct gt_reader **out)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	struct local_store *s = store_of(c);
	gt_autofree char *path = NULL;
	gt_autofd int fd = -1;
	struct local_reader *r;
	struct stat st;

	(void)call;
	GT_TRY(gt_digest_check(digest));
	path = local_blob_path(digest);
	/* The access time is the blob's updated_at: reading does not change it. */
	fd = openat(s->blobs, path, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = openat(s->blobs, path, flags);
	if (fd < 0 || fstat(fd, &st) < 0)
		return no_content(digest, errno);
	if (!S_ISREG(st.st_mode))
		return no_content(digest, ENOENT);
	r = gt_xcalloc(1, sizeof(*r));
	r->base.ops = &reader_ops;
	r->length = st.st_size;
	r->fd = gt_steal_fd(&fd);
	*out = &r->base;
	return NULL;
}

/*
 * Not durable when it returns: a blob that a power cut brings back is one that no record names, for the
 * next sweep. But of many removals the file system is told to store some at a time, since everybody who
 * changes a file there waits for all that its journal has taken up.
 */
static struct gt_error *store_removals(struct local_store *s, const char *digest)
{
	if (!s->durable || atomic_fetch_add(&s->removals, 1) % REMOVALS != REMOVALS - 1)
		return NULL;
	return local_sync_blobs(s, digest);
}

struct gt_error *local_remove(struct gt_content *c, struct gt_call *call, const char *digest)
{
	struct local_store *s = store_of(c);
	gt_autofree char *path = NULL;

	(void)call;
	GT_TRY(gt_digest_check(digest));
	path = local_blob_path(digest);
	if (unlinkat(s->blobs, path, 0) < 0)
		return no_content(digest, errno);
	return store_removals(s, digest);
}

static bool is_digest(const char *digest)
{
	gt_autoptr(gt_error) e = gt_digest_check(digest);

	return !e;
}

static struct gt_error *walk_folder(DIR *d, const char *alg, struct gt_call *call,
				    struct gt_error *(*fn)(void *, const struct gt_blob_info *),
				    void *arg)
{
	struct dirent *ent;

	while (errno = 0, (ent = readdir(d))) {
		gt_autofree char *digest = gt_strf("%s:%s", alg, ent->d_name);
		struct gt_blob_info info = { .digest = digest };
		struct stat st;

		GT_TRY(gt_call_check(call));
		if (!is_digest(digest) ||
		    fstatat(dirfd(d), ent->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		fill_info(&st, &info);
		GT_TRY(fn(arg, &info));
	}
	if (errno)
		return gt_error_errno(GT_UNKNOWN, errno, "list blobs of %s", alg);
	return NULL;
}

struct gt_error *local_walk(struct gt_content *c, struct gt_call *call,
			    struct gt_error *(*fn)(void *arg, const struct gt_blob_info *info),
			    void *arg)
{
	static const char *const algs[] = { "sha256", "sha384", "sha512" };
	struct local_store *s = store_of(c);

	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
		int fd = openat(s->blobs, algs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct gt_error *e;
		DIR *d;

		if (fd < 0 && errno == ENOENT)
			continue;
		d = fd < 0 ? NULL : fdopendir(fd);
		if (!d) {
			e = gt_error_errno(GT_UNKNOWN, errno, "list blobs of %s", algs[i]);
			if (fd >= 0)
				close(fd);
			return e;
		}
		e = walk_folder(d, algs[i], call, fn, arg);
		closedir(d);
		GT_TRY(e);
	}
	return NULL;
}
