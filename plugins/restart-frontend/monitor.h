/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RESTART_FRONTEND_MONITOR_H
#define RESTART_FRONTEND_MONITOR_H

#include <gantry/services.h>

/*
 * Looks at every container once, and starts and stops those whose labels ask for it. 'created' are those
 * whose tasks were created and not started when the round before looked, and then when this one did.
 */
void restart_round(struct gt_services *s, const struct gt_call *call, struct gt_strv *created);

#endif
