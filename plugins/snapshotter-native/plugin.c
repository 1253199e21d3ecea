/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "native.h"

static const struct gt_option native_options[] = {
	GT_OPT_PATH(struct native_config, root, "",
		    "Where snapshots live; empty: in the plugin's folder below the root."),
	{ 0 }
};

static const struct gt_snapshotter_ops native_ops = {
	.size = sizeof(native_ops),
	.open = native_open,
	.close = native_close,
	.stat = native_stat,
	.prepare = native_prepare,
	.view = native_view,
	.mounts = native_mounts,
	.commit = native_commit,
	.remove = native_remove,
	.walk = native_walk,
	.update = native_update,
	.usage = native_usage,
	.cleanup = native_cleanup,
	.sync = native_sync,
	.remove_all = native_remove_all,
};

GT_PLUGIN(snapshotter_native) = {
	GT_PLUGIN_HEADER,
	.kind = GT_SNAPSHOTTER,
	.id = "native",
	.doc = "Keeps each snapshot as a full copy; needs nothing of the file system.",
	.options = native_options,
	.config_size = sizeof(struct native_config),
	.ops.snapshotter = &native_ops,
};
