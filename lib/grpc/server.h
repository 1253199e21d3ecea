/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gRPC server on unix sockets. A service is a table of methods with their messages' types; what comes
 * over the wire is the server's business.
 *
 * Threads: one, the loop's, moves the frames of all connections; connections are many and mostly idle,
 * and one core's copying outruns what a socket carries. Handlers run in a pool of workers, but for those
 * marked quick, which the loop's thread runs itself: a thread's wake-up costs more than they do. What
 * waits long keeps the call and answers later, from any thread; it holds no worker.
 *
 * A handler answers each call exactly once: with gt_grpc_answer() or gt_grpc_answer_error_take(). It may
 * use the call until then, however the client fares: what is answered to one that has gone is dropped.
 * All that is told about one call (messages, ready, gone) comes one after the other, never at once.
 *
 * Hostile peers: bounds are on the size of headers and messages, on what is half received, on what waits
 * to be read, and on how often a peer may ask for work that it then does not want.
 */
#ifndef GANTRY_LIB_GRPC_SERVER_H
#define GANTRY_LIB_GRPC_SERVER_H

#include <grpc/message.h>

#include <gantry/call.h>

#include <sys/types.h>

struct gt_grpc_server;
struct gt_grpc_method;
struct gt_grpc_unary; /* <grpc/unary.h> */

struct gt_grpc_call {
	/* For the services. Namespace and lease are NULL where the client names none. */
	struct gt_call call;
	const struct gt_grpc_method *method;
	void *arg; /* the service's */
	void *state; /* the handler's */
	/* Set by a handler that was told to wait: there is room to send again. */
	void (*ready)(struct gt_grpc_call *c);
	/*
	 * Set by a handler that keeps the call: nobody waits for the answer any more (reset, connection
	 * lost, deadline over). Called once at most, and not after the answer; another thread may be
	 * answering meanwhile. call.cancel is set before.
	 */
	void (*gone)(struct gt_grpc_call *c);
};

enum gt_grpc_flags {
	GT_GRPC_CLIENT_STREAM = 1,
	GT_GRPC_SERVER_STREAM = 2,
	GT_GRPC_QUICK = 4, /* neither blocks nor takes long: runs in the loop's thread */
};

struct gt_grpc_method {
	const char *name; /* "Get" */
	const ProtobufCMessageDescriptor *request;
	const ProtobufCMessageDescriptor *response;
	unsigned flags;
	/*
	 * Called once with the request, which lives until this returns. With CLIENT_STREAM: for each
	 * message, and then once with NULL when there will be no more, be it that the client has ended
	 * its side or that it has gone (gt_call_check() tells).
	 */
	void (*handle)(struct gt_grpc_call *c, const ProtobufCMessage *request);
	/* Where 'handle' is gt_grpc_unary(): what it calls. */
	struct gt_error *(*unary)(struct gt_grpc_unary *u);
};

struct gt_grpc_service {
	const char *name; /* "containerd.services.images.v1.Images" */
	const struct gt_grpc_method *methods;
	size_t n_methods;
	void *arg;
};

/* The services stay the caller's and must outlive the server. 'workers': threads at most. */
GT_MUST_USE struct gt_error *gt_grpc_server_new(const struct gt_grpc_service *services, size_t n,
						size_t workers, struct gt_grpc_server **out);
/* Ends what gt_grpc_server_run() has left, waits for handlers, closes. NULL is fine. */
void gt_grpc_server_free(struct gt_grpc_server *s);

/* Who may connect besides root and this process's user; -1: nobody else. */
struct gt_grpc_peers {
	uid_t uid;
	gid_t gid;
};

/* Accepts connections on a listening socket, which it takes. Before run only. */
GT_MUST_USE struct gt_error *gt_grpc_server_listen_take(struct gt_grpc_server *s, int fd,
							const struct gt_grpc_peers *peers);
/* Serves one connected socket, which it takes, without asking who it is. Before run only. */
GT_MUST_USE struct gt_error *gt_grpc_server_serve_take(struct gt_grpc_server *s, int fd);

/* Has 'fn' called from the loop's thread every so many nanoseconds. Before run, once. */
void gt_grpc_server_every(struct gt_grpc_server *s, int64_t ns, void (*fn)(void *arg), void *arg);

/*
 * Serves until the call is cancelled; then takes no new connections and calls, gives those that run
 * 'grace' milliseconds to end (what only waits for something is ended with UNAVAILABLE), and returns.
 */
GT_MUST_USE struct gt_error *gt_grpc_server_run(struct gt_grpc_server *s, const struct gt_call *until,
						int grace);

/* Answers a unary call, or sends the last message of a stream and ends it well. */
void gt_grpc_answer(struct gt_grpc_call *c, const ProtobufCMessage *response);
/* The same for bytes that are packed; takes 'b'. */
void gt_grpc_answer_bytes_take(struct gt_grpc_call *c, struct gt_grpc_bytes *b);
/* Ends a call with an error, which it takes; NULL ends a stream well. */
void gt_grpc_answer_error_take(struct gt_grpc_call *c, struct gt_error *e);

/*
 * Sends a message of a stream. Never blocks: false means that enough is waiting to be read; the message
 * is queued all the same. RESOURCE_EXHAUSTED answers the call where the message is too long.
 */
bool gt_grpc_send(struct gt_grpc_call *c, const ProtobufCMessage *m);
/* The same for a message that was packed for several; takes 'b'. */
bool gt_grpc_send_bytes_take(struct gt_grpc_call *c, struct gt_grpc_bytes *b);
/* Has c->ready called, from a worker, once there is room to send; at once if there is. */
void gt_grpc_when_ready(struct gt_grpc_call *c);
/* Bytes that wait to be read by the client. */
size_t gt_grpc_queued(const struct gt_grpc_call *c);
/*
 * Ends the call for the client with an error, which it takes, from where an answer cannot be given:
 * c->gone is called, from a worker, and answers.
 */
void gt_grpc_fail_take(struct gt_grpc_call *c, struct gt_error *e);

/* What became of the calls so far, a method at a time. Any thread. */
struct gt_grpc_counts {
	_Atomic uint64_t started;
	_Atomic uint64_t received; /* messages */
	_Atomic uint64_t sent;
	_Atomic uint64_t handled[17]; /* by class */
};
void gt_grpc_server_counts(struct gt_grpc_server *s,
			   void (*fn)(void *arg, const char *service,
				      const struct gt_grpc_method *method,
				      const struct gt_grpc_counts *counts),
			   void *arg);

#endif
