/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP on libmicrohttpd: a few pages that are made when they are asked for. A connection has one request, and
 * so much time for all of it, whatever it sends or does not read; there are so many at most.
 */
#ifndef METRICS_FRONTEND_HTTP_H
#define METRICS_FRONTEND_HTTP_H

#include <gantry/buf.h>
#include <gantry/error.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct http_page {
	const char *path; /* NULL ends the table */
	const char *type; /* of the content */
	/* An error becomes the answer, with a status for its class. */
	struct gt_error *(*make)(void *arg, struct gt_buf *out);
};

struct http_options {
	const struct http_page *pages;
	void *arg;
	unsigned connections;
	int64_t timeout; /* of a connection, nanoseconds */
	int wake; /* an eventfd that is written to when the first of them comes */
	bool is_unix; /* who connects is looked at: root, this process's user, uid, or a member of gid */
	uid_t uid;
	gid_t gid;
};

struct http;

/* Serves on a listening socket, which it takes, from a thread of its own. */
GT_MUST_USE struct gt_error *http_start_take(int fd, const struct http_options *o, struct http **out);
void http_stop(struct http *h); /* NULL is fine */

/* Ends connections whose time is over; false: there is none now. */
bool http_sweep(struct http *h);

#endif
