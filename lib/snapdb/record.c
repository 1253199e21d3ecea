/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "record.h"

#include "snapdb.pb-c.h"

#include <endian.h>
#include <string.h>

/* A chain is as long as somebody made it; a circle, which only a broken file has, ends here. */
#define CHAIN_MAX 10000

struct gt_error *record_check_key(const char *what, const char *key)
{
	size_t len = key ? strlen(key) : 0;

	if (!len)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s is empty", what);
	if (len > GT_SNAPSHOT_KEY_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s \"%.40s...\" is longer than %d bytes",
				    what, key, GT_SNAPSHOT_KEY_MAX);
	return NULL;
}

static void snapshot_key(struct gt_buf *out, const char *key)
{
	gt_buf_addc(out, 's');
	gt_buf_adds(out, key);
}

static void add_be64(struct gt_buf *out, uint64_t n)
{
	uint64_t be = htobe64(n);

	gt_buf_add(out, &be, sizeof(be));
}

void record_child_key(struct gt_buf *out, uint64_t parent, uint64_t child)
{
	gt_buf_addc(out, 'c');
	add_be64(out, parent);
	add_be64(out, child);
}

void gt_snapdb_entry_done(struct gt_snapdb_entry *e)
{
	gt_snapshot_info_done(&e->info);
	free(e->parents);
	*e = (struct gt_snapdb_entry){ 0 };
}

static bool is_nanos(int32_t n)
{
	return n >= 0 && n < 1000000000;
}

struct gt_error *record_decode(const char *key, size_t key_len, const MDB_val *v,
			       struct gt_snapdb_entry *out)
{
	Gantry__Snapdb__Snapshot *s =
		gantry__snapdb__snapshot__unpack(NULL, v->mv_size, v->mv_data);

	if (!s || !s->id || s->kind < GT_SNAPSHOT_VIEW || s->kind > GT_SNAPSHOT_COMMITTED ||
	    !is_nanos(s->created_nanos) || !is_nanos(s->updated_nanos)) {
		if (s)
			gantry__snapdb__snapshot__free_unpacked(s, NULL);
		return gt_error_new(GT_DATA_LOSS, "the record of snapshot %.*s is broken",
				    (int)key_len, key);
	}
	*out = (struct gt_snapdb_entry){
		.id = s->id,
		.info.kind = s->kind,
		.info.key = gt_xstrndup(key, key_len),
		.info.parent = gt_xstrdup(s->parent),
		.info.created_at = { s->created_seconds, s->created_nanos },
		.info.updated_at = { s->updated_seconds, s->updated_nanos },
		.measured = s->measured,
		.usage = { .inodes = s->inodes, .size = s->size },
	};
	for (size_t i = 0; i < s->n_labels; i++)
		gt_labels_set(&out->info.labels, s->labels[i]->key, s->labels[i]->value);
	gantry__snapdb__snapshot__free_unpacked(s, NULL);
	return NULL;
}

struct gt_error *record_exists(struct snapdb_txn *t, const char *key, bool *out)
{
	gt_auto(gt_buf) k = GT_BUF_INIT;
	MDB_val v;

	snapshot_key(&k, key);
	return snapdb_get(t, &k, &v, out);
}

struct gt_error *record_load(struct snapdb_txn *t, const char *key, struct gt_snapdb_entry *out)
{
	gt_auto(gt_buf) k = GT_BUF_INIT;
	bool found;
	MDB_val v;

	snapshot_key(&k, key);
	GT_TRY(snapdb_get(t, &k, &v, &found));
	if (!found)
		return gt_error_new(GT_NOT_FOUND, "snapshot %s does not exist", key);
	return record_decode(key, strlen(key), &v, out);
}

struct gt_error *record_store(struct snapdb_txn *t, const struct gt_snapdb_entry *e)
{
	const struct gt_labels *l = &e->info.labels;
	gt_autofree Gantry__Snapdb__Label *labels = gt_xcalloc(l->n, sizeof(*labels));
	gt_autofree Gantry__Snapdb__Label **pointers = gt_xcalloc(l->n, sizeof(*pointers));
	Gantry__Snapdb__Snapshot s = GANTRY__SNAPDB__SNAPSHOT__INIT;
	gt_auto(gt_buf) key = GT_BUF_INIT;
	gt_auto(gt_buf) value = GT_BUF_INIT;
	size_t len;

	for (size_t i = 0; i < l->n; i++) {
		gantry__snapdb__label__init(&labels[i]);
		labels[i].key = l->v[i].key;
		labels[i].value = l->v[i].value;
		pointers[i] = &labels[i];
	}
	s.id = e->id;
	s.kind = e->info.kind;
	s.parent = e->info.parent;
	s.n_labels = l->n;
	s.labels = pointers;
	s.created_seconds = e->info.created_at.tv_sec;
	s.created_nanos = e->info.created_at.tv_nsec;
	s.updated_seconds = e->info.updated_at.tv_sec;
	s.updated_nanos = e->info.updated_at.tv_nsec;
	s.measured = e->measured;
	s.inodes = e->usage.inodes;
	s.size = e->usage.size;
	len = gantry__snapdb__snapshot__get_packed_size(&s);
	gt_buf_reserve(&value, len);
	gantry__snapdb__snapshot__pack(&s, (uint8_t *)value.s);
	snapshot_key(&key, e->info.key);
	return snapdb_put(t, &key, value.s, len);
}

struct gt_error *record_drop(struct snapdb_txn *t, const char *key)
{
	gt_auto(gt_buf) k = GT_BUF_INIT;

	snapshot_key(&k, key);
	return snapdb_delete(t, &k);
}

struct gt_error *record_last_id(struct snapdb_txn *t, uint64_t *out)
{
	gt_auto(gt_buf) k = GT_BUF_INIT;
	uint64_t be;
	bool found;
	MDB_val v;

	gt_buf_addc(&k, 'i');
	GT_TRY(snapdb_get(t, &k, &v, &found));
	*out = 0;
	if (!found)
		return NULL;
	if (v.mv_size != sizeof(be))
		return gt_error_new(GT_DATA_LOSS, "the record of the last snapshot id is broken");
	memcpy(&be, v.mv_data, sizeof(be));
	*out = be64toh(be);
	return NULL;
}

struct gt_error *record_set_last_id(struct snapdb_txn *t, uint64_t id)
{
	gt_auto(gt_buf) k = GT_BUF_INIT;
	gt_auto(gt_buf) v = GT_BUF_INIT;

	gt_buf_addc(&k, 'i');
	add_be64(&v, id);
	return snapdb_put(t, &k, v.s, v.len);
}

struct gt_error *record_load_parent(struct snapdb_txn *t, const char *key,
				    struct gt_snapdb_entry *out)
{
	gt_auto(gt_snapdb_entry) e = { 0 };

	GT_TRY(record_load(t, key, &e));
	if (e.info.kind != GT_SNAPSHOT_COMMITTED)
		return gt_error_new(GT_INVALID_ARGUMENT, "parent %s is not committed", key);
	*out = e;
	e = (struct gt_snapdb_entry){ 0 };
	return NULL;
}

struct gt_error *record_load_chain(struct snapdb_txn *t, struct gt_snapdb_entry *e)
{
	gt_autofree char *key = gt_xstrdup(e->info.parent);
	size_t alloc = e->n_parents;

	while (*key) {
		gt_auto(gt_snapdb_entry) p = { 0 };

		if (e->n_parents == CHAIN_MAX)
			return gt_error_new(GT_DATA_LOSS, "snapshot %s has more than %d parents",
					    e->info.key, CHAIN_MAX);
		GT_TRY(gt_error_wrap(record_load(t, key, &p), "parent of snapshot %s",
				     e->info.key));
		GT_GROW(e->parents, e->n_parents, alloc);
		e->parents[e->n_parents++] = p.id;
		free(key);
		key = gt_steal(&p.info.parent);
	}
	return NULL;
}
