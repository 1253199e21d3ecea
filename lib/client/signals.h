/* SPDX-License-Identifier: Apache-2.0 */
/* The insides of struct gt_signals (task.h). Within lib/client. */
#ifndef GANTRY_LIB_CLIENT_SIGNALS_H
#define GANTRY_LIB_CLIENT_SIGNALS_H

#include <client/task.h>

int gt_signals_fd(const struct gt_signals *g);
/* The next that came; 0: none. */
int gt_signals_next(struct gt_signals *g);

#endif
