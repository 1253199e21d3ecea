/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <ttrpc/frame.h>
#include <ttrpc/status.h>

#include <endian.h>
#include <string.h>

/* A message of n bytes unpacks into structs and pointers of at most this many times n, or is refused. */
#define UNPACK_FACTOR 32
#define UNPACK_FLOOR (64 * 1024)
/* And of so much more than n, at most: large messages are large because of what they carry. */
#define UNPACK_MORE (64 * 1024 * 1024)

void gt_ttrpc_header_write(unsigned char out[GT_TTRPC_HEADER], const struct gt_ttrpc_header *h)
{
	uint32_t length = htobe32(h->length), stream = htobe32(h->stream);

	memcpy(out, &length, 4);
	memcpy(out + 4, &stream, 4);
	out[8] = h->type;
	out[9] = h->flags;
}

void gt_ttrpc_header_read(struct gt_ttrpc_header *h, const unsigned char in[GT_TTRPC_HEADER])
{
	uint32_t length, stream;

	memcpy(&length, in, 4);
	memcpy(&stream, in + 4, 4);
	*h = (struct gt_ttrpc_header){
		.length = be32toh(length),
		.stream = be32toh(stream),
		.type = in[8],
		.flags = in[9],
	};
}

static void add_frame(struct gt_buf *out, uint32_t stream, enum gt_ttrpc_type type,
		      const ProtobufCMessage *body, size_t len)
{
	struct gt_ttrpc_header h = { .length = len, .stream = stream, .type = type };
	unsigned char *p = (unsigned char *)gt_buf_reserve(out, GT_TTRPC_HEADER + len);

	gt_ttrpc_header_write(p, &h);
	protobuf_c_message_pack(body, p + GT_TTRPC_HEADER);
	gt_buf_setlen(out, out->len + GT_TTRPC_HEADER + len);
}

static char *too_long(size_t len)
{
	return gt_strf("message length %zu exceed maximum message size of %d", len,
		       GT_TTRPC_BODY_MAX);
}

static size_t message_pack(const ProtobufCMessage *m, uint8_t **out)
{
	size_t len = m ? protobuf_c_message_get_packed_size(m) : 0;

	*out = NULL;
	if (len && len <= GT_TTRPC_BODY_MAX) {
		*out = gt_xmalloc(len);
		protobuf_c_message_pack(m, *out);
	}
	return len;
}

struct gt_error *gt_ttrpc_add_request(struct gt_buf *out, uint32_t stream, const char *service,
				      const char *method, const ProtobufCMessage *message,
				      int64_t timeout, const char *ns)
{
	Ttrpc__KeyValue pair = TTRPC__KEY_VALUE__INIT;
	Ttrpc__KeyValue *pairs[] = { &pair };
	Ttrpc__Request r = TTRPC__REQUEST__INIT;
	gt_autofree uint8_t *payload = NULL;
	size_t len = message_pack(message, &payload);

	if (len <= GT_TTRPC_BODY_MAX) {
		r.service = (char *)service;
		r.method = (char *)method;
		r.payload = (ProtobufCBinaryData){ .len = len, .data = payload };
		r.timeout_nano = timeout;
		if (ns) {
			pair.key = (char *)GT_TTRPC_NAMESPACE_KEY;
			pair.value = (char *)ns;
			r.metadata = pairs;
			r.n_metadata = 1;
		}
		len = ttrpc__request__get_packed_size(&r);
	}
	if (len > GT_TTRPC_BODY_MAX) {
		gt_autofree char *text = too_long(len);

		return gt_error_new(GT_RESOURCE_EXHAUSTED, "%s", text);
	}
	add_frame(out, stream, GT_TTRPC_REQUEST, &r.base, len);
	return NULL;
}

void gt_ttrpc_add_response(struct gt_buf *out, uint32_t stream, const ProtobufCMessage *message)
{
	Ttrpc__Response r = TTRPC__RESPONSE__INIT;
	gt_autofree uint8_t *payload = NULL;
	size_t len = message_pack(message, &payload);

	if (len <= GT_TTRPC_BODY_MAX) {
		r.payload = (ProtobufCBinaryData){ .len = len, .data = payload };
		len = ttrpc__response__get_packed_size(&r);
	}
	if (len > GT_TTRPC_BODY_MAX) {
		gt_autofree char *text = too_long(len);

		gt_ttrpc_add_status(out, stream, GT_RESOURCE_EXHAUSTED, text);
		return;
	}
	add_frame(out, stream, GT_TTRPC_RESPONSE, &r.base, len);
}

void gt_ttrpc_add_status(struct gt_buf *out, uint32_t stream, enum gt_class code, const char *text)
{
	Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
	Ttrpc__Response r = TTRPC__RESPONSE__INIT;
	gt_autofree char *cut = gt_xstrndup(text, GT_TTRPC_BODY_MAX / 2);

	status.code = code;
	status.message = cut;
	r.status = &status;
	add_frame(out, stream, GT_TTRPC_RESPONSE, &r.base, ttrpc__response__get_packed_size(&r));
}

void gt_ttrpc_add_error(struct gt_buf *out, uint32_t stream, const struct gt_error *e)
{
	gt_autofree char *text = gt_status_text(e);

	gt_ttrpc_add_status(out, stream, gt_error_class(e), text);
}

static void *bounded_alloc(void *data, size_t size)
{
	size_t *left = data;

	/* Each block costs the allocator something too. */
	if (*left < size + 16)
		return NULL;
	*left -= size + 16;
	return malloc(size ? size : 1);
}

static void bounded_free(void *data, void *p)
{
	(void)data;
	free(p);
}

ProtobufCMessage *gt_ttrpc_message_unpack(const ProtobufCMessageDescriptor *type, const void *data,
					  size_t len)
{
	size_t left = UNPACK_FLOOR;
	ProtobufCAllocator allocator = {
		.alloc = bounded_alloc,
		.free = bounded_free,
		.allocator_data = &left,
	};

	if (__builtin_mul_overflow(len, (size_t)UNPACK_FACTOR, &left) ||
	    __builtin_add_overflow(left, (size_t)UNPACK_FLOOR, &left))
		return NULL;
	if (left > 2 * len + UNPACK_MORE)
		left = 2 * len + UNPACK_MORE;
	return protobuf_c_message_unpack(type, &allocator, len, data);
}

void gt_ttrpc_message_free(ProtobufCMessage *m)
{
	/* The default allocator frees by free(), as bounded_free() does. */
	if (m)
		protobuf_c_message_free_unpacked(m, NULL);
}

const char *gt_ttrpc_metadata(const Ttrpc__Request *r, const char *key)
{
	for (size_t i = 0; i < r->n_metadata; i++)
		if (!strcmp(r->metadata[i]->key, key))
			return r->metadata[i]->value;
	return NULL;
}

struct gt_error *gt_ttrpc_response_read(const void *body, size_t len,
					const ProtobufCMessageDescriptor *type,
					ProtobufCMessage **out)
{
	Ttrpc__Response *r =
		(Ttrpc__Response *)gt_ttrpc_message_unpack(&ttrpc__response__descriptor, body, len);
	struct gt_error *e = NULL;
	ProtobufCMessage *m;

	if (!r)
		return gt_error_new(GT_DATA_LOSS, "malformed ttrpc response");
	if (r->status && r->status->code) {
		e = gt_status_error(r->status->code, r->status->message);
	} else {
		m = gt_ttrpc_message_unpack(type, r->payload.data, r->payload.len);
		if (m)
			*out = m;
		else
			e = gt_error_new(GT_DATA_LOSS, "malformed %s in a ttrpc response", type->name);
	}
	gt_ttrpc_message_free(&r->base);
	return e;
}

void gt_ttrpc_reader_done(struct gt_ttrpc_reader *r)
{
	gt_buf_done(&r->part);
	r->skip = 0;
}

/* Hands out the frame at 'p' if all of it is there; returns how many bytes it was, 0 if more is needed. */
static size_t frame_take(struct gt_ttrpc_reader *r, const unsigned char *p, size_t len,
			 gt_ttrpc_frame_fn *fn, void *arg, bool *go_on)
{
	struct gt_ttrpc_header h;

	if (len < GT_TTRPC_HEADER)
		return 0;
	gt_ttrpc_header_read(&h, p);
	if (h.length > GT_TTRPC_BODY_MAX) {
		r->skip = h.length;
		*go_on = fn(arg, &h, NULL);
		return GT_TTRPC_HEADER;
	}
	if (len - GT_TTRPC_HEADER < h.length)
		return 0;
	*go_on = fn(arg, &h, p + GT_TTRPC_HEADER);
	return GT_TTRPC_HEADER + h.length;
}

size_t gt_ttrpc_reader_lacks(const struct gt_ttrpc_reader *r)
{
	struct gt_ttrpc_header h;

	if (r->skip)
		return r->skip;
	if (r->part.len < GT_TTRPC_HEADER)
		return GT_TTRPC_HEADER - r->part.len;
	gt_ttrpc_header_read(&h, (const unsigned char *)r->part.s);
	return GT_TTRPC_HEADER + (size_t)h.length - r->part.len;
}

bool gt_ttrpc_reader_feed(struct gt_ttrpc_reader *r, const void *data, size_t len,
			  gt_ttrpc_frame_fn *fn, void *arg)
{
	const unsigned char *p = data;
	bool go_on = true;

	while (len && go_on) {
		size_t n;

		n = gt_ttrpc_reader_lacks(r);
		if (n > len)
			n = len;
		if (r->skip) {
			r->skip -= n;
		} else if (r->part.len) {
			gt_buf_add(&r->part, p, n);
			if (frame_take(r, (unsigned char *)r->part.s, r->part.len, fn, arg, &go_on))
				gt_buf_done(&r->part);
		} else {
			n = frame_take(r, p, len, fn, arg, &go_on);
			if (!n) {
				gt_buf_add(&r->part, p, len);
				n = len;
			}
		}
		p += n;
		len -= n;
	}
	return go_on;
}
