/* SPDX-License-Identifier: Apache-2.0 */
/* Removing the records that nothing keeps, and then what they stood for. See collection.h. */
#include <config.h>

#include "collection.h"

#include "blobs.h"
#include "leases.h"
#include "snapshots.h"

#include <gantry/log.h>

#include "containerd.events.pb-c.h"
#include "containerd.services.images.v1.pb-c.h"

#include <string.h>
#include <time.h>

#define SWEEP_NS 1000000 /* what one transaction may take, before its commit */
#define SWEEP_MOST 16 /* records: their files go next, in as few transactions of the file system */
#define NOTES_MOST 256 /* noted records read in a write transaction; more are read in a view */
#define FORGET_MOST 256 /* notes that were read and go with a transaction */
#define PAUSE_MOST_NS 4000000

/* Records that a transaction removed. Strings are owned. */
struct gone {
	char kind;
	char *ns;
	char *snapshotter; /* of a snapshot */
	char *name;
	char *backend; /* of a snapshot */
};

struct sweep {
	struct collection *c;
	size_t at; /* victims before this one are gone for good */
	size_t reached;
	uint64_t read; /* notes */
	bool behind;
	struct gone *gone;
	size_t n_gone, alloc_gone;
};

static void gone_clear(struct sweep *s)
{
	while (s->n_gone) {
		struct gone *g = &s->gone[--s->n_gone];

		free(g->ns);
		free(g->snapshotter);
		free(g->name);
		free(g->backend);
	}
}

static struct gone *gone_add(struct sweep *s, char kind, const char *ns, const char *name)
{
	GT_GROW(s->gone, s->n_gone, s->alloc_gone);
	s->gone[s->n_gone] = (struct gone){
		.kind = kind, .ns = gt_xstrdup(ns), .name = gt_xstrdup(name)
	};
	return &s->gone[s->n_gone++];
}

static struct gt_error *snapshot_sweep(struct gt_txn *t, struct sweep *s, const char *parts[])
{
	struct gt_call call = GT_CALL_INIT;
	struct place p = { .l = s->c->l, .call = &call, .name = parts[2] };
	gt_auto(record) r = RECORD_INIT;
	struct snapshot_removal removal = { .p = &p, .r = &r, .collected = true };
	struct gt_error *e;
	struct gone *g;

	call.ns = parts[1];
	GT_TRY(place_record(&p, parts[3], &r));
	e = snapshot_remove_record(t, &removal);
	if (!e) {
		g = gone_add(s, KEY_SNAPSHOT, parts[1], parts[3]);
		g->snapshotter = gt_xstrdup(parts[2]);
		g->backend = gt_steal(&removal.object.backend);
	}
	snapshot_done(&removal.object);
	/* It has a child that came meanwhile, or went by itself. */
	return gt_error_unless(gt_error_unless(e, GT_FAILED_PRECONDITION), GT_NOT_FOUND);
}

/* What a lease lists goes with it, as much as fits; '*all' says whether that was everything. */
static struct gt_error *resources_sweep(struct gt_txn *t, const char *parts[], int64_t end,
					bool *all)
{
	gt_auto(gt_buf) prefix = GT_BUF_INIT;
	struct gt_slice key, value;
	struct gt_error *e = NULL;

	key_set_prefix(&prefix, KEY_RESOURCE, parts[1], parts[2], NULL);
	for (int i = 0; i % 16 || gt_now() < end; i++) {
		gt_auto(gt_buf) copy = GT_BUF_INIT;

		e = gt_txn_seek(t, key_slice(&prefix), key_slice(&prefix), &key, &value);
		if (e)
			break;
		gt_buf_add(&copy, key.data, key.len);
		GT_TRY(gt_txn_remove(t, key_slice(&copy)));
	}
	*all = e != NULL;
	return gt_error_unless(e, GT_NOT_FOUND);
}

static struct gt_error *record_sweep(struct gt_txn *t, struct sweep *s, struct gt_slice key,
				     const char *parts[])
{
	struct gt_error *e = gt_txn_remove(t, key);

	if (!e)
		gone_add(s, *parts[0], parts[1], parts[2]);
	if (!e && *parts[0] == KEY_BLOB)
		e = note_drop(t, parts[1], parts[2]);
	return gt_error_unless(e, GT_NOT_FOUND);
}

static struct gt_error *victim_sweep(struct gt_txn *t, struct sweep *s, uint32_t node, int64_t end,
				     bool *all)
{
	struct gt_slice key = graph_key(&s->c->scan.graph, node);
	gt_autofree char *copy = NULL;
	const char *parts[KEY_PARTS];

	*all = true;
	key_split(key, &copy, parts);
	if (*parts[0] == KEY_SNAPSHOT)
		return snapshot_sweep(t, s, parts);
	if (*parts[0] == KEY_LEASE)
		GT_TRY(resources_sweep(t, parts, end, all));
	return *all ? record_sweep(t, s, key, parts) : NULL;
}

static struct gt_error *sweep_some(struct gt_txn *t, void *arg)
{
	struct sweep *s = arg;
	struct collection *c = s->c;
	int64_t end = gt_now() + SWEEP_NS;
	bool all = true;

	gone_clear(s); /* of an earlier run */
	s->reached = s->at;
	s->read = c->journal.next;
	GT_TRY(journal_read(t, &s->read, NOTES_MOST, scan_noted, &c->scan, &s->behind));
	GT_TRY(journal_forget(t, s->read, FORGET_MOST));
	for (int i = 0; !s->behind && all && i < SWEEP_MOST && s->reached < c->n_victims; i++) {
		uint32_t node = c->victims[s->reached];

		if (i % 16 == 15 && gt_now() >= end)
			break;
		if (!graph_is_used(&c->scan.graph, node))
			GT_TRY(victim_sweep(t, s, node, end, &all));
		s->reached += all;
	}
	return NULL;
}

/* Many notes are read where that keeps nobody waiting. */
static struct gt_error *read_notes(struct gt_txn *t, void *arg)
{
	struct sweep *s = arg;

	return journal_read(t, &s->c->journal.next, SIZE_MAX, scan_noted, &s->c->scan, &s->behind);
}

static void tell(struct sweep *s, const struct gone *g)
{
	gt_auto(gt_arena) a = { 0 };

	if (g->kind == KEY_IMAGE) {
		Containerd__Services__Images__V1__ImageDelete *m = gt_arena_message(
			&a, &containerd__services__images__v1__image_delete__descriptor);

		m->name = g->name;
		local_publish(s->c->l, g->ns, "/images/delete", &m->base);
	} else if (g->kind == KEY_SNAPSHOT) {
		Containerd__Events__SnapshotRemove *m = gt_arena_message(
			&a, &containerd__events__snapshot_remove__descriptor);

		m->key = g->name;
		m->snapshotter = g->snapshotter;
		local_publish(s->c->l, g->ns, "/snapshot/remove", &m->base);
	}
}

static void count(struct gt_collected *out, char kind)
{
	switch (kind) {
	case KEY_IMAGE:
		out->images++;
		break;
	case KEY_LEASE:
		out->leases++;
		break;
	case KEY_INGEST:
		out->ingests++;
		break;
	case KEY_BLOB:
		out->blobs++;
		break;
	case KEY_SNAPSHOT:
		out->snapshots++;
		break;
	}
}

/* The snapshotter's part of snapshots whose records are gone, all of one snapshotter. */
static void delete_snapshots(struct sweep *s, const char *snapshotter)
{
	struct collection *c = s->c;
	gt_auto(gt_strv) backends = { 0 };
	struct gt_snapshotter *sn;
	struct gt_error *e;

	for (size_t i = 0; i < s->n_gone; i++)
		if (s->gone[i].backend && !strcmp(s->gone[i].snapshotter, snapshotter))
			gt_strv_add_take(&backends, gt_steal(&s->gone[i].backend));
	e = gt_need_snapshotter(c->l->init, snapshotter, &sn);
	if (!e)
		e = snapshots_delete(c->l, c->call, sn, &backends, c->bits & GT_COLLECT_MEASURE,
				     c->out, &c->missed);
	c->missed |= e != NULL;
	gt_log_warn_take(e, "delete %zu snapshots of snapshotter %s", backends.n, snapshotter);
}

/* After a transaction: what its records stood for. */
static void delete_gone(struct sweep *s)
{
	struct collection *c = s->c;
	gt_auto(gt_strv) digests = { 0 };
	struct gt_error *e;

	for (size_t i = 0; i < s->n_gone; i++) {
		count(c->out, s->gone[i].kind);
		tell(s, &s->gone[i]);
		if (s->gone[i].kind == KEY_BLOB)
			gt_strv_add(&digests, s->gone[i].name);
	}
	for (size_t i = 0; i < s->n_gone; i++)
		if (s->gone[i].backend)
			delete_snapshots(s, s->gone[i].snapshotter);
	e = blobs_delete(c->l, c->call, &digests, c->out, &c->missed);
	c->missed |= e != NULL;
	gt_log_warn_take(e, "delete the bytes of %zu blobs", digests.n);
	gone_clear(s);
}

static void pause_for(int64_t ns)
{
	struct timespec t = { .tv_nsec = ns < PAUSE_MOST_NS ? ns : PAUSE_MOST_NS };

	if (t.tv_nsec < 1000000)
		t.tv_nsec = 1000000;
	nanosleep(&t, NULL);
}

static struct gt_error *sweep_victims(struct sweep *s)
{
	struct collection *c = s->c;

	while (s->at < c->n_victims) {
		int64_t start = gt_now(), took;

		GT_TRY(gt_call_check(c->call));
		GT_TRY(local_update(c->l, c->call, sweep_some, s));
		took = gt_now() - start;
		c->journal.next = s->read;
		if (s->behind) {
			GT_TRY(local_view(c->l, c->call, read_notes, s));
			continue;
		}
		if (took > c->out->longest)
			c->out->longest = took;
		s->at = s->reached;
		delete_gone(s);
		pause_for(took - (gt_now() - start - took));
	}
	return NULL;
}

static void victim_add(struct collection *c, uint32_t node)
{
	GT_GROW(c->victims, c->n_victims, c->alloc_victims);
	c->victims[c->n_victims++] = node;
}

static char kind_of(const struct graph *g, uint32_t node)
{
	return *(const char *)graph_key(g, node).data;
}

static bool is_garbage(const struct graph *g, uint32_t node)
{
	return (g->nodes[node].bits & NODE_PRESENT) && !graph_is_used(g, node);
}

static int key_compare(const void *a, const void *b, void *arg)
{
	struct gt_slice x = graph_key(arg, *(const uint32_t *)a);
	struct gt_slice y = graph_key(arg, *(const uint32_t *)b);
	int order = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);

	return order ? order : (x.len > y.len) - (x.len < y.len);
}

/* Those from 'from' on, as they lie in the store: what a transaction removes shares pages, then. */
static void victims_sort(struct collection *c, size_t from)
{
	if (c->n_victims > from)
		qsort_r(c->victims + from, c->n_victims - from, sizeof(*c->victims), key_compare,
			&c->scan.graph);
}

static void victims_of_kind(struct collection *c, char kind)
{
	const struct graph *g = &c->scan.graph;
	size_t from = c->n_victims;

	for (size_t i = 0; i < g->n_nodes; i++)
		if (is_garbage(g, (uint32_t)i) && kind_of(g, (uint32_t)i) == kind)
			victim_add(c, (uint32_t)i);
	victims_sort(c, from);
}

/* The parent of a snapshot that is garbage too; GRAPH_NONE: none. */
static uint32_t garbage_parent(const struct graph *g, uint32_t node)
{
	for (uint32_t i = g->nodes[node].edges; i != GRAPH_NONE; i = g->edges[i].next)
		if ((g->edges[i].bits & EDGE_INHERENT) && is_garbage(g, g->edges[i].to))
			return g->edges[i].to;
	return GRAPH_NONE;
}

/* Snapshots, children before their parents. */
static void victims_snapshots(struct collection *c)
{
	const struct graph *g = &c->scan.graph;
	uint32_t *children = gt_xcalloc(g->n_nodes + 1, sizeof(*children));
	size_t at = c->n_victims;

	for (uint32_t i = 0; i < g->n_nodes; i++) {
		uint32_t parent = GRAPH_NONE;

		if (is_garbage(g, i) && kind_of(g, i) == KEY_SNAPSHOT)
			parent = garbage_parent(g, i);
		if (parent != GRAPH_NONE)
			children[parent]++;
	}
	for (uint32_t i = 0; i < g->n_nodes; i++)
		if (is_garbage(g, i) && kind_of(g, i) == KEY_SNAPSHOT && !children[i])
			victim_add(c, i);
	victims_sort(c, at);
	for (; at < c->n_victims; at++) {
		uint32_t parent = garbage_parent(g, c->victims[at]);

		if (parent != GRAPH_NONE && !--children[parent])
			victim_add(c, parent);
	}
	free(children);
}

struct ingests {
	struct sweep *s;
	struct ingest *v; /* of victims, by number */
};

/* The records of all ingests that are to go, as they stand now. */
static struct gt_error *ingests_read(struct gt_txn *t, void *arg)
{
	struct ingests *in = arg;
	struct collection *c = in->s->c;

	GT_TRY(read_notes(t, in->s));
	for (size_t i = 0; i < c->n_victims; i++) {
		struct gt_slice key = graph_key(&c->scan.graph, c->victims[i]), value;
		struct gt_error *e;

		if (kind_of(&c->scan.graph, c->victims[i]) != KEY_INGEST ||
		    graph_is_used(&c->scan.graph, c->victims[i]))
			continue;
		e = gt_txn_get(t, key, &value);
		if (!e)
			e = record_decode(&ingest_kind, value, &in->v[i]);
		GT_TRY(gt_error_unless(e, GT_NOT_FOUND));
	}
	return NULL;
}

/* Drops the bytes of an ingest. One that somebody writes is in use, with the blob that it expects. */
static struct gt_error *ingest_sweep(struct collection *c, struct gt_content *content,
				     uint32_t node, const struct ingest *i)
{
	gt_auto(gt_ingest_info) info = { 0 };
	struct gt_error *e = gt_content_status(content, c->call, i->backend, &info);

	if (!e)
		e = gt_content_abort(content, c->call, i->backend);
	if (!e)
		c->out->freed += info.offset;
	/* It was committed, perhaps, and its process died before the record. */
	if (gt_error_class(e) == GT_NOT_FOUND && !*i->expected)
		c->search = true;
	if (gt_error_class(e) == GT_UNAVAILABLE)
		graph_use(&c->scan.graph, node, false);
	return gt_error_unless(gt_error_unless(e, GT_NOT_FOUND), GT_UNAVAILABLE);
}

static struct gt_error *expected_delete(struct collection *c, const struct ingests *in)
{
	gt_auto(gt_strv) digests = { 0 };

	for (size_t i = 0; i < c->n_victims; i++)
		if (in->v[i].expected && *in->v[i].expected)
			gt_strv_add(&digests, in->v[i].expected);
	return blobs_delete(c->l, c->call, &digests, c->out, &c->missed);
}

/* Ingests go first, for one that is being written may turn out to be in use. */
static struct gt_error *sweep_ingests(struct sweep *s)
{
	struct collection *c = s->c;
	struct ingests in = { .s = s };
	struct gt_content *content;
	struct gt_error *e;

	victims_of_kind(c, KEY_INGEST);
	if (!c->n_victims)
		return NULL;
	GT_TRY(gt_need_content(c->l->init, NULL, &content));
	in.v = gt_xcalloc(c->n_victims, sizeof(*in.v));
	e = local_view(c->l, c->call, ingests_read, &in);
	for (size_t i = 0; !e && i < c->n_victims; i++)
		if (in.v[i].backend)
			e = ingest_sweep(c, content, c->victims[i], &in.v[i]);
	if (!e)
		e = sweep_victims(s);
	if (!e)
		e = expected_delete(c, &in);
	for (size_t i = 0; i < c->n_victims; i++)
		ingest_done(&in.v[i]);
	free(in.v);
	c->n_victims = s->at = 0;
	return e;
}

struct gt_error *sweep(struct collection *c)
{
	struct sweep s = { .c = c };
	struct gt_error *e;

	victims_of_kind(c, KEY_LEASE);
	victims_of_kind(c, KEY_IMAGE);
	e = sweep_victims(&s);
	c->n_victims = s.at = 0;
	if (!e)
		e = sweep_ingests(&s);
	if (!e) {
		victims_snapshots(c);
		victims_of_kind(c, KEY_BLOB);
		e = sweep_victims(&s);
	}
	gone_clear(&s);
	free(s.gone);
	return e;
}
