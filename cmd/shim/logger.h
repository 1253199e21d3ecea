/* SPDX-License-Identifier: Apache-2.0 */
/* A program that takes a container's output: "binary:///path?key=value". */
#ifndef GANTRY_SHIM_LOGGER_H
#define GANTRY_SHIM_LOGGER_H

#include "child.h"

struct logger;

/*
 * Starts it with the read ends of two pipes. 'ready' is called once, unless this fails: with NULL when it
 * says that it is ready, with an error (which it takes) if it does not.
 */
GT_MUST_USE struct gt_error *logger_start(struct shim *shim, const char *url, const char *id,
					  const char *ns, const int pipes[2],
					  void (*ready)(void *arg, struct gt_error *e), void *arg,
					  struct logger **out);

/*
 * Its pipes' write ends are closed: it shall end by itself, or is told to, or is killed. 'gone' is called
 * once, after which the logger is freed; may be before this returns. With gone NULL nobody waits.
 */
void logger_stop(struct logger *l, void (*gone)(void *arg), void *arg);

#endif
