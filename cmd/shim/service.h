/* SPDX-License-Identifier: Apache-2.0 */
/* The task service, version 2 and 3: the same messages under two names. */
#ifndef GANTRY_SHIM_SERVICE_H
#define GANTRY_SHIM_SERVICE_H

#include "shim.h"

#define N_SERVICES 2

void service_make(struct shim *shim, struct gt_ttrpc_service out[N_SERVICES]);

#endif
