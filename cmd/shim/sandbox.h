/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd.runtime.sandbox.v1: one sandbox a shim, which has no process of its own. The shim itself is
 * what its containers share, and it stays while the sandbox is there, containers or none.
 */
#ifndef GANTRY_SHIM_SANDBOX_H
#define GANTRY_SHIM_SANDBOX_H

#include "shim.h"

struct gt_ttrpc_service sandbox_service(struct shim *shim);

/* FAILED_PRECONDITION if there is a sandbox that takes no container any more. */
GT_MUST_USE struct gt_error *sandbox_admit(const struct shim *shim);

/* What runs stays as it is: for a shim that ends. NULL is fine. */
void sandbox_forget(struct sandbox *b);

#endif
