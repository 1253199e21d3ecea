/* SPDX-License-Identifier: Apache-2.0 */
/* LMDB with errors as objects and a map that grows. Within lib/snapdb only. */
#ifndef GANTRY_LIB_SNAPDB_TRANSACTION_H
#define GANTRY_LIB_SNAPDB_TRANSACTION_H

#include "snapdb.h"

#include <gantry/buf.h>

#include <lmdb.h>
#include <pthread.h>

struct gt_snapdb {
	MDB_env *env;
	MDB_dbi dbi;
	bool synced;	      /* full durability */
	pthread_rwlock_t map; /* shared: a transaction is open; exclusive: the map is replaced */
};

struct snapdb_txn {
	struct gt_snapdb *db;
	MDB_txn *txn;
	bool map_full; /* run again with a larger map */
};

enum snapdb_write {
	SNAPDB_DURABLE,	   /* on disk when it answers (full durability) */
	SNAPDB_LAZY,	   /* a power cut may undo it; what comes later makes it durable */
	SNAPDB_SHRINK = 2, /* flag: may use the room that is kept for removals */
};

typedef struct gt_error *snapdb_fn(struct snapdb_txn *t, void *arg);

/* 'fn' may run more than once: only the last time counts. */
GT_MUST_USE struct gt_error *snapdb_write(struct gt_snapdb *db, unsigned how, snapdb_fn *fn,
					  void *arg);
GT_MUST_USE struct gt_error *snapdb_read(struct gt_snapdb *db, snapdb_fn *fn, void *arg);

/*
 * '*found' false: there is no such key. '*value' lives until the transaction's next change or
 * end.
 */
GT_MUST_USE struct gt_error *snapdb_get(struct snapdb_txn *t, const struct gt_buf *key,
					MDB_val *value, bool *found);
GT_MUST_USE struct gt_error *snapdb_put(struct snapdb_txn *t, const struct gt_buf *key,
					const void *data, size_t len);
GT_MUST_USE struct gt_error *snapdb_delete(struct snapdb_txn *t, const struct gt_buf *key);
GT_MUST_USE struct gt_error *snapdb_error(int rc, const char *what);

#endif
