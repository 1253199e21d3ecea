/* SPDX-License-Identifier: Apache-2.0 */
/* What CRIU leaves behind when it fails. */
#ifndef GANTRY_SHIM_CRIU_H
#define GANTRY_SHIM_CRIU_H

#include "container.h"

/*
 * Adds to an error of the runtime's what CRIU's own log ('name' in the container's work folder) says last.
 * Takes 'e'; NULL stays NULL.
 */
GT_MUST_USE struct gt_error *criu_error_take(const struct container *c, struct gt_error *e,
					     const char *name);

#endif
