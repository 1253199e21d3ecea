/* SPDX-License-Identifier: Apache-2.0 */
/* What containerd's restart labels ask for. */
#ifndef RESTART_FRONTEND_POLICY_H
#define RESTART_FRONTEND_POLICY_H

#include <gantry/api-containers.h>
#include <gantry/api-tasks.h>

#define RESTART_STATUS "containerd.io/restart.status"
#define RESTART_POLICY "containerd.io/restart.policy"
#define RESTART_COUNT "containerd.io/restart.count"
#define RESTART_STOPPED "containerd.io/restart.explicitly-stopped"
#define RESTART_LOG_URI "containerd.io/restart.loguri"
#define RESTART_LOG_PATH "containerd.io/restart.logpath"

enum restart_action { RESTART_NOTHING, RESTART_START, RESTART_STOP };

/*
 * What to do with a container of these labels whose task is in this state; 'task' NULL: there is none.
 * INVALID_ARGUMENT names the label that nobody can act on.
 */
GT_MUST_USE struct gt_error *restart_decide(const struct gt_labels *labels,
					    const struct gt_task_state *task,
					    enum restart_action *out);

/* How often it was started so far; 0 where the label says nothing that is a number. */
uint64_t restart_count(const struct gt_labels *labels);

/* Where its output goes: a new string, NULL for nowhere. */
GT_MUST_USE struct gt_error *restart_log(const struct gt_labels *labels, char **out);

#endif
