/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "auth.h"
#include "http.h"
#include "resolver.h"
#include "sites.h"

#include <gantry/buf.h>

static void resolver_close(struct gt_resolver *base)
{
	struct http_resolver *r = (struct http_resolver *)base;

	if (!r)
		return;
	auth_free(r->auth);
	sites_free(r->sites);
	http_pool_free(r->pool);
	free(r);
}

static struct gt_error *resolver_open(const struct gt_init *init, struct gt_resolver **out)
{
	struct http_resolver *r = gt_xcalloc(1, sizeof(*r));
	struct gt_error *e;

	r->config = init->config;
	e = http_pool_new(&r->pool);
	if (e) {
		free(r);
		return e;
	}
	r->auth = auth_new();
	r->sites = sites_new();
	*out = &r->base;
	return NULL;
}

static const struct gt_option resolver_options[] = {
	GT_OPT_STRING(struct resolver_config, hosts_dir, "/etc/containerd/certs.d",
		      "Folders that have a folder with a hosts.toml or certificates for each registry, "
		      "separated by ':'; empty: none.", GT_LIVE),
	GT_OPT_BOOL(struct resolver_config, use_docker_config, "true",
		    "Take credentials from Docker's config.json and its credential helpers.", GT_LIVE),
	GT_OPT_PATH(struct resolver_config, docker_config, "",
		    "That config.json; empty: by DOCKER_CONFIG, or below HOME.", GT_LIVE),
	GT_OPT_DURATION(struct resolver_config, helper_timeout, "30s",
			"For which a credential helper may run.", GT_LIVE),
	GT_OPT_DURATION(struct resolver_config, connect_timeout, "15s",
			"In which a host must have taken a connection, TLS included; a dial_timeout of "
			"hosts.toml takes its place.", GT_LIVE),
	GT_OPT_DURATION(struct resolver_config, response_timeout, "1m",
			"In which a host must begin to answer a request.", GT_LIVE),
	GT_OPT_DURATION(struct resolver_config, upload_timeout, "15m",
			"In which it must confirm what was pushed: some move it to where it stays first.", GT_LIVE),
	GT_OPT_DURATION(struct resolver_config, low_speed_time, "30s",
			"A transfer that is slower than low_speed_limit for so long has ended.", GT_LIVE),
	GT_OPT_SIZE(struct resolver_config, low_speed_limit, "1KiB", "Bytes a second.", GT_LIVE),
	GT_OPT_INT(struct resolver_config, retries, "5", 0, 100,
		   "How often a request is repeated that failed by no fault of its own; once where another "
		   "host can be asked.", GT_LIVE),
	GT_OPT_DURATION(struct resolver_config, retry_delay, "200ms",
			"Before the first repetition; it doubles with each, up to 20 seconds.", GT_LIVE),
	GT_OPT_DURATION(struct resolver_config, max_retry_after, "1m",
			"A host that asks for more time than this (Retry-After) is not waited for.", GT_LIVE),
	GT_OPT_SIZE(struct resolver_config, chunk_size, "0",
		    "Push blobs in pieces of this size; 0: whole, and in pieces where the registry asks for "
		    "it or takes nothing larger.", GT_LIVE),
	GT_OPT_BOOL(struct resolver_config, http2, "false",
		    "Speak HTTP/2 where the host does. Each transfer has a connection of its own, for which "
		    "HTTP/1.1 takes half the time.", GT_LIVE),
	GT_OPT_STRING(struct resolver_config, user_agent, "gantry/" PACKAGE_VERSION,
		      "What registries are told of who asks.", GT_LIVE),
	{ 0 },
};

static const struct gt_resolver_ops resolver_ops = {
	.size = sizeof(resolver_ops),
	.open = resolver_open,
	.close = resolver_close,
	.resolve = http_resolve,
	.fetch = http_fetch,
	.push = http_push,
};

GT_PLUGIN(resolver_http) = {
	GT_PLUGIN_HEADER,
	.kind = GT_RESOLVER,
	.id = "http",
	.doc = "Pulls from and pushes to registries that speak OCI's or Docker's protocol.",
	.options = resolver_options,
	.config_size = sizeof(struct resolver_config),
	.ops.resolver = &resolver_ops,
};
