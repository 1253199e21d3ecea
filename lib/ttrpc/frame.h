/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ttrpc's frames, for both sides of a connection: a header of ten bytes and a body. Functions that
 * write add whole frames to a buffer; the reader takes bytes as they come and hands out whole frames.
 */
#ifndef GANTRY_LIB_TTRPC_FRAME_H
#define GANTRY_LIB_TTRPC_FRAME_H

#include <gantry/buf.h>

#include <protobuf-c/protobuf-c.h>
#include <ttrpc.pb-c.h>

#define GT_TTRPC_HEADER 10
#define GT_TTRPC_BODY_MAX 4194304

enum gt_ttrpc_type {
	GT_TTRPC_REQUEST = 1,
	GT_TTRPC_RESPONSE = 2,
	GT_TTRPC_DATA = 3,
};

enum gt_ttrpc_flag {
	GT_TTRPC_REMOTE_CLOSED = 0x01,
	GT_TTRPC_REMOTE_OPEN = 0x02,
	GT_TTRPC_NO_DATA = 0x04,
};

/* The metadata key that carries the namespace. */
#define GT_TTRPC_NAMESPACE_KEY "containerd-namespace-ttrpc"

struct gt_ttrpc_header {
	uint32_t length; /* of the body */
	uint32_t stream;
	uint8_t type;
	uint8_t flags;
};

void gt_ttrpc_header_write(unsigned char out[GT_TTRPC_HEADER], const struct gt_ttrpc_header *h);
void gt_ttrpc_header_read(struct gt_ttrpc_header *h, const unsigned char in[GT_TTRPC_HEADER]);

/*
 * Adds a request frame. 'message' is the payload (NULL: empty); 'timeout' in nanoseconds, 0: none; 'ns'
 * goes into the metadata, NULL: none. RESOURCE_EXHAUSTED if it is too long; nothing is added then.
 */
GT_MUST_USE struct gt_error *gt_ttrpc_add_request(struct gt_buf *out, uint32_t stream,
						  const char *service, const char *method,
						  const ProtobufCMessage *message, int64_t timeout,
						  const char *ns);

/* Adds a response frame; one that would be too long becomes a RESOURCE_EXHAUSTED status. */
void gt_ttrpc_add_response(struct gt_buf *out, uint32_t stream, const ProtobufCMessage *message);

/* Adds a response frame with a status, the text as it stands. */
void gt_ttrpc_add_status(struct gt_buf *out, uint32_t stream, enum gt_class code, const char *text);

/* The same from an error (which it does not take): the text ends in containerd's words for its class. */
void gt_ttrpc_add_error(struct gt_buf *out, uint32_t stream, const struct gt_error *e);

/*
 * Unpacks a message from foreign bytes within a bound of memory that follows from 'len'. NULL if they are
 * no such message. Free by gt_ttrpc_message_free().
 */
ProtobufCMessage *gt_ttrpc_message_unpack(const ProtobufCMessageDescriptor *type, const void *data,
					  size_t len);
void gt_ttrpc_message_free(ProtobufCMessage *m);

/* The first value of 'key' in a request's metadata; NULL if it is not there. */
const char *gt_ttrpc_metadata(const Ttrpc__Request *r, const char *key);

/*
 * Reads the body of a response frame: the status as an error (the words for the class cut from its end),
 * or the payload unpacked as 'type'. DATA_LOSS if it is malformed.
 */
GT_MUST_USE struct gt_error *gt_ttrpc_response_read(const void *body, size_t len,
						    const ProtobufCMessageDescriptor *type,
						    ProtobufCMessage **out);

/* Cuts a stream of bytes into frames. Keeps nothing between frames. */
struct gt_ttrpc_reader {
	struct gt_buf part; /* of a frame */
	uint32_t skip; /* bytes left of a body that is too long */
};
#define GT_TTRPC_READER_INIT { .part = GT_BUF_INIT }
void gt_ttrpc_reader_done(struct gt_ttrpc_reader *r);

/*
 * How many bytes more make the next whole header or body: who reads no more than that from a socket
 * gets frames one by one.
 */
size_t gt_ttrpc_reader_lacks(const struct gt_ttrpc_reader *r);

/*
 * Called for each frame; 'body' is NULL where h->length is over the limit (that body is skipped). False
 * ends the feeding: the rest of the bytes is dropped, for a connection that goes.
 */
typedef bool gt_ttrpc_frame_fn(void *arg, const struct gt_ttrpc_header *h,
			       const unsigned char *body);
bool gt_ttrpc_reader_feed(struct gt_ttrpc_reader *r, const void *data, size_t len,
			  gt_ttrpc_frame_fn *fn, void *arg);

#endif
