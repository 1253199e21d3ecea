/* SPDX-License-Identifier: Apache-2.0 */
/* libarchive's tar reader on top of a layer_input. For the worker only. */
#ifndef GANTRY_LIB_ARCHIVE_READER_H
#define GANTRY_LIB_ARCHIVE_READER_H

#include <archive/input.h>

#include <archive.h>
#include <archive_entry.h>

struct layer_reader {
	struct archive *a;
	struct layer_input *in; /* not the reader's */
	struct gt_error *error; /* of the input, while libarchive passes on a failure of its own */
	bool can_skip;
};

/* Loads what libarchive would look for on the disk later, when that disk is the target's. */
void layer_reader_prepare(void);

/* 'can_skip': content that nobody wants is jumped over (a plain file only). */
GT_MUST_USE struct gt_error *layer_reader_open(struct layer_reader *r, struct layer_input *in,
					       bool can_skip);
/* NULL at the archive's end. The entry lives until the next call. */
GT_MUST_USE struct gt_error *layer_reader_next(struct layer_reader *r, struct archive_entry **out);
/* The next part of the entry's content; '*len' 0 at its end. Parts may leave holes between them. */
GT_MUST_USE struct gt_error *layer_reader_data(struct layer_reader *r, const void **data,
					       size_t *len, int64_t *off);
void layer_reader_done(struct layer_reader *r);

#endif
