/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/content.h>

#include "core/op.h"

#include <gantry/buf.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Whether an ops struct, of the size its maker knew, has a member and the member is set. */
#define HAS(ops, member)                                                                          \
	((ops)->size >= offsetof(__typeof__(*(ops)), member) + sizeof((ops)->member) &&            \
	 (ops)->member)

void gt_blob_info_done(struct gt_blob_info *i)
{
	free(i->digest);
	*i = (struct gt_blob_info){ 0 };
}

void gt_ingest_info_done(struct gt_ingest_info *i)
{
	free(i->ref);
	free(i->expected);
	*i = (struct gt_ingest_info){ 0 };
}

struct gt_error *gt_content_info(struct gt_content *c, struct gt_call *call, const char *digest,
				 struct gt_blob_info *out)
{
	GT_TRY(gt_digest_check(digest));
	return GT_OP(content, c, info, call, digest, out);
}

struct gt_error *gt_content_reader(struct gt_content *c, struct gt_call *call, const char *digest,
				   struct gt_reader **out)
{
	GT_TRY(gt_digest_check(digest));
	return GT_OP(content, c, reader, call, digest, out);
}

struct gt_error *gt_content_writer(struct gt_content *c, struct gt_call *call, const char *ref,
				   int64_t total, const char *expected, struct gt_writer **out)
{
	GT_TRY(gt_op_required("ingest reference", ref));
	if (expected)
		GT_TRY(gt_digest_check(expected));
	if (total < 0)
		return gt_error_new(GT_INVALID_ARGUMENT, "ingest %s: size %" PRId64, ref, total);
	return GT_OP(content, c, writer, call, ref, total, expected, out);
}

struct gt_error *gt_content_remove(struct gt_content *c, struct gt_call *call, const char *digest)
{
	GT_TRY(gt_digest_check(digest));
	return GT_OP(content, c, remove, call, digest);
}

struct gt_error *gt_content_walk(struct gt_content *c, struct gt_call *call,
				 struct gt_error *(*fn)(void *, const struct gt_blob_info *),
				 void *arg)
{
	return GT_OP(content, c, walk, call, fn, arg);
}

struct gt_error *gt_content_status(struct gt_content *c, struct gt_call *call, const char *ref,
				   struct gt_ingest_info *out)
{
	GT_TRY(gt_op_required("ingest reference", ref));
	return GT_OP(content, c, status, call, ref, out);
}

struct gt_error *gt_content_walk_ingests(struct gt_content *c, struct gt_call *call,
					 struct gt_error *(*fn)(void *,
								const struct gt_ingest_info *),
					 void *arg)
{
	return GT_OP(content, c, walk_ingests, call, fn, arg);
}

struct gt_error *gt_content_abort(struct gt_content *c, struct gt_call *call, const char *ref)
{
	GT_TRY(gt_op_required("ingest reference", ref));
	return GT_OP(content, c, abort, call, ref);
}

struct gt_error *gt_reader_pread(struct gt_reader *r, void *buf, size_t len, int64_t off,
				 size_t *out)
{
	if (off < 0)
		return gt_error_new(GT_OUT_OF_RANGE, "read at offset %" PRId64, off);
	return r->ops->pread(r, buf, len, off, out);
}

struct gt_error *gt_reader_all(struct gt_reader *r, int64_t limit, char **out, size_t *len)
{
	int64_t size = r->ops->length(r);
	gt_autofree char *data = NULL;
	size_t have = 0;

	if (size > limit)
		return gt_error_new(GT_RESOURCE_EXHAUSTED,
				    "%" PRId64 " bytes, where at most %" PRId64 " are read", size, limit);
	data = gt_xmalloc(size + 1);
	while ((int64_t)have < size) {
		size_t n;

		GT_TRY(r->ops->pread(r, data + have, size - have, have, &n));
		if (!n)
			return gt_error_new(GT_DATA_LOSS, "content ends after %zu of %" PRId64 " bytes",
					    have, size);
		have += n;
	}
	data[have] = '\0';
	*len = have;
	*out = gt_steal(&data);
	return NULL;
}

int64_t gt_reader_length(struct gt_reader *r)
{
	return r->ops->length(r);
}

int gt_reader_fd(struct gt_reader *r)
{
	return HAS(r->ops, fd) ? r->ops->fd(r) : -1;
}

void gt_reader_free(struct gt_reader *r)
{
	if (r)
		r->ops->close(r);
}

struct gt_error *gt_writer_write(struct gt_writer *w, const void *buf, size_t len)
{
	return w->ops->write(w, buf, len);
}

#define COPY_BLOCK (1024 * 1024)

/* Before anything of it is stored: many blocks are one write to who asks. */
static struct gt_error *room_check(struct gt_writer *w, int64_t len)
{
	gt_auto(gt_ingest_info) info = { 0 };

	GT_TRY(w->ops->status(w, &info));
	if (info.total > 0 && len > info.total - info.offset)
		return gt_error_new(GT_OUT_OF_RANGE,
				    "ingest %s: more than the expected %" PRId64 " bytes", info.ref,
				    info.total);
	return NULL;
}

struct gt_error *gt_writer_write_from(struct gt_writer *w, struct gt_call *call, int fd, int64_t off,
				      int64_t len)
{
	gt_autofree char *block = NULL;

	if (HAS(w->ops, write_from))
		return w->ops->write_from(w, call, fd, off, len);
	if (len > COPY_BLOCK)
		GT_TRY(room_check(w, len));
	block = gt_xmalloc(COPY_BLOCK);
	while (len > 0) {
		ssize_t n = pread(fd, block, len < COPY_BLOCK ? len : COPY_BLOCK, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "read what is to be stored");
		if (n == 0)
			return gt_error_new(GT_OUT_OF_RANGE, "source ends %" PRId64 " bytes early", len);
		GT_TRY(gt_call_check(call));
		GT_TRY(w->ops->write(w, block, n));
		off += n;
		len -= n;
	}
	return NULL;
}

struct gt_error *gt_writer_truncate(struct gt_writer *w, int64_t size)
{
	if (size < 0)
		return gt_error_new(GT_INVALID_ARGUMENT, "truncate to %" PRId64 " bytes", size);
	return w->ops->truncate(w, size);
}

struct gt_error *gt_writer_status(struct gt_writer *w, struct gt_ingest_info *out)
{
	return w->ops->status(w, out);
}

struct gt_error *gt_writer_digest(struct gt_writer *w, char **out)
{
	return w->ops->digest(w, out);
}

struct gt_error *gt_writer_commit(struct gt_writer *w, int64_t size, const char *expected,
				  char **digest)
{
	if (expected)
		GT_TRY(gt_digest_check(expected));
	return w->ops->commit(w, size, expected, digest);
}

void gt_writer_free(struct gt_writer *w)
{
	if (w)
		w->ops->close(w);
}
