/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind `resolver`: finds what an image's name stands for, and moves its blobs from and to where it is
 * kept: a registry (OCI distribution-spec 1.1, Docker registry API 2). It knows neither content stores
 * nor images: it hands out bytes and takes bytes, and its caller verifies and keeps them.
 *
 * A reference is containerd's, HOST/PATH[:TAG][@DIGEST], taken as it stands: no default host, no
 * default tag. Mirrors, hosts.toml, credentials, tokens and retries are the plugin's business.
 *
 * All ops may be called from any thread, many at once on one instance (each layer of an image has a
 * reader of its own); a reader belongs to one thread at a time. All may wait for the network: they
 * end when the call ends (CANCELED, DEADLINE_EXCEEDED), and time out by themselves where the far side
 * hangs, so that a call without a deadline ends too.
 *
 * Errors name the registry's host, the repository, the tag or digest, and what to do where somebody
 * can do something; they never hold a password, a token, userinfo or a query string. Classes:
 *   NOT_FOUND            404, or no such name
 *   UNAUTHENTICATED      401: credentials are missing or wrong
 *   PERMISSION_DENIED    403
 *   RESOURCE_EXHAUSTED   429 until patience ended; a document larger than allowed
 *   UNAVAILABLE          5xx, no connection, time-out, a connection that broke too often
 *   FAILED_PRECONDITION  a certificate that does not fit; bytes that are not what their digest, size
 *                        or media type says, an HTML page among them
 *   DATA_LOSS            a body that ends early each time it is tried
 *   INVALID_ARGUMENT     a bad reference, option, hosts.toml (file, line and key are named)
 *   UNIMPLEMENTED        what the registry does not offer; no host has the capability
 */
#ifndef GANTRY_RESOLVER_H
#define GANTRY_RESOLVER_H

#include <gantry/call.h>
#include <gantry/content.h>
#include <gantry/descriptor.h>
#include <gantry/plugin.h>

/* A manifest or index may have so many bytes (4 * 1048 * 1048, as containerd counts). */
#define GT_RESOLVER_MANIFEST_MAX 4393216

struct gt_resolver {
	GT_INSTANCE_MEMBERS(resolver)
};

/*
 * How a request reaches the registry: what `ctr`'s flags say. All of it is borrowed; a reader keeps
 * copies of what it needs. NULL stands for "by the plugin's configuration" throughout, and a NULL
 * gt_registry_options for all at their defaults.
 */
struct gt_registry_options {
	size_t size; /* sizeof(struct gt_registry_options), as its maker was compiled */
	/*
	 * For the reference's own host and its mirrors alike, in the place of any that is configured
	 * (Docker's config.json, credential helpers). 'user' NULL: not given.
	 */
	const char *user;
	const char *password;
	const char *identity_token; /* for an OAuth2 token server, instead of user and password */
	/* Folders of hosts.toml, separated by ':'; the first that has one for the host counts. "": none. */
	const char *hosts_dir;
	bool plain_http; /* the reference's own host is asked by http */
	bool skip_verify; /* of the certificate, chain and name */
	const char *ca; /* file of further authorities, PEM */
	const char *cert; /* file of the client's certificate, PEM */
	const char *key; /* its key; NULL: in the certificate's file */
	const struct gt_labels *headers; /* name, value: sent to each registry host */
	/*
	 * Shows the traffic, without its secrets, a line at a time: 'http_dump' requests and answers
	 * with their headers, 'http_trace' names, connections, TLS and times too. 'line' is called from
	 * the thread that is in the op; NULL: to the log, level info.
	 */
	bool http_dump;
	bool http_trace;
	void (*line)(void *arg, const char *text);
	void *line_arg;
	/* New members go here, at the end. */
};
#define GT_REGISTRY_OPTIONS_INIT { .size = sizeof(struct gt_registry_options) }

/* What a reference stands for. */
struct gt_resolved {
	char *name; /* under which it was found: the reference as it was given */
	char *host; /* that answered, as messages should show it: a mirror perhaps */
	struct gt_descriptor desc; /* media type, digest and size */
};
void gt_resolved_done(struct gt_resolved *r);

/* How a push ended. */
enum gt_push_end {
	GT_PUSH_SENT = 1, /* bytes went over the wire */
	GT_PUSH_EXISTED, /* the registry had it; nothing was read */
	GT_PUSH_MOUNTED, /* the registry took it from another of its repositories; nothing was read */
};

struct gt_push_options {
	size_t size;
	/*
	 * Repositories on the same registry ("library/nginx") that hold the blob, to be mounted from:
	 * its label containerd.io/distribution.source.HOST. NULL or empty: none.
	 */
	const struct gt_strv *from;
	/*
	 * How many of the blob's bytes have been sent: grows, but falls back where an upload has to
	 * begin again. Called from the thread that is in the op, at most ten times a second or so.
	 */
	void (*progress)(void *arg, int64_t done);
	void *progress_arg;
	/* New members go here, at the end. */
};
#define GT_PUSH_OPTIONS_INIT { .size = sizeof(struct gt_push_options) }

struct gt_resolver_ops {
	size_t size;
	/* Required. '*out' is freed by close. Reaches for nothing. */
	struct gt_error *(*open)(const struct gt_init *init, struct gt_resolver **out);
	/* Required. No op runs any more, no reader is open. */
	void (*close)(struct gt_resolver *r);
	/*
	 * Required. What 'ref' stands for: asks the hosts that can resolve, in order, until one knows.
	 * The digest of the answer is verified if 'ref' has one or the body was read; a reference by
	 * digest may also be a blob's. NOT_FOUND if none knows it, else the first error that is not
	 * NOT_FOUND. RESOURCE_EXHAUSTED for a manifest of more than GT_RESOLVER_MANIFEST_MAX bytes.
	 */
	struct gt_error *(*resolve)(struct gt_resolver *r, struct gt_call *call, const char *ref,
				    const struct gt_registry_options *o, struct gt_resolved *out);
	/*
	 * Required. Reads the content 'desc' of the repository of 'ref' (its tag and digest do not
	 * matter): a manifest or index by its media type, else a blob, from its `urls` first if it has
	 * some. Reaches for nothing itself: the first pread opens the connection, at its offset, and
	 * so resumes an ingest without further ado. Reads that follow each other are one stream, with
	 * no more in memory than the caller's buffer and a few hundred KiB; one at another offset begins
	 * a request there. A stream that breaks goes on where it was, from the next host if need be, by
	 * range or by skipping; what was read before stands.
	 * length() is desc->size; if that is negative, it is not known and a read of 0 bytes is the end
	 * (length is then -1 before it and the size after it). A body that is shorter or longer than
	 * desc->size is an error, from the read that learns it. The digest is the caller's to verify.
	 * 'call' outlives the reader, which copies the rest. The caller gt_reader_free()s it; half-way
	 * too.
	 */
	struct gt_error *(*fetch)(struct gt_resolver *r, struct gt_call *call, const char *ref,
				  const struct gt_descriptor *desc,
				  const struct gt_registry_options *o, struct gt_reader **out);
	/*
	 * Optional; absent: UNIMPLEMENTED. Puts the content 'desc', whose bytes 'blob' has, into the
	 * repository of 'ref', and waits until the registry has confirmed it. A manifest or index gets
	 * the tag of 'ref' if that has one and no digest or desc's own; else it is stored by its digest
	 * alone. So one NAME:TAG@DIGEST-OF-THE-TOP fits all pieces of an image, the top one last. A broken
	 * upload goes on where the registry says it is, so 'blob' may be read anywhere and twice.
	 * FAILED_PRECONDITION if the bytes of 'blob' are not what 'desc' says, as the registry finds.
	 */
	struct gt_error *(*push)(struct gt_resolver *r, struct gt_call *call, const char *ref,
				 const struct gt_descriptor *desc, struct gt_reader *blob,
				 const struct gt_registry_options *o,
				 const struct gt_push_options *p, enum gt_push_end *out);
	/* New members go here, at the end. */
};

GT_MUST_USE struct gt_error *gt_resolver_resolve(struct gt_resolver *r, struct gt_call *call,
						 const char *ref,
						 const struct gt_registry_options *o,
						 struct gt_resolved *out);
GT_MUST_USE struct gt_error *gt_resolver_fetch(struct gt_resolver *r, struct gt_call *call,
					       const char *ref, const struct gt_descriptor *desc,
					       const struct gt_registry_options *o,
					       struct gt_reader **out);
/* 'p' and 'out' may be NULL. */
GT_MUST_USE struct gt_error *gt_resolver_push(struct gt_resolver *r, struct gt_call *call,
					      const char *ref, const struct gt_descriptor *desc,
					      struct gt_reader *blob,
					      const struct gt_registry_options *o,
					      const struct gt_push_options *p,
					      enum gt_push_end *out);

#endif
