/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/op.h"

#include <stdatomic.h>

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

struct gt_op_clock gt_op_begin(const struct gt_init *init, size_t offset, const char *op)
{
	struct gt_op_clock c = { .counts = init ? init->counts : NULL };

	if (c.counts) {
		c.counts += offset / sizeof(void *);
		atomic_store_explicit(&c.counts->name, op, memory_order_relaxed);
		c.began = gt_now();
	}
	return c;
}

struct gt_error *gt_op_end(const struct gt_op_clock *clock, struct gt_error *e)
{
	struct gt_op_counts *c = clock->counts;

	if (!c)
		return e;
	atomic_fetch_add_explicit(&c->calls, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->ns, (uint64_t)(gt_now() - clock->began), memory_order_relaxed);
	if (e && (unsigned)gt_error_class(e) < GT_OP_CLASSES)
		atomic_fetch_add_explicit(&c->errors[gt_error_class(e)], 1, memory_order_relaxed);
	return e;
}
