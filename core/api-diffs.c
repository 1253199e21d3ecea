/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/api-diffs.h>

#include "core/op.h"

struct gt_error *gt_diffs_apply(struct gt_services *s, struct gt_call *call,
				const struct gt_descriptor *desc, const struct gt_mounts *mounts,
				struct gt_descriptor *applied)
{
	GT_TRY(gt_op_check_ns(s->ops->diffs && s->ops->diffs->apply, s->init, "diffs.apply", call));
	return s->ops->diffs->apply(s, call, desc, mounts, applied);
}

struct gt_error *gt_diffs_diff(struct gt_services *s, struct gt_call *call,
			       const struct gt_mounts *lower, const struct gt_mounts *upper,
			       const struct gt_diff_options *o, const char *ref,
			       const struct gt_labels *labels, struct gt_descriptor *out)
{
	GT_TRY(gt_op_check_ns(s->ops->diffs && s->ops->diffs->diff, s->init, "diffs.diff", call));
	return s->ops->diffs->diff(s, call, lower, upper, o, ref, labels, out);
}
