/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shim waits for hours, and many of them do: when nothing has happened for a moment it lets go of all that
 * it can have again. The largest part is its own program, of which the start of a container has touched
 * most and waiting touches little.
 */
#ifndef GANTRY_SHIM_IDLE_H
#define GANTRY_SHIM_IDLE_H

#include <ttrpc/loop.h>

struct idle {
	struct gt_timer timer;
	bool over; /* the timer's own turn */
};

/* To be called after each turn of the loop. */
void idle_after(struct idle *i, struct gt_loop *loop);

#endif
