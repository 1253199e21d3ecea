/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "overlay.h"

#include <gantry/buf.h>
#include <gantry/log.h>

#include <string.h>

#define LABEL_UPPERDIR "containerd.io/snapshot/overlay.upperdir"

/*
 * How long a removal may spend on files. containerd leaves all of them to Cleanup, which a
 * daemon's garbage collector calls; a ctr without a daemon has nobody who would. So the few files
 * that a container mostly leaves are deleted at once, and of a large tree as much as fits in the
 * time; what is left, later removals go on with, and cleanup.
 */
#define REMOVE_PATIENCE_NS INT64_C(250000000)

struct gt_error *overlay_open(const struct gt_init *init, struct gt_snapshotter **out)
{
	struct overlay *o = gt_xcalloc(1, sizeof(*o));
	struct gt_error *e;

	o->config = init->config;
	e = gt_snapstore_open(init, o->config->root, &o->store);
	/* overlayfs separates lower directories by ':' and its options by ','. */
	if (!e && strpbrk(o->store.folders.path, ":,\\"))
		e = gt_error_new(GT_INVALID_ARGUMENT,
				 "the path %s must have no ':', ',' and '\\' in it for overlayfs",
				 o->store.folders.path);
	if (!e)
		e = overlay_probe(o, init);
	if (e) {
		overlay_close(&o->base);
		return e;
	}
	*out = &o->base;
	return NULL;
}

void overlay_close(struct gt_snapshotter *s)
{
	struct overlay *o = overlay_of(s);

	gt_snapstore_close(&o->store);
	free(o);
}

static void add_upperdir_label(struct overlay *o, uint64_t id, struct gt_snapshot_info *i)
{
	gt_autofree char *path = NULL;

	if (!o->config->upperdir_label)
		return;
	path = gt_snapstore_path(&o->store, id, "fs");
	gt_labels_set(&i->labels, LABEL_UPPERDIR, path);
}

struct gt_error *overlay_stat(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			      struct gt_snapshot_info *out)
{
	struct overlay *o = overlay_of(s);
	gt_auto(gt_snapdb_entry) e = { 0 };

	(void)call;
	GT_TRY(gt_snapdb_stat(o->store.db, key, &e));
	add_upperdir_label(o, e.id, &e.info);
	*out = e.info;
	e.info = (struct gt_snapshot_info){ 0 };
	return NULL;
}

static struct gt_error *create(struct overlay *o, enum gt_snapshot_kind kind, const char *key,
			       const char *parent, const struct gt_labels *labels,
			       struct gt_mounts *out)
{
	gt_auto(gt_snapdb_entry) p = { 0 }, made = { 0 };
	struct gt_folder d = { 0 };
	struct gt_snapdb_create c = { .kind = kind,
				      .key = key,
				      .parent = parent,
				      .labels = labels,
				      .place = gt_folder_place,
				      .arg = &d };
	bool has_parent = parent && *parent;
	struct gt_error *e;

	if (has_parent)
		GT_TRY(gt_snapdb_get_parent(o->store.db, parent, &p));
	c.parent_id = p.id;
	GT_TRY(gt_folder_new(&o->store.folders, 0700, &d));
	e = overlay_fill(o, d.fd, kind, labels, has_parent ? &p : NULL);
	if (!e)
		e = gt_snapdb_create(o->store.db, &c, &made);
	if (e) {
		gt_folder_drop(&d);
		return e;
	}
	gt_folder_keep(&d);
	return overlay_mounts_of(o, &made, out);
}

struct gt_error *overlay_prepare(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				 const char *parent, const struct gt_labels *labels,
				 struct gt_mounts *out)
{
	(void)call;
	return create(overlay_of(s), GT_SNAPSHOT_ACTIVE, key, parent, labels, out);
}

struct gt_error *overlay_view(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			      const char *parent, const struct gt_labels *labels,
			      struct gt_mounts *out)
{
	(void)call;
	return create(overlay_of(s), GT_SNAPSHOT_VIEW, key, parent, labels, out);
}

struct gt_error *overlay_mounts(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				struct gt_mounts *out)
{
	struct overlay *o = overlay_of(s);
	gt_auto(gt_snapdb_entry) e = { 0 };

	(void)call;
	GT_TRY(gt_snapdb_get(o->store.db, key, &e));
	if (e.info.kind == GT_SNAPSHOT_COMMITTED)
		return gt_error_new(GT_FAILED_PRECONDITION, "snapshot %s is committed", key);
	return overlay_mounts_of(o, &e, out);
}

struct gt_error *overlay_commit(struct gt_snapshotter *s, struct gt_call *call, const char *name,
				const char *key, const struct gt_commit_options *options)
{
	static const struct gt_commit_options none = { .size = sizeof(none) };
	const struct gt_commit_options *c = options ? options : &none;
	struct overlay *o = overlay_of(s);
	gt_auto(gt_snapdb_entry) e = { 0 };

	(void)call;
	/* Looked at before the sync, which may take long, so that a mistake is known at once. */
	GT_TRY(gt_snapdb_stat(o->store.db, key, &e));
	if (e.info.kind == GT_SNAPSHOT_ACTIVE && !c->synced)
		GT_TRY(gt_snapstore_sync(&o->store));
	return gt_snapdb_commit(o->store.db, name, key, c->labels, c->parent);
}

struct gt_error *overlay_remove(struct gt_snapshotter *s, struct gt_call *call, const char *key)
{
	struct overlay *o = overlay_of(s);

	(void)call;
	return gt_snapstore_remove(&o->store, key, o->config->sync_remove ? 0 : REMOVE_PATIENCE_NS);
}

struct gt_error *overlay_remove_all(struct gt_snapshotter *s, struct gt_call *call,
				     const struct gt_strv *keys, bool *gone)
{
	(void)call;
	return gt_snapstore_remove_all(&overlay_of(s)->store, keys, gone);
}

struct walk {
	struct overlay *o;
	struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i);
	void *arg;
};

static struct gt_error *walk_one(void *arg, const struct gt_snapdb_entry *e)
{
	const struct walk *w = arg;
	struct gt_snapshot_info i;
	struct gt_error *error;

	if (!w->o->config->upperdir_label)
		return w->fn(w->arg, &e->info);
	gt_snapshot_info_copy(&i, &e->info);
	add_upperdir_label(w->o, e->id, &i);
	error = w->fn(w->arg, &i);
	gt_snapshot_info_done(&i);
	return error;
}

struct gt_error *overlay_walk(struct gt_snapshotter *s, struct gt_call *call,
			      struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i),
			      void *arg)
{
	struct overlay *o = overlay_of(s);
	struct walk w = { .o = o, .fn = fn, .arg = arg };

	(void)call;
	return gt_snapdb_walk(o->store.db, walk_one, &w);
}

struct gt_error *overlay_update(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				const struct gt_labels *labels)
{
	(void)call;
	return gt_snapdb_update(overlay_of(s)->store.db, key, labels);
}

struct gt_error *overlay_usage(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			       struct gt_usage *out)
{
	return gt_snapstore_usage(&overlay_of(s)->store, call, key, "fs", out);
}

struct gt_error *overlay_cleanup(struct gt_snapshotter *s, struct gt_call *call)
{
	struct gt_snapstore *store = &overlay_of(s)->store;

	return gt_folders_cleanup(&store->folders, store->db, call);
}

struct gt_error *overlay_sync(struct gt_snapshotter *s, struct gt_call *call)
{
	(void)call;
	return gt_snapstore_sync(&overlay_of(s)->store);
}
