/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "overlay.h"

static const struct gt_option overlay_options[] = {
	GT_OPT_PATH(struct overlay_config, root, "",
		    "Where snapshots live; empty: in the plugin's folder below the root."),
	GT_OPT_BOOL(struct overlay_config, upperdir_label, "false",
		    "Show the path of a snapshot's own files as label "
		    "containerd.io/snapshot/overlay.upperdir.", GT_LIVE),
	GT_OPT_BOOL(
		struct overlay_config, sync_remove, "false",
		"Delete all of a snapshot's files before its removal answers, however long that "
		"takes.", GT_LIVE),
	GT_OPT_LIST(struct overlay_config, mount_options, "[]",
		    "Options that every overlay mount gets first."),
	{ 0 }
};

static const struct gt_snapshotter_ops overlay_ops = {
	.size = sizeof(overlay_ops),
	.open = overlay_open,
	.close = overlay_close,
	.stat = overlay_stat,
	.prepare = overlay_prepare,
	.view = overlay_view,
	.mounts = overlay_mounts,
	.commit = overlay_commit,
	.remove = overlay_remove,
	.walk = overlay_walk,
	.update = overlay_update,
	.usage = overlay_usage,
	.cleanup = overlay_cleanup,
	.sync = overlay_sync,
	.remove_all = overlay_remove_all,
	.can_rebase = true,
};

GT_PLUGIN(snapshotter_overlay) = {
	GT_PLUGIN_HEADER,
	.kind = GT_SNAPSHOTTER,
	.id = "overlayfs",
	.doc = "Keeps each snapshot's own files in a directory and mounts the chain with "
	       "overlayfs.",
	.options = overlay_options,
	.config_size = sizeof(struct overlay_config),
	.ops.snapshotter = &overlay_ops,
};
