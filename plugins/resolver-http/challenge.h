/* SPDX-License-Identifier: Apache-2.0 */
/* The header WWW-Authenticate (RFC 9110, 11.6.1): what a registry wants to see before it answers. */
#ifndef GANTRY_RESOLVER_HTTP_CHALLENGE_H
#define GANTRY_RESOLVER_HTTP_CHALLENGE_H

#include <gantry/strv.h>

#include <stdbool.h>

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
	enum challenge_scheme scheme;
	char *realm; /* BEARER: URL of the token server; never NULL with a scheme */
	char *service; /* NULL: none */
	struct gt_strv scopes; /* "repository:library/nginx:pull" */
	char *error; /* "insufficient_scope"; NULL: none */
};
void challenge_done(struct challenge *c);

/*
 * The challenge that is answered: Bearer before Basic, the first of each; others are passed over. NONE
 * if there is no such one. A header that cannot be read to its end counts as far as it can.
 */
void challenge_parse(const char *header, struct challenge *out);

#endif
