/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the metadata suite share. */
#ifndef GANTRY_PLUGIN_TEST_METADATA_H
#define GANTRY_PLUGIN_TEST_METADATA_H

#include "suite.h"

#include <gantry/metadata.h>

struct gt_slice slice(const char *s);
/* One key of an update or view of its own. */
GT_MUST_USE struct gt_error *metadata_put(struct gt_metadata *m, const char *key, const void *value,
					  size_t len);
GT_MUST_USE struct gt_error *metadata_remove(struct gt_metadata *m, const char *key);
/* '*out' is a new string with the value. */
GT_MUST_USE struct gt_error *metadata_get(struct gt_metadata *m, const char *key, char **out);
/* Removes each key with 'prefix', in one update. */
GT_MUST_USE struct gt_error *metadata_clear(struct gt_metadata *m, const char *prefix);

/* Many threads and processes, deaths, and a full disk. */
void metadata_many(struct gt_metadata *m, const char *dir);

#endif
