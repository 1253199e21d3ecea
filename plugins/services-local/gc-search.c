/* SPDX-License-Identifier: Apache-2.0 */
/* Looking through the drivers for what no record knows. See collection.h. */
#include <config.h>

#include "collection.h"

#include "blobs.h"
#include "snapshots.h"

#include <gantry/log.h>

#include <string.h>

/* What a driver has, as a graph without edges: a set of strings that finds quickly. */
struct search {
	struct graph all;
	struct gt_strv unknown;
};

static struct gt_slice slice_of(const char *s)
{
	return (struct gt_slice){ .data = s, .len = strlen(s) };
}

static void see(struct search *s, const char *name)
{
	size_t len = strlen(name);

	if (len && len <= UINT16_MAX)
		graph_node(&s->all, slice_of(name));
}

static void know(struct search *s, const char *name)
{
	uint32_t node = graph_find(&s->all, slice_of(name));

	if (node != GRAPH_NONE)
		s->all.nodes[node].bits |= NODE_USED;
}

static void search_done(struct search *s)
{
	graph_done(&s->all);
	gt_strv_done(&s->unknown);
}

static void collect_unknown(struct search *s)
{
	for (size_t i = 0; i < s->all.n_nodes; i++) {
		struct gt_slice name = graph_key(&s->all, (uint32_t)i);

		if (!(s->all.nodes[i].bits & NODE_USED))
			gt_strv_add_take(&s->unknown, gt_xstrndup(name.data, name.len));
	}
}

static struct gt_error *see_blob(void *arg, const struct gt_blob_info *info)
{
	see(arg, info->digest);
	return NULL;
}

static struct gt_error *know_blob(void *arg, struct gt_slice key, struct gt_slice value)
{
	gt_autofree char *copy = NULL;
	const char *parts[KEY_PARTS];

	(void)value;
	if (key_split(key, &copy, parts) == 3)
		know(arg, parts[2]);
	return NULL;
}

static struct gt_error *know_expected(void *arg, struct gt_slice key, struct gt_slice value)
{
	gt_auto(ingest) i = { 0 };

	(void)key;
	GT_TRY(record_decode(&ingest_kind, value, &i));
	know(arg, i.expected);
	return NULL;
}

static struct gt_error *know_blobs(struct gt_txn *t, void *arg)
{
	gt_auto(gt_buf) prefix = GT_BUF_INIT;

	key_set_prefix(&prefix, KEY_BLOB, NULL);
	GT_TRY(gt_txn_scan(t, key_slice(&prefix), know_blob, arg));
	key_set_prefix(&prefix, KEY_INGEST, NULL);
	return gt_txn_scan(t, key_slice(&prefix), know_expected, arg);
}

static struct gt_error *search_blobs(struct collection *c, struct gt_content *content)
{
	gt_auto(search) s = { .all = GRAPH_INIT };

	GT_TRY(gt_content_walk(content, c->call, see_blob, &s));
	GT_TRY(local_view(c->l, c->call, know_blobs, &s));
	collect_unknown(&s);
	c->out->orphans += s.unknown.n;
	return blobs_delete(c->l, c->call, &s.unknown, c->out, &c->missed);
}

static struct gt_error *see_ingest(void *arg, const struct gt_ingest_info *info)
{
	see(arg, info->ref);
	return NULL;
}

static struct gt_error *know_ingest(void *arg, struct gt_slice key, struct gt_slice value)
{
	gt_auto(ingest) i = { 0 };

	(void)key;
	GT_TRY(record_decode(&ingest_kind, value, &i));
	know(arg, i.backend);
	return NULL;
}

static struct gt_error *know_ingests(struct gt_txn *t, void *arg)
{
	gt_auto(gt_buf) prefix = GT_BUF_INIT;

	key_set_prefix(&prefix, KEY_INGEST, NULL);
	return gt_txn_scan(t, key_slice(&prefix), know_ingest, arg);
}

/* Drops an ingest unless somebody is about to open it, has it open, or has made its record meanwhile. */
static struct gt_error *drop_ingest(struct collection *c, struct gt_content *content,
				    const char *ref)
{
	gt_auto(name_lock) lock = NAME_LOCK_INIT;
	gt_auto(search) s = { .all = GRAPH_INIT };
	gt_auto(gt_ingest_info) info = { 0 };
	struct gt_error *e;
	bool mine;

	GT_TRY(name_lock_try(c->l, 'g', ref, &lock, &mine));
	if (!mine)
		return NULL;
	see(&s, ref);
	GT_TRY(local_view(c->l, c->call, know_ingests, &s));
	collect_unknown(&s);
	if (!s.unknown.n)
		return NULL;
	e = gt_content_status(content, c->call, ref, &info);
	if (!e)
		e = gt_content_abort(content, c->call, ref);
	if (!e) {
		c->out->orphans++;
		c->out->freed += info.offset;
	}
	return gt_error_unless(gt_error_unless(e, GT_NOT_FOUND), GT_UNAVAILABLE);
}

static struct gt_error *search_ingests(struct collection *c, struct gt_content *content)
{
	gt_auto(search) s = { .all = GRAPH_INIT };

	GT_TRY(gt_content_walk_ingests(content, c->call, see_ingest, &s));
	GT_TRY(local_view(c->l, c->call, know_ingests, &s));
	collect_unknown(&s);
	for (size_t i = 0; i < s.unknown.n; i++)
		GT_TRY(drop_ingest(c, content, s.unknown.v[i]));
	return NULL;
}

/* A driver that lives behind a socket may be away: it is searched another time, the others now. */
static struct gt_error *unless_away(struct collection *c, struct gt_error *e)
{
	if (gt_error_class(e) != GT_UNAVAILABLE)
		return e;
	c->missed = true;
	gt_log_warn_take(e, "look for what is left over");
	return NULL;
}

static struct gt_error *search_content(struct collection *c)
{
	struct gt_content *content;

	GT_TRY(gt_need_content(c->l->init, NULL, &content));
	GT_TRY(search_ingests(c, content));
	return search_blobs(c, content);
}

struct gt_error *search_drivers(struct collection *c)
{
	gt_auto(gt_strv) ids = { 0 };

	GT_TRY(unless_away(c, search_content(c)));
	gt_need_ids(c->l->init, GT_SNAPSHOTTER, &ids);
	for (size_t i = 0; i < ids.n; i++) {
		struct gt_snapshotter *sn;
		struct gt_error *e = gt_need_snapshotter(c->l->init, ids.v[i], &sn);

		if (e) { /* it does not work here: plugins ls says why */
			gt_error_free(e);
			continue;
		}
		e = gt_error_wrap(snapshots_search(c->l, c->call, ids.v[i], c->out),
				  "search snapshotter %s", ids.v[i]);
		GT_TRY(unless_away(c, e));
	}
	return NULL;
}
