/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads for work that may block. As many as there is work for, up to a limit; those that have had
 * nothing to do for a while end, and what they leave in the heap goes back to the system.
 */
#ifndef GANTRY_LIB_GRPC_POOL_H
#define GANTRY_LIB_GRPC_POOL_H

#include <gantry/error.h>

#include <stddef.h>

struct gt_pool;

/* Embedded in what is to be done; the pool's until 'run' is called. */
struct gt_job {
	struct gt_job *next;
	void (*run)(struct gt_job *j);
};

/* With one thread, which stays, so that there is always somebody; 'max' at most. */
GT_MUST_USE struct gt_error *gt_pool_new(size_t max, struct gt_pool **out);
/* Runs what was submitted and waits for it. Nobody may submit any more. */
void gt_pool_free(struct gt_pool *p);

void gt_pool_submit(struct gt_pool *p, struct gt_job *j);

#endif
