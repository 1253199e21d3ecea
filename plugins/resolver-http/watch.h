/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines of --http-dump and --http-trace. What is shown is what is known to be harmless: the headers
 * of a list, and URLs without userinfo and query.
 */
#ifndef GANTRY_RESOLVER_HTTP_WATCH_H
#define GANTRY_RESOLVER_HTTP_WATCH_H

#include "http.h"

#include <curl/curl.h>

/* A CURLOPT_DEBUGFUNCTION, its data a struct http_watch. */
int watch_curl(CURL *easy, curl_infotype type, char *data, size_t len, void *arg);

/* Adds a header's line as it may be shown. */
void watch_header(struct gt_buf *out, const char *line, size_t len);
/* Adds a URL, or the target of a request, without userinfo, query and fragment. */
void watch_url(struct gt_buf *out, const char *url, size_t len);

#endif
