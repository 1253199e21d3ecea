/* SPDX-License-Identifier: Apache-2.0 */
/* What Docker's config.json and its credential helpers know of a registry. */
#ifndef GANTRY_RESOLVER_HTTP_CREDENTIALS_H
#define GANTRY_RESOLVER_HTTP_CREDENTIALS_H

#include <gantry/buf.h>
#include <gantry/call.h>

struct credentials {
	char *user; /* NULL: none */
	char *password;
	char *identity_token; /* for an OAuth2 token server, instead of both */
};
void credentials_done(struct credentials *c);

/* Where config.json stands: 'path', or by DOCKER_CONFIG and HOME if that is empty; NULL: nowhere. */
char *credentials_file(const char *path);

/*
 * The credentials for 'host' ("docker.io", "localhost:5000") by the file 'path', none if there is no
 * such file or nothing for the host in it. A helper runs 'timeout' nanoseconds at most. The errors
 * never hold what a file or helper said.
 */
GT_MUST_USE struct gt_error *credentials_find(struct gt_call *call, const char *path,
					      const char *host, int64_t timeout,
					      struct credentials *out);

/* The same by the text of a config.json; 'what' names it. */
GT_MUST_USE struct gt_error *credentials_parse(struct gt_call *call, const char *what,
					       const char *text, size_t len, const char *host,
					       int64_t timeout, struct credentials *out);

/* The same by what a helper printed that had them. */
GT_MUST_USE struct gt_error *credentials_helped(const char *program, const struct gt_buf *said,
						struct credentials *out);

/* "user:password" in base64, either alphabet; false if it is none. Both are new strings. */
bool credentials_decode(const char *base64, char **user, char **password);
/* The other way round. */
char *credentials_encode(const char *user, const char *password);

#endif
