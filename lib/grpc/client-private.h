/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the client's files share. The lock is over all of it; the loop (its watches and timers) is the
 * client's thread's alone, and what others want of it stands in 'tasks'.
 */
#ifndef GANTRY_LIB_GRPC_CLIENT_PRIVATE_H
#define GANTRY_LIB_GRPC_CLIENT_PRIVATE_H

#include <grpc/client.h>
#include <grpc/http2.h>
#include <ttrpc/loop.h>

#include <pthread.h>

struct client_message {
	struct client_message *next;
	unsigned char *data;
	size_t len;
};

struct client_connection {
	struct gt_h2 h2; /* first */
	struct gt_grpc_client *client;
	struct client_connection *next;
	struct client_connection **link;
	struct gt_watch watch;
};

struct gt_grpc_stream {
	struct gt_h2_stream st;
	struct gt_grpc_client *client;
	const struct gt_grpc_remote *method;
	pthread_cond_t cond; /* something has changed */
	bool is_open; /* the connection has it */
	bool is_sending; /* may send */
	bool is_freed; /* by its user; the client frees it when it is done with it */
	bool is_busy; /* an op is running */
	size_t queued; /* bytes to send */
	struct client_message *inbox;
	struct client_message **inbox_last;
	size_t inbox_bytes;
	int http_status; /* 0: not known */
	int status; /* grpc-status; -1: not known */
	struct gt_buf text;
	bool is_ended;
	bool may_retry; /* the peer has not looked at it */
	struct gt_error *error; /* how it ended */
	/* With ops. */
	const struct gt_grpc_stream_ops *ops;
	void *arg;
	bool end_told;
	int64_t deadline;
	int cancel_fd; /* a copy; -1: none */
	struct gt_watch cancel;
	struct gt_timer timer;
	bool is_armed, wants_arm;
	struct gt_grpc_stream *next_news; /* in the client's list */
	bool has_news;
};

struct gt_grpc_client {
	char *address;
	int timeout;
	pthread_mutex_t lock;
	pthread_mutex_t connecting;
	pthread_cond_t idle; /* an op has ended */
	struct gt_loop *loop; /* NULL until the first connection */
	pthread_t thread;
	int wake_fd;
	struct gt_watch wake;
	bool is_ending;
	struct client_connection *conn; /* for new calls; NULL: none */
	struct client_connection *connections; /* older ones finish what they have */
	struct gt_grpc_stream *news; /* streams with something for their ops, in order */
	struct gt_grpc_stream **news_last;
	struct gt_buf spare;
	unsigned char *room;
};

/* All with the lock held. */
extern const struct gt_h2_ops client_stream_ops;
void client_news(struct gt_grpc_stream *s);
/* Tells ops what there is; releases the lock meanwhile. The client's thread. */
void client_news_tell(struct gt_grpc_client *c);
void client_wake(struct gt_grpc_client *c);
void client_flush(struct gt_grpc_stream *s);
/* Ends a stream here and resets it there; takes 'e'. */
void client_stream_fail(struct gt_grpc_stream *s, struct gt_error *e);

#endif
