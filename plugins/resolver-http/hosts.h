/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which hosts are asked for what a registry's name has, and how: containerd's rules for the host itself,
 * and hosts.toml or certificate files in a folder of the host's.
 */
#ifndef GANTRY_RESOLVER_HTTP_HOSTS_H
#define GANTRY_RESOLVER_HTTP_HOSTS_H

#include "http.h"

#include <gantry/resolver.h>

enum host_capability {
	HOST_PULL = 1,
	HOST_RESOLVE = 2,
	HOST_PUSH = 4,
	HOST_REFERRERS = 8,
	HOST_ALL = 15,
};

struct host {
	char *base; /* "https://registry-1.docker.io/v2", no slash at its end */
	char *authority; /* "registry-1.docker.io", with a port if there is one */
	unsigned capabilities;
	struct http_tls tls;
	struct gt_strv headers; /* "Name: value": may be secrets */
	int64_t dial_timeout; /* nanoseconds; 0: the plugin's */
	bool is_own; /* the host of the name itself; others are told whose content is wanted */
	bool may_be_http; /* https is tried first, then http */
};

void host_done(struct host *h);

struct hosts {
	struct host *v; /* in the order in which they are tried */
	size_t n;
	size_t alloc;
};
void hosts_done(struct hosts *h);

/*
 * The hosts for 'name' ("docker.io", "localhost:5000"). 'dirs': folders of folders, separated by ':'.
 * INVALID_ARGUMENT "FILE:LINE: KEY: ..." for what hosts.toml gets wrong.
 */
GT_MUST_USE struct gt_error *hosts_find(const char *dirs, const char *name,
					const struct gt_registry_options *o, struct hosts *out);

/* Adds what a hosts.toml says for 'name'. 'file' is where it stands, for its relative paths and errors. */
GT_MUST_USE struct gt_error *hosts_parse(const char *file, const char *text, size_t len,
					 const char *name, const struct gt_registry_options *o,
					 struct hosts *out);

/* Adds what the flags of a request say of TLS and headers, which holds for every host. */
GT_MUST_USE struct gt_error *hosts_options_apply(struct host *h, const struct gt_registry_options *o);

#endif
