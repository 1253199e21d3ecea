/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's wait before a process may move to another control group. */
#ifndef GANTRY_LIB_PROC_GRACE_H
#define GANTRY_LIB_PROC_GRACE_H

#include <pthread.h>
#include <stdbool.h>

/*
 * Linux moves processes between control groups only after an RCU grace period: 8 to 20 ms on an idle
 * machine, in which each runtime program stands still as it puts a container's first process, or an exec's,
 * into its group. The wait is one for the whole machine, and who comes within such a period after
 * another's end need not wait again. So whoever knows that a program will do so soon asks for it now, and
 * it passes beside other work.
 *
 * Changes nothing: in a thread of its own the process moves itself to where it is. Where that cannot be
 * done nothing happens; it is an advice.
 */
struct gt_grace {
	pthread_t thread;
	bool runs;
	_Atomic bool over; /* the period has passed: gt_grace_done() does not wait */
};

/* Returns at once. */
void gt_grace_begin(struct gt_grace *g);
/* Waits for the thread: for what is left of the period, where the work that it passes beside was short. */
void gt_grace_done(struct gt_grace *g);

#endif
