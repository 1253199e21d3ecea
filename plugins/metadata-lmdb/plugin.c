/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "lmdb-store.h"

static const struct gt_option lmdb_options[] = {
	GT_OPT_SIZE(struct lmdb_config, map_size, "1GiB",
		    "Address space to begin with. It is no memory and no disk space, and grows by "
		    "itself when the store outgrows it."),
	GT_OPT_DURATION(struct lmdb_config, lock_timeout, "30s",
			"How long a write waits for one of another process that hangs, where the "
			"call has no deadline of its own; 0s: for ever."),
	{ 0 }
};

static const struct gt_metadata_ops lmdb_ops = {
	.size = sizeof(lmdb_ops),
	.open = store_open,
	.close = store_close,
	.update = store_update,
	.view = store_view,
	.get = store_get,
	.put = store_put,
	.remove = store_remove,
	.seek = store_seek,
};

GT_PLUGIN(metadata_lmdb) = {
	GT_PLUGIN_HEADER,
	.kind = GT_METADATA,
	.id = "lmdb",
	.doc = "Keeps the records of all namespaces in one LMDB environment.",
	.options = lmdb_options,
	.config_size = sizeof(struct lmdb_config),
	.ops.metadata = &lmdb_ops,
};
