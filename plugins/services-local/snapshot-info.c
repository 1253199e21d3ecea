/* SPDX-License-Identifier: Apache-2.0 */
/* The records of snapshots, and the ops that look at them. */
#include <config.h>

#include "snapshots.h"

#include "fields.h"

#include <wire/objects.h>

#include <string.h>

void snapshot_done(struct snapshot *s)
{
	gt_snapshot_info_done(&s->info);
	free(s->backend);
	*s = (struct snapshot){ 0 };
}

static ProtobufCMessage *snapshot_encode(struct gt_arena *a, const void *object)
{
	const struct snapshot *s = object;
	Gantry__Records__Snapshot *m = gt_arena_message(a, &gantry__records__snapshot__descriptor);

	m->info = gt_wire_snapshot(a, &s->info);
	m->backend = s->backend;
	m->seq = s->seq;
	return &m->base;
}

static bool snapshot_decode(const ProtobufCMessage *m, void *object)
{
	const Gantry__Records__Snapshot *record = (const Gantry__Records__Snapshot *)m;
	struct snapshot *s = object;

	if (!record->info)
		return false;
	gt_wire_snapshot_get(record->info, &s->info);
	s->backend = gt_xstrdup(record->backend);
	s->seq = record->seq;
	return true;
}

static void snapshot_clear(void *object)
{
	snapshot_done(object);
}

static const char *kind_word(enum gt_snapshot_kind kind)
{
	switch (kind) {
	case GT_SNAPSHOT_VIEW:
		return "view";
	case GT_SNAPSHOT_ACTIVE:
		return "active";
	case GT_SNAPSHOT_COMMITTED:
		return "committed";
	}
	return NULL;
}

static const char *snapshot_field(const void *object, const struct gt_strv *path,
				  struct gt_buf *scratch)
{
	const struct snapshot *s = object;

	(void)scratch;
	if (!strcmp(path->v[0], "kind"))
		return kind_word(s->info.kind);
	if (!strcmp(path->v[0], "name"))
		return s->info.key;
	if (!strcmp(path->v[0], "parent"))
		return s->info.parent;
	if (!strcmp(path->v[0], "labels"))
		return gt_filter_label(&s->info.labels, path, 1);
	return NULL;
}

const struct record_kind snapshot_kind = {
	.key = KEY_SNAPSHOT,
	.what = "snapshot",
	.size = sizeof(struct snapshot),
	.message = &gantry__records__snapshot__descriptor,
	.encode = snapshot_encode,
	.decode = snapshot_decode,
	.done = snapshot_clear,
	.field = snapshot_field,
};

/* Adds to a record what the snapshotter alone knows. NOT_FOUND if it has no such snapshot. */
static struct gt_error *overlay(const struct place *p, const struct snapshot *s,
				struct gt_snapshot_info *out)
{
	gt_auto(gt_snapshot_info) info = { 0 };

	GT_TRY(gt_snapshotter_stat(p->sn, p->call, s->backend, &info));
	gt_snapshot_info_copy(out, &s->info);
	for (size_t i = 0; i < info.labels.n; i++)
		if (!gt_labels_get(&out->labels, info.labels.v[i].key))
			gt_labels_set(&out->labels, info.labels.v[i].key, info.labels.v[i].value);
	return NULL;
}

struct found {
	struct place p;
	struct record r;
	struct snapshot s;
};
#define FOUND_INIT { .r = RECORD_INIT }

static void found_done(struct found *f)
{
	record_done(&f->r);
	snapshot_done(&f->s);
}

static struct gt_error *find(struct gt_services *s, struct gt_call *call, const char *snapshotter,
			     const char *key, struct found *f)
{
	GT_TRY(place_find(s, call, snapshotter, &f->p));
	GT_TRY(place_record(&f->p, key, &f->r));
	return records_get(f->p.l, call, &f->r, &f->s);
}

/* The snapshotter's NOT_FOUND in the words of the one who asks. */
static struct gt_error *by_record(const struct found *f, struct gt_error *e)
{
	if (gt_error_class(e) != GT_NOT_FOUND)
		return e;
	gt_error_free(e);
	return record_error(&f->r, GT_NOT_FOUND);
}

struct gt_error *snapshots_stat(struct gt_services *s, struct gt_call *call,
				const char *snapshotter, const char *key,
				struct gt_snapshot_info *out)
{
	gt_auto(found) f = FOUND_INIT;

	GT_TRY(find(s, call, snapshotter, key, &f));
	return by_record(&f, overlay(&f.p, &f.s, out));
}

struct gt_error *snapshots_mounts(struct gt_services *s, struct gt_call *call,
				  const char *snapshotter, const char *key, struct gt_mounts *out)
{
	gt_auto(found) f = FOUND_INIT;

	GT_TRY(find(s, call, snapshotter, key, &f));
	return by_record(&f, gt_snapshotter_mounts(f.p.sn, call, f.s.backend, out));
}

struct gt_error *snapshots_usage(struct gt_services *s, struct gt_call *call,
				 const char *snapshotter, const char *key, struct gt_usage *out)
{
	gt_auto(found) f = FOUND_INIT;

	GT_TRY(find(s, call, snapshotter, key, &f));
	return by_record(&f, gt_snapshotter_usage(f.p.sn, call, f.s.backend, out));
}

struct change {
	const struct gt_labels *labels;
	const struct gt_strv *mask;
};

static struct gt_error *change(void *object, const void *arg)
{
	struct snapshot *s = object;
	const struct change *c = arg;

	if (!c->mask || !c->mask->n)
		labels_store(&s->info.labels, c->labels);
	for (size_t i = 0; c->mask && i < c->mask->n; i++)
		if (!mask_labels(c->mask->v[i], "labels", &s->info.labels, c->labels))
			return mask_refused(c->mask->v[i], s->info.key);
	GT_TRY(labels_check(&s->info.labels));
	s->info.updated_at = local_time();
	return NULL;
}

struct gt_error *snapshots_update(struct gt_services *s, struct gt_call *call,
				  const char *snapshotter, const char *key,
				  const struct gt_labels *labels, const struct gt_strv *mask,
				  struct gt_snapshot_info *out)
{
	gt_auto(found) f = FOUND_INIT;
	gt_auto(gt_labels) inherited = { 0 };
	struct change c = { .labels = labels, .mask = mask };

	GT_TRY(place_find(s, call, snapshotter, &f.p));
	GT_TRY(place_record(&f.p, key, &f.r));
	GT_TRY(records_change(f.p.l, call, &f.r, change, &c, &f.s));
	labels_for_backend(&inherited, &f.s.info.labels);
	GT_TRY(by_record(&f, gt_error_unless(gt_snapshotter_update(f.p.sn, call, f.s.backend,
								   &inherited),
					     GT_UNIMPLEMENTED)));
	return out ? by_record(&f, overlay(&f.p, &f.s, out)) : NULL;
}

struct visit {
	const struct place *p;
	struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i);
	void *arg;
};

static struct gt_error *visit(void *arg, const void *object)
{
	const struct visit *v = arg;
	gt_auto(gt_snapshot_info) info = { 0 };
	struct gt_error *e = overlay(v->p, object, &info);

	return e ? gt_error_unless(e, GT_NOT_FOUND) : v->fn(v->arg, &info);
}

struct gt_error *snapshots_list(struct gt_services *s, struct gt_call *call,
				const char *snapshotter, const struct gt_strv *filters,
				struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i),
				void *arg)
{
	struct place p;
	gt_auto(gt_buf) prefix = GT_BUF_INIT;
	struct visit v = { .p = &p, .fn = fn, .arg = arg };

	GT_TRY(place_find(s, call, snapshotter, &p));
	key_set_prefix(&prefix, KEY_SNAPSHOT, call->ns, p.name, NULL);
	return records_list(p.l, call, &snapshot_kind, &prefix, filters, visit, &v);
}

struct gt_error *snapshots_sync(struct gt_services *s, struct gt_call *call,
				const char *snapshotter)
{
	struct place p;

	GT_TRY(place_find(s, call, snapshotter, &p));
	return gt_snapshotter_sync(p.sn, call);
}

struct gt_error *snapshots_can_rebase(struct gt_services *s, struct gt_call *call,
				      const char *snapshotter, bool *out)
{
	struct place p;

	GT_TRY(place_find(s, call, snapshotter, &p));
	*out = gt_snapshotter_can_rebase(p.sn);
	return NULL;
}
