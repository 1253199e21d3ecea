/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and values. 's' KEY: a Snapshot message. 'c' PARENT-ID CHILD-ID (big-endian, 8 bytes
 * each): empty. 'i': the last id, 8 bytes, big-endian. 'v': the version of all this. Within
 * lib/snapdb only.
 */
#ifndef GANTRY_LIB_SNAPDB_RECORD_H
#define GANTRY_LIB_SNAPDB_RECORD_H

#include "transaction.h"

/* INVALID_ARGUMENT if it is empty or too long. */
GT_MUST_USE struct gt_error *record_check_key(const char *what, const char *key);

void record_child_key(struct gt_buf *out, uint64_t parent, uint64_t child);

GT_MUST_USE struct gt_error *record_decode(const char *key, size_t key_len, const MDB_val *v,
					   struct gt_snapdb_entry *out);
/* NOT_FOUND "snapshot KEY does not exist". */
GT_MUST_USE struct gt_error *record_load(struct snapdb_txn *t, const char *key,
					 struct gt_snapdb_entry *out);
GT_MUST_USE struct gt_error *record_exists(struct snapdb_txn *t, const char *key, bool *out);
/* Under its info.key. */
GT_MUST_USE struct gt_error *record_store(struct snapdb_txn *t, const struct gt_snapdb_entry *e);
GT_MUST_USE struct gt_error *record_drop(struct snapdb_txn *t, const char *key);
GT_MUST_USE struct gt_error *record_last_id(struct snapdb_txn *t, uint64_t *out);
GT_MUST_USE struct gt_error *record_set_last_id(struct snapdb_txn *t, uint64_t id);

/* Loads a committed snapshot; INVALID_ARGUMENT "parent P is not committed". */
GT_MUST_USE struct gt_error *record_load_parent(struct snapdb_txn *t, const char *key,
						struct gt_snapdb_entry *out);
/* Fills 'e's chain of parents, from its info.parent. */
GT_MUST_USE struct gt_error *record_load_chain(struct snapdb_txn *t, struct gt_snapdb_entry *e);

#endif
