/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calling side of ttrpc. One engine - a thread that sleeps in epoll, started by the first connection -
 * serves any number of connections. A call is sent from the caller's thread and answered from the
 * engine's; a peer that stops reading, never answers or sends nonsense harms its own calls only.
 *
 * Any thread, except where a function says otherwise.
 */
#ifndef GANTRY_LIB_TTRPC_CLIENT_H
#define GANTRY_LIB_TTRPC_CLIENT_H

#include <gantry/call.h>

#include <protobuf-c/protobuf-c.h>

struct gt_ttrpc_engine;
struct gt_ttrpc_client;

struct gt_ttrpc_engine *gt_ttrpc_engine_new(void);

/*
 * Ends and frees all connections too; what is outstanding completes with UNAVAILABLE before this returns.
 * Not from a completion.
 */
void gt_ttrpc_engine_free(struct gt_ttrpc_engine *e);

/*
 * One attempt to connect, within 'timeout' milliseconds and the call's deadline. 'address':
 * "unix:///path", "/path", or anything else without "://" for an abstract socket. NOT_FOUND if nobody
 * listens there; PERMISSION_DENIED if the peer is neither root nor of our user; DEADLINE_EXCEEDED.
 */
GT_MUST_USE struct gt_error *gt_ttrpc_connect(struct gt_ttrpc_engine *e, const struct gt_call *call,
					      const char *address, int timeout,
					      struct gt_ttrpc_client **out);

/* Ends the connection. Asynchronous calls complete with UNAVAILABLE; a blocking one must not be running. */
void gt_ttrpc_client_free(struct gt_ttrpc_client *c);

/* False once the connection is lost: all calls on it fail from then on. */
bool gt_ttrpc_client_is_open(struct gt_ttrpc_client *c);

/* How often something has come from the peer: while it stays the same, nothing has. */
uint64_t gt_ttrpc_client_received(const struct gt_ttrpc_client *c);

/* Waits until the peer has ended the connection; DEADLINE_EXCEEDED after 'timeout' milliseconds. */
GT_MUST_USE struct gt_error *gt_ttrpc_client_wait_closed(struct gt_ttrpc_client *c, int timeout);

struct gt_ttrpc_method {
	const char *service; /* "containerd.task.v2.Task" */
	const char *name; /* "Create" */
	const ProtobufCMessageDescriptor *reply;
};

/*
 * Called once, from the engine's thread, with an error or the reply, and takes either. Must not block:
 * no other call completes meanwhile.
 */
typedef void gt_ttrpc_done_fn(void *arg, struct gt_error *e, ProtobufCMessage *reply);

/*
 * Sends a request in the call's namespace. 'fn' is called if this returns NULL, and not otherwise: with
 * the reply, the peer's error, UNAVAILABLE "ttrpc: closed", or when the call's deadline or cancel ends it.
 * Of 'call' nothing is used after this returns but a copy of the cancel's descriptor.
 */
GT_MUST_USE struct gt_error *gt_ttrpc_call_async(struct gt_ttrpc_client *c,
						 const struct gt_call *call,
						 const struct gt_ttrpc_method *method,
						 const ProtobufCMessage *request,
						 gt_ttrpc_done_fn *fn, void *arg);

/*
 * The same, waited for. '*reply' is freed by gt_ttrpc_message_free(); 'reply' may be NULL. Refused
 * (INTERNAL) in the engine's thread, which would wait for itself.
 */
GT_MUST_USE struct gt_error *gt_ttrpc_call(struct gt_ttrpc_client *c, const struct gt_call *call,
					   const struct gt_ttrpc_method *method,
					   const ProtobufCMessage *request,
					   ProtobufCMessage **reply);

#endif
