/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GANTRY_PLUGIN_RUNTIME_SHIM_H
#define GANTRY_PLUGIN_RUNTIME_SHIM_H

#include <shim/settings.h>

#include <gantry/runtime.h>

struct any_shim_config {
	struct gt_shim_config shims; /* first */
	struct gt_strv path;
	char *runc_root;
};

struct gt_error *any_shim_open(const struct gt_init *init, struct gt_runtime **out);
void any_shim_close(struct gt_runtime *r);
struct gt_error *any_shim_create(struct gt_runtime *r, struct gt_call *call,
				 const struct gt_task_create *req, uint32_t *pid);
struct gt_error *any_shim_info(struct gt_runtime *r, struct gt_call *call, const char *runtime,
			       const struct gt_any *options, struct gt_any *out);

#endif
