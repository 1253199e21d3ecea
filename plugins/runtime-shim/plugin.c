/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "any-shim.h"

#include <shim/runtime.h>

static const struct gt_option shim_options[] = {
	GT_OPT_LIST(struct any_shim_config, path, "[]",
		    "Folders in which shims' programs are looked for before those of PATH."),
	GT_OPT_PATH(struct any_shim_config, runc_root, "",
		    "Where the runtime programs of containerd-shim-runc-* keep their state, in one "
		    "folder a namespace, where the container's options name no other; empty: the "
		    "folder runc in the configuration's state."),
	GT_SHIM_OPTIONS,
	{ 0 }
};

static const struct gt_runtime_ops shim_ops = {
	.size = sizeof(shim_ops),
	.open = any_shim_open,
	.close = any_shim_close,
	.create = any_shim_create,
	.info = any_shim_info,
	GT_SHIM_RUNTIME_OPS,
};

GT_PLUGIN(runtime_shim) = {
	GT_PLUGIN_HEADER,
	.kind = GT_RUNTIME,
	.id = "shim",
	.doc = "Runs containers with any shim program, found by containerd's rule for runtime names.",
	.options = shim_options,
	.config_size = sizeof(struct any_shim_config),
	.ops.runtime = &shim_ops,
	.provides = (const char *const[]){ "*", NULL },
};
