/* SPDX-License-Identifier: Apache-2.0 */
/* A blob as a stream of uncompressed blocks, with its digest and its limits. For the worker only. */
#ifndef GANTRY_LIB_ARCHIVE_INPUT_H
#define GANTRY_LIB_ARCHIVE_INPUT_H

#include <gantry/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct layer_input_options {
	int fd; /* stays the caller's; a regular file is read from its start, by position */
	bool raw; /* not compressed, whatever it begins with */
	bool digest;
	int64_t max_size; /* uncompressed; 0: none */
	int64_t max_ratio; /* uncompressed to compressed; 0: none */
	int64_t max_window; /* of zstd */
};

struct layer_input;

GT_MUST_USE struct gt_error *layer_input_open(const struct layer_input_options *o,
					      struct layer_input **out);

/*
 * Starts a thread that runs ahead of next. To be called before seccomp takes clone away, and after
 * capabilities are gone, which belong to a thread.
 */
GT_MUST_USE struct gt_error *layer_input_start_thread(struct layer_input *in);

/* The next block; it lives until the next call. '*len' 0: the end, and the blob was whole. */
GT_MUST_USE struct gt_error *layer_input_next(struct layer_input *in, const void **data,
					      size_t *len);

/* Reads what is left, so that size and digest are those of the whole. */
GT_MUST_USE struct gt_error *layer_input_drain(struct layer_input *in);

/*
 * Whether the blob is a regular file that is not compressed; then 'size' is its length, and skipping
 * 'n' bytes of what next would give costs nothing (no digest, no thread).
 */
bool layer_input_is_plain_file(const struct layer_input *in, int64_t *size);
void layer_input_skip(struct layer_input *in, int64_t n);

/* Bytes of the blob, bytes out of it so far. */
int64_t layer_input_consumed(const struct layer_input *in);
int64_t layer_input_produced(const struct layer_input *in);

/* "sha256:..." of what next has given, as a new string. Once. */
GT_MUST_USE struct gt_error *layer_input_digest(struct layer_input *in, char **out);

void layer_input_free(struct layer_input *in);
GT_DEFINE_AUTOPTR(layer_input)

#endif
