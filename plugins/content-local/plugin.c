/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "local.h"

static const struct gt_option local_options[] = {
	GT_OPT_PATH(struct local_config, root, "",
		    "Where blobs and ingests live; empty: below the daemon's root. Another "
		    "containerd's folder io.containerd.content.v1.content works as it is."),
	{ 0 }
};

static const struct gt_content_ops local_ops = {
	.size = sizeof(local_ops),
	.open = local_open,
	.close = local_close,
	.info = local_info,
	.reader = local_reader,
	.writer = writer_open,
	.remove = local_remove,
	.walk = local_walk,
	.status = ingest_status,
	.walk_ingests = ingest_walk,
	.abort = ingest_abort,
};

GT_PLUGIN(content_local) = {
	GT_PLUGIN_HEADER,
	.kind = GT_CONTENT,
	.id = "content",
	.doc = "Keeps blobs in files named by their digest, as containerd lays them out.",
	.options = local_options,
	.config_size = sizeof(struct local_config),
	.ops.content = &local_ops,
};
