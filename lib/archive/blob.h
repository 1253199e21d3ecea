/* SPDX-License-Identifier: Apache-2.0 */
/* The layer worker at work on a blob: by the blob's descriptor, or fed where it has none. */
#ifndef GANTRY_LIB_ARCHIVE_BLOB_H
#define GANTRY_LIB_ARCHIVE_BLOB_H

#include <archive/job.h>
#include <gantry/content.h>

struct gt_layer_blob {
	struct gt_reader *reader;
	int64_t fed;
};

/*
 * As gt_layer_job_start(), with the blob in the place of fds[0], which this sets. 'blob' is the
 * caller's and outlives the job.
 */
GT_MUST_USE struct gt_error *gt_layer_job_start_blob(struct gt_layer_job *j, const char *worker,
						     const struct gt_strv *args,
						     struct gt_layer_blob *blob, int *fds,
						     size_t n_fds);

enum gt_layer_compression { GT_LAYER_PLAIN, GT_LAYER_GZIP, GT_LAYER_ZSTD };

/*
 * Writes the layer 'blob', however it is compressed, to 'w' in another compression; the commit is the
 * caller's. '*out' tells its uncompressed size and digest. INVALID_ARGUMENT for a broken stream;
 * RESOURCE_EXHAUSTED beyond 'max_size' bytes uncompressed (0: 1 TiB) or a full disk.
 */
GT_MUST_USE struct gt_error *gt_layer_recode(const char *worker, const struct gt_call *call,
					     struct gt_reader *blob,
					     enum gt_layer_compression compression,
					     int64_t max_size, struct gt_writer *w,
					     struct gt_layer_result *out);

#endif
