/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "native.h"

#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/log.h>

#include <snapdb/store.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A copy of a whole root file system is no matter of a moment: see the overlay's for the idea. */
#define REMOVE_PATIENCE_NS INT64_C(1000000000)

struct native {
	struct gt_snapshotter base;
	struct gt_snapstore store;
};

static struct native *native_of(struct gt_snapshotter *s)
{
	return (struct native *)s;
}

struct gt_error *native_open(const struct gt_init *init, struct gt_snapshotter **out)
{
	const struct native_config *config = init->config;
	struct native *n = gt_xcalloc(1, sizeof(*n));
	struct gt_error *e = gt_snapstore_open(init, config->root, &n->store);

	if (e) {
		free(n);
		return e;
	}
	*out = &n->base;
	return NULL;
}

void native_close(struct gt_snapshotter *s)
{
	struct native *n = native_of(s);

	gt_snapstore_close(&n->store);
	free(n);
}

struct gt_error *native_stat(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			     struct gt_snapshot_info *out)
{
	(void)call;
	return gt_snapstore_stat(&native_of(s)->store, key, out);
}

static struct gt_error *mounts_of(struct native *n, const struct gt_snapdb_entry *e,
				  struct gt_mounts *out)
{
	bool active = e->info.kind == GT_SNAPSHOT_ACTIVE;
	uint64_t id = active || !e->n_parents ? e->id : e->parents[0];
	gt_autofree char *path = gt_snapstore_path(&n->store, id, "");
	struct gt_mount *m = gt_mounts_add(out, "bind", path, "");

	gt_strv_add(&m->options, "rbind");
	gt_strv_add(&m->options, active ? "rw" : "ro");
	return NULL;
}

/*
 * Fills the new folder 'd' with the tree of the parent. The files are synced before the record is
 * written: it must not outlive, in a power cut, the files that the snapshot began with.
 */
static struct gt_error *fill(struct native *n, const struct gt_call *call,
			     const struct gt_snapdb_entry *parent, struct gt_folder *d)
{
	gt_autofree char *path = gt_snapstore_path(&n->store, parent->id, "");
	struct gt_folder links = { 0 };
	gt_autofd int from = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct gt_error *e;

	if (from < 0)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : gt_file_class(errno), errno,
				      "open the parent's %s", path);
	GT_TRY(gt_folder_new(&n->store.folders, 0700, &links));
	e = native_copy(from, d->fd, links.fd, call);
	gt_folder_drop(&links);
	if (!e)
		e = gt_snapstore_sync(&n->store);
	return gt_error_wrap(e, "copy snapshot %s", parent->info.key);
}

/* Why a copy came to nothing: files that are not there may be those of a parent that is gone. Takes 'e'. */
static struct gt_error *copy_failed_take(struct native *n, const char *parent, uint64_t id,
					 struct gt_error *e)
{
	gt_auto(gt_snapdb_entry) now = { 0 };
	gt_autoptr(gt_error) gone = gt_snapdb_get_parent(n->store.db, parent, &now);

	if ((gone && gt_error_class(gone) != GT_NOT_FOUND) || (!gone && now.id == id))
		return e;
	gt_error_free(e);
	return gt_error_new(GT_NOT_FOUND, "snapshot %s was removed while it was copied", parent);
}

static struct gt_error *create(struct native *n, struct gt_call *call, enum gt_snapshot_kind kind,
			       const char *key, const char *parent, const struct gt_labels *labels,
			       struct gt_mounts *out)
{
	gt_auto(gt_snapdb_entry) p = { 0 }, made = { 0 }, other = { 0 };
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
		GT_TRY(gt_snapdb_get_parent(n->store.db, parent, &p));
	c.parent_id = p.id;
	/* Asked before the copy too: that may take long, and be for nothing. */
	e = gt_snapdb_stat(n->store.db, key, &other);
	if (!e)
		return gt_error_new(GT_ALREADY_EXISTS, "snapshot %s", key);
	GT_TRY(gt_error_unless(e, GT_NOT_FOUND));
	GT_TRY(gt_folder_new(&n->store.folders, 0755, &d));
	d.synced = n->store.synced;
	e = NULL;
	if (has_parent && kind == GT_SNAPSHOT_ACTIVE)
		e = fill(n, call, &p, &d);
	if (e)
		e = copy_failed_take(n, parent, p.id, e);
	else
		e = gt_snapdb_create(n->store.db, &c, &made);
	if (e) {
		gt_folder_drop(&d);
		return e;
	}
	gt_folder_keep(&d);
	return mounts_of(n, &made, out);
}

struct gt_error *native_prepare(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				const char *parent, const struct gt_labels *labels,
				struct gt_mounts *out)
{
	return create(native_of(s), call, GT_SNAPSHOT_ACTIVE, key, parent, labels, out);
}

struct gt_error *native_view(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			     const char *parent, const struct gt_labels *labels,
			     struct gt_mounts *out)
{
	return create(native_of(s), call, GT_SNAPSHOT_VIEW, key, parent, labels, out);
}

/*
 * A power cut may bring back the record of an active snapshot that was removed (see snapdb.h), but
 * not its directory: it gets the tree that it began with.
 */
static struct gt_error *restore(struct native *n, struct gt_call *call,
				const struct gt_snapdb_entry *e)
{
	gt_autofree char *path = gt_snapstore_path(&n->store, e->id, "");
	struct gt_folder d = { 0 };
	struct gt_error *error = NULL;
	bool taken = false;

	if (access(path, F_OK) == 0 || errno != ENOENT)
		return NULL;
	gt_log_warn("snapshot %s has lost its directory: making it again", e->info.key);
	GT_TRY(gt_folder_new(&n->store.folders, 0755, &d));
	d.synced = n->store.synced;
	if (e->n_parents && e->info.kind == GT_SNAPSHOT_ACTIVE) {
		const struct gt_snapdb_entry parent = { .id = e->parents[0],
							.info.key = e->info.parent };

		error = fill(n, call, &parent, &d);
	}
	if (!error)
		error = gt_folder_place(&d, e->id, &taken);
	if (error || taken) /* taken: somebody else has just done it */
		gt_folder_drop(&d);
	else
		gt_folder_keep(&d);
	return error;
}

struct gt_error *native_mounts(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			       struct gt_mounts *out)
{
	struct native *n = native_of(s);
	gt_auto(gt_snapdb_entry) e = { 0 };

	GT_TRY(gt_snapdb_get(n->store.db, key, &e));
	if (e.info.kind == GT_SNAPSHOT_COMMITTED)
		return gt_error_new(GT_FAILED_PRECONDITION, "snapshot %s is committed", key);
	GT_TRY(restore(n, call, &e));
	return mounts_of(n, &e, out);
}

struct gt_error *native_commit(struct gt_snapshotter *s, struct gt_call *call, const char *name,
			       const char *key, const struct gt_commit_options *o)
{
	struct native *n = native_of(s);
	gt_auto(gt_snapdb_entry) e = { 0 };

	(void)call;
	GT_TRY(gt_snapdb_stat(n->store.db, key, &e));
	/* Its files are those of the parent that it was copied from: it cannot get another. */
	if (o && o->parent && strcmp(o->parent, e.info.parent) != 0)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "snapshot %s was not prepared with the parent %s", key,
				    o->parent);
	if (e.info.kind == GT_SNAPSHOT_ACTIVE && !(o && o->synced))
		GT_TRY(gt_snapstore_sync(&n->store));
	return gt_snapdb_commit(n->store.db, name, key, o ? o->labels : NULL, NULL);
}

struct gt_error *native_remove(struct gt_snapshotter *s, struct gt_call *call, const char *key)
{
	(void)call;
	return gt_snapstore_remove(&native_of(s)->store, key, REMOVE_PATIENCE_NS);
}

struct gt_error *native_remove_all(struct gt_snapshotter *s, struct gt_call *call,
				    const struct gt_strv *keys, bool *gone)
{
	(void)call;
	return gt_snapstore_remove_all(&native_of(s)->store, keys, gone);
}

struct walk {
	struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i);
	void *arg;
};

static struct gt_error *walk_one(void *arg, const struct gt_snapdb_entry *e)
{
	const struct walk *w = arg;

	return w->fn(w->arg, &e->info);
}

struct gt_error *native_walk(struct gt_snapshotter *s, struct gt_call *call,
			     struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i),
			     void *arg)
{
	struct walk w = { .fn = fn, .arg = arg };

	(void)call;
	return gt_snapdb_walk(native_of(s)->store.db, walk_one, &w);
}

struct gt_error *native_update(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			       const struct gt_labels *labels)
{
	(void)call;
	return gt_snapdb_update(native_of(s)->store.db, key, labels);
}

struct gt_error *native_usage(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			      struct gt_usage *out)
{
	return gt_snapstore_usage(&native_of(s)->store, call, key, "", out);
}

struct gt_error *native_cleanup(struct gt_snapshotter *s, struct gt_call *call)
{
	struct gt_snapstore *store = &native_of(s)->store;

	return gt_folders_cleanup(&store->folders, store->db, call);
}

struct gt_error *native_sync(struct gt_snapshotter *s, struct gt_call *call)
{
	(void)call;
	return gt_snapstore_sync(&native_of(s)->store);
}
