/* SPDX-License-Identifier: Apache-2.0 */
/* Making, committing and removing snapshots. */
#include <config.h>

#include "snapshots.h"

#include "fields.h"
#include "leases.h"
#include "namespaces.h"

#include <gantry/log.h>
#include <wire/objects.h>

#include "containerd.events.pb-c.h"

#include <inttypes.h>
#include <string.h>

#define LABEL_REF "containerd.io/snapshot.ref"
#define LABEL_INHERITED "containerd.io/snapshot/"
#define LABEL_DEFAULT "containerd.io/defaults/snapshotter"

/* How often another number is tried where the snapshotter has one by that name. */
#define SEQUENCE_TRIES 8

struct gt_error *place_find(struct gt_services *s, struct gt_call *call, const char *snapshotter,
			    struct place *out)
{
	struct place p = { .l = local_of(s), .call = call };
	gt_autofree char *label = NULL;
	struct gt_error *e;

	GT_TRY(gt_call_namespace(call));
	if (!snapshotter || !*snapshotter) {
		GT_TRY(namespace_label(p.l, call, call->ns, LABEL_DEFAULT, &label));
		snapshotter = label; /* NULL: the configured default */
	}
	e = gt_need_snapshotter(p.l->init, snapshotter, &p.sn);
	if (gt_error_class(e) == GT_NOT_FOUND)
		return gt_error_reclass(e, GT_INVALID_ARGUMENT);
	GT_TRY(e);
	p.name = p.sn->init->id;
	*out = p;
	return NULL;
}

struct gt_error *place_record(const struct place *p, const char *key, struct record *out)
{
	return record_name(out, &snapshot_kind, p->call, p->name, key);
}

void labels_for_backend(struct gt_labels *dst, const struct gt_labels *src)
{
	for (size_t i = 0; src && i < src->n; i++)
		if (!strcmp(src->v[i].key, LABEL_REF) ||
		    !strncmp(src->v[i].key, LABEL_INHERITED, strlen(LABEL_INHERITED)))
			gt_labels_set(dst, src->v[i].key, src->v[i].value);
}

static struct gt_error *backend_name(const struct place *p, uint64_t seq, const char *key,
				     char **out)
{
	gt_autofree char *name = gt_strf("%s/%" PRIu64 "/%s", p->call->ns, seq, key);
	size_t len = strlen(name);

	if (len > GT_SNAPSHOT_KEY_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "snapshot key of %zu bytes: at most %zu are possible here",
				    strlen(key), strlen(key) - (len - GT_SNAPSHOT_KEY_MAX));
	*out = gt_steal(&name);
	return NULL;
}

/* Within a transaction: the snapshot that is to be a parent. */
static struct gt_error *parent_get(struct gt_txn *t, const struct place *p, const char *key,
				   struct snapshot *out)
{
	gt_auto(record) r = RECORD_INIT;

	GT_TRY(place_record(p, key, &r));
	GT_TRY(gt_error_wrap(record_get(t, &r, out), "parent"));
	if (out->info.kind != GT_SNAPSHOT_COMMITTED)
		return gt_error_new(GT_INVALID_ARGUMENT, "parent %s is not committed", key);
	return NULL;
}

static void child_key(const struct place *p, uint64_t parent, struct gt_buf *out)
{
	key_set_prefix(out, KEY_CHILD, p->call->ns, p->name, NULL);
	key_add_number(out, parent);
}

static struct gt_error *child_put(struct gt_txn *t, const struct place *p, uint64_t parent,
				  uint64_t seq, const char *key)
{
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_buf) k = GT_BUF_INIT;
	gt_auto(gt_buf) value = GT_BUF_INIT;
	Gantry__Records__Child *m = gt_arena_message(&a, &gantry__records__child__descriptor);

	m->key = (char *)key;
	gt_wire_pack(&m->base, &value);
	child_key(p, parent, &k);
	key_add_number(&k, seq);
	return gt_txn_put(t, key_slice(&k), key_slice(&value));
}

/* Takes a snapshot from its parent's children; fine where the parent is not there. */
static struct gt_error *child_remove(struct gt_txn *t, const struct place *p,
				     const struct snapshot *s)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(snapshot) parent = { 0 };
	gt_auto(gt_buf) k = GT_BUF_INIT;
	struct gt_error *e;

	if (!*s->info.parent)
		return NULL;
	GT_TRY(place_record(p, s->info.parent, &r));
	e = record_get(t, &r, &parent);
	if (e)
		return gt_error_unless(e, GT_NOT_FOUND);
	child_key(p, parent.seq, &k);
	key_add_number(&k, s->seq);
	return gt_error_unless(gt_txn_remove(t, key_slice(&k)), GT_NOT_FOUND);
}

/* Both names of a snapshot, the active one and the committed one, begin with "NS/SEQ". */
static char *lock_name(const char *backend)
{
	const char *slash = strchr(backend, '/');

	slash = slash ? strchr(slash + 1, '/') : NULL;
	return slash ? gt_xstrndup(backend, (size_t)(slash - backend)) : gt_xstrdup(backend);
}

struct gt_error *snapshot_lock_share(struct local *l, struct gt_call *call, const char *backend,
				     struct name_lock *lock)
{
	gt_autofree char *name = lock_name(backend);

	return name_lock_share(l, call, 's', name, lock);
}

struct gt_error *snapshot_lock_try(struct local *l, const char *backend, struct name_lock *lock,
				   bool *got)
{
	gt_autofree char *name = lock_name(backend);

	return name_lock_try(l, 's', name, lock, got);
}

void snapshot_creation_done(struct snapshot_creation *c)
{
	snapshot_done(&c->object);
	free(c->backend_parent);
	free(c->lease_type);
	name_lock_done(&c->lock);
}

/* What the snapshotter must be asked for; finds what is wrong before it is. */
static struct gt_error *creation_look(struct gt_txn *t, void *arg)
{
	struct snapshot_creation *c = arg;
	gt_auto(snapshot) parent = { 0 };
	bool there;

	c->target_exists = false;
	if (c->target) {
		gt_auto(record) r = RECORD_INIT;

		GT_TRY(place_record(c->p, c->target, &r));
		GT_TRY(record_exists(t, &r, &c->target_exists));
		if (c->target_exists)
			return NULL;
	}
	GT_TRY(record_exists(t, c->r, &there));
	if (there)
		return gt_error_new(GT_ALREADY_EXISTS, "snapshot \"%s\"", c->r->name);
	if (!*c->object.info.parent)
		return NULL;
	GT_TRY(parent_get(t, c->p, c->object.info.parent, &parent));
	c->backend_parent = gt_steal(&parent.backend);
	return NULL;
}

struct gt_error *snapshot_creation_record(struct gt_txn *t, void *arg)
{
	struct snapshot_creation *c = arg;
	const struct snapshot *s = &c->object;

	GT_TRY(record_add(t, c->r, s));
	if (*s->info.parent) {
		gt_auto(snapshot) parent = { 0 };

		GT_TRY(parent_get(t, c->p, s->info.parent, &parent));
		GT_TRY(child_put(t, c->p, parent.seq, s->seq, s->info.key));
	}
	return lease_note(t, c->p->call, c->lease_type, s->info.key);
}

/* A collection may have taken the target since it was seen. */
static struct gt_error *target_lease(struct gt_txn *t, void *arg)
{
	struct snapshot_creation *c = arg;
	gt_auto(record) r = RECORD_INIT;

	GT_TRY(place_record(c->p, c->target, &r));
	GT_TRY(record_exists(t, &r, &c->target_exists));
	return c->target_exists ? lease_note(t, c->p->call, c->lease_type, c->target) : NULL;
}

/* That is the answer of prepare where the target is there: it need not be made. */
static struct gt_error *target_found(const struct snapshot_creation *c)
{
	return gt_error_new(GT_ALREADY_EXISTS, "target snapshot \"%s\"", c->target);
}

struct adoption {
	const struct snapshot_creation *c;
	char *backend;
};

static struct gt_error *adoption_find(void *arg, const struct gt_snapshot_info *i)
{
	struct adoption *a = arg;
	const char *ref = gt_labels_get(&i->labels, LABEL_REF);
	const char *parent = a->c->backend_parent ? a->c->backend_parent : "";

	if (!a->backend && i->kind == GT_SNAPSHOT_COMMITTED && ref && !strcmp(ref, a->c->target) &&
	    !strcmp(i->parent, parent))
		a->backend = gt_xstrdup(i->key);
	return NULL;
}

/* A snapshotter that brought the target by itself says that the snapshot exists: takes it in. */
static struct gt_error *adopt(struct snapshot_creation *c)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_snapshot_info) there = { 0 };
	struct adoption a = { .c = c };
	struct snapshot *s = &c->object;
	const struct record *asked = c->r;
	struct gt_error *e = gt_snapshotter_walk(c->p->sn, c->p->call, adoption_find, &a);

	if (!e && !a.backend)
		e = record_error(c->r, GT_ALREADY_EXISTS);
	if (e) {
		free(a.backend);
		return e;
	}
	free(s->backend);
	s->backend = a.backend;
	GT_TRY(snapshot_lock_share(c->p->l, c->p->call, s->backend, &c->lock));
	GT_TRY(gt_snapshotter_stat(c->p->sn, c->p->call, s->backend, &there));
	s->info.kind = GT_SNAPSHOT_COMMITTED;
	string_replace(&s->info.key, c->target);
	GT_TRY(place_record(c->p, c->target, &r));
	c->r = &r;
	e = local_update(c->p->l, c->p->call, snapshot_creation_record, c);
	c->r = asked;
	GT_TRY(gt_error_unless(e, GT_ALREADY_EXISTS));
	return target_found(c);
}

static struct gt_error *creation_backend(struct snapshot_creation *c, struct gt_mounts *mounts)
{
	const struct place *p = c->p;
	struct snapshot *s = &c->object;
	gt_auto(gt_labels) labels = { 0 };
	struct gt_error *e = NULL;

	labels_for_backend(&labels, &s->info.labels);
	for (int i = 0; i < SEQUENCE_TRIES; i++) {
		gt_error_free(e);
		free(gt_steal(&s->backend));
		s->seq = local_sequence(p->l);
		GT_TRY(backend_name(p, s->seq, s->info.key, &s->backend));
		name_lock_done(&c->lock);
		GT_TRY(snapshot_lock_share(p->l, p->call, s->backend, &c->lock));
		if (s->info.kind == GT_SNAPSHOT_VIEW)
			e = gt_snapshotter_view(p->sn, p->call, s->backend, c->backend_parent,
						&labels, mounts);
		else
			e = gt_snapshotter_prepare(p->sn, p->call, s->backend, c->backend_parent,
						   &labels, mounts);
		if (c->target || gt_error_class(e) != GT_ALREADY_EXISTS)
			return e;
	}
	return e;
}

static void mounts_move(struct gt_mounts *dst, struct gt_mounts *src)
{
	for (size_t i = 0; i < src->n; i++) {
		GT_GROW(dst->v, dst->n, dst->alloc);
		dst->v[dst->n++] = src->v[i];
	}
	src->n = 0;
}

/* The snapshotter's part. ALREADY_EXISTS also where the target is there and nothing is to be made. */
static struct gt_error *creation_make(struct snapshot_creation *c, struct gt_mounts *mounts)
{
	const struct place *p = c->p;
	struct gt_error *e;

	for (;;) {
		GT_TRY(local_view(p->l, p->call, creation_look, c));
		if (!c->target_exists)
			break;
		GT_TRY(local_update(p->l, p->call, target_lease, c));
		if (c->target_exists)
			return target_found(c);
	}
	e = creation_backend(c, mounts);
	if (!c->target || gt_error_class(e) != GT_ALREADY_EXISTS)
		return e;
	gt_error_free(e);
	return adopt(c);
}

struct gt_error *snapshot_creation_begin(struct snapshot_creation *c, enum gt_snapshot_kind kind,
					 const char *parent, const struct gt_labels *labels,
					 struct gt_mounts *out)
{
	GT_TRY(labels_check(labels));
	c->target = labels ? gt_labels_get(labels, LABEL_REF) : NULL;
	if (kind == GT_SNAPSHOT_VIEW || (c->target && !*c->target))
		c->target = NULL;
	c->lease_type = gt_strf("snapshots/%s", c->p->name);
	c->object.info.kind = kind;
	c->object.info.key = gt_xstrdup(c->r->name);
	c->object.info.parent = gt_xstrdup(parent ? parent : "");
	labels_store(&c->object.info.labels, labels);
	c->object.info.created_at = c->object.info.updated_at = local_time();
	return creation_make(c, out);
}

void snapshot_creation_undo(struct snapshot_creation *c)
{
	struct gt_call undo = GT_CALL_INIT; /* also when the call has ended */

	gt_log_warn_take(gt_snapshotter_remove(c->p->sn, &undo, c->object.backend),
			 "take back snapshot %s", c->object.backend);
}

void snapshot_creation_tell(const struct snapshot_creation *c)
{
	gt_auto(gt_arena) a = { 0 };
	Containerd__Events__SnapshotPrepare *event =
		gt_arena_message(&a, &containerd__events__snapshot_prepare__descriptor);

	event->key = c->object.info.key;
	event->parent = c->object.info.parent;
	event->snapshotter = (char *)c->p->name;
	local_publish(c->p->l, c->p->call->ns, "/snapshot/prepare", &event->base);
}

static struct gt_error *create(struct gt_services *s, struct gt_call *call,
			       const char *snapshotter, const char *key, const char *parent,
			       const struct gt_labels *labels, enum gt_snapshot_kind kind,
			       struct gt_mounts *out)
{
	struct place p;
	gt_auto(record) r = RECORD_INIT;
	gt_auto(snapshot_creation) c = SNAPSHOT_CREATION_INIT;
	gt_auto(gt_mounts) mounts = { 0 };
	struct gt_error *e;

	GT_TRY(place_find(s, call, snapshotter, &p));
	GT_TRY(place_record(&p, key, &r));
	c.p = &p;
	c.r = &r;
	GT_TRY(snapshot_creation_begin(&c, kind, parent, labels, &mounts));
	e = local_update(p.l, call, snapshot_creation_record, &c);
	if (e) {
		snapshot_creation_undo(&c);
		return e;
	}
	mounts_move(out, &mounts);
	if (kind == GT_SNAPSHOT_ACTIVE)
		snapshot_creation_tell(&c);
	return NULL;
}

static struct gt_error *prepare(struct gt_services *s, struct gt_call *call,
				const char *snapshotter, const char *key, const char *parent,
				const struct gt_labels *labels, struct gt_mounts *out)
{
	return create(s, call, snapshotter, key, parent, labels, GT_SNAPSHOT_ACTIVE, out);
}

static struct gt_error *view(struct gt_services *s, struct gt_call *call, const char *snapshotter,
			     const char *key, const char *parent, const struct gt_labels *labels,
			     struct gt_mounts *out)
{
	return create(s, call, snapshotter, key, parent, labels, GT_SNAPSHOT_VIEW, out);
}

struct gt_error *snapshot_commit_record(struct gt_txn *t, void *arg)
{
	struct snapshot_commit *c = arg;
	gt_auto(snapshot) now = { 0 };
	gt_auto(snapshot) parent = { 0 };
	gt_autofree char *type = gt_strf("snapshots/%s", c->p->name);

	GT_TRY(record_get(t, c->active, &now));
	if (strcmp(now.backend, c->was->backend))
		return gt_error_new(GT_ABORTED, "snapshot %s was replaced meanwhile",
				    c->active->name);
	GT_TRY(child_remove(t, c->p, &now));
	GT_TRY(record_remove(t, c->active));
	GT_TRY(lease_forget(t, c->p->call, type, c->active->name));
	GT_TRY(record_exists(t, c->made, &c->existed));
	if (c->existed)
		return NULL;
	if (*c->parent) {
		GT_TRY(parent_get(t, c->p, c->parent, &parent));
		GT_TRY(child_put(t, c->p, parent.seq, c->object->seq, c->made->name));
	}
	GT_TRY(record_add(t, c->made, c->object));
	return lease_note(t, c->p->call, type, c->made->name);
}

struct commit_look {
	const struct place *p;
	const struct record *active;
	const struct record *made;
	const char *parent; /* another one than it was prepared with; NULL: that */
	struct snapshot was;
	char *backend_parent; /* "": none */
};

static void commit_look_done(struct commit_look *c)
{
	snapshot_done(&c->was);
	free(c->backend_parent);
}

static struct gt_error *commit_look(struct gt_txn *t, void *arg)
{
	struct commit_look *c = arg;
	gt_auto(snapshot) parent = { 0 };
	const char *key;
	bool there;

	GT_TRY(record_get(t, c->active, &c->was));
	if (c->was.info.kind != GT_SNAPSHOT_ACTIVE)
		return gt_error_new(GT_FAILED_PRECONDITION, "snapshot %s is not active",
				    c->active->name);
	GT_TRY(record_exists(t, c->made, &there));
	if (there)
		return record_error(c->made, GT_ALREADY_EXISTS);
	key = c->parent ? c->parent : c->was.info.parent;
	if (*key)
		GT_TRY(parent_get(t, c->p, key, &parent));
	c->backend_parent = *key ? gt_steal(&parent.backend) : gt_xstrdup("");
	return NULL;
}

/*
 * Commits in the snapshotter. That it has been done by an attempt that died then is fine, unless that gave
 * it another parent than this one would.
 */
static struct gt_error *commit_backend(const struct commit_look *c, const char *backend,
				       const struct gt_commit_options *o)
{
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_snapshot_info) done = { 0 };
	struct gt_commit_options options = {
		.size = sizeof(options),
		.labels = &labels,
		.parent = c->parent ? c->backend_parent : NULL,
		.synced = o && o->synced,
	};
	struct gt_error *e;

	labels_for_backend(&labels, o ? o->labels : NULL);
	e = gt_snapshotter_commit(c->p->sn, c->p->call, backend, c->was.backend, &options);
	if (gt_error_class(e) != GT_NOT_FOUND)
		return e;
	gt_error_free(e);
	e = gt_snapshotter_stat(c->p->sn, c->p->call, backend, &done);
	if (gt_error_class(e) == GT_NOT_FOUND || (!e && done.kind != GT_SNAPSHOT_COMMITTED)) {
		gt_error_free(e);
		return record_error(c->active, GT_NOT_FOUND);
	}
	if (!e && strcmp(done.parent, c->backend_parent))
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "snapshot %s is committed already, on another parent",
				    c->active->name);
	return e;
}

static struct gt_error *commit_run(struct commit_look *c, const struct gt_commit_options *o)
{
	const struct place *p = c->p;
	gt_auto(name_lock) lock = NAME_LOCK_INIT;
	gt_auto(snapshot) object = { 0 };
	struct snapshot_commit record = {
		.p = p, .active = c->active, .made = c->made, .was = &c->was, .object = &object,
	};
	struct gt_error *e;

	GT_TRY(local_view(p->l, p->call, commit_look, c));
	GT_TRY(snapshot_lock_share(p->l, p->call, c->was.backend, &lock));
	record.parent = c->parent ? c->parent : c->was.info.parent;
	object.seq = c->was.seq;
	object.info.kind = GT_SNAPSHOT_COMMITTED;
	object.info.key = gt_xstrdup(c->made->name);
	object.info.parent = gt_xstrdup(record.parent);
	object.info.created_at = object.info.updated_at = local_time();
	labels_store(&object.info.labels, o ? o->labels : NULL);
	GT_TRY(backend_name(p, object.seq, object.info.key, &object.backend));
	GT_TRY(commit_backend(c, object.backend, o));
	e = local_update(p->l, p->call, snapshot_commit_record, &record);
	if (!e && record.existed)
		e = record_error(c->made, GT_ALREADY_EXISTS);
	/* Somebody else committed to that name or removed it meanwhile: this one is not needed. */
	if (gt_error_class(e) == GT_ALREADY_EXISTS || gt_error_class(e) == GT_NOT_FOUND ||
	    gt_error_class(e) == GT_ABORTED)
		gt_log_warn_take(gt_snapshotter_remove(p->sn, p->call, object.backend),
				 "take back snapshot %s", object.backend);
	return e;
}

static struct gt_error *commit(struct gt_services *s, struct gt_call *call,
			       const char *snapshotter, const char *name, const char *key,
			       const struct gt_commit_options *o)
{
	struct place p;
	gt_auto(record) active = RECORD_INIT;
	gt_auto(record) made = RECORD_INIT;
	gt_auto(commit_look) c = { .p = &p, .active = &active, .made = &made };
	gt_auto(gt_arena) a = { 0 };
	Containerd__Events__SnapshotCommit *event;

	GT_TRY(labels_check(o ? o->labels : NULL));
	GT_TRY(place_find(s, call, snapshotter, &p));
	GT_TRY(place_record(&p, key, &active));
	GT_TRY(place_record(&p, name, &made));
	c.parent = o && o->parent && *o->parent ? o->parent : NULL;
	GT_TRY(commit_run(&c, o));
	event = gt_arena_message(&a, &containerd__events__snapshot_commit__descriptor);
	event->key = (char *)key;
	event->name = (char *)name;
	event->snapshotter = (char *)p.name;
	local_publish(p.l, call->ns, "/snapshot/commit", &event->base);
	return NULL;
}

struct gt_error *snapshot_remove_record(struct gt_txn *t, void *arg)
{
	struct snapshot_removal *r = arg;
	gt_auto(gt_buf) children = GT_BUF_INIT;
	gt_autofree char *type = gt_strf("snapshots/%s", r->p->name);
	bool used;

	snapshot_done(&r->object); /* of an earlier run */
	GT_TRY(record_get(t, r->r, &r->object));
	child_key(r->p, r->object.seq, &children);
	GT_TRY(prefix_used(t, &children, &used));
	if (used)
		return gt_error_new(GT_FAILED_PRECONDITION, "snapshot %s has children",
				    r->r->name);
	GT_TRY(child_remove(t, r->p, &r->object));
	if (r->collected)
		return gt_txn_remove(t, key_slice(&r->r->key));
	GT_TRY(record_remove(t, r->r));
	return lease_forget(t, r->p->call, type, r->r->name);
}

void snapshot_removed(struct snapshot_removal *removal, const char *key)
{
	const struct place *p = removal->p;
	gt_auto(gt_arena) a = { 0 };
	Containerd__Events__SnapshotRemove *event =
		gt_arena_message(&a, &containerd__events__snapshot_remove__descriptor);

	/* Nobody sees it any more; what stays of it is cleanup's. */
	gt_log_warn_take(gt_error_unless(gt_snapshotter_remove(p->sn, p->call,
							       removal->object.backend),
					 GT_NOT_FOUND),
			 "delete snapshot %s", removal->object.backend);
	event->key = (char *)key;
	event->snapshotter = (char *)p->name;
	local_publish(p->l, p->call->ns, "/snapshot/remove", &event->base);
}

static struct gt_error *remove_snapshot(struct gt_services *s, struct gt_call *call,
					const char *snapshotter, const char *key)
{
	struct place p;
	gt_auto(record) r = RECORD_INIT;
	struct snapshot_removal removal = { .p = &p, .r = &r };
	struct gt_error *e;

	GT_TRY(place_find(s, call, snapshotter, &p));
	GT_TRY(place_record(&p, key, &r));
	e = local_update(p.l, call, snapshot_remove_record, &removal);
	if (!e)
		snapshot_removed(&removal, key);
	snapshot_done(&removal.object);
	return e;
}

const struct gt_snapshots_ops local_snapshots = {
	.size = sizeof(local_snapshots),
	.stat = snapshots_stat,
	.prepare = prepare,
	.view = view,
	.mounts = snapshots_mounts,
	.commit = commit,
	.remove = remove_snapshot,
	.list = snapshots_list,
	.update = snapshots_update,
	.usage = snapshots_usage,
	.cleanup = snapshots_cleanup,
	.sync = snapshots_sync,
	.can_rebase = snapshots_can_rebase,
};
