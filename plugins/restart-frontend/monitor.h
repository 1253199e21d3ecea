/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RESTART_FRONTEND_MONITOR_H
#define RESTART_FRONTEND_MONITOR_H

#include <gantry/services.h>

/* Looks at every container once, and starts and stops those whose labels ask for it. */
void restart_round(struct gt_services *s, const struct gt_call *call);

#endif
