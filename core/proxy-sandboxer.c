/* SPDX-License-Identifier: Apache-2.0 */
/* A sandbox controller service as a controller. */
#include <config.h>

#include "core/proxy.h"

#include "core/config.h"

#include <gantry/api-controllers.h>
#include <gantry/buf.h>

struct controller {
	struct gt_sandboxer base;
	struct proxy p;
};

static struct proxy *proxy_of(struct gt_sandboxer *s)
{
	return &((struct controller *)s)->p;
}

#define ASK(s, call, far_call, expr)                                                              \
	({                                                                                         \
		struct proxy *p = proxy_of(s);                                                     \
		const char *there = p->entry->far_id;                                              \
		PROXY_CALL(p, call, (call)->ns, p->timeout, far_call, expr);                       \
	})

static struct gt_error *controller_open(const struct gt_init *init, struct gt_sandboxer **out)
{
	struct controller *c = gt_xcalloc(1, sizeof(*c));
	struct gt_error *e = proxy_init(init, &c->p);

	if (e)
		free(c);
	else
		*out = &c->base;
	return e;
}

static void controller_close(struct gt_sandboxer *s)
{
	if (!s)
		return;
	proxy_done(proxy_of(s));
	free(s);
}

static struct gt_error *create(struct gt_sandboxer *s, struct gt_call *call,
			       const struct gt_sandbox_create *req)
{
	return ASK(s, call, far, gt_controllers_create(p->far, &far, there, req));
}

static struct gt_error *start(struct gt_sandboxer *s, struct gt_call *call, const char *id,
			      struct gt_sandbox_instance *out)
{
	return ASK(s, call, far, gt_controllers_start(p->far, &far, there, id, out));
}

static struct gt_error *stop(struct gt_sandboxer *s, struct gt_call *call, const char *id,
			     uint32_t timeout)
{
	struct proxy *p = proxy_of(s);

	return PROXY_CALL(p, call, call->ns, p->timeout + timeout * INT64_C(1000000000), far,
			  gt_controllers_stop(p->far, &far, p->entry->far_id, id, timeout));
}

/* It may last for years: no deadline but the caller's. */
static struct gt_error *wait_for(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				 gt_wait_fn *fn, void *arg)
{
	struct proxy *p = proxy_of(s);

	return PROXY_CALL(p, call, call->ns, 0, far,
			  gt_controllers_wait(p->far, &far, p->entry->far_id, id, fn, arg));
}

static struct gt_error *status(struct gt_sandboxer *s, struct gt_call *call, const char *id,
			       bool verbose, struct gt_sandbox_state *out)
{
	return ASK(s, call, far, gt_controllers_status(p->far, &far, there, id, verbose, out));
}

static struct gt_error *shutdown_sandbox(struct gt_sandboxer *s, struct gt_call *call, const char *id)
{
	return ASK(s, call, far, gt_controllers_shutdown(p->far, &far, there, id));
}

static struct gt_error *platform(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				 char **out)
{
	return ASK(s, call, far, gt_controllers_platform(p->far, &far, there, id, out));
}

static struct gt_error *metrics(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				struct gt_metric *out)
{
	return ASK(s, call, far, gt_controllers_metrics(p->far, &far, there, id, out));
}

static struct gt_error *update(struct gt_sandboxer *s, struct gt_call *call, const char *id,
			       const struct gt_sandbox *sandbox, const struct gt_strv *fields)
{
	return ASK(s, call, far,
		   gt_controllers_update(p->far, &far, there, id, sandbox, fields));
}

const struct gt_sandboxer_ops proxy_sandboxer = {
	.size = sizeof(proxy_sandboxer),
	.open = controller_open,
	.close = controller_close,
	.create = create,
	.start = start,
	.stop = stop,
	.wait = wait_for,
	.status = status,
	.shutdown = shutdown_sandbox,
	.platform = platform,
	.metrics = metrics,
	.update = update,
};
