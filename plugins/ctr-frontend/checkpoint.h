/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the groups `tasks` and `containers` about checkpoints. */
#ifndef CTR_CHECKPOINT_H
#define CTR_CHECKPOINT_H

#include "app.h"

extern const struct ctr_command ctr_task_checkpoint;
extern const struct ctr_command ctr_container_checkpoint;
extern const struct ctr_command ctr_container_restore;

#endif
