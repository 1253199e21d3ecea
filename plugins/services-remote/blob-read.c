/* SPDX-License-Identifier: Apache-2.0 */
/* Content.Read as a reader: reads that follow each other are one stream. */
#include <config.h>

#include "remote.h"

#include <gantry/buf.h>

#include <string.h>

#define V1(name) Containerd__Services__Content__V1__##name
#define INIT(name) CONTAINERD__SERVICES__CONTENT__V1__##name##__INIT
#define TYPE(name) containerd__services__content__v1__##name##__descriptor
#define SERVICE "containerd.services.content.v1.Content"

METHOD(read_method, SERVICE, "Read", TYPE(read_content_response));

/* So much is asked for at once: a read elsewhere does not cost a whole blob. */
#define WINDOW (INT64_C(64) << 20)

struct reader {
	struct gt_reader base;
	struct gt_services *services;
	struct gt_call call;
	char *ns, *digest;
	int64_t length;
	struct gt_grpc_stream *stream; /* NULL: none is open */
	int64_t at; /* of the blob: what comes next */
	ProtobufCMessage *chunk; /* what came last; NULL: used up */
	size_t used; /* of its bytes */
};

static void stream_drop(struct reader *r)
{
	gt_grpc_stream_free(gt_steal(&r->stream));
	gt_grpc_message_free(gt_steal(&r->chunk));
}

static struct gt_error *stream_begin(struct reader *r, int64_t off)
{
	V1(ReadContentRequest) q = INIT(READ_CONTENT_REQUEST);
	struct gt_call step = remote_step(r->services, &r->call);
	struct gt_error *e;

	stream_drop(r);
	q.digest = r->digest;
	q.offset = off;
	q.size = r->length - off < WINDOW ? r->length - off : WINDOW;
	GT_TRY(gt_grpc_stream_open(remote_client(r->services), &r->call, &read_method, NULL, NULL, &r->stream));
	r->at = off;
	e = gt_grpc_stream_send(r->stream, &step, &q.base);
	gt_grpc_stream_close_send(r->stream);
	return e;
}

/* Makes sure that there are bytes of the blob at 'off', which is not its end. */
static struct gt_error *chunk_want(struct reader *r, int64_t off)
{
	bool begun = false;

	if (!r->stream || r->at != off) {
		GT_TRY(stream_begin(r, off));
		begun = true;
	}
	while (!r->chunk) {
		struct gt_call step = remote_step(r->services, &r->call);

		GT_TRY(gt_grpc_stream_recv(r->stream, &step, &r->chunk));
		r->used = 0;
		if (!r->chunk && begun)
			return gt_error_new(GT_DATA_LOSS, "%s ends at byte %lld of %lld", r->digest,
					    (long long)off, (long long)r->length);
		if (!r->chunk) {
			GT_TRY(stream_begin(r, off));
			begun = true;
		} else if (!((V1(ReadContentResponse) *)r->chunk)->data.len) {
			gt_grpc_message_free(gt_steal(&r->chunk));
		}
	}
	return NULL;
}

static struct gt_error *reader_pread(struct gt_reader *base, void *buf, size_t len, int64_t off,
				     size_t *out)
{
	struct reader *r = (struct reader *)base;
	size_t done = 0;

	if (off < 0)
		return gt_error_new(GT_OUT_OF_RANGE, "read %s at %lld", r->digest, (long long)off);
	while (done < len && off < r->length) {
		const ProtobufCBinaryData *data;
		size_t n;

		GT_TRY(chunk_want(r, off));
		data = &((V1(ReadContentResponse) *)r->chunk)->data;
		n = data->len - r->used < len - done ? data->len - r->used : len - done;
		memcpy((char *)buf + done, data->data + r->used, n);
		done += n;
		off += (int64_t)n;
		r->at = off;
		r->used += n;
		if (r->used == data->len)
			gt_grpc_message_free(gt_steal(&r->chunk));
	}
	*out = done;
	return NULL;
}

static int64_t reader_length(struct gt_reader *base)
{
	return ((struct reader *)base)->length;
}

static void reader_close(struct gt_reader *base)
{
	struct reader *r = (struct reader *)base;

	stream_drop(r);
	free(r->ns);
	free(r->digest);
	free(r);
}

static const struct gt_reader_ops reader_ops = {
	.size = sizeof(reader_ops),
	.pread = reader_pread,
	.length = reader_length,
	.close = reader_close,
};

struct gt_error *remote_reader(struct gt_services *s, struct gt_call *call, const char *digest,
			       struct gt_reader **out)
{
	struct gt_call step = remote_step(s, call);
	gt_auto(gt_blob) b = { 0 };
	struct reader *r;

	GT_TRY(remote_blobs.info(s, &step, digest, &b));
	r = gt_xcalloc(1, sizeof(*r));
	r->base.ops = &reader_ops;
	r->services = s;
	r->call = *call;
	r->call.lease = NULL;
	r->call.ns = r->ns = call->ns ? gt_xstrdup(call->ns) : NULL;
	r->digest = gt_xstrdup(digest);
	r->length = b.info.size;
	*out = &r->base;
	return NULL;
}
