/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorization: what a host wants to see, the tokens that were got for it, and getting them (Docker's
 * token specification, by OAuth2's POST and by GET). Tokens and challenges are kept by host, by whom the
 * request speaks for and by scope; nothing that was issued for one host is shown to another.
 */
#ifndef GANTRY_RESOLVER_HTTP_AUTH_H
#define GANTRY_RESOLVER_HTTP_AUTH_H

#include "errand.h"

struct auth *auth_new(void);
void auth_free(struct auth *a);

/* The value of Authorization that the host is known to want; NULL: none is known. */
GT_MUST_USE struct gt_error *auth_known(struct errand *e, const struct host *h, char **out);

/*
 * The value that answers a 401 with this WWW-Authenticate (may be NULL). UNAUTHENTICATED if there are
 * no credentials where some are needed, or the token server does not take them.
 */
GT_MUST_USE struct gt_error *auth_answer(struct errand *e, const struct host *h,
					 const char *challenge, char **out);

/* What a token server said: its token and for how many seconds; for the tests. */
GT_MUST_USE struct gt_error *auth_token_parse(const char *text, size_t len, char **token,
					      int64_t *seconds);

#endif
