/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/op.h"

struct gt_error *gt_op_check(bool has, const struct gt_init *init, const char *op)
{
	if (has)
		return NULL;
	return gt_error_new(GT_UNIMPLEMENTED, "plugin %s has no operation %s", init->module, op);
}

struct gt_error *gt_op_check_ns(bool has, const struct gt_init *init, const char *op,
				const struct gt_call *call)
{
	GT_TRY(gt_op_check(has, init, op));
	return gt_call_namespace(call);
}

struct gt_error *gt_op_required(const char *what, const char *value)
{
	if (value && *value)
		return NULL;
	return gt_error_new(GT_INVALID_ARGUMENT, "%s is required", what);
}
