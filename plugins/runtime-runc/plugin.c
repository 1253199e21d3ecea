/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "runc.h"

#include <shim/runtime.h>

static const struct gt_option runc_options[] = {
	GT_OPT_PATH(struct runc_config, shim, "",
		    "The shim's program; empty: the containerd-shim-gantry-v1 that was installed with "
		    "this plugin. containerd-shim-runc-v2 works as well."),
	GT_OPT_STRING(struct runc_config, runtime, "runc",
		      "The OCI runtime program that the shim runs where the container names none: a "
		      "path, or a name that is looked up in PATH."),
	GT_OPT_PATH(struct runc_config, root, "",
		    "Where the runtime program keeps its state, in one folder a namespace; empty: the "
		    "folder runc in the configuration's state."),
	GT_OPT_BOOL(struct runc_config, systemd_cgroup, "false",
		    "Have systemd make the control groups."),
	GT_SHIM_OPTIONS,
	{ 0 }
};

static const struct gt_runtime_ops runc_ops = {
	.size = sizeof(runc_ops),
	.open = runc_open,
	.close = runc_close,
	.create = runc_create,
	.info = runc_info,
	GT_SHIM_RUNTIME_OPS,
};

GT_PLUGIN(runtime_runc) = {
	GT_PLUGIN_HEADER,
	.kind = GT_RUNTIME,
	.id = "runc",
	.doc = "Runs containers with runc, crun or another OCI runtime program, each in a shim.",
	.options = runc_options,
	.config_size = sizeof(struct runc_config),
	.ops.runtime = &runc_ops,
	.provides = (const char *const[]){ "io.containerd.runc.v2", "io.containerd.runc.v1",
					   "io.containerd.gantry.v1", NULL },
};
