/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streaming service: streams of Anys, opened by clients under names of their choice, that a transfer
 * then uses. A stream belongs to its client's namespace.
 */
#ifndef GRPC_FRONTEND_STREAMING_H
#define GRPC_FRONTEND_STREAMING_H

#include <gantry/any.h>
#include <gantry/call.h>

#include <protobuf-c/protobuf-c.h>

struct streams;
struct stream;

struct streams *grpc_streams_new(void);
void grpc_streams_free(struct streams *s);

/* The stream of that name, for one user: NOT_FOUND, or FAILED_PRECONDITION if it has one already. */
GT_MUST_USE struct gt_error *grpc_stream_take(struct streams *s, const char *ns, const char *id,
					      struct stream **out);
/* Ends it well for its client, and gives it back. NULL is fine. */
void grpc_stream_end(struct stream *s);

/* Waits for the next message; '*out' has no type at the end of the client's side. UNAVAILABLE if it has gone. */
GT_MUST_USE struct gt_error *grpc_stream_recv(struct stream *s, const struct gt_call *call,
					      struct gt_any *out);
/* Sends a message under its bare name; UNAVAILABLE if the client has gone, or reads nothing. */
GT_MUST_USE struct gt_error *grpc_stream_send(struct stream *s, const ProtobufCMessage *m);
/* Ends a recv that waits, and those to come, as if the client had ended its side. Any thread. */
void grpc_stream_stop(struct stream *s);

#endif
