/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What writers leave for a garbage collection that is under way, in this process or another.
 *
 *	z r		there while a collection is under way: whoever stores a record then notes its key
 *	z j NUMBER	such a note; numbers go up and are never given twice
 *	z d		there when something was deleted or changed since the last collection began
 *	z s		what the last one found: when another one is due
 *
 * Why a sweep in small transactions, beside writers, takes nothing that is in use. The collection
 * begins by a transaction that stores "z r", and marks in a view that begins after it. So every
 * transaction is either whole in that view, or its records are noted. A sweep's transaction first
 * reads all notes there are and takes each noted record as in use, with all that it refers to as it
 * stands now; writers exclude each other, so that nothing is noted between this and its removals.
 *
 * Say it were to remove X, which the view had, unmarked and never noted, though in this moment a chain
 * of references leads from a root to X. Either nothing on the chain is noted: then each record of it
 * stands as it stood in the view, and X was marked. Or take the last noted record of the chain: it was
 * read as it stands, so what it refers to was marked; all behind it stand as in the view, and marking
 * went through them to X. Either way X is marked. (A root that ceases to be one by time is fine: the
 * time is taken once, before. A reference that points back from X to what keeps it is X's own record.)
 *
 * Taking a noted record as in use though it is garbage costs nothing but that it stays until the next
 * collection. One that dies leaves "z r": notes go on up to a limit, and the next collection, which
 * has the lock of the file "collection", begins anew.
 */
#ifndef SERVICES_LOCAL_GC_JOURNAL_H
#define SERVICES_LOCAL_GC_JOURNAL_H

#include "keys.h"

#include <stdbool.h>
#include <time.h>

/* For writers, in the transaction that stores the record 'key'. */
GT_MUST_USE struct gt_error *journal_note(struct gt_txn *t, struct gt_slice key);
/* For writers that delete. 'search': a driver may have something now that no record knows. */
GT_MUST_USE struct gt_error *journal_dirty(struct gt_txn *t, bool search);

/* For the collection. */
struct journal {
	uint64_t next; /* the first entry that has not been read */
	bool left_over; /* out: an earlier collection died */
	bool search; /* out: somebody asked for a search */
};
/* Begins; forgets that something was deleted so far. */
GT_MUST_USE struct gt_error *journal_begin(struct gt_txn *t, void *journal);
/*
 * Calls 'fn' with the keys noted from '*next' on, at most 'most', and advances '*next'. '*behind': there
 * are more. ABORTED if writers had to stop noting, or it is not this collection's journal any more.
 */
GT_MUST_USE struct gt_error *journal_read(struct gt_txn *t, uint64_t *next, size_t most,
					  struct gt_error *(*fn)(void *arg, struct gt_txn *t,
								 struct gt_slice key),
					  void *arg, bool *behind);
/*
 * Deletes notes that have been read, those before 'next', at most 'most': writers note up to a limit, and a
 * collection that goes on for long must not come to it.
 */
GT_MUST_USE struct gt_error *journal_forget(struct gt_txn *t, uint64_t next, size_t most);
/* Deletes some of the notes, and at last "z r"; '*more' until then. */
struct journal_end {
	bool more;
};
GT_MUST_USE struct gt_error *journal_end(struct gt_txn *t, void *end);

struct collected {
	struct timespec at;
	int64_t took;
	struct timespec expires; /* all 0: nothing does */
	struct timespec searched_at;
};
/* All 0 where there was none. */
GT_MUST_USE struct gt_error *collected_get(struct gt_txn *t, struct collected *out);
GT_MUST_USE struct gt_error *collected_put(struct gt_txn *t, const struct collected *c);
/* Whether something was deleted since the last collection began. */
GT_MUST_USE struct gt_error *journal_is_dirty(struct gt_txn *t, bool *out);

#endif
