/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records and directories together: the ops that do not depend on what is in a directory. Each does
 * what <gantry/snapshotter.h> says of the op of that name.
 */
#ifndef GANTRY_LIB_SNAPDB_STORE_H
#define GANTRY_LIB_SNAPDB_STORE_H

#include "folders.h"

struct gt_snapstore {
	struct gt_snapdb *db;
	struct gt_folders folders;
	bool synced; /* full durability */
};

/* In 'root', or in the plugin's own where that is "". */
GT_MUST_USE struct gt_error *gt_snapstore_open(const struct gt_init *init, const char *root,
					       struct gt_snapstore *out);
void gt_snapstore_close(struct gt_snapstore *s);

GT_MUST_USE struct gt_error *gt_snapstore_stat(struct gt_snapstore *s, const char *key,
					       struct gt_snapshot_info *out);
/* 'patience' as for gt_folders_remove. */
GT_MUST_USE struct gt_error *gt_snapstore_remove(struct gt_snapstore *s, const char *key,
						 int64_t patience);
GT_MUST_USE struct gt_error *gt_snapstore_remove_all(struct gt_snapstore *s,
						     const struct gt_strv *keys, bool *gone);
/* Of 'below' in the snapshot's directory. A committed one is measured once. */
GT_MUST_USE struct gt_error *gt_snapstore_usage(struct gt_snapstore *s, const struct gt_call *call,
						const char *key, const char *below,
						struct gt_usage *out);
GT_MUST_USE struct gt_error *gt_snapstore_sync(struct gt_snapstore *s);

/* PATH/ID, or PATH/ID/BELOW. */
char *gt_snapstore_path(const struct gt_snapstore *s, uint64_t id, const char *below);

#endif
