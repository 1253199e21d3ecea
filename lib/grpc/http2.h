/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of an HTTP/2 connection that carries gRPC, for both sides: the socket, nghttp2's state, streams
 * whose bytes become messages, and messages that become frames as far as the peer's windows and the
 * socket allow. Not for several threads at once.
 *
 * Bounds: what waits to be sent is in the streams' queues, which their owners bound, and at most
 * GT_H2_OUT in the connection; what has come and is not a whole message counts in 'held'.
 */
#ifndef GANTRY_LIB_GRPC_HTTP2_H
#define GANTRY_LIB_GRPC_HTTP2_H

#include <grpc/message.h>

#include <nghttp2/nghttp2.h>

#define GT_H2_OUT (64 * 1024)
#define GT_H2_READ (256 * 1024) /* bytes read a turn */

struct gt_h2;
struct gt_h2_stream;

/* A message that waits to be sent. */
struct gt_h2_item {
	struct gt_h2_item *next;
	struct gt_grpc_bytes *bytes;
};

struct gt_h2_stream {
	struct gt_h2 *h2;
	int32_t id;
	struct gt_h2_stream *next;
	struct gt_h2_stream **link;
	struct gt_grpc_deframer in;
	size_t header_bytes;
	size_t owed; /* bytes that the stream's window gets back when its owner has room */
	bool is_stopped; /* gives no window back: its owner has enough to do */
	bool is_refused; /* what comes is dropped */
	bool has_head; /* the first headers have come */
	/* Outgoing. */
	struct gt_h2_item *first;
	struct gt_h2_item **last;
	size_t sent; /* of the first item */
	bool end; /* nothing more comes after the queue: 'finish' is asked */
	bool is_waiting; /* nghttp2 waits for gt_h2_stream_resume() */
};

/* What the owner of the connection does; called from within gt_h2_read() and gt_h2_flush(). */
struct gt_h2_ops {
	/* A stream that the peer opens (server): made by the owner; NULL refuses it. */
	struct gt_h2_stream *(*open)(struct gt_h2 *h2, int32_t id);
	/* A field of its headers; trailers come behind headers_end. False: the stream is malformed. */
	bool (*header)(struct gt_h2_stream *s, const char *name, size_t name_len, const char *value,
		       size_t value_len);
	void (*headers_end)(struct gt_h2_stream *s);
	/* A whole message, which it takes (free()). */
	void (*message)(struct gt_h2_stream *s, unsigned char *data, size_t len);
	/* The peer sends no more. */
	void (*remote_end)(struct gt_h2_stream *s);
	/* What came is no gRPC, or too much; takes 'e'. Nothing more is delivered. */
	void (*refuse)(struct gt_h2_stream *s, struct gt_error *e);
	/* The queue is empty and 'end' is set: gives the trailers, if any (flags as nghttp2's). */
	void (*finish)(struct gt_h2_stream *s, uint32_t *flags);
	/* Bytes have left the stream's queue. */
	void (*sent)(struct gt_h2_stream *s, size_t len);
	/* The stream is over and gone from the connection; the owner may free it. */
	void (*closed)(struct gt_h2_stream *s, uint32_t code);
};

struct gt_h2 {
	const struct gt_h2_ops *ops;
	nghttp2_session *session;
	int fd;
	bool is_client;
	bool broken; /* the connection cannot go on: to be closed by its owner */
	bool is_blocked; /* the socket takes no more now */
	bool is_ready; /* the peer's settings have come */
	struct gt_buf out;
	size_t sent; /* of 'out' */
	struct gt_buf *spare; /* the owner's: a buffer that connections use in turns */
	struct gt_h2_stream *streams;
	size_t n_streams;
	size_t held; /* bytes of messages that are not whole */
	size_t held_max;
	int64_t due; /* by when what has begun must be whole (preface, header block); 0: nothing */
	int64_t flood_from; /* a second in which frames that do nothing are counted */
	unsigned flood;
};

/* The fd stays the caller's. Windows and limits are set here; a client's preface is ready to be sent. */
GT_MUST_USE struct gt_error *gt_h2_init(struct gt_h2 *h2, const struct gt_h2_ops *ops, int fd,
					bool is_client, struct gt_buf *spare);
/* Ends all streams (closed is called for each) and frees what it holds. */
void gt_h2_done(struct gt_h2 *h2);

/* Reads what is there, at most GT_H2_READ bytes into 'room', and handles it. */
void gt_h2_read(struct gt_h2 *h2, unsigned char *room);
/* The same for bytes that somebody else has read. */
void gt_h2_feed(struct gt_h2 *h2, const unsigned char *data, size_t len);
/* Sends what can be sent. */
void gt_h2_flush(struct gt_h2 *h2);

/* For streams that the owner opens: puts it in the connection's list under 'id'. */
void gt_h2_stream_add(struct gt_h2 *h2, struct gt_h2_stream *s, int32_t id);
/* Adds a message to what is to be sent; takes 'bytes'. */
void gt_h2_stream_send(struct gt_h2_stream *s, struct gt_grpc_bytes *bytes);
/* No more messages come from here. */
void gt_h2_stream_finish(struct gt_h2_stream *s);
/* Drops what is queued and what comes, and resets the stream. */
void gt_h2_stream_reset(struct gt_h2_stream *s, uint32_t code);
/* Whether the peer may go on sending: gives back the window that it used up. */
void gt_h2_stream_stop(struct gt_h2_stream *s, bool stop);
/* For nghttp2_submit_request() and _response(): the stream's queue as its data. */
nghttp2_data_provider gt_h2_stream_data(struct gt_h2_stream *s);

/* A field with a name and a value that end in NUL and live until the frame is sent or are static. */
#define GT_H2_FIELD(name_, value_)                                                                \
	(nghttp2_nv){ .name = (uint8_t *)(uintptr_t)(name_), .value = (uint8_t *)(uintptr_t)(value_),   \
		      .namelen = strlen(name_), .valuelen = strlen(value_) }

#endif
