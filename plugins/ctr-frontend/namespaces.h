/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CTR_NAMESPACES_H
#define CTR_NAMESPACES_H

#include <gantry/error.h>

/* Deletes the control groups /NAME, and empty ones below. FAILED_PRECONDITION while a process is in one. */
GT_MUST_USE struct gt_error *ctr_cgroup_remove(const char *name);

#endif
