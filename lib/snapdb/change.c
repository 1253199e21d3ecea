/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "record.h"

#include <string.h>

static struct gt_error *must_be_free(struct snapdb_txn *t, const char *key)
{
	bool found;

	GT_TRY(record_exists(t, key, &found));
	return found ? gt_error_new(GT_ALREADY_EXISTS, "snapshot %s", key) : NULL;
}

static struct gt_error *add_child(struct snapdb_txn *t, uint64_t parent, uint64_t child)
{
	gt_auto(gt_buf) key = GT_BUF_INIT;

	record_child_key(&key, parent, child);
	return snapdb_put(t, &key, "", 0);
}

struct creation {
	const struct gt_snapdb_create *c;
	struct gt_snapdb_entry e;
};

static struct gt_error *create_in(struct snapdb_txn *t, void *arg)
{
	struct creation *n = arg;
	const struct gt_snapdb_create *c = n->c;
	gt_auto(gt_snapdb_entry) parent = { 0 };
	bool has_parent = c->parent && *c->parent, taken = true;
	uint64_t id;

	gt_snapdb_entry_done(&n->e);
	GT_TRY(must_be_free(t, c->key));
	if (has_parent) {
		GT_TRY(record_load_parent(t, c->parent, &parent));
		if (parent.id != c->parent_id)
			return gt_error_new(GT_ABORTED, "snapshot %s was replaced meanwhile",
					    c->parent);
	}
	GT_TRY(record_last_id(t, &id));
	while (taken) {
		taken = false;
		GT_TRY(c->place(c->arg, ++id, &taken));
	}
	n->e = (struct gt_snapdb_entry){
		.id = id,
		.info.kind = c->kind,
		.info.key = gt_xstrdup(c->key),
		.info.parent = gt_xstrdup(has_parent ? c->parent : ""),
	};
	gt_labels_copy(&n->e.info.labels, c->labels);
	clock_gettime(CLOCK_REALTIME, &n->e.info.created_at);
	n->e.info.updated_at = n->e.info.created_at;
	GT_TRY(record_load_chain(t, &n->e));
	GT_TRY(record_set_last_id(t, id));
	if (has_parent)
		GT_TRY(add_child(t, parent.id, id));
	return record_store(t, &n->e);
}

struct gt_error *gt_snapdb_create(struct gt_snapdb *db, const struct gt_snapdb_create *c,
				  struct gt_snapdb_entry *out)
{
	struct creation n = { .c = c };
	struct gt_error *e = record_check_key("snapshot key", c->key);

	if (!e)
		e = snapdb_write(db, SNAPDB_DURABLE, create_in, &n);
	if (e) {
		gt_snapdb_entry_done(&n.e);
		return e;
	}
	*out = n.e;
	return NULL;
}

struct committing {
	const char *name, *key, *parent;
	const struct gt_labels *labels;
};

static struct gt_error *rebase(struct snapdb_txn *t, struct gt_snapdb_entry *e, const char *parent)
{
	gt_auto(gt_snapdb_entry) p = { 0 };

	if (!strcmp(e->info.parent, parent))
		return NULL;
	if (*e->info.parent)
		return gt_error_new(GT_FAILED_PRECONDITION, "snapshot %s has the parent %s, not %s",
				    e->info.key, e->info.parent, parent);
	GT_TRY(record_load_parent(t, parent, &p));
	free(e->info.parent);
	e->info.parent = gt_xstrdup(parent);
	return add_child(t, p.id, e->id);
}

static struct gt_error *commit_in(struct snapdb_txn *t, void *arg)
{
	const struct committing *c = arg;
	gt_auto(gt_snapdb_entry) e = { 0 };

	GT_TRY(record_load(t, c->key, &e));
	if (e.info.kind != GT_SNAPSHOT_ACTIVE)
		return gt_error_new(GT_FAILED_PRECONDITION, "snapshot %s is not active", c->key);
	GT_TRY(must_be_free(t, c->name));
	if (c->parent && *c->parent)
		GT_TRY(rebase(t, &e, c->parent));
	GT_TRY(record_drop(t, c->key));
	free(e.info.key);
	e.info.key = gt_xstrdup(c->name);
	e.info.kind = GT_SNAPSHOT_COMMITTED;
	gt_labels_done(&e.info.labels);
	gt_labels_copy(&e.info.labels, c->labels);
	clock_gettime(CLOCK_REALTIME, &e.info.created_at);
	e.info.updated_at = e.info.created_at;
	return record_store(t, &e);
}

struct gt_error *gt_snapdb_commit(struct gt_snapdb *db, const char *name, const char *key,
				  const struct gt_labels *labels, const char *parent)
{
	struct committing c = { .name = name, .key = key, .parent = parent, .labels = labels };

	GT_TRY(record_check_key("snapshot name", name));
	GT_TRY(record_check_key("snapshot key", key));
	return snapdb_write(db, SNAPDB_DURABLE, commit_in, &c);
}

static struct gt_error *must_have_no_children(struct snapdb_txn *t, const struct gt_snapdb_entry *e)
{
	gt_auto(gt_buf) first = GT_BUF_INIT;
	bool has = false;
	MDB_cursor *c;
	MDB_val k, v;
	int rc;

	record_child_key(&first, e->id, 0);
	GT_TRY(snapdb_error(mdb_cursor_open(t->txn, t->db->dbi, &c), "list"));
	k = (MDB_val){ .mv_data = first.s, .mv_size = first.len };
	rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	if (rc == 0) /* 'c' and the parent's id are the first nine bytes */
		has = k.mv_size == first.len && !memcmp(k.mv_data, first.s, 9);
	mdb_cursor_close(c);
	if (rc && rc != MDB_NOTFOUND)
		return snapdb_error(rc, "list");
	return has ? gt_error_new(GT_FAILED_PRECONDITION, "snapshot %s has children", e->info.key)
		   : NULL;
}

struct removal {
	const char *key;
	uint64_t id;
	bool committed; /* may be removed if it is */
};

static struct gt_error *remove_in(struct snapdb_txn *t, void *arg)
{
	gt_auto(gt_snapdb_entry) e = { 0 };
	struct removal *r = arg;

	r->id = 0;
	GT_TRY(record_load(t, r->key, &e));
	if (e.info.kind == GT_SNAPSHOT_COMMITTED && !r->committed)
		return NULL;
	GT_TRY(must_have_no_children(t, &e));
	if (*e.info.parent) {
		gt_auto(gt_snapdb_entry) parent = { 0 };
		gt_auto(gt_buf) child = GT_BUF_INIT;

		GT_TRY(record_load(t, e.info.parent, &parent));
		record_child_key(&child, parent.id, e.id);
		GT_TRY(snapdb_delete(t, &child));
	}
	r->id = e.id;
	return record_drop(t, r->key);
}

struct gt_error *gt_snapdb_remove(struct gt_snapdb *db, const char *key, uint64_t *id)
{
	struct removal r = { .key = key };

	GT_TRY(record_check_key("snapshot key", key));
	/*
	 * What is not committed may come back with a power cut (see the top of snapdb.h). What is
	 * committed must not: its directory goes next, and a layer without its files would stay.
	 */
	GT_TRY(snapdb_write(db, SNAPDB_LAZY | SNAPDB_SHRINK, remove_in, &r));
	if (!r.id) {
		r.committed = true;
		GT_TRY(snapdb_write(db, SNAPDB_DURABLE | SNAPDB_SHRINK, remove_in, &r));
	}
	*id = r.id;
	return NULL;
}

struct removals {
	const struct gt_strv *keys;
	uint64_t *ids;
	bool *gone;
};

static struct gt_error *remove_all_in(struct snapdb_txn *t, void *arg)
{
	struct removals *all = arg;

	for (size_t i = 0; i < all->keys->n; i++) {
		struct removal r = { .key = all->keys->v[i], .committed = true };
		struct gt_error *e = remove_in(t, &r);

		all->ids[i] = e ? 0 : r.id;
		all->gone[i] = gt_error_class(e) != GT_FAILED_PRECONDITION;
		GT_TRY(gt_error_unless(gt_error_unless(e, GT_FAILED_PRECONDITION), GT_NOT_FOUND));
	}
	return NULL;
}

struct gt_error *gt_snapdb_remove_all(struct gt_snapdb *db, const struct gt_strv *keys,
				      uint64_t *ids, bool *gone)
{
	struct removals all = { .keys = keys, .ids = ids, .gone = gone };

	for (size_t i = 0; i < keys->n; i++)
		GT_TRY(record_check_key("snapshot key", keys->v[i]));
	return snapdb_write(db, SNAPDB_DURABLE | SNAPDB_SHRINK, remove_all_in, &all);
}

struct update {
	const char *key;
	const struct gt_labels *labels; /* NULL: the usage is what changes */
	uint64_t id;
	const struct gt_usage *usage;
};

static struct gt_error *update_in(struct snapdb_txn *t, void *arg)
{
	gt_auto(gt_snapdb_entry) e = { 0 };
	const struct update *u = arg;

	GT_TRY(record_load(t, u->key, &e));
	if (u->usage) {
		if (e.id != u->id || e.info.kind != GT_SNAPSHOT_COMMITTED)
			return NULL;
		e.measured = true;
		e.usage = *u->usage;
	} else {
		gt_labels_done(&e.info.labels);
		gt_labels_copy(&e.info.labels, u->labels);
		clock_gettime(CLOCK_REALTIME, &e.info.updated_at);
	}
	return record_store(t, &e);
}

struct gt_error *gt_snapdb_update(struct gt_snapdb *db, const char *key,
				  const struct gt_labels *labels)
{
	struct update u = { .key = key, .labels = labels };

	GT_TRY(record_check_key("snapshot key", key));
	return snapdb_write(db, SNAPDB_DURABLE, update_in, &u);
}

struct gt_error *gt_snapdb_set_usage(struct gt_snapdb *db, const char *key, uint64_t id,
				     const struct gt_usage *usage)
{
	struct update u = { .key = key, .id = id, .usage = usage };

	return snapdb_write(db, SNAPDB_LAZY, update_in, &u);
}
