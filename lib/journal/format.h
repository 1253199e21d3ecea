/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's bytes; <journal/journal.h> describes them. Within lib/journal. */
#ifndef GANTRY_LIB_JOURNAL_FORMAT_H
#define GANTRY_LIB_JOURNAL_FORMAT_H

#include <journal/journal.h>

#include <gantry/buf.h>

#include <sys/types.h>

#define JOURNAL_HEAD 64
#define JOURNAL_RECORD_HEAD 16

struct journal_head {
	uint64_t first; /* number of the first record, should there be one */
	uint64_t limit;
	uint64_t end; /* where the last record ends */
	uint64_t last; /* its number; first - 1: none */
};

void journal_head_pack(const struct journal_head *h, uint8_t out[JOURNAL_HEAD]);
/* False: these bytes are none. */
bool journal_head_unpack(const uint8_t in[JOURNAL_HEAD], struct journal_head *h);
bool journal_head_read(int fd, struct journal_head *h);

/* Puts a whole record into 'out'. */
void journal_record_pack(uint64_t seq, const void *data, size_t len, struct gt_buf *out);
/*
 * Reads the record at 'at': its bytes into 'data', where it ends into '*end'. False if there is no whole
 * one. 'data' may be NULL.
 */
bool journal_record_read(int fd, off_t at, uint64_t *seq, struct gt_buf *data, off_t *end);

/*
 * Moves 'h->end' and 'h->last' on over the records that follow: what was appended and not told in the
 * head.
 */
void journal_scan(int fd, struct journal_head *h);

#endif
