/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by hosts.c and hosts-toml.c. */
#ifndef GANTRY_RESOLVER_HTTP_HOSTS_PRIVATE_H
#define GANTRY_RESOLVER_HTTP_HOSTS_PRIVATE_H

#include "hosts.h"

#define PEM_MAX (4 * 1024 * 1024) /* bytes of one file of certificates */

struct host *hosts_add(struct hosts *h);
/* The host that keeps what a name has: Docker Hub's is not called docker.io. */
const char *hosts_own_authority(const char *name);
/* Adds the host that 'name' stands for by itself. */
GT_MUST_USE struct gt_error *hosts_own_add(struct hosts *out, const char *name,
					   const struct gt_registry_options *o);
/* Adds a file of certificates or a key to 'out'. */
GT_MUST_USE struct gt_error *hosts_pem_read(const char *file, struct gt_buf *out);
/* Adds a client's certificate; 'key' NULL: in the same file. */
GT_MUST_USE struct gt_error *hosts_pair_read(const char *cert, const char *key, struct http_tls *out);

#endif
