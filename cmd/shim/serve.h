/* SPDX-License-Identifier: Apache-2.0 */
/* The serving process. */
#ifndef GANTRY_SHIM_SERVE_H
#define GANTRY_SHIM_SERVE_H

#include "args.h"

struct serve;

/* Makes all that can fail, while somebody still listens to an error. Takes the listening socket. */
GT_MUST_USE struct gt_error *serve_new_take(const struct shim_args *args, int fd, const char *path,
					    struct serve **out);
/* Becomes a process of its own and serves until it is told to end. Returns the exit status. */
int serve_run(struct serve *s);

#endif
