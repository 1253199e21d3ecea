/* SPDX-License-Identifier: Apache-2.0 */
/* What the program does when it does not serve. */
#ifndef GANTRY_SHIM_ACTION_H
#define GANTRY_SHIM_ACTION_H

#include "args.h"

#define SHIM_NAME "containerd-shim-gantry-v1"

/* Starts a serving process, or finds the one of the group, and prints its address. */
GT_MUST_USE struct gt_error *action_start(const struct shim_args *args);
/* Ends what is left of a container whose shim is gone, and prints a DeleteResponse. */
GT_MUST_USE struct gt_error *action_delete(const struct shim_args *args);
/* Prints a RuntimeInfo. */
GT_MUST_USE struct gt_error *action_info(void);
GT_MUST_USE struct gt_error *action_version(void);
/* Serves on the inherited descriptor 3, or on -socket. Returns the exit status in '*status'. */
GT_MUST_USE struct gt_error *action_serve(const struct shim_args *args, int *status);

/* From here on the log goes to the bundle's FIFO: standard error is a part of what `start` answers. */
void action_log(bool debug);
/* Adds all of standard input, at most what a daemon would write. */
struct gt_buf;
GT_MUST_USE struct gt_error *action_input(struct gt_buf *out);

#endif
