/* SPDX-License-Identifier: Apache-2.0 */
/* Making the event exchange; using it is <gantry/event.h>. */
#ifndef GANTRY_CORE_EVENT_H
#define GANTRY_CORE_EVENT_H

#include <gantry/event.h>

struct gt_events *gt_events_new(void);
void gt_events_free(struct gt_events *x); /* ends all subscriptions */

#endif
