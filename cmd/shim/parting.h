/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a container's root file system. When an overlay's last user goes the kernel writes back the
 * whole file system below it, which whoever let go last waits for. A mount that is detached is gone from
 * every table; what is held here by a descriptor ends a little later, when the caller has its answer.
 */
#ifndef GANTRY_SHIM_PARTING_H
#define GANTRY_SHIM_PARTING_H

#include "shim.h"

/* Detaches all that is mounted at 'path', which is let go of later. */
GT_MUST_USE struct gt_error *parting_begin(struct shim *shim, const char *path);

/* Lets go of it now; waits. */
void parting_end(struct parting *p);

#endif
