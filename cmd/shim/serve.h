/* SPDX-License-Identifier: Apache-2.0 */
/* The serving process. */
#ifndef GANTRY_SHIM_SERVE_H
#define GANTRY_SHIM_SERVE_H

#include "args.h"

/*
 * Makes this process one that serves at the listening socket 'fd', which it takes, until it is told to
 * end. 'path' is the socket's, to be removed at the end; NULL: somebody else's. Closes 'ready' when
 * calls are served, or writes to it why they cannot be. Returns the exit status.
 */
int serve_take(const struct shim_args *args, int fd, const char *path, int ready);

#endif
