/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of http and https (RFC 3986), as strings. */
#ifndef GANTRY_RESOLVER_HTTP_URL_H
#define GANTRY_RESOLVER_HTTP_URL_H

#include <stdbool.h>

/* 'to' as seen from 'base', a URL of http or https, without userinfo and fragment; NULL if it is none. */
char *url_join(const char *base, const char *to);

/* The scheme, host and port of a base or any other URL ("https://r.example:5000"), as a new string. */
char *url_site(const char *url);

/* Whether both have the same scheme, host and port; case does not count. */
bool url_is_same_site(const char *a, const char *b);

/* Whether it is this machine by name or address: "localhost", "127.0.0.1:5000", "[::1]". */
bool url_authority_is_loopback(const char *authority);
bool url_is_loopback(const char *url); /* the same for the whole URL */

#endif
