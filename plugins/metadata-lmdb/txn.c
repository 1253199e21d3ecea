/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "lmdb-store.h"

#include <gantry/file.h>

#include <errno.h>
#include <string.h>

static struct lmdb_txn *txn_of(struct gt_txn *t)
{
	return (struct lmdb_txn *)t;
}

static struct lmdb_store *store_of(struct lmdb_txn *t)
{
	return (struct lmdb_store *)t->base.m;
}

static enum gt_class class_of(int rc)
{
	switch (rc) {
	case MDB_NOTFOUND:
		return GT_NOT_FOUND;
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
	case MDB_READERS_FULL:
	case ENOMEM:
		return GT_RESOURCE_EXHAUSTED;
	case MDB_CORRUPTED:
	case MDB_INVALID:
	case MDB_PAGE_NOTFOUND:
	case MDB_PANIC:
	case MDB_VERSION_MISMATCH:
		return GT_DATA_LOSS;
	default:
		return rc > 0 ? gt_file_class(rc) : GT_INTERNAL;
	}
}

struct gt_error *store_error(int rc, const char *what)
{
	if (rc > 0)
		return gt_error_errno(class_of(rc), rc, "metadata: %s", what);
	return gt_error_new(class_of(rc), "metadata: %s: %s", what, mdb_strerror(rc));
}

static MDB_val val_of(struct gt_slice s)
{
	return (MDB_val){ .mv_size = s.len, .mv_data = (void *)s.data };
}

static struct gt_slice slice_of(MDB_val v)
{
	return (struct gt_slice){ .data = v.mv_data, .len = v.mv_size };
}

static struct gt_error *check_key(struct gt_slice key)
{
	if (key.len < 1 || key.len > GT_METADATA_KEY_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT, "metadata: a key of %zu bytes, not 1 to %d",
				    key.len, GT_METADATA_KEY_MAX);
	return NULL;
}

static struct gt_error *check_writes(const struct lmdb_txn *t)
{
	if (!t->writes)
		return gt_error_new(GT_FAILED_PRECONDITION, "metadata: a view changes nothing");
	return NULL;
}

/* After an error in a change LMDB allows nothing but to abort. */
static struct gt_error *doom(struct lmdb_txn *t, int rc, const char *what)
{
	t->doom = rc;
	return store_error(rc, what);
}

struct gt_error *store_get(struct gt_txn *txn, struct gt_slice key, struct gt_slice *out)
{
	struct lmdb_txn *t = txn_of(txn);
	MDB_val k = val_of(key), v;
	int rc;

	GT_TRY(check_key(key));
	rc = mdb_get(t->mdb, store_of(t)->dbi, &k, &v);
	if (rc)
		return store_error(rc, "get");
	*out = slice_of(v);
	return NULL;
}

/* Small values fill the pages they share at least by half; a large one has pages of its own. */
static uint64_t room_of(size_t page, size_t len)
{
	return len < page / 2 ? 2 * len : len + 2 * page;
}

struct gt_error *store_put(struct gt_txn *txn, struct gt_slice key, struct gt_slice value)
{
	struct lmdb_txn *t = txn_of(txn);
	MDB_val k = val_of(key), v = val_of(value);
	int rc;

	GT_TRY(check_writes(t));
	GT_TRY(check_key(key));
	if (value.len > STORE_VALUE_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT, "metadata: a value of %zu bytes, over %u",
				    value.len, STORE_VALUE_MAX);
	t->placed = false;
	rc = mdb_put(t->mdb, store_of(t)->dbi, &k, &v, 0);
	if (rc)
		return doom(t, rc, "put");
	t->puts++;
	t->put_bytes += key.len + value.len;
	t->room += room_of(store_of(t)->page, key.len + value.len);
	return NULL;
}

struct gt_error *store_remove(struct gt_txn *txn, struct gt_slice key)
{
	struct lmdb_txn *t = txn_of(txn);
	MDB_val k = val_of(key), v;
	int rc;

	GT_TRY(check_writes(t));
	GT_TRY(check_key(key));
	t->placed = false;
	rc = mdb_get(t->mdb, store_of(t)->dbi, &k, &v);
	if (rc)
		return store_error(rc, "remove");
	t->removed_bytes += key.len + v.mv_size;
	rc = mdb_del(t->mdb, store_of(t)->dbi, &k, NULL);
	if (rc)
		return doom(t, rc, "remove");
	t->removes++;
	return NULL;
}

static int compare(struct gt_slice a, struct gt_slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n ? memcmp(a.data, b.data, n) : 0;

	return c ? c : (a.len > b.len) - (a.len < b.len);
}

/*
 * A scan asks for what comes just behind the key it got: then the cursor's next key is the answer,
 * with no way down the tree.
 */
static int step(struct lmdb_txn *t, struct gt_slice from, MDB_val *k, MDB_val *v)
{
	int rc = mdb_cursor_get(t->cursor, k, v, MDB_GET_CURRENT);

	if (rc)
		return rc;
	if (compare(slice_of(*k), from) >= 0)
		return ERANGE;
	rc = mdb_cursor_get(t->cursor, k, v, MDB_NEXT);
	if (rc)
		return rc;
	return compare(slice_of(*k), from) >= 0 ? 0 : ERANGE;
}

static int search(struct lmdb_txn *t, struct gt_slice from, MDB_val *k, MDB_val *v)
{
	if (!from.len)
		return mdb_cursor_get(t->cursor, k, v, MDB_FIRST);
	*k = val_of(from);
	return mdb_cursor_get(t->cursor, k, v, MDB_SET_RANGE);
}

struct gt_error *store_seek(struct gt_txn *txn, struct gt_slice prefix, struct gt_slice from,
			    struct gt_slice *key, struct gt_slice *value)
{
	struct lmdb_txn *t = txn_of(txn);
	MDB_val k, v;
	int rc = ERANGE;

	/* One more than a key may have: what comes behind the longest key. */
	if (prefix.len > GT_METADATA_KEY_MAX || from.len > GT_METADATA_KEY_MAX + 1)
		return gt_error_new(GT_INVALID_ARGUMENT, "metadata: seek for a key of %zu bytes",
				    prefix.len > from.len ? prefix.len : from.len);
	if (!t->cursor) {
		rc = mdb_cursor_open(t->mdb, store_of(t)->dbi, &t->cursor);
		if (rc)
			return store_error(rc, "open a cursor");
		rc = ERANGE;
	}
	if (compare(prefix, from) > 0)
		from = prefix;
	if (t->placed)
		rc = step(t, from, &k, &v);
	if (rc && rc != MDB_NOTFOUND)
		rc = search(t, from, &k, &v);
	t->placed = rc == 0;
	if (rc)
		return store_error(rc, "seek");
	if (k.mv_size < prefix.len || (prefix.len && memcmp(k.mv_data, prefix.data, prefix.len)))
		return store_error(MDB_NOTFOUND, "seek");
	*key = slice_of(k);
	*value = slice_of(v);
	return NULL;
}

void store_txn_done(struct lmdb_txn *t)
{
	if (t->cursor)
		mdb_cursor_close(t->cursor);
	t->cursor = NULL;
}
