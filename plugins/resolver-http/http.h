/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One exchange with an HTTP server, on libcurl, run by the thread that asks: nothing moves between its
 * calls, so a reader that waits holds the server back and no more is in memory than one buffer. Handles
 * with their connections are kept for the next exchange of whichever thread.
 *
 * It follows no redirect, knows no credential and repeats nothing: errand.c does.
 */
#ifndef GANTRY_RESOLVER_HTTP_HTTP_H
#define GANTRY_RESOLVER_HTTP_HTTP_H

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/content.h>
#include <gantry/strv.h>

/* A client's certificate, with its chain, as PEM text. */
struct http_pair {
	struct gt_buf cert;
	struct gt_buf key; /* empty: in 'cert' */
};

struct http_tls {
	struct gt_buf ca; /* PEM text; empty: the system's authorities alone */
	struct http_pair *pairs; /* of which the server may choose */
	size_t n_pairs, alloc_pairs;
	bool skip_verify;
};
#define HTTP_TLS_INIT { .ca = GT_BUF_INIT }
struct http_pair *http_tls_add(struct http_tls *t);
void http_tls_done(struct http_tls *t);

/* Where the lines of --http-dump and --http-trace go. */
struct http_watch {
	bool dump;
	bool trace;
	void (*line)(void *arg, const char *text); /* NULL: the log */
	void *line_arg;
};

struct http_limits {
	int64_t connect; /* nanoseconds, each: from the name to the end of the TLS handshake */
	int64_t response; /* from the end of the request to the head of the answer */
	int64_t slow; /* a body that brings less than slow_bytes in this time has ended */
	int64_t slow_bytes;
};

struct http_ask {
	const char *method;
	const char *url;
	const struct gt_strv *headers; /* "Name: value" */
	const char *body; /* NULL: none, or 'source' */
	size_t body_len;
	struct gt_reader *source; /* the body: 'source_len' bytes at 'source_off' */
	int64_t source_off;
	int64_t source_len;
	void (*sent)(void *arg, int64_t bytes); /* of the source, so far; may be NULL */
	void *sent_arg;
	const struct http_tls *tls; /* NULL: the system's authorities */
	bool skip_client_cert; /* of 'tls' */
	bool http2; /* may be spoken */
	struct http_limits limits;
	const struct http_watch *watch;
	const char *agent; /* User-Agent */
};

/* What kind of failure an error is, for who may try again. */
enum http_failure {
	HTTP_FINAL, /* the same would happen again */
	HTTP_NO_CONNECTION,
	HTTP_NO_TLS, /* connected, and no TLS on the other side as far as one can tell */
	HTTP_BROKEN, /* the connection broke or hung in the middle */
};

struct http_pool;
struct http_exchange;

GT_MUST_USE struct gt_error *http_pool_new(struct http_pool **out);
void http_pool_free(struct http_pool *p);

/*
 * Sends the request and waits for the head of the answer, whatever its status. '*why' is set on error.
 * Everything in 'a' but its strings' bytes must live until http_end().
 */
GT_MUST_USE struct gt_error *http_begin(struct http_pool *p, struct gt_call *call,
					const struct http_ask *a, struct http_exchange **out,
					enum http_failure *why);
int http_status(const struct http_exchange *x);
/* A header of the answer, 'name' in lower case; NULL where there is none. */
const char *http_header(const struct http_exchange *x, const char *name);
/* What Content-Length says; -1: it does not. */
int64_t http_length(const struct http_exchange *x);
/* "bytes FIRST-LAST/TOTAL" of Content-Range; '*total' -1 for "*". False if there is none such. */
bool http_content_range(const struct http_exchange *x, int64_t *first, int64_t *total);
/* The next bytes of the body, at least one; '*out' 0: the end. */
GT_MUST_USE struct gt_error *http_read(struct http_exchange *x, void *buf, size_t len, size_t *out,
				       enum http_failure *why);
/* Adds the body to 'out', up to 'limit' bytes of it; '*more' tells whether there were more. */
GT_MUST_USE struct gt_error *http_read_all(struct http_exchange *x, size_t limit, struct gt_buf *out,
					   bool *more, enum http_failure *why);
/* Ends it, half-way too. NULL is fine. */
void http_end(struct http_exchange *x);

static inline void http_endp(struct http_exchange **x)
{
	http_end(*x);
}
#define http_autoend struct http_exchange *__attribute__((cleanup(http_endp), unused))

#endif
