/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/sandboxer.h>

#include "core/op.h"

#include <gantry/api-tasks.h>
#include <gantry/buf.h>

#include <stdlib.h>
#include <string.h>

void gt_sandbox_instance_done(struct gt_sandbox_instance *i)
{
	free(i->id);
	gt_labels_done(&i->labels);
	free(i->address);
	gt_any_done(&i->spec);
	*i = (struct gt_sandbox_instance){ 0 };
}

void gt_sandbox_state_done(struct gt_sandbox_state *s)
{
	free(s->id);
	free(s->state);
	gt_labels_done(&s->info);
	gt_any_done(&s->extra);
	free(s->address);
	*s = (struct gt_sandbox_state){ 0 };
}

static struct gt_error *name_check(const struct gt_call *call, const char *id)
{
	GT_TRY(gt_call_namespace(call));
	return gt_identifier_check("sandbox id", id);
}

struct gt_error *gt_sandboxer_create(struct gt_sandboxer *s, struct gt_call *call,
				     const struct gt_sandbox_create *req)
{
	GT_TRY(name_check(call, req->id));
	return GT_OP(sandboxer, s, create, call, req);
}

struct gt_error *gt_sandboxer_start(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				    struct gt_sandbox_instance *out)
{
	GT_TRY(name_check(call, id));
	return GT_OP(sandboxer, s, start, call, id, out);
}

struct gt_error *gt_sandboxer_stop(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				   uint32_t timeout)
{
	GT_TRY(name_check(call, id));
	return GT_OP(sandboxer, s, stop, call, id, timeout);
}

struct gt_error *gt_sandboxer_wait(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				   gt_wait_fn *fn, void *arg)
{
	GT_TRY(name_check(call, id));
	return GT_OP(sandboxer, s, wait, call, id, fn, arg);
}

struct gt_error *gt_sandboxer_status(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				     bool verbose, struct gt_sandbox_state *out)
{
	GT_TRY(name_check(call, id));
	return GT_OP(sandboxer, s, status, call, id, verbose, out);
}

struct gt_error *gt_sandboxer_shutdown(struct gt_sandboxer *s, struct gt_call *call, const char *id)
{
	GT_TRY(name_check(call, id));
	return GT_OP(sandboxer, s, shutdown, call, id);
}

struct gt_error *gt_sandboxer_platform(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				       char **out)
{
	GT_TRY(gt_op_check(s->ops->platform, s->init, "platform"));
	GT_TRY(name_check(call, id));
	return GT_OP(sandboxer, s, platform, call, id, out);
}

struct gt_error *gt_sandboxer_metrics(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				      struct gt_metric *out)
{
	GT_TRY(gt_op_check(s->ops->metrics, s->init, "metrics"));
	GT_TRY(name_check(call, id));
	return GT_OP(sandboxer, s, metrics, call, id, out);
}

struct gt_error *gt_sandboxer_update(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				     const struct gt_sandbox *sandbox, const struct gt_strv *fields)
{
	GT_TRY(name_check(call, id));
	return s->ops->update ? GT_OP(sandboxer, s, update, call, id, sandbox, fields) : NULL;
}
