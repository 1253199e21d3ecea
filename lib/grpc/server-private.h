/* SPDX-License-Identifier: Apache-2.0 */
/* What the server's files share: connections are the loop's thread's, calls are everybody's. */
#ifndef GANTRY_LIB_GRPC_SERVER_PRIVATE_H
#define GANTRY_LIB_GRPC_SERVER_PRIVATE_H

#include <grpc/http2.h>
#include <grpc/pool.h>
#include <grpc/server.h>
#include <ttrpc/loop.h>

#include <pthread.h>
#include <stdatomic.h>

struct entry { /* a method that can be called */
	char *path; /* "/SERVICE/METHOD" */
	const struct gt_grpc_service *service;
	const struct gt_grpc_method *method;
	struct gt_grpc_counts counts;
	int64_t slow_until; /* it was not quick: runs in workers until then */
};

struct message {
	struct message *next;
	unsigned char *data;
	size_t len;
};

/*
 * A call is freed by the loop's thread when its stream is over, its handler owes no answer, and no worker
 * has it.
 */
struct call {
	struct gt_grpc_call pub; /* first */
	struct gt_job job;
	struct gt_grpc_server *server;
	struct entry *entry; /* NULL: no such method */
	_Atomic size_t queued; /* bytes to send */

	/* The loop's. */
	struct gt_h2_stream stream;
	struct connection *conn;
	struct gt_error *fault; /* of its headers */
	int http_status; /* not 200: it is no gRPC at all */
	bool is_replying; /* response headers are submitted */
	bool is_over; /* the client has its status, or is gone */
	bool is_unwanted; /* counted so in its connection */
	size_t heap; /* place in the server's heap of deadlines, from 1; 0: none */
	size_t conn_queued; /* its part of the connection's count */
	struct message *request; /* unary: waits for the end of the stream */
	enum gt_class status;
	struct gt_buf text; /* of the status, as it goes out */

	/* Under the server's lock. */
	bool is_closed; /* the stream is over */
	bool is_running; /* a worker has it, or is about to */
	struct call *next_waiting; /* for a worker, in its connection's list */
	bool is_started; /* its handler has been called, and owes an answer */
	bool is_answered;
	bool is_listed; /* in the server's list for the loop */
	bool is_gone, gone_told;
	bool is_ended, end_told; /* the client's side */
	bool is_ready, wants_ready;
	bool is_stopped; /* its inbox is full */
	bool has_result;
	struct call *next_listed;
	struct message *inbox;
	struct message **inbox_last;
	size_t inbox_bytes;
	struct gt_h2_item *outbox;
	struct gt_h2_item **outbox_last;
	struct gt_error *result; /* NULL with has_result: OK */
};

struct connection {
	struct gt_h2 h2; /* first */
	struct gt_grpc_server *server;
	struct connection *next;
	struct connection **link;
	struct connection *next_dirty;
	struct gt_watch watch;
	_Atomic size_t queued; /* bytes in its streams' queues */
	size_t n_calls; /* that are not freed: they keep it, and it may be closed */
	size_t unwanted; /* calls whose handlers run though their streams are over */
	bool is_dirty;
	bool is_closed;
	/* Under the server's lock: no connection has all workers. */
	size_t jobs; /* in the pool */
	struct call *waiting;
	struct call **waiting_last;
};

struct listener {
	struct gt_grpc_server *server;
	struct listener *next;
	struct gt_watch watch;
	struct gt_timer pause;
	struct gt_grpc_peers peers;
};

struct gt_grpc_server {
	struct gt_loop *loop;
	struct gt_pool *pool;
	size_t jobs_max; /* of one connection */
	struct entry *entries; /* sorted by path */
	size_t n_entries;
	struct listener *listeners;
	struct connection *connections;
	struct connection *dirty;
	size_t n_connections;
	size_t n_calls; /* streams that are open */
	struct call **heap; /* by deadline, from 1 */
	size_t n_heap, heap_alloc;
	struct gt_timer deadline_timer, sweep_timer, drain_timer;
	struct gt_watch wake, until;
	int wake_fd;
	struct gt_timer every_timer;
	int64_t every;
	void (*every_fn)(void *arg);
	void *every_arg;
	unsigned char *room;
	struct gt_buf spare;
	const struct gt_call *until_call;
	int grace;
	bool is_draining, is_over;
	_Atomic size_t queued; /* bytes to send, of all calls */

	pthread_mutex_t lock;
	struct call *listed;
	struct call **listed_last;
	bool is_sleeping;
};

/* A client that lets so much wait is told nothing but that. */
#define CONNECTION_QUEUED_MAX (64 * 1024 * 1024)

/* call.c, in the loop's thread */
extern const struct gt_h2_ops grpc_call_ops;
/* Does what workers have left to be done. */
void grpc_calls_work(struct gt_grpc_server *s);
/* Ends a call for the client with a status; takes 'e'. */
void grpc_call_end_take(struct call *c, struct gt_error *e);
/* Whether nothing of it is being done now. */
bool grpc_call_is_waiting(struct call *c);
void grpc_call_closed(struct gt_h2_stream *st, uint32_t code);

/* handle.c: what workers do, and what handlers call. */
/* Has the handler told what there is to tell. With the lock held. */
void grpc_call_post(struct call *c);
/* The same in this thread, for a unary call that has its request. */
void grpc_call_run(struct call *c);
/* Puts it in the list for the loop. With the lock held. */
void grpc_call_list(struct call *c);
void grpc_inbox_drop(struct call *c);

/* server.c, in the loop's thread */
void grpc_connection_dirty(struct connection *conn);
/* One of its calls is freed. */
void grpc_connection_release(struct connection *conn);
struct entry *grpc_entry_find(struct gt_grpc_server *s, const char *path, size_t len);
bool grpc_service_is_known(const struct gt_grpc_server *s, const char *name, size_t len);

/* deadline.c, in the loop's thread */
void grpc_deadline_add(struct call *c);
void grpc_deadline_remove(struct call *c);
void grpc_deadlines_init(struct gt_grpc_server *s);

#endif
