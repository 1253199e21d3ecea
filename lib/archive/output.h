/* SPDX-License-Identifier: Apache-2.0 */
/* The way out of a layer that is made: digest, compression, result frames. For the worker only. */
#ifndef GANTRY_LIB_ARCHIVE_OUTPUT_H
#define GANTRY_LIB_ARCHIVE_OUTPUT_H

#include <archive/layer.h>

struct layer_output;

GT_MUST_USE struct gt_error *layer_output_open(enum layer_compression compression,
					       struct layer_output **out);
GT_MUST_USE struct gt_error *layer_output_write(struct layer_output *o, const void *data,
						size_t len);
/* Flushes; 'done' gets size and digest of what was written. */
GT_MUST_USE struct gt_error *layer_output_end(struct layer_output *o, struct layer_done *done);
void layer_output_free(struct layer_output *o);
GT_DEFINE_AUTOPTR(layer_output)

#endif
