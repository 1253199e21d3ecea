/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content.Read: sends as long as the client reads; one that does not holds a message, and no worker.
 * Clients that read at offsets open a stream for every few kilobytes: what is in the page cache is sent
 * from the loop's thread, with the stream's end behind it; a worker does the rest.
 */
#include <config.h>

#include "frontend.h"

#include <gantry/api-blobs.h>

#include <string.h>
#include <sys/uio.h>

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

/* A message with room for 'want' bytes of data: ReadContentResponse{ 1 offset, 2 data }. */
static struct gt_grpc_bytes *chunk_new(const struct reading *r, size_t want, unsigned char **data)
{
	unsigned char head[FIELDS_MAX];
	struct gt_grpc_bytes *b;
	size_t at = 0;

	if (r->sent) {
		head[at++] = 1 << 3;
		at += gt_grpc_varint_write(head + at, (uint64_t)r->sent);
	}
	head[at++] = 2 << 3 | 2;
	at += gt_grpc_varint_write(head + at, want);
	b = gt_grpc_bytes_new(at + want);
	memcpy(b->data + GT_GRPC_PREFIX, head, at);
	*data = b->data + GT_GRPC_PREFIX + at;
	return b;
}

static size_t chunk_size(const struct reading *r)
{
	return r->end - r->at < CHUNK ? (size_t)(r->end - r->at) : CHUNK;
}

/* The bytes are read to where they are sent from. */
static struct gt_error *chunk_read(struct reading *r, struct gt_grpc_bytes **out)
{
	size_t want = chunk_size(r), n = 0;
	unsigned char *data;
	struct gt_grpc_bytes *b = chunk_new(r, want, &data);

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

/* The same for what can be had without waiting for a disk; NULL: not all of it. */
static struct gt_grpc_bytes *chunk_read_cached(struct reading *r)
{
	size_t want = chunk_size(r);
	int fd = gt_reader_fd(r->reader);
	unsigned char *data;
	struct gt_grpc_bytes *b;
	struct iovec v;

	if (fd < 0)
		return NULL;
	b = chunk_new(r, want, &data);
	v = (struct iovec){ .iov_base = data, .iov_len = want };
	if (preadv2(fd, &v, 1, r->at, RWF_NOWAIT) != (ssize_t)want) {
		gt_grpc_bytes_unref(b);
		return NULL;
	}
	r->at += (int64_t)want;
	r->sent += (int64_t)want;
	return b;
}

/* False: that was the last one, or the client shall read first. */
static bool chunk_send(struct gt_grpc_call *c, struct gt_grpc_bytes *b)
{
	struct reading *r = c->state;

	if (r->at == r->end) {
		reading_free(gt_steal((struct reading **)&c->state));
		gt_grpc_answer_bytes_take(c, b);
		return false;
	}
	if (gt_grpc_send_bytes_take(c, b))
		return true;
	gt_grpc_when_ready(c);
	return false;
}

static void read_on(struct gt_grpc_call *c)
{
	struct gt_grpc_bytes *b = NULL;

	do {
		struct gt_error *e = gt_call_check(&c->call);

		if (!e)
			e = chunk_read(c->state, &b);
		if (e) {
			reading_end_take(c, e);
			return;
		}
	} while (chunk_send(c, b));
}

static void read_first(struct gt_grpc_call *c)
{
	struct reading *r = c->state;
	struct gt_grpc_bytes *b;

	if (r->at == r->end) {
		reading_end_take(c, NULL);
		return;
	}
	b = chunk_read_cached(r);
	if (!b || chunk_send(c, b))
		gt_grpc_when_ready(c);
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
	read_first(c);
}
