/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GANTRY_PLUGIN_RUNTIME_RUNC_H
#define GANTRY_PLUGIN_RUNTIME_RUNC_H

#include <shim/settings.h>

#include <gantry/runtime.h>

struct runc_config {
	struct gt_shim_config shims; /* first */
	char *shim;
	char *runtime;
	char *root;
	bool systemd_cgroup;
};

struct gt_error *runc_open(const struct gt_init *init, struct gt_runtime **out);
void runc_close(struct gt_runtime *r);
struct gt_error *runc_create(struct gt_runtime *r, struct gt_call *call,
			     const struct gt_task_create *req, uint32_t *pid);
struct gt_error *runc_info(struct gt_runtime *r, struct gt_call *call, const char *runtime,
			   const struct gt_any *options, struct gt_any *out);

#endif
