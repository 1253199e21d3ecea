/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with git's strbuf's promises: 's' is never NULL, always ends in a NUL that
 * 'len' does not count, and may hold NULs itself. Running out of memory aborts; sizes that come from
 * outside are bounded by the caller first.
 */
#ifndef GANTRY_BUF_H
#define GANTRY_BUF_H

#include <gantry/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gt_buf {
	char *s;
	size_t len;
	size_t alloc; /* 0: 's' is the shared empty string */
};

extern char gt_buf_empty[];
#define GT_BUF_INIT { .s = gt_buf_empty }

void gt_buf_init(struct gt_buf *b);
void gt_buf_done(struct gt_buf *b);

/* Room for 'extra' more bytes; returns where they go. gt_buf_setlen() makes them count. */
char *gt_buf_reserve(struct gt_buf *b, size_t extra);
void gt_buf_setlen(struct gt_buf *b, size_t len);

void gt_buf_add(struct gt_buf *b, const void *data, size_t len);
void gt_buf_adds(struct gt_buf *b, const char *s);
void gt_buf_addc(struct gt_buf *b, char c);
void gt_buf_addf(struct gt_buf *b, const char *fmt, ...) GT_PRINTF(2, 3);
void gt_buf_addv(struct gt_buf *b, const char *fmt, va_list ap) GT_PRINTF(2, 0);

/* Adds 's' with quotes, backslashes and control characters escaped as Go's %q does. */
void gt_buf_addq(struct gt_buf *b, const char *s);

/* Hands over the bytes (to be freed by the caller) and leaves an empty buffer. */
char *gt_buf_detach(struct gt_buf *b);

/* printf into a new string. Never NULL. */
char *gt_strf(const char *fmt, ...) GT_PRINTF(1, 2);

/* malloc, calloc, strdup that abort where memory ends. xstrdup(NULL) is NULL. */
void *gt_xmalloc(size_t n);
void *gt_xcalloc(size_t n, size_t size);
void *gt_xrealloc(void *p, size_t n);
char *gt_xstrdup(const char *s);
char *gt_xstrndup(const char *s, size_t n);
void *gt_xmemdup(const void *p, size_t n);

/* Grows an array of elements of 'size' so that one more fits; 'alloc' is its capacity. */
#define GT_GROW(array, n, alloc)                                                                  \
	do {                                                                                       \
		if ((n) == (alloc)) {                                                              \
			(alloc) = (alloc) ? 2 * (alloc) : 8;                                       \
			(array) = gt_xrealloc((array), (alloc) * sizeof(*(array)));                \
		}                                                                                  \
	} while (0)

#endif
