/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC's messages and header fields (the protocol's PROTOCOL-HTTP2.md): a message is a byte that says
 * whether it is compressed, a length of four, and so many bytes.
 */
#ifndef GANTRY_LIB_GRPC_MESSAGE_H
#define GANTRY_LIB_GRPC_MESSAGE_H

#include <gantry/buf.h>

#include <protobuf-c/protobuf-c.h>

#define GT_GRPC_PREFIX 5
/* Either way, as containerd and its clients have it. */
#define GT_GRPC_MESSAGE_MAX (16 * 1024 * 1024)

/* A message as it goes over the wire, prefix included; shared by all who are to send it. */
struct gt_grpc_bytes {
	_Atomic unsigned refs;
	size_t len;
	unsigned char data[];
};

/* NULL if the message is longer than the limit; '*len' is its length either way (may be NULL). */
struct gt_grpc_bytes *gt_grpc_bytes_pack(const ProtobufCMessage *m, size_t *len);
/* Room for a packed message of 'len' bytes, which the caller writes at data + GT_GRPC_PREFIX. */
struct gt_grpc_bytes *gt_grpc_bytes_new(size_t len);
struct gt_grpc_bytes *gt_grpc_bytes_ref(struct gt_grpc_bytes *b);
void gt_grpc_bytes_unref(struct gt_grpc_bytes *b); /* NULL is fine */

/* For messages that are put together by hand: a field's tag and length, a number. At most 10 bytes each. */
size_t gt_grpc_varint_write(unsigned char *out, uint64_t n);
/* Adds field 'number' (1 to 15) with a message to 'out'. */
void gt_grpc_field_add(struct gt_buf *out, unsigned number, const ProtobufCMessage *m);

/* Puts messages together from bytes as they come. */
struct gt_grpc_deframer {
	unsigned char prefix[GT_GRPC_PREFIX];
	unsigned have; /* of the prefix */
	uint32_t length; /* of the message at hand */
	unsigned char *data; /* NULL: none at hand */
	size_t fill, alloc; /* of 'data', which grows with what has come */
};
void gt_grpc_deframer_done(struct gt_grpc_deframer *d);

/* Whether the stream may end here: not inside of a message. */
bool gt_grpc_deframer_is_between(const struct gt_grpc_deframer *d);

/*
 * Takes bytes from '*p' on, at most '*n' of them, up to the end of one message, and moves both. '*message'
 * is that message (to be freed by the caller) with '*len', or NULL if more is needed. UNIMPLEMENTED for a
 * compressed one, RESOURCE_EXHAUSTED for one that is too long.
 */
GT_MUST_USE struct gt_error *gt_grpc_deframe(struct gt_grpc_deframer *d, const unsigned char **p,
					     size_t *n, unsigned char **message, size_t *len);

/* grpc-timeout: at most 8 digits and a unit. False for anything else. */
bool gt_grpc_timeout_parse(const char *s, size_t len, int64_t *ns);
void gt_grpc_timeout_print(int64_t ns, struct gt_buf *out);

/* grpc-message: what is not printable ASCII, and '%', as %XX. */
void gt_grpc_percent_encode(const char *s, struct gt_buf *out);
void gt_grpc_percent_decode(const char *s, size_t len, struct gt_buf *out);

#endif
