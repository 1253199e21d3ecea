/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GANTRY_RESOLVER_HTTP_CLIENT_CERT_H
#define GANTRY_RESOLVER_HTTP_CLIENT_CERT_H

#include "http.h"

#include <curl/curl.h>

/* A CURLOPT_SSL_CTX_FUNCTION, its data a struct http_tls that outlives the handshake. */
CURLcode client_cert_choose(CURL *easy, void *ssl_ctx, void *tls);

#endif
