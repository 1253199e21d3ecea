/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata store on LMDB. Files in its root: meta.mdb, meta.mdb-lock (LMDB's reader table) and
 * writer.lock (ours).
 *
 * Full durability is LMDB's default commit: data pages, fdatasync, meta page through O_DSYNC; with
 * MDB_NOMETASYNC the last transaction could be lost, which the contract excludes. Fast durability is
 * MDB_NOSYNC. MDB_WRITEMAP is used in neither: it forbids nested transactions, and a full disk would
 * be a SIGBUS instead of an error.
 */
#ifndef GANTRY_METADATA_LMDB_H
#define GANTRY_METADATA_LMDB_H

#include <gantry/metadata.h>

#include <lmdb.h>
#include <pthread.h>

#define STORE_VALUE_MAX (64u << 20)
#define STORE_IDLE_READERS 8 /* read transactions kept for the next view: no lock, no malloc */

struct lmdb_config {
	uint64_t map_size;
	int64_t lock_timeout;
};

struct writer_lock {
	int fd;
	struct writer_shared *shared;
};

struct update; /* one caller's write, waiting or running */

struct lmdb_store {
	struct gt_metadata base;
	MDB_env *env;
	MDB_dbi dbi;
	size_t page;
	int64_t lock_timeout; /* nanoseconds; 0: for ever */
	struct writer_lock lock;

	pthread_mutex_t mutex; /* for all below; never held over a transaction */
	pthread_cond_t gate; /* 'active' or 'remapping' changed */
	unsigned active; /* transactions that rely on the map's place */
	bool remapping;
	MDB_txn *idle[STORE_IDLE_READERS];
	size_t n_idle;
	struct update *head, *tail; /* updates that no leader has taken yet */
	bool led; /* a leader is at work */

	/* Only under the writer lock. */
	uint64_t reserved; /* the file has blocks for at least its first so many bytes */
};

struct lmdb_txn {
	struct gt_txn base;
	MDB_txn *mdb;
	MDB_cursor *cursor;
	bool placed; /* the cursor stands on the key that seek answered last */
	bool writes;
	int doom; /* LMDB's error after which nothing of this transaction can be kept */
	uint64_t puts, removes; /* how many */
	uint64_t put_bytes, removed_bytes;
	uint64_t room; /* bytes of pages that what was put may fill */
};

/* txn.c: what a function sees of a transaction. */
struct gt_error *store_get(struct gt_txn *t, struct gt_slice key, struct gt_slice *out);
struct gt_error *store_put(struct gt_txn *t, struct gt_slice key, struct gt_slice value);
struct gt_error *store_remove(struct gt_txn *t, struct gt_slice key);
struct gt_error *store_seek(struct gt_txn *t, struct gt_slice prefix, struct gt_slice from,
			    struct gt_slice *key, struct gt_slice *value);
/* Before the transaction ends. */
void store_txn_done(struct lmdb_txn *t);
/* An error of LMDB's, with the class that it has here. */
struct gt_error *store_error(int rc, const char *what);

/* store.c */
struct gt_error *store_open(const struct gt_init *init, struct gt_metadata **out);
void store_close(struct gt_metadata *m);
struct gt_error *store_view(struct gt_metadata *m, struct gt_call *call,
			    struct gt_error *(*fn)(struct gt_txn *t, void *arg), void *arg);

/* update.c */
struct gt_error *store_update(struct gt_metadata *m, struct gt_call *call,
			      struct gt_error *(*fn)(struct gt_txn *t, void *arg), void *arg);

/* space.c: the map in memory and the room on disk. */
/* Around each transaction: the map does not move meanwhile. */
void space_enter(struct lmdb_store *s);
void space_leave(struct lmdb_store *s);
/*
 * Gives the map another size (0: what the file says) when no transaction of this process is under
 * way. UNAVAILABLE if one does not end in time.
 */
struct gt_error *space_remap(struct lmdb_store *s, const struct gt_call *call, size_t size);
/* Twice the map. */
struct gt_error *space_grow(struct lmdb_store *s, const struct gt_call *call);
/*
 * Room for what 't' will write, and the reserve behind it which only removals may use;
 * RESOURCE_EXHAUSTED if the disk has not that much. A transaction that rather removes always passes.
 */
struct gt_error *space_reserve(struct lmdb_store *s, const struct lmdb_txn *t);

/* writer-lock.c: one writer among all processes; unlike LMDB's own lock, it can be waited for in time. */
struct gt_error *writer_lock_open(struct writer_lock *l, const char *root);
void writer_lock_close(struct writer_lock *l);
/* CANCELED, DEADLINE_EXCEEDED, or UNAVAILABLE after 'timeout' nanoseconds (0: none). */
struct gt_error *writer_lock_take(struct writer_lock *l, const struct gt_call *call,
				  int64_t timeout);
void writer_lock_give(struct writer_lock *l);

#endif
