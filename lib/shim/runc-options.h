/* SPDX-License-Identifier: Apache-2.0 */
/* containerd.runc.v1.Options: for shims around runc, crun and their like. */
#ifndef GANTRY_LIB_SHIM_RUNC_OPTIONS_H
#define GANTRY_LIB_SHIM_RUNC_OPTIONS_H

#include <shim/bundle.h>

#include <gantry/runtime.h>

/* What stands where options are silent; "" leaves it so. */
struct gt_shim_runc_defaults {
	const char *binary;
	const char *root; /* of the program's state; a folder a namespace below it */
	bool systemd_cgroup;
};

/* Whether 'a' is of that type, or of none. */
bool gt_shim_options_are_runc(const struct gt_any *a);

/* Those of the task, or else of its container; NULL: neither has any. */
const struct gt_any *gt_shim_options_given(const struct gt_task_create *req);

/* 'given', of that type or NULL, with the defaults in it. INVALID_ARGUMENT if it is malformed. */
GT_MUST_USE struct gt_error *gt_shim_runc_options(const struct gt_any *given,
						  const struct gt_shim_runc_defaults *defaults,
						  struct gt_any *out);

/*
 * Runs `delete --force` as the shim would, from the options that it left in the bundle, if the program
 * still knows of the container. What it knows goes in any case.
 */
GT_MUST_USE struct gt_error *gt_shim_runc_force(const struct gt_bundle *b, struct gt_call *call,
						const struct gt_shim_runc_defaults *defaults);

#endif
