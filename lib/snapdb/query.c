/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "record.h"

#include <string.h>

#define BATCH 128

struct lookup {
	const char *key;
	bool chain, parent;
	struct gt_snapdb_entry e;
};

static struct gt_error *lookup_in(struct snapdb_txn *t, void *arg)
{
	struct lookup *l = arg;

	GT_TRY(l->parent ? record_load_parent(t, l->key, &l->e) : record_load(t, l->key, &l->e));
	return l->chain ? record_load_chain(t, &l->e) : NULL;
}

static struct gt_error *lookup_run(struct gt_snapdb *db, struct lookup *l,
				   struct gt_snapdb_entry *out)
{
	struct gt_error *e = record_check_key(l->parent ? "parent" : "snapshot key", l->key);

	if (!e)
		e = snapdb_read(db, lookup_in, l);
	if (e) {
		gt_snapdb_entry_done(&l->e);
		return e;
	}
	*out = l->e;
	return NULL;
}

struct gt_error *gt_snapdb_stat(struct gt_snapdb *db, const char *key, struct gt_snapdb_entry *out)
{
	return lookup_run(db, &(struct lookup){ .key = key }, out);
}

struct gt_error *gt_snapdb_get(struct gt_snapdb *db, const char *key, struct gt_snapdb_entry *out)
{
	return lookup_run(db, &(struct lookup){ .key = key, .chain = true }, out);
}

struct gt_error *gt_snapdb_get_parent(struct gt_snapdb *db, const char *key,
				      struct gt_snapdb_entry *out)
{
	return lookup_run(db, &(struct lookup){ .key = key, .chain = true, .parent = true }, out);
}

struct batch {
	struct gt_buf after; /* the database key that was last */
	struct gt_snapdb_entry e[BATCH];
	size_t n;
};

static void batch_clear(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		gt_snapdb_entry_done(&b->e[i]);
	b->n = 0;
}

/* Calls 'fn' for each snapshot's record from 'from' on, until it sets '*stop'. */
static struct gt_error *scan(struct snapdb_txn *t, const struct gt_buf *from,
			     struct gt_error *(*fn)(void *arg, const MDB_val *key,
						    const MDB_val *value, bool *stop),
			     void *arg)
{
	MDB_val k = { .mv_data = from->s, .mv_size = from->len }, v;
	struct gt_error *e = NULL;
	bool stop = false;
	MDB_cursor *c;
	int rc;

	GT_TRY(snapdb_error(mdb_cursor_open(t->txn, t->db->dbi, &c), "list"));
	for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE); !rc && !stop && !e;
	     rc = stop || e ? 0 : mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		if (!k.mv_size || *(char *)k.mv_data != 's')
			break;
		e = fn(arg, &k, &v, &stop);
	}
	mdb_cursor_close(c);
	if (!e && rc != MDB_NOTFOUND)
		e = snapdb_error(rc, "list");
	return e;
}

static struct gt_error *batch_add(void *arg, const MDB_val *k, const MDB_val *v, bool *stop)
{
	struct batch *b = arg;

	if (k->mv_size == b->after.len && !memcmp(k->mv_data, b->after.s, k->mv_size))
		return NULL;
	GT_TRY(record_decode((char *)k->mv_data + 1, k->mv_size - 1, v, &b->e[b->n]));
	b->n++;
	*stop = b->n == BATCH;
	return NULL;
}

static struct gt_error *batch_fill(struct snapdb_txn *t, void *arg)
{
	struct batch *b = arg;

	return scan(t, &b->after, batch_add, b);
}

struct gt_error *gt_snapdb_walk(struct gt_snapdb *db,
				struct gt_error *(*fn)(void *arg, const struct gt_snapdb_entry *e),
				void *arg)
{
	struct batch *b = gt_xcalloc(1, sizeof(*b));
	struct gt_error *e = NULL;
	bool more = true;

	gt_buf_init(&b->after);
	gt_buf_addc(&b->after, 's');
	while (!e && more) {
		e = snapdb_read(db, batch_fill, b);
		more = b->n == BATCH;
		for (size_t i = 0; !e && i < b->n; i++)
			e = fn(arg, &b->e[i]);
		if (!e && more) {
			gt_buf_setlen(&b->after, 1);
			gt_buf_adds(&b->after, b->e[b->n - 1].info.key);
		}
		batch_clear(b);
	}
	gt_buf_done(&b->after);
	free(b);
	return e;
}

struct ids {
	uint64_t *v;
	size_t n, alloc;
	struct gt_error *(*fn)(void *arg, const uint64_t *ids, size_t n);
	void *arg;
};

static struct gt_error *ids_add(void *arg, const MDB_val *k, const MDB_val *v, bool *stop)
{
	gt_auto(gt_snapdb_entry) e = { 0 };
	struct ids *ids = arg;

	(void)stop;
	GT_TRY(record_decode((char *)k->mv_data + 1, k->mv_size - 1, v, &e));
	GT_GROW(ids->v, ids->n, ids->alloc);
	ids->v[ids->n++] = e.id;
	return NULL;
}

static int id_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static struct gt_error *ids_collect(struct snapdb_txn *t, void *arg)
{
	gt_auto(gt_buf) from = GT_BUF_INIT;
	struct ids *ids = arg;

	ids->n = 0;
	gt_buf_addc(&from, 's');
	GT_TRY(scan(t, &from, ids_add, ids));
	if (ids->n)
		qsort(ids->v, ids->n, sizeof(*ids->v), id_compare);
	return ids->fn(ids->arg, ids->v, ids->n);
}

struct gt_error *gt_snapdb_with_ids(struct gt_snapdb *db,
				    struct gt_error *(*fn)(void *arg, const uint64_t *ids,
							   size_t n),
				    void *arg)
{
	struct ids ids = { .fn = fn, .arg = arg };
	struct gt_error *e = snapdb_read(db, ids_collect, &ids);

	free(ids.v);
	return e;
}
