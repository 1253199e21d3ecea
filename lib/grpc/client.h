/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calling side of gRPC, for many threads at once. One connection, made by the first call that needs
 * it and again after it was lost; one thread reads it. A call is sent from the caller's thread. A peer
 * that hangs, lies or stops reading harms its own calls only, and those have deadlines.
 *
 * The call's namespace, lease and deadline go along; its cancel resets the stream. An error has the
 * peer's class, and its text without the words for it.
 */
#ifndef GANTRY_LIB_GRPC_CLIENT_H
#define GANTRY_LIB_GRPC_CLIENT_H

#include <grpc/message.h>

#include <gantry/call.h>

struct gt_grpc_client;

struct gt_grpc_remote { /* a method of the peer's */
	const char *path; /* "/containerd.services.images.v1.Images/Get" */
	const ProtobufCMessageDescriptor *reply;
};

/* 'address': "unix:///path" or "/path". 'timeout': for connecting, milliseconds. Connects to nothing yet. */
struct gt_grpc_client *gt_grpc_client_new(const char *address, int timeout);
/* Calls that are outstanding complete with UNAVAILABLE before this returns; none may be blocking. */
void gt_grpc_client_free(struct gt_grpc_client *c);

/* Connects if it is not connected, to learn whether anybody is there. UNAVAILABLE if not. */
GT_MUST_USE struct gt_error *gt_grpc_client_connect(struct gt_grpc_client *c,
						    const struct gt_call *call);

/* A call, waited for. '*reply' (may be NULL) is freed by gt_grpc_message_free(). */
GT_MUST_USE struct gt_error *gt_grpc_call(struct gt_grpc_client *c, const struct gt_call *call,
					  const struct gt_grpc_remote *method,
					  const ProtobufCMessage *request, ProtobufCMessage **reply);
void gt_grpc_message_free(ProtobufCMessage *m);

/* --- streams ------------------------------------------------------------------------------ */

struct gt_grpc_stream;

/*
 * Called from the client's thread, one at a time for a stream; neither may block nor wait for a call of
 * this client.
 */
struct gt_grpc_stream_ops {
	/* A message, which it takes (gt_grpc_message_free()). Each means that more may come. */
	void (*message)(void *arg, ProtobufCMessage *m);
	/* The end: NULL or an error, which it takes. Nothing is called after that. */
	void (*end)(void *arg, struct gt_error *e);
};

/*
 * Opens a stream. 'ops' NULL: messages are waited for with gt_grpc_stream_recv(). Else the call's cancel
 * and deadline are watched, and end is called once if this returns NULL.
 */
GT_MUST_USE struct gt_error *gt_grpc_stream_open(struct gt_grpc_client *c, const struct gt_call *call,
						 const struct gt_grpc_remote *method,
						 const struct gt_grpc_stream_ops *ops, void *arg,
						 struct gt_grpc_stream **out);
/* Resets the stream if it has not ended. After this returns no op is called, unless it is called from one. */
void gt_grpc_stream_free(struct gt_grpc_stream *s);

/* Sends a message; waits while too much is unsent. The peer's error if the stream has ended. */
GT_MUST_USE struct gt_error *gt_grpc_stream_send(struct gt_grpc_stream *s,
						 const struct gt_call *call,
						 const ProtobufCMessage *m);
/* No more messages are sent. */
void gt_grpc_stream_close_send(struct gt_grpc_stream *s);
/* The next message; '*out' NULL: the stream has ended well. */
GT_MUST_USE struct gt_error *gt_grpc_stream_recv(struct gt_grpc_stream *s,
						 const struct gt_call *call, ProtobufCMessage **out);

/* A unary call that is not waited for: one message, then close_send, and ops->message once at most. */
GT_MUST_USE struct gt_error *gt_grpc_call_async(struct gt_grpc_client *c, const struct gt_call *call,
						const struct gt_grpc_remote *method,
						const ProtobufCMessage *request,
						const struct gt_grpc_stream_ops *ops, void *arg,
						struct gt_grpc_stream **out);

#endif
