/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layer worker, gantry-layer: what it was asked for, and how it answers. It is started with
 * descriptors (enum gt_layer_fd), an empty environment and arguments "mode name=value ...".
 */
#ifndef GANTRY_LIB_ARCHIVE_LAYER_H
#define GANTRY_LIB_ARCHIVE_LAYER_H

#include <archive/frame.h>
#include <gantry/error.h>

struct layer_job_options {
	bool raw; /* apply, list: the blob is not compressed */
	bool overlay, userxattr; /* apply: into overlayfs' upperdir */
	bool alone; /* apply: what is below is not there yet, and nothing may depend on it */
	bool userns;
	bool writeback;
	bool thread;
	bool lower, guided; /* diff: GT_LAYER_LOWER, GT_LAYER_GUIDE are there */
	int64_t below; /* apply: layers below, from GT_LAYER_LOWER on */
	int64_t max_size, max_entries, max_ratio, max_window;
	int64_t compression; /* diff, recode: enum layer_compression */
	int64_t epoch; /* diff: latest time that is written, seconds; -1: none */
};

enum layer_compression { LAYER_PLAIN, LAYER_GZIP, LAYER_ZSTD };

struct layer_done {
	int64_t size; /* uncompressed */
	int64_t consumed; /* of the blob */
	int64_t entries;
	char *digest; /* "" where there is none */
};

GT_MUST_USE struct gt_error *layer_apply(const struct layer_job_options *o, struct layer_done *out);
GT_MUST_USE struct gt_error *layer_list(const struct layer_job_options *o, struct layer_done *out);
GT_MUST_USE struct gt_error *layer_measure(const struct layer_job_options *o,
					   struct layer_done *out);
GT_MUST_USE struct gt_error *layer_recode(const struct layer_job_options *o,
					  struct layer_done *out);
GT_MUST_USE struct gt_error *layer_diff(const struct layer_job_options *o, struct layer_done *out);

/* Apply and list from an input that is open, once confined; 'root' is where an application writes. */
struct layer_input;
GT_MUST_USE struct gt_error *layer_apply_input(const struct layer_job_options *o, int root,
					       struct layer_input *in, struct layer_done *out);
GT_MUST_USE struct gt_error *layer_list_input(const struct layer_job_options *o,
					      struct layer_input *in, struct layer_done *out);

/* Frames on the result descriptor. Exits if nobody reads them any more. */
void layer_say_warning(void *arg, const char *text);
void layer_say(struct gt_buf *frame);

#endif
