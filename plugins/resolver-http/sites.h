/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of hosts for a while: which ones speak plain http only, and which ones were not there. */
#ifndef GANTRY_RESOLVER_HTTP_SITES_H
#define GANTRY_RESOLVER_HTTP_SITES_H

#include <stdbool.h>

struct sites;

struct sites *sites_new(void);
void sites_free(struct sites *s);

/* 'site': "https://r.example:5000". All from any thread. */
void sites_set_plain(struct sites *s, const char *site);
bool sites_is_plain(struct sites *s, const char *site);
void sites_set_down(struct sites *s, const char *site, bool is_down);
bool sites_is_down(struct sites *s, const char *site);

#endif
