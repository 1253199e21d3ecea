/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ttrpc server for one thread and its event loop. Any number of connections, many calls in flight on
 * each, answers in any order. A handler answers at once or keeps the call and answers later. A client
 * that stops reading stops being read; it costs bounded memory and nobody else's time.
 */
#ifndef GANTRY_LIB_TTRPC_SERVER_H
#define GANTRY_LIB_TTRPC_SERVER_H

#include <ttrpc/frame.h>
#include <ttrpc/loop.h>

struct gt_ttrpc_server;

/* One request that has not been answered. The server's, until it is answered or ends. */
struct gt_ttrpc_call {
	const Ttrpc__Request *envelope; /* service, method, metadata */
	const ProtobufCMessage *request; /* lives as long as the call */
	int64_t deadline; /* CLOCK_MONOTONIC, nanoseconds; 0: none */
	/*
	 * Set by a handler that keeps the call: called when it ends without an answer (its deadline is
	 * over, its connection is gone). The call is gone after that. Must not answer it.
	 */
	void (*ended)(struct gt_ttrpc_call *call);
	void *keeper; /* the handler's */
};

struct gt_ttrpc_method {
	const char *name;
	const ProtobufCMessageDescriptor *request;
	void (*handle)(void *arg, struct gt_ttrpc_call *call);
};

struct gt_ttrpc_service {
	const char *name; /* "containerd.task.v2.Task" */
	const struct gt_ttrpc_method *methods;
	size_t n_methods;
	void *arg;
};

/* Serves 'services' (which stay the caller's and must outlive it). */
struct gt_ttrpc_server *gt_ttrpc_server_new(struct gt_loop *loop,
					    const struct gt_ttrpc_service *services, size_t n);
/* Ends all calls and connections and closes the listening sockets. NULL is fine. */
void gt_ttrpc_server_free(struct gt_ttrpc_server *s);

/* Accepts connections on 'fd', which it takes. Peers must have this process's uid and gid. */
GT_MUST_USE struct gt_error *gt_ttrpc_server_listen_take(struct gt_ttrpc_server *s, int fd);
/* Serves one connected socket, which it takes, without asking who it is. */
GT_MUST_USE struct gt_error *gt_ttrpc_server_serve_take(struct gt_ttrpc_server *s, int fd);

/* Answers, and ends the call. */
void gt_ttrpc_answer(struct gt_ttrpc_call *call, const ProtobufCMessage *response);
/* Takes 'e'. */
void gt_ttrpc_answer_error_take(struct gt_ttrpc_call *call, struct gt_error *e);

/* Whether every answer has left for the kernel. */
bool gt_ttrpc_server_is_flushed(const struct gt_ttrpc_server *s);
size_t gt_ttrpc_server_connections(const struct gt_ttrpc_server *s);

#endif
