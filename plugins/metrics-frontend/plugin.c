/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "metrics.h"

#include <gantry/log.h>
#include <net/listen.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NOBODY INT64_C(4294967294)
#define SECOND INT64_C(1000000000)
#define SWEEP_MS 1000
#define TEXT "text/plain; version=0.0.4; charset=utf-8"

static const struct gt_option metrics_options[] = {
	GT_OPT_STRING(struct metrics_config, address, "",
		      "Where figures are served in Prometheus' format, at /v1/metrics and /metrics: "
		      "\"127.0.0.1:1338\", or a unix socket's path; empty: nowhere."),
	GT_OPT_PATH(struct metrics_config, debug_address, "",
		    "The socket of the debug pages; empty: none."),
	GT_OPT_INT(struct metrics_config, uid, "0", 0, NOBODY, "Who owns the sockets."),
	GT_OPT_INT(struct metrics_config, gid, "0", 0, NOBODY,
		   "Whose group may use the sockets, besides their owner and root; 0: nobody's."),
	GT_OPT_INT(struct metrics_config, connections, "32", 1, 1024,
		   "Connections to an address at the same time, at most."),
	{ .name = "timeout", .type = GT_OPTION_DURATION, .value = "10s", .min = SECOND,
	  .max = 600 * SECOND, .offset = offsetof(struct metrics_config, timeout),
	  .text = "How long a connection may last, be it served, silent or slow." },
	{ 0 }
};

struct gt_call metrics_call(const struct metrics *m, const char *ns)
{
	struct gt_call call = m->call;

	call.ns = ns;
	call.deadline = gt_now() + m->config->timeout;
	return call;
}

struct gt_error *metrics_page(void *arg, struct gt_buf *out)
{
	const struct metrics *m = arg;
	struct metrics_text t = { 0 };

	metrics_process(&t);
	metrics_containers(m, &t);
	gt_samples_collect(m->init, metrics_text_add, &t);
	metrics_text_print(&t, out);
	metrics_text_done(&t);
	return NULL;
}

const struct http_page metrics_pages[] = {
	{ "/v1/metrics", TEXT, metrics_page },
	{ "/metrics", TEXT, metrics_page },
	{ 0 },
};

static struct gt_error *metrics_open(const struct gt_init *init, struct gt_frontend **out)
{
	const struct metrics_config *c = init->config;
	struct metrics *m;

	if (!*c->address && !*c->debug_address)
		return gt_error_new(GT_UNIMPLEMENTED, "neither address nor debug_address is set");
	m = gt_xcalloc(1, sizeof(*m));
	m->init = init;
	m->config = init->config;
	*out = &m->base;
	return NULL;
}

static void metrics_close(struct gt_frontend *f)
{
	free(f);
}

/* Nothing where the address is empty. '*path' is the socket to be removed at the end, a new string. */
static struct gt_error *start(struct metrics *m, const char *address, const struct http_page *pages,
			      int wake, struct http **out, char **path)
{
	const struct metrics_config *c = m->config;
	struct http_options o = {
		.pages = pages,
		.arg = m,
		.connections = (unsigned)c->connections,
		.timeout = c->timeout,
		.wake = wake,
		.uid = (uid_t)c->uid,
		.gid = (gid_t)c->gid,
	};
	int fd = -1;

	if (!*address)
		return NULL;
	if (!strncmp(address, "unix://", 7))
		address += 7;
	o.is_unix = *address == '/';
	if (o.is_unix)
		GT_TRY(gt_listen_unix(address, c->uid, c->gid, &fd));
	else
		GT_TRY(gt_listen_tcp(address, &fd));
	if (o.is_unix)
		*path = gt_xstrdup(address);
	GT_TRY(http_start_take(fd, &o, out));
	gt_log_info("serving on %s", address);
	return NULL;
}

/* Until the call is cancelled; meanwhile it ends connections that last too long. */
static void watch(const struct gt_call *call, int wake, struct http *const servers[2])
{
	struct pollfd p[2] = { { .fd = gt_cancel_fd(call->cancel), .events = POLLIN },
			       { .fd = wake, .events = POLLIN } };
	bool any = false;
	eventfd_t n;

	while (!gt_cancel_is_set(call->cancel)) {
		if (poll(p, 2, any ? SWEEP_MS : -1) < 0 && errno != EINTR)
			return;
		eventfd_read(wake, &n);
		any = false;
		for (int i = 0; i < 2; i++)
			any = (servers[i] && http_sweep(servers[i])) || any;
	}
}

static struct gt_error *metrics_run(struct gt_frontend *f, struct gt_call *call, int argc, char **argv,
				    int *status)
{
	struct metrics *m = (struct metrics *)f;
	struct http *servers[2] = { NULL, NULL };
	char *paths[2] = { NULL, NULL };
	gt_autofd int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct gt_error *e;

	(void)argc, (void)argv;
	if (wake < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "make event descriptor");
	GT_TRY(gt_need_services(m->init, NULL, &m->services));
	m->call = *call;
	e = gt_error_wrap(start(m, m->config->address, metrics_pages, wake, &servers[0], &paths[0]),
			  "%s.address", m->init->module);
	if (!e)
		e = gt_error_wrap(start(m, m->config->debug_address, debug_pages, wake, &servers[1],
					&paths[1]),
				  "%s.debug_address", m->init->module);
	if (!e)
		e = gt_frontend_announce(m->init, NULL);
	if (!e)
		watch(call, wake, servers);
	for (int i = 0; i < 2; i++) {
		if (paths[i])
			unlink(paths[i]); /* before anybody else may have made one there */
		http_stop(servers[i]);
		free(paths[i]);
	}
	*status = 0;
	return e;
}

static const struct gt_frontend_ops metrics_ops = {
	.size = sizeof(metrics_ops),
	.open = metrics_open,
	.close = metrics_close,
	.run = metrics_run,
};

GT_PLUGIN(metrics_frontend) = {
	GT_PLUGIN_HEADER,
	.kind = GT_FRONTEND,
	.id = "metrics",
	.doc = "Serves figures in Prometheus' format, and pages for debugging.",
	.needs = (const struct gt_need[]){ { .kind = GT_SERVICES }, { 0 } },
	.options = metrics_options,
	.config_size = sizeof(struct metrics_config),
	.ops.frontend = &metrics_ops,
	.capabilities = (const char *const[]){ GT_FRONTEND_DAEMON, NULL },
};
