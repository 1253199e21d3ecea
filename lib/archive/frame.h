/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the layer worker says on its result descriptor: frames of one type byte, a length of four bytes
 * (little-endian) and a body of numbers (eight bytes, little-endian) and strings (a length of four
 * bytes and the bytes). The reading side trusts none of it: a worker may have been taken over.
 */
#ifndef GANTRY_LIB_ARCHIVE_FRAME_H
#define GANTRY_LIB_ARCHIVE_FRAME_H

#include <gantry/buf.h>

#define GT_FRAME_HEAD 5
#define GT_FRAME_MAX (256 * 1024)

enum gt_frame_type {
	GT_FRAME_ERROR = 'E', /* class, text; the last one */
	GT_FRAME_DONE = 'R', /* size, bytes read, entries, digest; the last one */
	GT_FRAME_WARNING = 'W', /* text */
	GT_FRAME_ENTRY = 'H', /* type, size, offset, name, link */
	GT_FRAME_DATA = 'D', /* bytes */
};

/* Descriptors of the worker. */
enum gt_layer_fd {
	GT_LAYER_RESULT = 3,
	GT_LAYER_BLOB, /* apply, list */
	GT_LAYER_ROOT, /* apply: target; diff: upper */
	GT_LAYER_LOWER, /* diff: lower; apply: the first of the layers below */
	GT_LAYER_GUIDE, /* diff: the directory that holds all changed names */
};

/* Adds the head of a frame whose body follows; gt_frame_end() with its result sets the length. */
size_t gt_frame_begin(struct gt_buf *b, enum gt_frame_type type);
void gt_frame_end(struct gt_buf *b, size_t begin);
void gt_frame_number(struct gt_buf *b, int64_t v);
void gt_frame_string(struct gt_buf *b, const char *s);

/* A body being taken apart; reading past its end gives 0 or "" and sets 'broken'. */
struct gt_frame_body {
	const char *p;
	size_t left;
	bool broken;
};

int64_t gt_frame_get_number(struct gt_frame_body *b);
/* A new string; one with a NUL inside sets 'broken'. */
char *gt_frame_get_string(struct gt_frame_body *b);

/* The length that a head says. */
uint32_t gt_frame_length(const unsigned char head[GT_FRAME_HEAD]);

#endif
