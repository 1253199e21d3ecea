/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the group `tasks` that have a file of their own. */
#ifndef CTR_TASKS_H
#define CTR_TASKS_H

#include "app.h"

extern const struct ctr_command ctr_task_start;
extern const struct ctr_command ctr_task_attach;
extern const struct ctr_command ctr_task_exec;
extern const struct ctr_command ctr_task_metrics;
extern const struct ctr_command ctr_task_ps;

#endif
