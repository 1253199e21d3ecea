/* SPDX-License-Identifier: Apache-2.0 */
/* The instance, its configuration, and what its requests have learned for those that follow. */
#ifndef GANTRY_RESOLVER_HTTP_RESOLVER_H
#define GANTRY_RESOLVER_HTTP_RESOLVER_H

#include <gantry/resolver.h>

struct resolver_config {
	char *hosts_dir;
	char *docker_config;
	bool use_docker_config;
	int64_t connect_timeout; /* durations in nanoseconds */
	int64_t response_timeout;
	int64_t upload_timeout;
	int64_t low_speed_time;
	uint64_t low_speed_limit;
	int64_t retries;
	int64_t retry_delay;
	int64_t max_retry_after;
	int64_t helper_timeout;
	uint64_t chunk_size;
	bool http2;
	char *user_agent;
};

struct http_pool;
struct auth;
struct sites;

struct http_resolver {
	struct gt_resolver base;
	const struct resolver_config *config;
	struct http_pool *pool;
	struct auth *auth;
	struct sites *sites;
};

struct gt_error *http_resolve(struct gt_resolver *r, struct gt_call *call, const char *ref,
			      const struct gt_registry_options *o, struct gt_resolved *out);
struct gt_error *http_fetch(struct gt_resolver *r, struct gt_call *call, const char *ref,
			    const struct gt_descriptor *desc, const struct gt_registry_options *o,
			    struct gt_reader **out);
struct gt_error *http_push(struct gt_resolver *r, struct gt_call *call, const char *ref,
			   const struct gt_descriptor *desc, struct gt_reader *blob,
			   const struct gt_registry_options *o, const struct gt_push_options *p,
			   enum gt_push_end *out);

#endif
