/* SPDX-License-Identifier: Apache-2.0 */
/* The frontend that shows figures: Prometheus' text, and a debug socket's pages. */
#ifndef METRICS_FRONTEND_METRICS_H
#define METRICS_FRONTEND_METRICS_H

#include "http.h"
#include "text.h"

#include <gantry/call.h>
#include <gantry/frontend.h>
#include <gantry/services.h>

struct metrics_config {
	char *address;
	char *debug_address;
	int64_t uid, gid;
	int64_t timeout;
	int64_t connections;
};

struct metrics {
	struct gt_frontend base;
	const struct gt_init *init;
	const struct metrics_config *config;
	struct gt_services *services; /* while it runs */
	struct gt_call call; /* what pages ask of them: ends with the frontend */
};

/* A call for one page, in this namespace; NULL: in none. */
struct gt_call metrics_call(const struct metrics *m, const char *ns);

/* cgroups.c: container_*, of all running containers of all namespaces. */
void metrics_containers(const struct metrics *m, struct metrics_text *t);
/* process.c: process_* and containerd_build_info_total. */
void metrics_process(struct metrics_text *t);

/* Pages: each adds its text to 'out'. */
extern const struct http_page metrics_pages[]; /* of the metrics address */
extern const struct http_page debug_pages[]; /* of the debug socket, debug.c */
struct gt_error *metrics_page(void *arg, struct gt_buf *out);

#endif
