/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a registry or a token server says: challenges, tokens, URLs, headers that are to be shown; Docker's
 * config.json, of which no helper is found that it might name; and what a helper prints.
 */
#include <config.h>

#include "fuzz/fuzz.h"

#include "plugins/resolver-http/auth.h"
#include "plugins/resolver-http/challenge.h"
#include "plugins/resolver-http/credentials.h"
#include "plugins/resolver-http/url.h"
#include "plugins/resolver-http/watch.h"

#include <gantry/buf.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void docker_config(const char *text, const char *host)
{
	struct gt_call call = GT_CALL_INIT;
	struct credentials c = { 0 };
	struct gt_error *e = credentials_parse(&call, "config.json", text, strlen(text), host,
					       INT64_C(1000000000), &c);

	credentials_done(&c);
	gt_error_free(e);
}

static void helper(const void *data, size_t size)
{
	gt_auto(gt_buf) said = GT_BUF_INIT;
	struct credentials c = { 0 };
	struct gt_error *e;

	gt_buf_add(&said, data, size);
	e = credentials_helped("docker-credential-x", &said, &c);
	assert(e || c.identity_token || (c.user && c.password));
	/* Nothing of it is repeated. */
	assert(!e || !strncmp(gt_error_text(e), "docker-credential-x: ", 21));
	gt_error_free(e);
	credentials_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	gt_autofree char *text = gt_xstrndup((const char *)data, size);
	gt_autofree char *url = NULL, *token = NULL, *user = NULL, *password = NULL;
	gt_auto(gt_buf) shown = GT_BUF_INIT;
	struct challenge c = { 0 };
	struct gt_error *e;
	int64_t seconds;

	challenge_parse(text, &c);
	assert(!c.scheme || c.realm);
	challenge_done(&c);
	e = auth_token_parse(text, strlen(text), &token, &seconds);
	assert(e || (*token && !strpbrk(token, "\r\n") && seconds >= 60));
	gt_error_free(e);
	url = url_join("https://r.example/v2/a/", text);
	assert(!url || !strncmp(url, "http", 4));
	credentials_decode(text, &user, &password);
	watch_header(&shown, text, strlen(text));
	for (const char *p = shown.s; *p; p++)
		assert((unsigned char)*p >= ' ');
	helper(data, size);
	setenv("PATH", "/nowhere", 1);
	docker_config(text, "docker.io");
	docker_config(text, "localhost:5000");
	return 0;
}
