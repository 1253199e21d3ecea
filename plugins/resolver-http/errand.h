/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One op's dealings with the hosts that stand behind a reference: which they are, what is asked of
 * them, with what authorization, how often, and what an answer means that is none.
 */
#ifndef GANTRY_RESOLVER_HTTP_ERRAND_H
#define GANTRY_RESOLVER_HTTP_ERRAND_H

#include "hosts.h"
#include "http.h"
#include "resolver.h"

struct errand {
	struct http_resolver *r;
	struct gt_call *call;
	char *name; /* of the registry: "docker.io" */
	char *repository; /* "library/nginx" */
	char *tag; /* NULL: none */
	char *digest; /* NULL: none */
	struct hosts hosts; /* those with the capability, in order */
	struct gt_strv scopes; /* of the token that is asked for */
	const char *action; /* for messages: "pull" */
	/* From the request's options. */
	char *user, *password, *identity_token;
	struct http_watch watch;
	struct gt_strv secrets; /* none of these stands in an error, whatever an answer echoes */
};

/*
 * 'capability': one of HOST_*. UNIMPLEMENTED if no host has it, INVALID_ARGUMENT for a reference that
 * names no repository or a hosts.toml that is wrong.
 */
GT_MUST_USE struct gt_error *errand_new(struct http_resolver *r, struct gt_call *call,
					const char *ref, const struct gt_registry_options *o,
					unsigned capability, struct errand **out);
void errand_free(struct errand *e);
GT_DEFINE_AUTOPTR(errand)

/* What is asked of a host. */
struct question {
	const char *method;
	const char *path; /* below the repository: "/manifests/latest" */
	const char *url; /* or a URL that an answer gave (an upload's), relative perhaps */
	bool is_foreign; /* 'url' is an image's word: nothing of ours goes there */
	struct gt_strv headers; /* "Name: value" */
	const char *body;
	size_t body_len;
	struct gt_reader *source;
	int64_t source_off, source_len;
	void (*sent)(void *arg, int64_t bytes);
	void *sent_arg;
	int64_t response_timeout; /* 0: the configured one */
	bool is_last; /* nobody else can be asked: more patience */
};

struct answer {
	struct http_exchange *x;
	char *url; /* where it came from in the end */
	bool is_elsewhere; /* from another site than the host's: it was redirected */
};
void answer_done(struct answer *a);

/*
 * Asks once: authorizes itself, follows redirects, falls back to plain http where that is allowed. Any
 * status but a redirect's is an answer.
 */
GT_MUST_USE struct gt_error *errand_ask(struct errand *e, struct host *h, const struct question *q,
					struct answer *out, enum http_failure *why);

/*
 * Asks until there is an answer that lasts: connections that fail, 429 and 5xx are tried again, after
 * a while. The errors of the last try remain.
 */
GT_MUST_USE struct gt_error *errand_ask_patiently(struct errand *e, struct host *h,
						  const struct question *q, struct answer *out);

/* Waits before try 'n' (from 0) after a failure; ends early with the call. */
GT_MUST_USE struct gt_error *errand_pause(struct errand *e, unsigned n, int64_t at_least);

/* The error that an answer's status and body amount to: never NULL. Ends the exchange. */
GT_MUST_USE struct gt_error *errand_refusal(struct errand *e, const struct host *h,
					    struct answer *a);

/* "registry r.example:5000", or with the site that it was redirected to; a new string. */
char *errand_place(const struct host *h, const struct answer *a);

/* Keeps a string out of errors. */
void errand_secret_add(struct errand *e, const char *s);

struct http_limits errand_limits(const struct errand *e, const struct host *h);
/* Where the lines of the traffic go. */
const struct http_watch *errand_watch(const struct errand *e);

/*
 * Sends 'a' and goes where redirects lead, with 'headers' always and 'private' to the first site only.
 * No redirect from https to http, and none to anything else.
 */
GT_MUST_USE struct gt_error *errand_follow(struct errand *e, const struct http_ask *a,
					   const struct gt_strv *headers,
					   const struct gt_strv *private, struct answer *out,
					   enum http_failure *why);

#endif
