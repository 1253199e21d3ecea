/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "shim-sandboxer.h"

static const struct gt_option shim_options[] = {
	GT_OPT_PATH(struct shim_sandboxer_config, shim, "",
		    "The shim's program for sandboxes whose runtime is io.containerd.runc.v2, "
		    "io.containerd.gantry.v1 or none; empty: the containerd-shim-gantry-v1 that was "
		    "installed with this plugin."),
	GT_OPT_LIST(struct shim_sandboxer_config, path, "[]",
		    "Folders in which the shims of other runtimes are looked for before those of PATH."),
	GT_SHIM_OPTIONS,
	{ 0 }
};

GT_PLUGIN(sandboxer_shim) = {
	GT_PLUGIN_HEADER,
	.kind = GT_SANDBOXER,
	.id = "shim",
	.doc = "Has each sandbox held by a shim of its own, which runs all of the sandbox's containers.",
	.options = shim_options,
	.config_size = sizeof(struct shim_sandboxer_config),
	.ops.sandboxer = &shim_sandboxer_ops,
};
