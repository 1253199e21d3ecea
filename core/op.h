/* SPDX-License-Identifier: Apache-2.0 */
/* What every wrapper asks before it calls an op. */
#ifndef GANTRY_CORE_OP_H
#define GANTRY_CORE_OP_H

#include <gantry/call.h>
#include <gantry/plugin.h>

/* UNIMPLEMENTED, naming plugin and op, unless it 'has' the op. */
GT_MUST_USE struct gt_error *gt_op_check(bool has, const struct gt_init *init, const char *op);

/* The same for an op of a service that works in a namespace: the call must name a valid one. */
GT_MUST_USE struct gt_error *gt_op_check_ns(bool has, const struct gt_init *init, const char *op,
					    const struct gt_call *call);

/* INVALID_ARGUMENT "WHAT is required" for NULL or "". */
GT_MUST_USE struct gt_error *gt_op_required(const char *what, const char *value);

#endif
