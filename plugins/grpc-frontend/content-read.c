/* SPDX-License-Identifier: Apache-2.0 */
/* Content.Read: sends as long as the client reads; one that does not holds a message, and no worker. */
#include <config.h>

#include "frontend.h"

#include <gantry/api-blobs.h>

#include <string.h>

#define CHUNK (256 * 1024)
/* Tag and number of the offset, tag and length of the data. */
#define FIELDS_MAX 24

struct reading {
	struct gt_reader *reader;
	int64_t at, end; /* of the blob */
	int64_t sent;
};

static void reading_free(struct reading *r)
{
	gt_reader_free(r->reader);
	free(r);
}

static void reading_end_take(struct gt_grpc_call *c, struct gt_error *e)
{
	reading_free(gt_steal((struct reading **)&c->state));
	gt_grpc_answer_error_take(c, e);
}

/* ReadContentResponse{ 1 offset, 2 data }, the bytes read to where they are sent from. */
static struct gt_error *chunk_read(struct reading *r, struct gt_grpc_bytes **out)
{
	size_t want = r->end - r->at < CHUNK ? (size_t)(r->end - r->at) : CHUNK, at = 0, n = 0;
	unsigned char head[FIELDS_MAX], *data;
	struct gt_grpc_bytes *b;

	if (r->sent) {
		head[at++] = 1 << 3;
		at += gt_grpc_varint_write(head + at, (uint64_t)r->sent);
	}
	head[at++] = 2 << 3 | 2;
	at += gt_grpc_varint_write(head + at, want);
	b = gt_grpc_bytes_new(at + want);
	memcpy(b->data + GT_GRPC_PREFIX, head, at);
	data = b->data + GT_GRPC_PREFIX + at;
	for (size_t have = 0; have < want; have += n) {
		struct gt_error *e = gt_reader_pread(r->reader, data + have, want - have,
						     r->at + (int64_t)have, &n);

		if (!e && !n)
			e = gt_error_new(GT_DATA_LOSS, "content is shorter than it says");
		if (e) {
			gt_grpc_bytes_unref(b);
			return e;
		}
	}
	r->at += (int64_t)want;
	r->sent += (int64_t)want;
	*out = b;
	return NULL;
}

static void read_on(struct gt_grpc_call *c)
{
	struct reading *r = c->state;

	while (r->at < r->end) {
		struct gt_grpc_bytes *b = NULL;
		struct gt_error *e = gt_call_check(&c->call);

		if (!e)
			e = chunk_read(r, &b);
		if (e) {
			reading_end_take(c, e);
			return;
		}
		if (!gt_grpc_send_bytes_take(c, b)) {
			gt_grpc_when_ready(c);
			return;
		}
	}
	reading_end_take(c, NULL);
}

static void read_gone(struct gt_grpc_call *c)
{
	reading_end_take(c, NULL);
}

void grpc_content_read(struct gt_grpc_call *c, const ProtobufCMessage *request)
{
	const Containerd__Services__Content__V1__ReadContentRequest *q = (const void *)request;
	struct gt_reader *reader = NULL;
	struct gt_error *e = gt_blobs_reader(SERVICES(c), &c->call, q->digest, &reader);
	int64_t length = e ? 0 : gt_reader_length(reader);
	struct reading *r;

	if (!e && (q->offset < 0 || q->offset > length))
		e = gt_error_new(GT_OUT_OF_RANGE, "read past object length %lld bytes",
				 (long long)length);
	if (e) {
		gt_reader_free(reader);
		gt_grpc_answer_error_take(c, e);
		return;
	}
	r = gt_xcalloc(1, sizeof(*r));
	r->reader = reader;
	r->at = q->offset;
	r->end = q->size > 0 && q->size < length - q->offset ? q->offset + q->size : length;
	c->state = r;
	c->ready = read_on;
	c->gone = read_gone;
	read_on(c);
}
