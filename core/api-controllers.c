/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/api-controllers.h>

#include "core/op.h"

/* The service has the op, the call a namespace, and the sandbox an id. */
#define CHECK(op, id)                                                                             \
	do {                                                                                       \
		GT_TRY(gt_op_check_ns(s->ops->controllers && s->ops->controllers->op, s->init,     \
				      "controllers." #op, call));                                  \
		GT_TRY(gt_identifier_check("sandbox id", id));                                     \
	} while (0)

struct gt_error *gt_controllers_create(struct gt_services *s, struct gt_call *call,
				       const char *sandboxer, const struct gt_sandbox_create *req)
{
	CHECK(create, req->id);
	return s->ops->controllers->create(s, call, sandboxer, req);
}

struct gt_error *gt_controllers_start(struct gt_services *s, struct gt_call *call,
				      const char *sandboxer, const char *id,
				      struct gt_sandbox_instance *out)
{
	CHECK(start, id);
	return s->ops->controllers->start(s, call, sandboxer, id, out);
}

struct gt_error *gt_controllers_stop(struct gt_services *s, struct gt_call *call,
				     const char *sandboxer, const char *id, uint32_t timeout)
{
	CHECK(stop, id);
	return s->ops->controllers->stop(s, call, sandboxer, id, timeout);
}

struct gt_error *gt_controllers_wait(struct gt_services *s, struct gt_call *call,
				     const char *sandboxer, const char *id, gt_wait_fn *fn, void *arg)
{
	CHECK(wait, id);
	return s->ops->controllers->wait(s, call, sandboxer, id, fn, arg);
}

struct gt_error *gt_controllers_status(struct gt_services *s, struct gt_call *call,
				       const char *sandboxer, const char *id, bool verbose,
				       struct gt_sandbox_state *out)
{
	CHECK(status, id);
	return s->ops->controllers->status(s, call, sandboxer, id, verbose, out);
}

struct gt_error *gt_controllers_shutdown(struct gt_services *s, struct gt_call *call,
					 const char *sandboxer, const char *id)
{
	CHECK(shutdown, id);
	return s->ops->controllers->shutdown(s, call, sandboxer, id);
}

struct gt_error *gt_controllers_platform(struct gt_services *s, struct gt_call *call,
					 const char *sandboxer, const char *id, char **out)
{
	CHECK(platform, id);
	return s->ops->controllers->platform(s, call, sandboxer, id, out);
}

struct gt_error *gt_controllers_metrics(struct gt_services *s, struct gt_call *call,
					const char *sandboxer, const char *id, struct gt_metric *out)
{
	CHECK(metrics, id);
	return s->ops->controllers->metrics(s, call, sandboxer, id, out);
}

struct gt_error *gt_controllers_update(struct gt_services *s, struct gt_call *call,
				       const char *sandboxer, const char *id,
				       const struct gt_sandbox *sandbox,
				       const struct gt_strv *fields)
{
	CHECK(update, id);
	return s->ops->controllers->update(s, call, sandboxer, id, sandbox, fields);
}
