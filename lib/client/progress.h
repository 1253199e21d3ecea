/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a transfer is: a board with a line for each thing that moves, written by who moves it and
 * read by who shows it. Any thread; every function takes a NULL board and does nothing.
 */
#ifndef GANTRY_LIB_CLIENT_PROGRESS_H
#define GANTRY_LIB_CLIENT_PROGRESS_H

#include <gantry/cleanup.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(NAME, the word that is shown) */
#define GT_PROGRESS_STATES(X)                                                                     \
	X(RESOLVING, "resolving")                                                                  \
	X(RESOLVED, "resolved")                                                                    \
	X(WAITING, "waiting")                                                                      \
	X(DOWNLOADING, "downloading")                                                              \
	X(UPLOADING, "uploading")                                                                  \
	X(COMMITTING, "committing")                                                                \
	X(DONE, "done")                                                                            \
	X(EXISTS, "exists")

enum gt_progress_state {
#define X(NAME, word) GT_PROGRESS_##NAME,
	GT_PROGRESS_STATES(X)
#undef X
};

const char *gt_progress_word(enum gt_progress_state state);

struct gt_progress_line {
	const char *ref; /* "layer-sha256:.."; the first one is the image's name */
	enum gt_progress_state state;
	int64_t done, total; /* bytes; total 0: not known */
	int64_t moved; /* those of 'done' that this transfer has moved itself */
};

struct gt_progress;
struct gt_progress *gt_progress_new(void);
void gt_progress_free(struct gt_progress *p);
GT_DEFINE_AUTOPTR(gt_progress)

/* The line of that ref, made if there is none; its number. */
size_t gt_progress_line(struct gt_progress *p, const char *ref, int64_t total);
void gt_progress_state(struct gt_progress *p, size_t line, enum gt_progress_state state);
/* Bytes that are there: 'moved' tells whether those beyond what was there have come just now. */
void gt_progress_done(struct gt_progress *p, size_t line, int64_t done, bool moved);

/* Calls 'fn' for each line, in order; the lines stay as they are meanwhile. */
void gt_progress_each(struct gt_progress *p,
		      void (*fn)(void *arg, size_t i, const struct gt_progress_line *l), void *arg);

#endif
