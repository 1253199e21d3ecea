/* SPDX-License-Identifier: Apache-2.0 */
/* What takes the space, and what keeps a thing: the graph of a collection that removes nothing. */
#include <config.h>

#include "collection.h"

#include "blobs.h"
#include "snapshots.h"

#include <string.h>

#define CHAINS_MOST 16

/* A node as a person would say it: "image NAME", "snapshot KEY (overlayfs)". A new string. */
static char *node_text(const struct graph *g, uint32_t node)
{
	gt_autofree char *copy = NULL;
	const char *p[KEY_PARTS];
	size_t n = key_split(graph_key(g, node), &copy, p);

	switch (*p[0]) {
	case KEY_IMAGE:
		return gt_strf("image %s", p[2]);
	case KEY_CONTAINER:
		return gt_strf("container %s", p[2]);
	case KEY_SANDBOX:
		return gt_strf("sandbox %s", p[2]);
	case KEY_LEASE:
		return gt_strf("lease %s", p[2]);
	case KEY_INGEST:
		return gt_strf("ingest %s", p[2]);
	case KEY_BLOB:
		return gt_strf("content %s", p[2]);
	case KEY_SNAPSHOT:
		return gt_strf("snapshot %s (%s)", n > 3 ? p[3] : "", p[2]);
	}
	return gt_xstrdup("?");
}

/* Who is said to own what a root keeps. */
static char *owner_text(const struct graph *g, const uint32_t *owners, uint32_t node)
{
	uint32_t owner = owners[node];

	if (owner == GRAPH_NONE)
		return gt_xstrdup("");
	if (owner == GRAPH_SEVERAL)
		return gt_xstrdup("several");
	if (owner == node && *(const char *)graph_key(g, node).data != KEY_INGEST)
		return gt_xstrdup(graph_word(g, g->nodes[node].why_root));
	return node_text(g, owner);
}

struct row {
	char *type, *ns, *owner;
	uint64_t count;
	int64_t size;
};

struct thing { /* of a record */
	uint32_t node;
	char *name; /* of blobs the digest, of others what the driver calls it */
	int64_t size;
};

struct report {
	struct local *l;
	struct gt_call *call;
	struct scan scan;
	uint32_t *owners;
	struct thing *things;
	size_t n_things, alloc_things;
	struct row *rows;
	size_t n_rows, alloc_rows;
};

static void report_done(struct report *r)
{
	for (size_t i = 0; i < r->n_things; i++)
		free(r->things[i].name);
	for (size_t i = 0; i < r->n_rows; i++) {
		free(r->rows[i].type);
		free(r->rows[i].ns);
		free(r->rows[i].owner);
	}
	free(r->things);
	free(r->rows);
	free(r->owners);
	scan_done(&r->scan);
}

static void thing_add(struct report *r, struct gt_slice key, const char *name, int64_t size)
{
	uint32_t node = graph_find(&r->scan.graph, key);

	if (node == GRAPH_NONE)
		return;
	GT_GROW(r->things, r->n_things, r->alloc_things);
	r->things[r->n_things++] =
		(struct thing){ .node = node, .name = gt_xstrdup(name), .size = size };
}

static struct gt_error *add_blob(void *arg, struct gt_slice key, struct gt_slice value)
{
	gt_auto(gt_blob) b = { 0 };

	GT_TRY(record_decode(&blob_kind, value, &b));
	thing_add(arg, key, b.info.digest, b.info.size);
	return NULL;
}

static struct gt_error *add_ingest(void *arg, struct gt_slice key, struct gt_slice value)
{
	gt_auto(ingest) i = { 0 };

	GT_TRY(record_decode(&ingest_kind, value, &i));
	thing_add(arg, key, i.backend, -1);
	return NULL;
}

static struct gt_error *add_snapshot(void *arg, struct gt_slice key, struct gt_slice value)
{
	gt_auto(snapshot) s = { 0 };

	GT_TRY(record_decode(&snapshot_kind, value, &s));
	thing_add(arg, key, s.backend, -1);
	return NULL;
}

static struct gt_error *things_read(struct gt_txn *t, void *arg)
{
	static const struct {
		char kind;
		struct gt_error *(*fn)(void *arg, struct gt_slice key, struct gt_slice value);
	} kinds[] = {
		{ KEY_BLOB, add_blob }, { KEY_INGEST, add_ingest }, { KEY_SNAPSHOT, add_snapshot }
	};
	struct report *r = arg;

	GT_TRY(scan_all(t, &r->scan, NULL));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		gt_auto(gt_buf) prefix = GT_BUF_INIT;

		key_set_prefix(&prefix, kinds[i].kind, NULL);
		GT_TRY(gt_txn_scan(t, key_slice(&prefix), kinds[i].fn, r));
	}
	return NULL;
}

/* Where the record does not say it. What goes meanwhile, or cannot be measured, counts nothing. */
static int64_t size_of(struct report *r, const struct thing *thing, const char *const *parts)
{
	gt_auto(gt_ingest_info) info = { 0 };
	struct gt_usage usage = { 0 };
	struct gt_snapshotter *sn;
	struct gt_content *content;
	struct gt_error *e;

	if (thing->size >= 0)
		return thing->size;
	if (*parts[0] == KEY_INGEST) {
		e = gt_need_content(r->l->init, NULL, &content);
		if (!e)
			e = gt_content_status(content, r->call, thing->name, &info);
		gt_error_free(e);
		return info.offset;
	}
	e = gt_need_snapshotter(r->l->init, parts[2], &sn);
	if (!e)
		e = gt_snapshotter_usage(sn, r->call, thing->name, &usage);
	gt_error_free(e);
	return usage.size;
}

static void row_add(struct report *r, const char *type, const char *ns, const char *owner,
		    int64_t size)
{
	/* Rows of the same thing mostly come one behind the other. */
	for (size_t i = r->n_rows; i--;) {
		struct row *row = &r->rows[i];

		if (strcmp(row->type, type) || strcmp(row->ns, ns) || strcmp(row->owner, owner))
			continue;
		row->count++;
		row->size += size;
		return;
	}
	GT_GROW(r->rows, r->n_rows, r->alloc_rows);
	r->rows[r->n_rows++] = (struct row){
		.type = gt_xstrdup(type),
		.ns = gt_xstrdup(ns),
		.owner = gt_xstrdup(owner),
		.count = 1,
		.size = size,
	};
}

static int row_compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int c = !*x->ns - !*y->ns; /* sums at the end */

	if (!c)
		c = strcmp(x->type, y->type);
	if (!c)
		c = strcmp(x->ns, y->ns);
	return c ? c : strcmp(x->owner, y->owner);
}

static struct gt_error *rows_make(struct report *r)
{
	struct graph seen = GRAPH_INIT; /* digests: a blob's file is one for all namespaces */

	for (size_t i = 0; i < r->n_things; i++) {
		const struct thing *thing = &r->things[i];
		gt_autofree char *owner = owner_text(&r->scan.graph, r->owners, thing->node);
		gt_autofree char *copy = NULL, *type = NULL;
		const char *parts[KEY_PARTS];
		struct gt_slice name = { .data = thing->name, .len = strlen(thing->name) };
		int64_t size;

		key_split(graph_key(&r->scan.graph, thing->node), &copy, parts);
		size = size_of(r, thing, parts);
		type = *parts[0] == KEY_SNAPSHOT ? gt_strf("snapshots/%s", parts[2]) :
						   gt_xstrdup(*parts[0] == KEY_BLOB ? "content" :
										      "ingests");
		row_add(r, type, parts[1], owner, size);
		if (*parts[0] != KEY_BLOB || graph_find(&seen, name) == GRAPH_NONE)
			row_add(r, type, "", "", size);
		if (*parts[0] == KEY_BLOB)
			graph_node(&seen, name);
	}
	graph_done(&seen);
	if (r->n_rows)
		qsort(r->rows, r->n_rows, sizeof(*r->rows), row_compare);
	return NULL;
}

struct gt_error *space_usage(struct gt_services *s, struct gt_call *call,
			     struct gt_error *(*fn)(void *arg, const struct gt_space *u), void *arg)
{
	gt_auto(report) r = { .l = local_of(s), .call = call, .scan = SCAN_INIT };

	r.scan.now = local_time();
	r.scan.graph.wants_words = true;
	GT_TRY(local_view(r.l, call, things_read, &r));
	r.owners = graph_owners(&r.scan.graph);
	GT_TRY(rows_make(&r));
	for (size_t i = 0; i < r.n_rows; i++) {
		const struct row *row = &r.rows[i];
		struct gt_space u = { .type = row->type,
				      .ns = row->ns,
				      .owner = row->owner,
				      .count = row->count,
				      .size = row->size };

		GT_TRY(fn(arg, &u));
	}
	return NULL;
}

/* The record itself is asked for, not only something that refers to that name. */
static bool is_asked(const struct graph *g, uint32_t node, const char *ref)
{
	gt_autofree char *copy = NULL;
	const char *parts[KEY_PARTS];
	size_t n = key_split(graph_key(g, node), &copy, parts);

	return (g->nodes[node].bits & NODE_PRESENT) && n >= 3 && !strcmp(parts[n - 1], ref);
}

struct telling {
	const struct graph *g;
	struct gt_error *(*fn)(void *arg, const struct gt_kept *k);
	void *arg;
	size_t chain;
};

static struct gt_error *tell_chain(struct telling *t, const struct graph_chain *chain)
{
	struct gt_kept k = { .chain = t->chain++ };
	uint32_t at = chain->root;

	if (!chain->n) {
		gt_autofree char *from = node_text(t->g, at);

		k.from = from;
		k.why = graph_word(t->g, t->g->nodes[at].why_root);
		return t->fn(t->arg, &k);
	}
	for (size_t i = 0; i < chain->n; i++) {
		const struct graph_edge *edge = &t->g->edges[chain->edges[i]];
		gt_autofree char *from = node_text(t->g, at), *to = node_text(t->g, edge->to);

		k.from = from;
		k.to = to;
		k.why = graph_word(t->g, edge->why);
		GT_TRY(t->fn(t->arg, &k));
		at = edge->to;
	}
	return NULL;
}

static struct gt_error *tell_node(struct telling *t, uint32_t node)
{
	struct graph_chain chains[CHAINS_MOST];
	size_t n = graph_chains(t->g, node, CHAINS_MOST, chains);
	struct gt_error *e = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!e)
			e = tell_chain(t, &chains[i]);
		free(chains[i].edges);
	}
	return e;
}

struct asking {
	struct scan scan;
	const char *ns;
};

static void asking_done(struct asking *a)
{
	scan_done(&a->scan);
}

static struct gt_error *asking_read(struct gt_txn *t, void *arg)
{
	struct asking *a = arg;

	return scan_all(t, &a->scan, a->ns);
}

struct gt_error *kept_explain(struct gt_services *s, struct gt_call *call, const char *ref,
			      struct gt_error *(*fn)(void *arg, const struct gt_kept *k), void *arg,
			      bool *kept)
{
	gt_auto(asking) a = { .scan = SCAN_INIT, .ns = call->ns };
	struct telling t = { .g = &a.scan.graph, .fn = fn, .arg = arg };
	bool found = false;

	a.scan.now = local_time();
	a.scan.graph.wants_words = true;
	GT_TRY(local_view(local_of(s), call, asking_read, &a));
	for (uint32_t i = 0; i < a.scan.graph.n_nodes; i++) {
		if (!is_asked(&a.scan.graph, i, ref))
			continue;
		found = true;
		GT_TRY(tell_node(&t, i));
	}
	if (!found)
		return gt_error_new(GT_NOT_FOUND, "nothing by the name \"%s\"", ref);
	*kept = t.chain > 0;
	return NULL;
}
