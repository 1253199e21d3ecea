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
	GT_OPT_PATH(struct runc_config, events_address, "",
		    "The socket to which shims send their events; empty: they write them to the "
		    "journal in the configuration's state."),
	GT_OPT_DURATION(struct runc_config, start_timeout, "10s",
			"How long a shim may take until it can be called."),
	GT_OPT_DURATION(struct runc_config, connect_timeout, "5s",
			"How long a shim may take to accept a connection."),
	GT_OPT_DURATION(struct runc_config, state_timeout, "2s",
			"How long a shim may take to tell what it knows."),
	GT_OPT_DURATION(struct runc_config, task_timeout, "2m",
			"How long a call may take that runs the runtime program, where the caller "
			"sets no limit."),
	GT_OPT_DURATION(struct runc_config, checkpoint_timeout, "10m",
			"The same for checkpoint and restore."),
	GT_OPT_DURATION(struct runc_config, shutdown_timeout, "3s",
			"How long a shim without tasks may take to end."),
	GT_OPT_DURATION(struct runc_config, cleanup_timeout, "4s",
			"How long the shim's program may take to clean up after a dead shim."),
	{ 0 }
};

static const struct gt_runtime_ops runc_ops = {
	.size = sizeof(runc_ops),
	.open = runc_open,
	.close = runc_close,
	.create = runc_create,
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
					   "io.containerd.gantry.v1", "/*", NULL },
};
