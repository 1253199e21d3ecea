/* SPDX-License-Identifier: Apache-2.0 */
/* Decompression of one stream: gzip, zstd or none. For the worker only. */
#ifndef GANTRY_LIB_ARCHIVE_DECODE_H
#define GANTRY_LIB_ARCHIVE_DECODE_H

#include <gantry/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAYER_DECODE_MAGIC 4

/* What a step works on; pointers and lengths move on as it goes. */
struct layer_decode_span {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
};

struct layer_decoder;

struct layer_decoder_ops {
	/* Goes on until one of both runs out. '*whole': what came in so far could be the end. */
	struct gt_error *(*step)(struct layer_decoder *d, struct layer_decode_span *span,
				 bool *whole);
	void (*free)(struct layer_decoder *d);
};

struct layer_decoder {
	const struct layer_decoder_ops *ops;
};

/* The decoder for a stream that begins so; NULL for one that is not compressed. */
GT_MUST_USE struct gt_error *layer_decoder_new(const uint8_t *magic, size_t len, int64_t max_window,
					       struct layer_decoder **out);

GT_MUST_USE struct gt_error *layer_decoder_gzip(struct layer_decoder **out);
GT_MUST_USE struct gt_error *layer_decoder_zlib(struct layer_decoder **out);
GT_MUST_USE struct gt_error *layer_decoder_zstd(int64_t max_window, struct layer_decoder **out);

#endif
