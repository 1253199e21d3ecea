/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ingest being written. Its digest is made on the way: 'hash' has seen the first 'hashed' bytes of
 * the file, which holds 'offset'. They differ after a truncate only, and after a digest of another
 * algorithm was asked for.
 */
#include <config.h>

#include "local.h"

#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define COPY_BLOCK (256 * 1024) /* stays in the second-level cache between copy and hash */
#define WRITEBACK (8 * 1024 * 1024) /* handed to the disk while more is coming */
#define SMALL (64 * 1024) /* an ingest below this is mostly committed at once */

struct local_writer {
	struct gt_writer base;
	struct local_store *store;
	int dir; /* locked */
	int data;
	char *name; /* of the folder */
	struct gt_ingest_info info; /* .offset is the file's length */
	struct gt_hash *hash;
	int64_t hashed;
	int64_t flushed; /* writeback has begun up to here */
	bool facts; /* startedat and the like are written */
	bool done; /* committed or dropped: only close may follow */
	bool fresh; /* nothing was there before us */
	char *block; /* COPY_BLOCK bytes, once needed */
};

static struct local_writer *writer_of(struct gt_writer *w)
{
	return (struct local_writer *)w;
}

static void hash_restart(struct local_writer *w)
{
	w->hashed = 0;
	gt_hash_restart(w->hash);
}

static struct gt_error *hash_catch_up(struct local_writer *w, const struct gt_call *call)
{
	struct gt_error *e;

	if (w->hashed == w->info.offset)
		return NULL;
	e = gt_hash_add_file(w->hash, w->data, w->hashed, w->info.offset - w->hashed, call);
	if (e) {
		hash_restart(w);
		return e;
	}
	w->hashed = w->info.offset;
	return NULL;
}

static struct gt_error *check_open(const struct local_writer *w)
{
	if (w->done)
		return gt_error_new(GT_FAILED_PRECONDITION, "ingest %s is committed", w->info.ref);
	return NULL;
}

/* After a write: starts the disk on what is complete, and leaves the facts for who comes later. */
static struct gt_error *after_write(struct local_writer *w)
{
	if (!w->facts && w->info.offset >= SMALL) {
		GT_TRY(ingest_write_facts(w->dir, &w->info));
		w->facts = true;
	}
	if (w->store->durable && w->info.offset - w->flushed >= WRITEBACK) {
		/* Only a head start for commit, whose fdatasync sees the errors. */
		sync_file_range(w->data, w->flushed, w->info.offset - w->flushed,
				SYNC_FILE_RANGE_WRITE);
		w->flushed = w->info.offset;
	}
	return NULL;
}

/* What was stored before an error counts: 'offset' says how far it is. */
static struct gt_error *append(struct local_writer *w, const char *p, size_t len)
{
	while (len) {
		ssize_t n = pwrite(w->data, p, len, w->info.offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(gt_file_class(errno), errno, "write ingest %s at %lld",
					      w->info.ref, (long long)w->info.offset);
		gt_hash_add(w->hash, p, n);
		w->info.offset += n;
		w->hashed += n;
		p += n;
		len -= n;
	}
	return NULL;
}

static struct gt_error *check_room(const struct local_writer *w, uint64_t len)
{
	if (len > (uint64_t)(INT64_MAX - w->info.offset) ||
	    (w->info.total > 0 && w->info.offset + (int64_t)len > w->info.total))
		return gt_error_new(GT_OUT_OF_RANGE,
				    "ingest %s: %llu bytes at %lld are more than the total of %lld",
				    w->info.ref, (unsigned long long)len,
				    (long long)w->info.offset, (long long)w->info.total);
	return NULL;
}

static struct gt_error *local_write(struct gt_writer *writer, const void *buf, size_t len)
{
	struct local_writer *w = writer_of(writer);
	const char *p = buf;

	GT_TRY(check_open(w));
	GT_TRY(check_room(w, len));
	GT_TRY(hash_catch_up(w, NULL));
	while (len) {
		size_t n = len < COPY_BLOCK ? len : COPY_BLOCK;

		GT_TRY(append(w, p, n));
		GT_TRY(after_write(w));
		p += n;
		len -= n;
	}
	return NULL;
}

static struct gt_error *local_write_from(struct gt_writer *writer, struct gt_call *call, int fd,
					 int64_t off, int64_t len)
{
	struct local_writer *w = writer_of(writer);

	GT_TRY(check_open(w));
	if (len < 0 || off < 0)
		return gt_error_new(GT_INVALID_ARGUMENT, "copy %lld bytes from %lld",
				    (long long)len, (long long)off);
	GT_TRY(check_room(w, len));
	GT_TRY(hash_catch_up(w, call));
	if (!w->block)
		w->block = gt_xmalloc(COPY_BLOCK);
	while (len > 0) {
		size_t want = len < COPY_BLOCK ? (size_t)len : COPY_BLOCK;
		ssize_t n = pread(fd, w->block, want, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "read for ingest %s", w->info.ref);
		if (n == 0)
			return gt_error_new(GT_OUT_OF_RANGE,
					    "ingest %s: the file to copy ends %lld bytes early",
					    w->info.ref, (long long)len);
		GT_TRY(append(w, w->block, n));
		off += n;
		len -= n;
		GT_TRY(after_write(w));
		GT_TRY(gt_call_check(call));
	}
	return NULL;
}

static struct gt_error *cut(struct local_writer *w, int64_t size)
{
	if (ftruncate(w->data, size) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "truncate ingest %s",
				      w->info.ref);
	w->info.offset = size;
	if (w->flushed > size)
		w->flushed = size;
	if (w->hashed > size)
		hash_restart(w);
	return NULL;
}

static struct gt_error *local_truncate(struct gt_writer *writer, int64_t size)
{
	struct local_writer *w = writer_of(writer);

	GT_TRY(check_open(w));
	if (size < 0 || size > w->info.offset)
		return gt_error_new(GT_OUT_OF_RANGE, "truncate ingest %s of %lld bytes to %lld",
				    w->info.ref, (long long)w->info.offset, (long long)size);
	return cut(w, size);
}

static struct gt_error *local_status(struct gt_writer *writer, struct gt_ingest_info *out)
{
	struct local_writer *w = writer_of(writer);
	struct stat st;

	*out = w->info;
	out->ref = gt_xstrdup(w->info.ref);
	out->expected = gt_xstrdup(w->info.expected);
	if (fstat(w->data, &st) == 0)
		out->updated_at = st.st_mtim;
	return NULL;
}

static struct gt_error *local_digest(struct gt_writer *writer, char **out)
{
	struct local_writer *w = writer_of(writer);

	GT_TRY(hash_catch_up(w, NULL));
	*out = gt_hash_digest(w->hash);
	return NULL;
}

/* From here on with the algorithm of this digest, if it is another. */
static struct gt_error *hash_as(struct local_writer *w, const char *digest)
{
	gt_autofree char *now = gt_hash_digest(w->hash);
	struct gt_hash *h;

	if (!strncmp(now, digest, strcspn(now, ":") + 1))
		return NULL;
	GT_TRY(gt_hash_new(digest, &h));
	gt_hash_free(w->hash);
	w->hash = h;
	w->hashed = 0;
	return NULL;
}

/* Size and digest are as asked; '*out' is the digest. */
static struct gt_error *verify(struct local_writer *w, int64_t size, const char *expected,
			       char **out)
{
	gt_autofree char *digest = NULL;

	if (size > 0 && size != w->info.offset)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "unexpected commit size %lld, expected %lld",
				    (long long)w->info.offset, (long long)size);
	if (expected)
		GT_TRY(hash_as(w, expected));
	GT_TRY(hash_catch_up(w, NULL));
	digest = gt_hash_digest(w->hash);
	if (expected && strcmp(digest, expected))
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "unexpected commit digest %s, expected %s", digest, expected);
	*out = gt_steal(&digest);
	return NULL;
}

static struct gt_error *drop_existing(struct local_writer *w, const char *digest)
{
	ingest_drop(w->store, w->dir, w->name);
	w->done = true;
	return gt_error_new(GT_ALREADY_EXISTS, "content %s", digest);
}

/* The folder of an algorithm that no blob had so far. */
static struct gt_error *make_alg_folder(struct local_store *s, const char *digest)
{
	gt_autofree char *alg = local_blob_folder(digest);

	if (!strcmp(alg, "sha256")) /* there since the store was made */
		return NULL;
	if (mkdirat(s->blobs, alg, 0755) == 0)
		return s->durable ? local_sync_folder(s->blobs, ".") : NULL;
	if (errno != EEXIST)
		return gt_error_errno(gt_file_class(errno), errno, "make folder %s", alg);
	return NULL;
}

/* Moves the file to its blob's name, which must be free: EEXIST. */
static int publish(const struct local_writer *w, const char *path)
{
	if (renameat2(w->dir, "data", w->store->blobs, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return errno;
	/* A file system without that flag; both names for a moment, which writer_open() knows. */
	return linkat(w->dir, "data", w->store->blobs, path, 0) == 0 ? 0 : errno;
}

/* Read-only, with the time of its commit; all of it on disk before it gets its name. */
static struct gt_error *seal(struct local_writer *w)
{
	struct gt_error *e;
	struct stat st;

	if (fstat(w->data, &st) < 0 || fchmod(w->data, st.st_mode & 07777 & ~0222) < 0 ||
	    futimens(w->data, NULL) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "seal ingest %s", w->info.ref);
	if (!w->store->durable || fdatasync(w->data) == 0)
		return NULL;
	/* The kernel may have dropped what it could not write: nothing of this file can be relied on. */
	e = gt_error_errno(gt_file_class(errno), errno, "sync ingest %s", w->info.ref);
	return gt_error_first(e, cut(w, 0));
}

static struct gt_error *local_commit(struct gt_writer *writer, int64_t size, const char *expected,
				     char **digest)
{
	struct local_writer *w = writer_of(writer);
	struct local_store *s = w->store;
	gt_autofree char *made = NULL, *path = NULL;
	bool there;
	int err;

	GT_TRY(check_open(w));
	if (expected)
		GT_TRY(gt_digest_check(expected));
	GT_TRY(verify(w, size, expected, &made));
	GT_TRY(local_has(s, made, &there));
	if (there)
		return drop_existing(w, made);
	path = local_blob_path(made);
	GT_TRY(seal(w));
	GT_TRY(make_alg_folder(s, made));
	err = publish(w, path);
	if (err == EEXIST) {
		if (s->durable)
			GT_TRY(local_sync_blobs(s, made));
		return drop_existing(w, made);
	}
	if (err)
		return gt_error_errno(gt_file_class(err), err, "name content %s", made);
	w->done = true;
	ingest_drop(s, w->dir, w->name);
	if (s->durable)
		GT_TRY(local_sync_blobs(s, made));
	if (digest)
		*digest = gt_steal(&made);
	return NULL;
}

static void local_writer_close(struct gt_writer *writer)
{
	struct local_writer *w = writer_of(writer);

	if (!w->done && !w->facts && w->data >= 0)
		gt_error_free(ingest_write_facts(w->dir, &w->info)); /* a full disk: they are guessed */
	if (w->data >= 0)
		close(w->data);
	if (w->dir >= 0)
		ingest_unlock(w->dir);
	gt_ingest_info_done(&w->info);
	free(w->name);
	gt_hash_free(w->hash);
	free(w->block);
	free(w);
}

static const struct gt_writer_ops writer_ops = {
	.size = sizeof(writer_ops),
	.write = local_write,
	.truncate = local_truncate,
	.status = local_status,
	.digest = local_digest,
	.commit = local_commit,
	.close = local_writer_close,
	.write_from = local_write_from,
};

/* The file for the bytes. One that has a second name is a blob already: it is not touched. */
static struct gt_error *open_data(struct local_writer *w)
{
	struct stat st;

	for (;;) {
		w->data = openat(w->dir, "data", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (w->data < 0 || fstat(w->data, &st) < 0)
			return gt_error_errno(gt_file_class(errno), errno, "open data of ingest");
		if (!S_ISREG(st.st_mode))
			return gt_error_new(GT_FAILED_PRECONDITION, "data is no regular file");
		if (st.st_nlink == 1)
			break;
		close(gt_steal_fd(&w->data));
		if (unlinkat(w->dir, "data", 0) < 0)
			return gt_error_errno(gt_file_class(errno), errno, "drop data of ingest");
	}
	if (!(st.st_mode & 0200) && fchmod(w->data, (st.st_mode & 07777) | 0200) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "open data of ingest");
	return NULL;
}

/* Takes up what an earlier writer left, or begins. */
static struct gt_error *resume(struct local_writer *w, struct gt_call *call, const char *ref,
			       int64_t total, const char *expected)
{
	struct gt_ingest_info old;
	struct gt_error *e = ingest_read(w->dir, &old);
	bool found = !e;

	GT_TRY(gt_error_unless(e, GT_NOT_FOUND));
	w->fresh = !found;
	clock_gettime(CLOCK_REALTIME, &w->info.updated_at);
	w->info.started_at = found ? old.started_at : w->info.updated_at;
	w->info.total = found ? old.total : 0;
	if (found)
		gt_ingest_info_done(&old);
	if (total > 0 && w->info.total > 0 && total != w->info.total)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "total %lld differs from %lld of an earlier writer",
				    (long long)total, (long long)w->info.total);
	if (total > 0)
		w->info.total = total;
	w->info.ref = gt_xstrdup(ref);
	w->info.expected = gt_xstrdup(expected);
	GT_TRY(open_data(w));
	GT_TRY(ingest_write_ref(w->dir, ref));
	w->info.offset = lseek(w->data, 0, SEEK_END);
	if (w->info.offset < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "size of what is stored");
	if (!found && w->info.offset) /* bytes without a ref: of nobody */
		GT_TRY(cut(w, 0));
	w->flushed = w->info.offset;
	if (w->info.offset)
		GT_TRY(ingest_write_facts(w->dir, &w->info));
	w->facts = w->info.offset > 0;
	return hash_catch_up(w, call);
}

struct gt_error *writer_open(struct gt_content *c, struct gt_call *call, const char *ref,
			     int64_t total, const char *expected, struct gt_writer **out)
{
	struct local_store *s = (struct local_store *)c;
	struct local_writer *w;
	struct gt_hash *hash;
	struct gt_error *e;
	bool there;

	if (total < 0)
		return gt_error_new(GT_INVALID_ARGUMENT, "total %lld", (long long)total);
	if (expected) {
		GT_TRY(gt_digest_check(expected));
		GT_TRY(local_has(s, expected, &there));
		if (there)
			return gt_error_new(GT_ALREADY_EXISTS, "content %s", expected);
	}
	GT_TRY(gt_hash_new(expected ? expected : "sha256", &hash));
	w = gt_xcalloc(1, sizeof(*w));
	*w = (struct local_writer){
		.base.ops = &writer_ops, .store = s, .dir = -1, .data = -1, .hash = hash
	};
	e = ingest_lock(s, ref, true, &w->dir, &w->name);
	if (!e)
		e = gt_error_wrap(resume(w, call, ref, total, expected), "ingest %s", ref);
	if (e) {
		if (w->fresh)
			ingest_drop(s, w->dir, w->name);
		w->facts = true; /* nothing more to leave behind */
		local_writer_close(&w->base);
		return e;
	}
	*out = &w->base;
	return NULL;
}
