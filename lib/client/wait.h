/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a process in a loop that waits for other things as well. Within lib/client. */
#ifndef GANTRY_LIB_CLIENT_WAIT_H
#define GANTRY_LIB_CLIENT_WAIT_H

#include <gantry/api-tasks.h>

struct gt_waiter;

/* Begins to wait for a process; 'call' is copied, its end does not end the wait. */
GT_MUST_USE struct gt_error *gt_waiter_open(struct gt_services *s, const struct gt_call *call,
					    const char *id, const char *exec_id,
					    struct gt_waiter **out);
/* Readable once the process has ended. */
int gt_waiter_fd(const struct gt_waiter *w);
/* How it ended; only once the descriptor is readable. */
GT_MUST_USE struct gt_error *gt_waiter_result(struct gt_waiter *w, struct gt_exit *out);
/* Gives up, if need be, and frees. NULL is fine. */
void gt_waiter_free(struct gt_waiter *w);
GT_DEFINE_AUTOPTR(gt_waiter)

#endif
