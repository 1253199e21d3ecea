/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/api-system.h>

#include "core/op.h"

struct gt_error *gt_system_collect(struct gt_services *s, struct gt_call *call, unsigned bits,
				   struct gt_collected *out)
{
	GT_TRY(gt_op_check(s->ops->system && s->ops->system->collect, s->init, "system.collect"));
	return s->ops->system->collect(s, call, bits, out);
}

struct gt_error *gt_system_usage(struct gt_services *s, struct gt_call *call,
				 struct gt_error *(*fn)(void *, const struct gt_space *), void *arg)
{
	GT_TRY(gt_op_check(s->ops->system && s->ops->system->usage, s->init, "system.usage"));
	return s->ops->system->usage(s, call, fn, arg);
}

struct gt_error *gt_system_explain(struct gt_services *s, struct gt_call *call, const char *ref,
				   struct gt_error *(*fn)(void *, const struct gt_kept *),
				   void *arg, bool *kept)
{
	GT_TRY(gt_op_check_ns(s->ops->system && s->ops->system->explain, s->init, "system.explain",
			      call));
	GT_TRY(gt_op_required("what to explain", ref));
	return s->ops->system->explain(s, call, ref, fn, arg, kept);
}

struct gt_error *gt_system_schedule(struct gt_services *s)
{
	GT_TRY(gt_op_check(s->ops->system && s->ops->system->schedule, s->init, "system.schedule"));
	return s->ops->system->schedule(s);
}
