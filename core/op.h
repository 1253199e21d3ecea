/* SPDX-License-Identifier: Apache-2.0 */
/* What every wrapper asks before it calls an op. */
#ifndef GANTRY_CORE_OP_H
#define GANTRY_CORE_OP_H

#include <gantry/call.h>
#include <gantry/plugin.h>

#define GT_OP_CLASSES 17

/* What became of the calls of one op so far. Any thread. */
struct gt_op_counts {
	const char *_Atomic name; /* NULL: it was never called */
	_Atomic uint64_t calls;
	_Atomic uint64_t ns;
	_Atomic uint64_t errors[GT_OP_CLASSES]; /* by class */
};

/* One for each member of the kind's ops struct. */
struct gt_op_counts *gt_op_counts_new(enum gt_kind kind);

struct gt_op_clock {
	struct gt_op_counts *counts; /* NULL: nobody counts */
	int64_t began;
};
struct gt_op_clock gt_op_begin(const struct gt_init *init, size_t offset, const char *op);
/* Hands 'e' through. */
GT_MUST_USE struct gt_error *gt_op_end(const struct gt_op_clock *clock, struct gt_error *e);

/* Calls an op of an instance that a plugin of that kind has opened, and counts it. */
#define GT_OP(kind, x, op, ...)                                                                   \
	({                                                                                         \
		const struct gt_op_clock clock_ =                                                  \
			gt_op_begin((x)->init, offsetof(struct gt_##kind##_ops, op), #op);         \
		gt_op_end(&clock_, (x)->ops->op((x), __VA_ARGS__));                                \
	})

/* UNIMPLEMENTED, naming plugin and op, unless it 'has' the op. */
GT_MUST_USE struct gt_error *gt_op_check(bool has, const struct gt_init *init, const char *op);

/* The same for an op of a service that works in a namespace: the call must name a valid one. */
GT_MUST_USE struct gt_error *gt_op_check_ns(bool has, const struct gt_init *init, const char *op,
					    const struct gt_call *call);

/* INVALID_ARGUMENT "WHAT is required" for NULL or "". */
GT_MUST_USE struct gt_error *gt_op_required(const char *what, const char *value);

#endif
