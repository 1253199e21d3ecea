/* SPDX-License-Identifier: Apache-2.0 */
/* Content.Write as a writer: a question and an answer at a time over one open ingest. */
#include <config.h>

#include "remote.h"

#include <gantry/buf.h>

#include <string.h>

#define V1(name) Containerd__Services__Content__V1__##name
#define INIT(name) CONTAINERD__SERVICES__CONTENT__V1__##name##__INIT
#define TYPE(name) containerd__services__content__v1__##name##__descriptor
#define ACTION(name) CONTAINERD__SERVICES__CONTENT__V1__WRITE_ACTION__##name
#define SERVICE "containerd.services.content.v1.Content"

METHOD(write_method, SERVICE, "Write", TYPE(write_content_response));

#define CHUNK (1 << 20)

struct writer {
	struct gt_writer base;
	struct gt_services *services;
	struct gt_grpc_stream *stream;
	struct gt_call call;
	char *ns, *lease, *ref, *expected; /* expected "": not known */
	int64_t total; /* 0: not known */
	int64_t offset;
	char *digest; /* of what is stored, as the far side said last; NULL: it has not */
	bool is_done; /* committed */
	bool is_cut; /* to nothing, which the far side learns with what comes next */
	struct timespec started_at, updated_at;
};

/* How long the far side may take to give the ingest back. */
#define CLOSE_TIME INT64_C(2000000000)

static struct gt_error *exchange(struct writer *w, const V1(WriteContentRequest) *q,
				 ProtobufCMessage **m)
{
	struct gt_call step = remote_step(w->services, &w->call);
	struct gt_error *e = gt_grpc_stream_send(w->stream, &step, &q->base);

	GT_TRY(gt_error_unless(e, GT_FAILED_PRECONDITION)); /* why it ended is read below */
	GT_TRY(gt_grpc_stream_recv(w->stream, &step, m));
	if (!*m)
		return gt_error_new(GT_UNAVAILABLE, "ingest %s: the stream has ended", w->ref);
	return NULL;
}

/* Sends 'q' and waits for the answer to it. An error ends the stream, not the ingest: the next opens it again. */
static struct gt_error *ask_with(struct writer *w, V1(WriteContentRequest) *q, int64_t total,
				 const char *expected, V1(WriteContentResponse) **out)
{
	ProtobufCMessage *m = NULL;
	struct gt_error *e;

	if (!w->stream)
		GT_TRY(gt_grpc_stream_open(remote_client(w->services), &w->call, &write_method, NULL,
					   NULL, &w->stream));
	q->ref = w->ref;
	q->total = total;
	q->expected = (char *)expected;
	e = exchange(w, q, &m);
	if (e) {
		gt_grpc_stream_free(gt_steal(&w->stream));
		return e;
	}
	*out = (void *)m;
	if (*(*out)->digest) {
		free(w->digest);
		w->digest = gt_xstrdup((*out)->digest);
	}
	return NULL;
}

static struct gt_error *ask(struct writer *w, V1(WriteContentRequest) *q,
			    V1(WriteContentResponse) **out)
{
	return ask_with(w, q, w->total, w->expected, out);
}

static struct gt_error *stat_ask(struct writer *w)
{
	V1(WriteContentRequest) q = INIT(WRITE_CONTENT_REQUEST);
	V1(WriteContentResponse) *r;

	q.action = ACTION(STAT);
	GT_TRY(ask(w, &q, &r));
	w->offset = r->offset;
	if (r->total > 0)
		w->total = r->total;
	w->started_at = gt_wire_time_get(r->started_at);
	w->updated_at = gt_wire_time_get(r->updated_at);
	gt_grpc_message_free(&r->base);
	return NULL;
}

static struct gt_error *chunk_write(struct writer *w, const void *buf, size_t len)
{
	V1(WriteContentRequest) q = INIT(WRITE_CONTENT_REQUEST);
	V1(WriteContentResponse) *r;
	int64_t want = w->offset + (int64_t)len;

	q.action = ACTION(WRITE);
	q.offset = w->offset;
	q.data.data = (uint8_t *)buf;
	q.data.len = len;
	GT_TRY(ask(w, &q, &r));
	w->is_cut = false;
	w->offset = r->offset;
	gt_grpc_message_free(&r->base);
	if (w->offset == want)
		return NULL;
	return gt_error_new(GT_DATA_LOSS, "ingest %s: %lld bytes are stored, where %lld were sent",
			    w->ref, (long long)w->offset, (long long)want);
}

static struct gt_error *writer_write(struct gt_writer *base, const void *buf, size_t len)
{
	struct writer *w = (struct writer *)base;

	if (w->total > 0 && w->offset + (int64_t)len > w->total)
		return gt_error_new(GT_OUT_OF_RANGE, "ingest %s: more than the expected %lld bytes",
				    w->ref, (long long)w->total);
	for (size_t done = 0; done < len;) {
		size_t n = len - done < CHUNK ? len - done : CHUNK;

		GT_TRY(chunk_write(w, (const char *)buf + done, n));
		done += n;
	}
	return NULL;
}

static struct gt_error *writer_truncate(struct gt_writer *base, int64_t size)
{
	struct writer *w = (struct writer *)base;

	if (size == w->offset)
		return NULL;
	if (size)
		return gt_error_new(GT_UNIMPLEMENTED,
				    "ingest %s: a daemon cuts what is stored to nothing only", w->ref);
	w->offset = 0;
	w->is_cut = true;
	free(gt_steal(&w->digest));
	return NULL;
}

static struct gt_error *writer_status(struct gt_writer *base, struct gt_ingest_info *out)
{
	struct writer *w = (struct writer *)base;

	if (!w->is_cut)
		GT_TRY(stat_ask(w));
	out->ref = gt_xstrdup(w->ref);
	out->offset = w->offset;
	out->total = w->total;
	out->expected = *w->expected ? gt_xstrdup(w->expected) : NULL;
	out->started_at = w->started_at;
	out->updated_at = w->updated_at;
	return NULL;
}

/* SHA-256 of nothing. */
#define EMPTY_DIGEST "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct gt_error *writer_digest(struct gt_writer *base, char **out)
{
	struct writer *w = (struct writer *)base;

	if (!w->digest && !w->is_cut)
		GT_TRY(stat_ask(w));
	if (!w->digest && w->offset)
		return gt_error_new(GT_INTERNAL, "ingest %s: the daemon gave no digest", w->ref);
	*out = gt_xstrdup(w->digest ? w->digest : EMPTY_DIGEST);
	return NULL;
}

static struct gt_error *commit(struct writer *w, int64_t size, const char *expected,
			       const struct gt_labels *labels, char **digest)
{
	V1(WriteContentRequest) q = INIT(WRITE_CONTENT_REQUEST);
	gt_auto(gt_arena) a = { 0 };
	V1(WriteContentResponse) *r;

	q.action = ACTION(COMMIT);
	q.offset = w->offset;
	if (labels)
		gt_wire_labels(&a, &q.base, "labels", labels);
	if (!expected)
		expected = w->expected;
	GT_TRY(ask_with(w, &q, size > 0 ? size : w->total, expected, &r));
	gt_grpc_message_free(&r->base);
	w->is_done = true;
	if (digest)
		*digest = gt_xstrdup(w->digest ? w->digest : expected);
	return NULL;
}

static struct gt_error *writer_commit(struct gt_writer *base, int64_t size, const char *expected,
				      char **digest)
{
	return commit((struct writer *)base, size, expected, NULL, digest);
}

/* The ingest is free for the next when the far side has answered that there will be no more. */
static void stream_end(struct writer *w)
{
	struct gt_call call = GT_CALL_INIT;
	ProtobufCMessage *m = NULL;

	if (!w->stream || w->is_done)
		return;
	call.deadline = gt_now() + CLOSE_TIME;
	gt_grpc_stream_close_send(w->stream);
	gt_error_free(gt_grpc_stream_recv(w->stream, &call, &m));
	gt_grpc_message_free(m);
}

static void writer_close(struct gt_writer *base)
{
	struct writer *w = (struct writer *)base;

	stream_end(w);
	gt_grpc_stream_free(w->stream);
	free(w->ns);
	free(w->lease);
	free(w->ref);
	free(w->expected);
	free(w->digest);
	free(w);
}

static const struct gt_writer_ops writer_ops = {
	.size = sizeof(writer_ops),
	.write = writer_write,
	.truncate = writer_truncate,
	.status = writer_status,
	.digest = writer_digest,
	.commit = writer_commit,
	.close = writer_close,
};

struct gt_error *remote_writer(struct gt_services *s, struct gt_call *call, const char *ref,
			       const struct gt_descriptor *desc, struct gt_writer **out)
{
	struct writer *w = gt_xcalloc(1, sizeof(*w));
	struct gt_error *e;

	w->base.ops = &writer_ops;
	w->services = s;
	w->call = *call;
	w->call.ns = w->ns = call->ns ? gt_xstrdup(call->ns) : NULL;
	w->call.lease = w->lease = call->lease ? gt_xstrdup(call->lease) : NULL;
	w->ref = gt_xstrdup(ref);
	w->expected = gt_xstrdup(desc && desc->digest ? desc->digest : "");
	w->total = desc && desc->size > 0 ? desc->size : 0;
	e = stat_ask(w);
	if (e) {
		writer_close(&w->base);
		return e;
	}
	*out = &w->base;
	return NULL;
}

struct gt_error *remote_commit(struct gt_services *s, struct gt_call *call, struct gt_writer *w,
			       int64_t size, const char *expected, const struct gt_labels *labels,
			       char **digest)
{
	(void)s, (void)call;
	if (w->ops != &writer_ops)
		return gt_error_new(GT_INVALID_ARGUMENT, "the writer is another service's");
	return commit((struct writer *)w, size, expected, labels, digest);
}
