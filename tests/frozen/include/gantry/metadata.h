/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind `metadata`: an ordered store of keys and values with transactions, in which the services keep
 * their records. It knows no schema: keys and values are bytes. Keys are 1 to GT_METADATA_KEY_MAX
 * bytes and sort bytewise; values are up to 64 MiB.
 *
 * One writer at a time; readers see the state of the moment they began and block nobody. A store may
 * put several updates that come at the same time into one disk transaction.
 *
 * Other processes may hold the same root open: what they commit is seen by transactions that begin
 * later, and writers exclude each other across processes.
 */
#ifndef GANTRY_METADATA_H
#define GANTRY_METADATA_H

#include <gantry/call.h>
#include <gantry/plugin.h>

#define GT_METADATA_KEY_MAX 500

struct gt_metadata {
	GT_INSTANCE_MEMBERS(metadata)
};

/* Bytes that belong to somebody else. */
struct gt_slice {
	const void *data;
	size_t len;
};

/* A transaction: the implementation's struct begins with this. Belongs to one thread. */
struct gt_txn {
	struct gt_metadata *m;
};

struct gt_metadata_ops {
	size_t size;
	/* Required. '*out' is freed by close. */
	struct gt_error *(*open)(const struct gt_init *init, struct gt_metadata **out);
	/* Required. */
	void (*close)(struct gt_metadata *m);
	/*
	 * Required. Runs 'fn' in a write transaction. fn's error undoes all it did and is returned;
	 * success means that the changes are stored (with full durability: on disk) when this
	 * returns. fn may run in another thread than the caller's, and may run again after a store
	 * that ran full has made room: it must have no effect but on the transaction and '*arg', and
	 * set '*arg' anew each time. fn must not begin another transaction. RESOURCE_EXHAUSTED for a
	 * full disk; removing must stay possible then.
	 */
	struct gt_error *(*update)(struct gt_metadata *m, struct gt_call *call,
				   struct gt_error *(*fn)(struct gt_txn *t, void *arg), void *arg);
	/* Required. Runs 'fn' in a read transaction, in the caller's thread. */
	struct gt_error *(*view)(struct gt_metadata *m, struct gt_call *call,
				 struct gt_error *(*fn)(struct gt_txn *t, void *arg), void *arg);
	/* Required. NOT_FOUND (its text is for nobody: the caller says what). '*out' lives until the
	 * transaction's next change or end. */
	struct gt_error *(*get)(struct gt_txn *t, struct gt_slice key, struct gt_slice *out);
	/* Required. Sets the value of a key, new or not. */
	struct gt_error *(*put)(struct gt_txn *t, struct gt_slice key, struct gt_slice value);
	/* Required. NOT_FOUND. */
	struct gt_error *(*remove)(struct gt_txn *t, struct gt_slice key);
	/*
	 * Required. The first key that is not less than 'from' and begins with 'prefix'; NOT_FOUND at
	 * the end. Both slices live until the transaction's next change or end. A scan asks again
	 * from just behind the key it got; implementations keep their place so that this is cheap.
	 */
	struct gt_error *(*seek)(struct gt_txn *t, struct gt_slice prefix, struct gt_slice from,
				 struct gt_slice *key, struct gt_slice *value);
	/* New members go here, at the end. */
};

GT_MUST_USE struct gt_error *gt_metadata_update(struct gt_metadata *m, struct gt_call *call,
						struct gt_error *(*fn)(struct gt_txn *, void *),
						void *arg);
GT_MUST_USE struct gt_error *gt_metadata_view(struct gt_metadata *m, struct gt_call *call,
					      struct gt_error *(*fn)(struct gt_txn *, void *),
					      void *arg);
GT_MUST_USE struct gt_error *gt_txn_get(struct gt_txn *t, struct gt_slice key, struct gt_slice *out);
GT_MUST_USE struct gt_error *gt_txn_put(struct gt_txn *t, struct gt_slice key,
					struct gt_slice value);
GT_MUST_USE struct gt_error *gt_txn_remove(struct gt_txn *t, struct gt_slice key);
GT_MUST_USE struct gt_error *gt_txn_seek(struct gt_txn *t, struct gt_slice prefix,
					 struct gt_slice from, struct gt_slice *key,
					 struct gt_slice *value);
/* Calls 'fn' for each key with 'prefix', in order; fn must not change anything below the prefix. */
GT_MUST_USE struct gt_error *gt_txn_scan(struct gt_txn *t, struct gt_slice prefix,
					 struct gt_error *(*fn)(void *arg, struct gt_slice key,
								struct gt_slice value),
					 void *arg);

#endif
