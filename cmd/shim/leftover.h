/* SPDX-License-Identifier: Apache-2.0 */
/* Processes and cgroups that a runtime program left when it was killed half-way. */
#ifndef GANTRY_SHIM_LEFTOVER_H
#define GANTRY_SHIM_LEFTOVER_H

/*
 * Kills all in the cgroup 'path' and removes it, in each hierarchy, if the path is plainly the container's
 * own: its last part is 'id'. Does what it can.
 */
void leftover_end(const char *path, const char *id);

#endif
