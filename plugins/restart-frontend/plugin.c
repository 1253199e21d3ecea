/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "monitor.h"

#include <gantry/buf.h>
#include <gantry/frontend.h>

#include <poll.h>

#define INTERVAL_MIN INT64_C(10000000)
#define INTERVAL_MAX (24 * 3600 * INT64_C(1000000000))
/* How late a reload that makes the interval shorter may be noticed. */
#define WAIT_MS 10000

struct restart_config {
	int64_t interval;
};

struct restart {
	struct gt_frontend base;
	const struct gt_init *init;
	const struct restart_config *config;
};

static const struct gt_option restart_options[] = {
	{ .name = "interval", .type = GT_OPTION_DURATION, .value = "10s",
	  .min = INTERVAL_MIN, .max = INTERVAL_MAX, .text = "How often containers are looked at; a restart comes as late as that.",
	  .reloadable = true, .offset = offsetof(struct restart_config, interval) },
	{ 0 }
};

static struct gt_error *restart_open(const struct gt_init *init, struct gt_frontend **out)
{
	struct restart *r = gt_xcalloc(1, sizeof(*r));

	r->init = init;
	r->config = init->config;
	*out = &r->base;
	return NULL;
}

static void restart_close(struct gt_frontend *f)
{
	free(f);
}

/* Until then, or the call is cancelled. A reload may have made it shorter meanwhile. */
static void wait_until(const struct gt_call *call, const struct restart *r, int64_t since)
{
	struct pollfd p = { .fd = gt_cancel_fd(call->cancel), .events = POLLIN };

	while (!gt_cancel_is_set(call->cancel)) {
		int64_t left = since + __atomic_load_n(&r->config->interval, __ATOMIC_ACQUIRE) - gt_now();

		if (left <= 0)
			return;
		left = left / 1000000 + 1;
		poll(&p, 1, left > WAIT_MS ? WAIT_MS : (int)left);
	}
}

static struct gt_error *restart_run(struct gt_frontend *f, struct gt_call *call, int argc, char **argv,
				    int *status)
{
	struct restart *r = (struct restart *)f;
	gt_auto(gt_strv) created = { 0 };
	struct gt_services *s;

	(void)argc, (void)argv;
	GT_TRY(gt_need_services(r->init, NULL, &s));
	GT_TRY(gt_frontend_announce(r->init, NULL));
	while (!gt_cancel_is_set(call->cancel)) {
		int64_t began = gt_now();

		restart_round(s, call, &created);
		wait_until(call, r, began);
	}
	*status = 0;
	return NULL;
}

static const struct gt_frontend_ops restart_ops = {
	.size = sizeof(restart_ops),
	.open = restart_open,
	.close = restart_close,
	.run = restart_run,
};

GT_PLUGIN(restart_frontend) = {
	GT_PLUGIN_HEADER,
	.kind = GT_FRONTEND,
	.id = "restart",
	.doc = "Starts containers again, and stops them, as containerd's restart labels say.",
	.needs = (const struct gt_need[]){ { .kind = GT_SERVICES }, { 0 } },
	.options = restart_options,
	.config_size = sizeof(struct restart_config),
	.ops.frontend = &restart_ops,
	.capabilities = (const char *const[]){ GT_FRONTEND_DAEMON, NULL },
};
