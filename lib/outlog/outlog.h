/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output of processes that nobody is attached to, in files of bounded size: PATH, and what it was
 * before, PATH.1 (the newest) to PATH.N. A line of a file is "TIME STREAM TAG BYTES", as CRI's runtimes
 * write it: TIME in RFC 3339 with nanoseconds, STREAM "stdout" or "stderr", TAG F where a newline ended
 * the bytes, P where there was none (yet). So the files hold every byte, and nothing is kept back until a
 * line is whole. A STREAM "lost" stands where bytes could not be written; BYTES tell how many.
 *
 * One process writes, any number read meanwhile.
 */
#ifndef GANTRY_LIB_OUTLOG_OUTLOG_H
#define GANTRY_LIB_OUTLOG_OUTLOG_H

#include <gantry/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define GT_OUTLOG_SCHEME "gantry-log://"
#define GT_OUTLOG_FILES_MAX 1000

struct gt_outlog_place {
	char *path; /* absolute */
	uint64_t size; /* of one file */
	unsigned files; /* how many, at least 1 */
};
void gt_outlog_place_done(struct gt_outlog_place *p);

/* "gantry-log:///PATH?size=N&files=N". A new string. */
char *gt_outlog_uri(const struct gt_outlog_place *p);
bool gt_outlog_is_uri(const char *s); /* NULL is none */
/* INVALID_ARGUMENT for what is no such URI. '*out' must be empty. */
GT_MUST_USE struct gt_error *gt_outlog_uri_parse(const char *uri, struct gt_outlog_place *out);

struct gt_outlog;

/* Copies 'p'. Files and folders (0700) are made with the first byte. */
struct gt_outlog *gt_outlog_new(const struct gt_outlog_place *p);
void gt_outlog_free(struct gt_outlog *l); /* NULL is fine */
/*
 * Writes it all, or counts what it could not write, which is told in the log when there is room again.
 * False if bytes were lost; then errno says why.
 */
bool gt_outlog_write(struct gt_outlog *l, bool is_err, const void *bytes, size_t len);

struct gt_outlog_entry {
	struct timespec at;
	bool is_err;
	bool is_lost; /* 'bytes' is a decimal number */
	bool ends_line; /* a newline followed 'bytes' */
	const char *bytes; /* the reader's, until the next call */
	size_t len;
};

struct gt_outlog_reader;

/* From the oldest file that is kept. The files need not exist. */
GT_MUST_USE struct gt_error *gt_outlog_reader_new(const char *path, struct gt_outlog_reader **out);
void gt_outlog_reader_free(struct gt_outlog_reader *r); /* NULL is fine */
GT_DEFINE_AUTOPTR(gt_outlog_reader)
/* The next entry, if there is one. Never waits. Lines that are none are passed over. */
bool gt_outlog_next(struct gt_outlog_reader *r, struct gt_outlog_entry *out);
/*
 * Makes a descriptor that becomes readable when there may be more; gt_outlog_next() until it finds
 * nothing makes it unreadable again. The folder is made if it is not there.
 */
GT_MUST_USE struct gt_error *gt_outlog_watch(struct gt_outlog_reader *r, int *fd);

#endif
