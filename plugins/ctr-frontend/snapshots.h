/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the group `snapshots` that have a file of their own. */
#ifndef CTR_SNAPSHOTS_H
#define CTR_SNAPSHOTS_H

#include "app.h"

extern const struct ctr_command ctr_snapshot_diff;
extern const struct ctr_command ctr_snapshot_tree;

#endif
