/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same done to many things by a few threads. The first error stops the others: their call is
 * cancelled, and so it is when the caller's ends.
 */
#ifndef GANTRY_LIB_CLIENT_PARALLEL_H
#define GANTRY_LIB_CLIENT_PARALLEL_H

#include <gantry/call.h>

#include <stdbool.h>

struct gt_parallel_options {
	size_t n; /* things */
	unsigned jobs; /* at the same time; 0: one */
	/* For the i-th thing, in order of i, from any thread, with a call of its own. */
	struct gt_error *(*each)(void *arg, struct gt_call *call, size_t i);
	void *arg;
};

GT_MUST_USE struct gt_error *gt_parallel(const struct gt_call *call,
					 const struct gt_parallel_options *o);

/*
 * In steps, for who has something to do meanwhile. Each of the three returns the error that stopped
 * it, once: wait when the i-th thing is done, finish when all are. One thread. free ends it early.
 */
struct gt_parallel;
GT_MUST_USE struct gt_error *gt_parallel_begin(const struct gt_call *call,
					       const struct gt_parallel_options *o,
					       struct gt_parallel **out);
GT_MUST_USE struct gt_error *gt_parallel_wait(struct gt_parallel *p, size_t i);
/* The number of a thing that is done and that this has not told yet; '*i' n: all have been told. */
GT_MUST_USE struct gt_error *gt_parallel_next(struct gt_parallel *p, size_t *i);
bool gt_parallel_is_done(struct gt_parallel *p); /* all things are */
GT_MUST_USE struct gt_error *gt_parallel_finish(struct gt_parallel *p);
void gt_parallel_free(struct gt_parallel *p);
GT_DEFINE_AUTOPTR(gt_parallel)

/* Processors that this process may use. */
unsigned gt_processors(void);

#endif
