/* SPDX-License-Identifier: Apache-2.0 */
/* Tells when the kernel kills a container's process for want of memory, cgroup version 1 and 2. */
#ifndef GANTRY_SHIM_OOM_H
#define GANTRY_SHIM_OOM_H

#include "cgroup.h"
#include "shim.h"

struct oom {
	struct shim *shim;
	struct gt_watch watch; /* version 1: an eventfd */
	char *file; /* whose existence or content tells */
	int wd; /* version 2: of the shim's inotify; 0: none */
	uint64_t kills; /* as last seen */
	void (*happened)(struct oom *o);
};

/* Calls 'happened' each time. */
GT_MUST_USE struct gt_error *oom_start(struct oom *o, struct shim *shim, const struct cgroup *g,
				       void (*happened)(struct oom *));
void oom_stop(struct oom *o);

/* Which one a watch of the shim's inotify belongs to; implemented by who keeps them. */
struct oom *oom_find(struct shim *shim, int wd);

#endif
