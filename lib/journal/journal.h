/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded journal that any number of processes append to and read at the same time: the events of a
 * machine without a daemon.
 *
 * Two files: PATH, and PATH.1, which it becomes when it is full. Each begins with a head (magic, the
 * sequence number of the first record, the size at which the file is full, and where the last record
 * ended when the head was written) and goes on with records: length, checksum (CRC-32C of what follows),
 * sequence number, bytes; all little endian. Who appends holds the flock of the file. A record that a
 * dying process left torn fails its checksum and is cut off by the next that appends.
 *
 * Sequence numbers rise by one from record to record, across files and processes. Nothing is synced: the
 * journal lives in a folder that a reboot empties, or loses its last records with a power cut.
 */
#ifndef GANTRY_LIB_JOURNAL_JOURNAL_H
#define GANTRY_LIB_JOURNAL_JOURNAL_H

#include <gantry/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GT_JOURNAL_LIMIT ((size_t)4 << 20) /* of one file, where nobody says another */
#define GT_JOURNAL_RECORD_MAX ((size_t)1 << 20)

/*
 * Appends a record; '*seq' (may be NULL) is its number. A journal that is not there is made, its files
 * 'limit' bytes long (0: GT_JOURNAL_LIMIT). UNAVAILABLE if another has the lock for 'wait' nanoseconds
 * (0: does not wait at all); RESOURCE_EXHAUSTED for a full disk or a record that is too long: then
 * nothing has been appended.
 */
GT_MUST_USE struct gt_error *gt_journal_append(const char *path, size_t limit, const void *data,
					       size_t len, int64_t wait, uint64_t *seq);

struct gt_journal_record {
	uint64_t seq;
	const void *data; /* the reader's, until the next call */
	size_t len;
};

struct gt_journal; /* a reader; of one thread at a time */

#define GT_JOURNAL_NEW UINT64_MAX /* nothing that is there already */

/* Reads what comes behind the record numbered 'after'; 0: all that is left. The journal need not exist. */
GT_MUST_USE struct gt_error *gt_journal_open(const char *path, uint64_t after,
					     struct gt_journal **out);
void gt_journal_free(struct gt_journal *j); /* NULL is fine */
GT_DEFINE_AUTOPTR(gt_journal)

/* The next record, if there is one ('*found'). Never waits. */
GT_MUST_USE struct gt_error *gt_journal_next(struct gt_journal *j, struct gt_journal_record *out,
					     bool *found);
/*
 * Becomes readable when there may be more; gt_journal_next() until it finds nothing makes it unreadable
 * again.
 */
int gt_journal_fd(const struct gt_journal *j);
/* The number of the record before the one that comes next; 0: there is no telling yet. */
uint64_t gt_journal_position(const struct gt_journal *j);
/* How many records were overwritten before they could be read, since the last time this was asked. */
uint64_t gt_journal_lost(struct gt_journal *j);

#endif
