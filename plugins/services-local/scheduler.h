/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a daemon collects garbage, by containerd's rules and its settings (conventions.md, gc.v1.scheduler):
 * once after the start; then when something was deleted or enough changed, as soon as so much time has
 * passed that collections take no more than the pause threshold of it; or at once after a number of
 * deletions. One thread, which begins with gt_system_schedule() and ends with the instance.
 */
#ifndef SERVICES_LOCAL_SCHEDULER_H
#define SERVICES_LOCAL_SCHEDULER_H

#include "local.h"

/* INVALID_ARGUMENT, naming the setting. */
GT_MUST_USE struct gt_error *schedule_check(const struct local_config *config);
/* Something changed; 'deleted': something that was there is gone. Any thread. */
void schedule_note(struct local *l, bool deleted);
void schedule_end(struct local *l);

#endif
