/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroups of a container, as the kernel lists them for its first process. */
#ifndef GANTRY_SHIM_CGROUP_H
#define GANTRY_SHIM_CGROUP_H

#include <gantry/buf.h>

#include <sys/types.h>

struct cgroup {
	bool unified; /* version 2 only */
	char *list; /* /proc/PID/cgroup */
};

GT_MUST_USE struct gt_error *cgroup_of(pid_t pid, struct cgroup *out);
void cgroup_done(struct cgroup *g);

/* The folder of 'controller' (of all, where it is unified); NULL if there is none. */
char *cgroup_path(const struct cgroup *g, const char *controller);

/*
 * Adds the pids in the cgroup and those below it to an array, at most 'max'; none is no error. Returns
 * how many there are.
 */
size_t cgroup_pids(const struct cgroup *g, pid_t **pids, size_t max);

/* Moves a process into an existing cgroup "/path", in every controller that has it. */
GT_MUST_USE struct gt_error *cgroup_join(const char *path, pid_t pid);

#endif
