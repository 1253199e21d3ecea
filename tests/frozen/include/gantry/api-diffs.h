/* SPDX-License-Identifier: Apache-2.0 */
/* The diff service: applies blobs of the content service to mounts, and makes blobs of differences. */
#ifndef GANTRY_API_DIFFS_H
#define GANTRY_API_DIFFS_H

#include <gantry/differ.h>
#include <gantry/services.h>

struct gt_diffs_ops {
	size_t size;
	/*
	 * Applies the blob 'desc'. '*applied' is the descriptor of the uncompressed layer: its media
	 * type, diff ID and size. Tries the active differs in order until one knows the media type.
	 */
	struct gt_error *(*apply)(struct gt_services *s, struct gt_call *call,
				  const struct gt_descriptor *desc, const struct gt_mounts *mounts,
				  struct gt_descriptor *applied);
	/*
	 * Stores the difference as a blob with 'labels' and containerd.io/uncompressed. 'ref' names
	 * the ingest; NULL: one is made up.
	 */
	struct gt_error *(*diff)(struct gt_services *s, struct gt_call *call,
				 const struct gt_mounts *lower, const struct gt_mounts *upper,
				 const struct gt_diff_options *o, const char *ref,
				 const struct gt_labels *labels, struct gt_descriptor *out);
};

GT_MUST_USE struct gt_error *gt_diffs_apply(struct gt_services *s, struct gt_call *call,
					    const struct gt_descriptor *desc,
					    const struct gt_mounts *mounts,
					    struct gt_descriptor *applied);
GT_MUST_USE struct gt_error *gt_diffs_diff(struct gt_services *s, struct gt_call *call,
					   const struct gt_mounts *lower,
					   const struct gt_mounts *upper,
					   const struct gt_diff_options *o, const char *ref,
					   const struct gt_labels *labels,
					   struct gt_descriptor *out);

#endif
