/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs share: finding the configuration, and reporting an error that ends them. */
#ifndef GANTRY_CMD_START_H
#define GANTRY_CMD_START_H

#include "core/config.h"

/* The lowest layer of every configuration, config/shipped.conf; generated into cmd/shipped.c. */
extern const char gantry_shipped_config[];

/*
 * Loads the configuration and sets up the log by it: from 'file', else from the file that GANTRY_CONFIG
 * names, else from SYSCONFDIR/gantry/gantry.conf if there is one, else what ships.
 */
GT_MUST_USE struct gt_error *gantry_start(const char *file, const char *over,
					  struct gt_config **out);

/* Logs what the configuration has that is not used. */
void gantry_warn(const struct gt_config *c);

/* Prints "PROGRAM: TEXT" and frees 'e', which it takes; returns the exit status 1. */
int gantry_fail_take(const char *program, struct gt_error *e);
/* The same where there may be none: 0 then. */
int gantry_end_take(const char *program, struct gt_error *e);

#endif
