/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings a snapshotter and the records together again, where processes died between the two. Others
 * make, commit and remove snapshots meanwhile: what looks wrong is locked, which nobody does for long
 * who is at work on it, and looked at once more.
 */
#include <config.h>

#include "snapshots.h"

#include "namespaces.h"

#include <gantry/log.h>

#include <inttypes.h>
#include <string.h>

/* All snapshots of a snapshotter, as it has them: sorted by key. */
struct backends {
	struct gt_snapshot_info *v;
	bool *known; /* by a record */
	size_t n;
	size_t alloc;
};

static void backends_done(struct backends *b)
{
	for (size_t i = 0; i < b->n; i++)
		gt_snapshot_info_done(&b->v[i]);
	free(b->v);
	free(b->known);
}

static struct gt_error *backends_add(void *arg, const struct gt_snapshot_info *i)
{
	struct backends *b = arg;

	GT_GROW(b->v, b->n, b->alloc);
	gt_snapshot_info_copy(&b->v[b->n++], i);
	return NULL;
}

static int info_compare(const void *a, const void *b)
{
	const struct gt_snapshot_info *x = a, *y = b;

	return strcmp(x->key, y->key);
}

static struct gt_error *backends_read(const struct place *p, struct backends *b)
{
	GT_TRY(gt_snapshotter_walk(p->sn, p->call, backends_add, b));
	if (b->n)
		qsort(b->v, b->n, sizeof(*b->v), info_compare);
	b->known = gt_xcalloc(b->n + 1, sizeof(*b->known));
	return NULL;
}

/* Where 'key' stands, or would stand. */
static size_t backends_find(const struct backends *b, const char *key, bool *found)
{
	size_t lo = 0, hi = b->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (strcmp(b->v[mid].key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*found = lo < b->n && !strcmp(b->v[lo].key, key);
	return lo;
}

static struct gt_error *remove_lost(const struct place *p, const struct record *r)
{
	struct snapshot_removal removal = { .p = p, .r = r };
	struct gt_error *e = local_update(p->l, p->call, snapshot_remove_record, &removal);

	snapshot_done(&removal.object);
	if (!e)
		gt_log_warn("snapshot %s in namespace %s: lost by its snapshotter, forgotten",
			    r->name, r->ns);
	/* One with children is broken, but still says what they stood on. */
	return gt_error_unless(e, GT_FAILED_PRECONDITION);
}

/*
 * The record of the snapshot that the snapshotter calls 'backend', as its key: the third part, if the
 * record there says the same. "" for "".
 */
static struct gt_error *key_of_backend(const struct place *p, const char *backend, char **out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(snapshot) s = { 0 };
	const char *slash = strchr(backend, '/');
	struct gt_error *e;

	slash = slash ? strchr(slash + 1, '/') : NULL;
	*out = NULL;
	if (!*backend) {
		*out = gt_xstrdup("");
		return NULL;
	}
	if (!slash || !slash[1])
		return NULL;
	GT_TRY(place_record(p, slash + 1, &r));
	e = records_get(p->l, p->call, &r, &s);
	if (e)
		return gt_error_unless(e, GT_NOT_FOUND);
	if (!strcmp(s.backend, backend))
		*out = gt_xstrdup(slash + 1);
	return NULL;
}

/* The one that an active snapshot was committed to, by their common number; b->n: none. */
static size_t find_committed(const struct place *p, const struct snapshot *s,
			     const struct backends *b, size_t *prefix_len)
{
	gt_autofree char *prefix = gt_strf("%s/%" PRIu64 "/", p->call->ns, s->seq);
	bool found;
	size_t i = backends_find(b, prefix, &found);

	*prefix_len = strlen(prefix);
	if (s->info.kind == GT_SNAPSHOT_ACTIVE && i < b->n &&
	    !strncmp(b->v[i].key, prefix, *prefix_len) && b->v[i].kind == GT_SNAPSHOT_COMMITTED)
		return i;
	return b->n;
}

/*
 * A record whose snapshot is not there: if it was active and stands committed under its number, the
 * commit is ended, else it is forgotten.
 */
static struct gt_error *mend(const struct place *p, const struct snapshot *s, struct backends *b)
{
	gt_auto(record) active = RECORD_INIT;
	gt_auto(record) made = RECORD_INIT;
	gt_auto(snapshot) object = { .seq = s->seq };
	gt_autofree char *parent = NULL;
	struct snapshot_commit c = {
		.p = p, .active = &active, .made = &made, .was = s, .object = &object,
	};
	size_t prefix_len, i = find_committed(p, s, b, &prefix_len);

	GT_TRY(place_record(p, s->info.key, &active));
	if (i < b->n)
		GT_TRY(key_of_backend(p, b->v[i].parent, &parent));
	if (!parent)
		return remove_lost(p, &active);
	object.backend = gt_xstrdup(b->v[i].key);
	object.info.kind = GT_SNAPSHOT_COMMITTED;
	object.info.key = gt_xstrdup(object.backend + prefix_len);
	object.info.parent = gt_xstrdup(parent);
	gt_labels_copy(&object.info.labels, &b->v[i].labels);
	object.info.created_at = object.info.updated_at = local_time();
	c.parent = object.info.parent;
	GT_TRY(place_record(p, object.info.key, &made));
	GT_TRY(local_update(p->l, p->call, snapshot_commit_record, &c));
	b->known[i] = !c.existed;
	return NULL;
}

struct matching {
	struct place p;
	struct backends *b;
	struct snapshot *lost;
	size_t n;
	size_t alloc;
};

static struct gt_error *match(void *arg, const void *object)
{
	struct matching *m = arg;
	const struct snapshot *s = object;
	bool found;
	size_t i = backends_find(m->b, s->backend, &found);

	if (found) {
		m->b->known[i] = true;
		return NULL;
	}
	GT_GROW(m->lost, m->n, m->alloc);
	m->lost[m->n] = (struct snapshot){ .backend = gt_xstrdup(s->backend), .seq = s->seq };
	gt_snapshot_info_copy(&m->lost[m->n++].info, &s->info);
	return NULL;
}

/* Whether the record still says the same, and the snapshotter still has no such snapshot. */
static struct gt_error *is_lost(const struct place *p, const struct snapshot *s, bool *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(snapshot) now = { 0 };
	gt_auto(gt_snapshot_info) there = { 0 };
	struct gt_error *e;

	*out = false;
	GT_TRY(place_record(p, s->info.key, &r));
	e = records_get(p->l, p->call, &r, &now);
	if (e)
		return gt_error_unless(e, GT_NOT_FOUND);
	if (strcmp(now.backend, s->backend))
		return NULL;
	e = gt_snapshotter_stat(p->sn, p->call, s->backend, &there);
	*out = gt_error_class(e) == GT_NOT_FOUND;
	return gt_error_unless(e, GT_NOT_FOUND);
}

static struct gt_error *mend_locked(const struct place *p, const struct snapshot *s,
				    struct backends *b)
{
	gt_auto(name_lock) lock = NAME_LOCK_INIT;
	bool mine, lost;

	GT_TRY(snapshot_lock_try(p->l, s->backend, &lock, &mine));
	if (!mine)
		return NULL;
	GT_TRY(is_lost(p, s, &lost));
	return lost ? mend(p, s, b) : NULL;
}

/* Compares the records of one namespace with the snapshotter's snapshots, and mends them. */
static struct gt_error *match_namespace(const struct place *p, const char *ns, struct backends *b)
{
	gt_auto(gt_buf) prefix = GT_BUF_INIT;
	struct gt_call call = *p->call;
	struct matching m = { .p = *p, .b = b };
	struct gt_error *e;

	call.ns = ns;
	call.lease = NULL;
	m.p.call = &call;
	key_set_prefix(&prefix, KEY_SNAPSHOT, ns, p->name, NULL);
	e = records_list(p->l, &call, &snapshot_kind, &prefix, NULL, match, &m);
	for (size_t i = 0; i < m.n; i++) {
		if (!e)
			e = mend_locked(&m.p, &m.lost[i], b);
		snapshot_done(&m.lost[i]);
	}
	free(m.lost);
	return e;
}

struct knowing {
	const char *backend;
	const char *snapshotter;
	bool known;
};

/*
 * Whether a record says that it is the snapshot 'backend': by the third part, or, for one that is about
 * to be committed or was, by the number.
 */
static struct gt_error *knows(struct gt_txn *t, void *arg)
{
	struct knowing *k = arg;
	struct gt_call call = GT_CALL_INIT;
	struct place p = { .call = &call, .name = k->snapshotter };
	gt_autofree char *ns = gt_xstrndup(k->backend, strcspn(k->backend, "/"));
	const char *key = strchr(k->backend, '/');
	gt_auto(record) r = RECORD_INIT;
	gt_auto(snapshot) s = { 0 };
	struct gt_error *e;

	k->known = false;
	key = key ? strchr(key + 1, '/') : NULL;
	call.ns = ns;
	if (!key || !key[1])
		return NULL;
	e = place_record(&p, key + 1, &r);
	if (!e)
		e = record_get(t, &r, &s);
	if (e) /* also for a name that no record of ours can have */
		return gt_error_unless(gt_error_unless(e, GT_NOT_FOUND), GT_INVALID_ARGUMENT);
	k->known = !strcmp(s.backend, k->backend);
	return NULL;
}

/* Adds what a snapshot takes, if that can be had. */
static void measure_one(struct gt_snapshotter *sn, struct gt_call *call, const char *backend,
			struct gt_collected *out)
{
	struct gt_usage u = { 0 };
	gt_autoptr(gt_error) e = gt_snapshotter_usage(sn, call, backend, &u);

	if (!e)
		out->freed += u.size;
}

/* Snapshots that are looked at together: their locks are held while they are deleted. */
#define DELETE_BATCH 16

struct deletion {
	struct local *l;
	struct gt_call *call;
	struct gt_snapshotter *sn;
	bool measure;
	struct gt_collected *out;
};

/*
 * Deletes those that no record knows, in this order; 'gone' says which are. One stays, for now, that
 * somebody is at work on, and one with a child, which may be in the making.
 */
static struct gt_error *delete_batch(struct deletion *d, char *const *backends, size_t n, bool *gone)
{
	gt_auto(name_lock) lock = NAME_LOCK_INIT;
	gt_auto(gt_strv) keys = { 0 };
	size_t places[DELETE_BATCH];
	bool done[DELETE_BATCH] = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct knowing k = { .backend = backends[i], .snapshotter = d->sn->init->id };
		bool mine;

		gone[i] = false;
		GT_TRY(snapshot_lock_try(d->l, backends[i], &lock, &mine));
		if (mine)
			GT_TRY(local_view(d->l, d->call, knows, &k));
		if (!mine || k.known)
			continue;
		if (d->measure)
			measure_one(d->sn, d->call, backends[i], d->out);
		places[keys.n] = i;
		gt_strv_add(&keys, backends[i]);
	}
	if (keys.n)
		GT_TRY(gt_snapshotter_remove_all(d->sn, d->call, &keys, done));
	for (size_t i = 0; i < keys.n; i++)
		gone[places[i]] = done[i];
	return NULL;
}

struct gt_error *snapshots_delete(struct local *l, struct gt_call *call, struct gt_snapshotter *sn,
				  const struct gt_strv *backends, bool measure,
				  struct gt_collected *out, bool *missed)
{
	struct deletion d = { .l = l, .call = call, .sn = sn, .measure = measure, .out = out };

	for (size_t at = 0; at < backends->n; at += DELETE_BATCH) {
		size_t n = backends->n - at < DELETE_BATCH ? backends->n - at : DELETE_BATCH;
		bool gone[DELETE_BATCH];

		GT_TRY(delete_batch(&d, backends->v + at, n, gone));
		for (size_t i = 0; i < n; i++)
			*missed |= !gone[i];
	}
	return NULL;
}

/* One time through all that no record knows; '*again' if something went. */
static struct gt_error *remove_round(struct deletion *d, struct backends *b, bool *again)
{
	char *names[DELETE_BATCH];
	size_t places[DELETE_BATCH], n = 0;

	*again = false;
	for (size_t i = 0; i < b->n; i++) {
		bool gone[DELETE_BATCH];

		if (!b->known[i]) {
			places[n] = i;
			names[n++] = b->v[i].key;
		}
		if (!n || (n < DELETE_BATCH && i + 1 < b->n))
			continue;
		GT_TRY(delete_batch(d, names, n, gone));
		for (; n; n--) {
			b->known[places[n - 1]] = gone[n - 1];
			d->out->orphans += gone[n - 1];
			*again |= gone[n - 1];
		}
	}
	return NULL;
}

/* Deletes what no record knows, children first. */
static struct gt_error *remove_unknown(const struct place *p, struct backends *b,
				       struct gt_collected *out)
{
	struct deletion d = { .l = p->l, .call = p->call, .sn = p->sn, .measure = true, .out = out };
	bool again = true;

	while (again)
		GT_TRY(remove_round(&d, b, &again));
	return NULL;
}

static struct gt_error *all_names(struct gt_txn *t, void *arg)
{
	return namespace_names(t, false, arg);
}

static struct gt_error *search(struct place *p, struct gt_collected *out)
{
	gt_auto(backends) b = { 0 };
	gt_auto(gt_strv) names = { 0 };

	GT_TRY(backends_read(p, &b));
	GT_TRY(local_view(p->l, p->call, all_names, &names));
	for (size_t i = 0; i < names.n; i++)
		GT_TRY(match_namespace(p, names.v[i], &b));
	GT_TRY(remove_unknown(p, &b, out));
	return gt_snapshotter_cleanup(p->sn, p->call);
}

struct gt_error *snapshots_search(struct local *l, struct gt_call *call, const char *snapshotter,
				  struct gt_collected *out)
{
	struct place p = { .l = l, .call = call };

	GT_TRY(gt_need_snapshotter(l->init, snapshotter, &p.sn));
	p.name = p.sn->init->id;
	return search(&p, out);
}

struct gt_error *snapshots_cleanup(struct gt_services *s, struct gt_call *call,
				   const char *snapshotter)
{
	struct gt_collected out = { 0 };
	struct place p;

	GT_TRY(place_find(s, call, snapshotter, &p));
	return search(&p, &out);
}
