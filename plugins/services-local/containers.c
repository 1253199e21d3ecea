/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fields.h"
#include "logs.h"
#include "records.h"
#include "snapshots.h"

#include <gantry/api-containers.h>
#include <wire/objects.h>

#include "containerd.events.pb-c.h"

#include <string.h>

static ProtobufCMessage *container_encode(struct gt_arena *a, const void *object)
{
	Gantry__Records__Container *m = gt_arena_message(a, &gantry__records__container__descriptor);

	m->container = gt_wire_container(a, object);
	return &m->base;
}

static bool container_decode(const ProtobufCMessage *m, void *object)
{
	const Gantry__Records__Container *record = (const Gantry__Records__Container *)m;

	if (!record->container)
		return false;
	gt_wire_container_get(record->container, object);
	return true;
}

static void container_clear(void *object)
{
	gt_container_done(object);
}

static const char *container_field(const void *object, const struct gt_strv *path,
				   struct gt_buf *scratch)
{
	const struct gt_container *c = object;

	(void)scratch;
	if (!strcmp(path->v[0], "id"))
		return gt_filter_string(c->id);
	if (!strcmp(path->v[0], "image"))
		return gt_filter_string(c->image);
	if (!strcmp(path->v[0], "labels"))
		return gt_filter_label(&c->labels, path, 1);
	if (!strcmp(path->v[0], "runtime") && path->n > 1 && !strcmp(path->v[1], "name"))
		return gt_filter_string(c->runtime);
	return NULL;
}

static const struct record_kind container_kind = {
	.key = KEY_CONTAINER,
	.what = "container",
	.quoted = true,
	.in_namespace = true,
	.size = sizeof(struct gt_container),
	.message = &gantry__records__container__descriptor,
	.encode = container_encode,
	.decode = container_decode,
	.done = container_clear,
	.field = container_field,
};

static bool is_set(const char *s)
{
	return s && *s;
}

static struct gt_error *container_check(const struct gt_container *c)
{
	GT_TRY(extensions_check(c->extensions, c->n_extensions));
	GT_TRY(labels_check(&c->labels));
	if (!is_set(c->runtime))
		return gt_error_new(GT_INVALID_ARGUMENT, "container.Runtime.Name must be set");
	if (!c->spec.type_url)
		return gt_error_new(GT_INVALID_ARGUMENT, "container.Spec must be set");
	if (is_set(c->snapshot_key) && !is_set(c->snapshotter))
		return gt_error_new(GT_INVALID_ARGUMENT, "container.Snapshotter must be set if "
							 "container.SnapshotKey is set");
	return NULL;
}

static struct gt_error *get(struct gt_services *s, struct gt_call *call, const char *id,
			    struct gt_container *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_container) c = { 0 };

	GT_TRY(record_name(&r, &container_kind, call, NULL, id));
	GT_TRY(records_get(local_of(s), call, &r, &c));
	*out = c;
	c = (struct gt_container){ 0 };
	return NULL;
}

static void tell_created(struct local *l, struct gt_call *call, const struct gt_container *c)
{
	gt_auto(gt_arena) a = { 0 };
	Containerd__Events__ContainerCreate *event =
		gt_arena_message(&a, &containerd__events__container_create__descriptor);

	event->id = c->id;
	event->image = gt_wire_string(c->image);
	event->runtime =
		gt_arena_message(&a, &containerd__events__container_create__runtime__descriptor);
	event->runtime->name = c->runtime;
	event->runtime->options = gt_wire_any(&a, &c->runtime_options);
	local_publish(l, call->ns, "/containers/create", &event->base);
}

static struct gt_error *create(struct gt_services *s, struct gt_call *call,
			       const struct gt_container *given, struct gt_container *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_container) c = { 0 };

	GT_TRY(record_name(&r, &container_kind, call, NULL, given->id));
	GT_TRY(gt_identifier_check("container id", given->id));
	GT_TRY(container_check(given));
	gt_container_copy(&c, given);
	labels_store(&c.labels, &given->labels);
	c.created_at = c.updated_at = local_time();
	GT_TRY(records_create(local_of(s), call, &r, &c, NULL));
	tell_created(local_of(s), call, &c);
	if (out) {
		*out = c;
		c = (struct gt_container){ 0 };
	}
	return NULL;
}

struct birth {
	const struct record *r;
	struct gt_container *c;
	const struct gt_container_snapshot *sn;
	struct snapshot_creation *snapshot;
};

static struct gt_error *birth_record(struct gt_txn *t, void *arg)
{
	struct birth *b = arg;

	GT_TRY(snapshot_creation_record(t, b->snapshot));
	return record_add(t, b->r, b->c);
}

/* With the snapshotter's part done. */
static struct gt_error *birth_finish(struct birth *b, const struct gt_mounts *mounts)
{
	const struct place *p = b->snapshot->p;

	GT_TRY(b->sn->fill(b->sn->arg, mounts, b->c));
	GT_TRY(container_check(b->c));
	labels_store(&b->c->labels, &b->c->labels);
	b->c->created_at = b->c->updated_at = local_time();
	return local_update(p->l, p->call, birth_record, b);
}

static struct gt_error *create_whole(struct gt_services *s, struct gt_call *call,
				     const struct gt_container_snapshot *sn, struct gt_container *c)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(record) key = RECORD_INIT;
	gt_auto(snapshot_creation) snapshot = SNAPSHOT_CREATION_INIT;
	gt_auto(gt_mounts) mounts = { 0 };
	struct place p;
	struct birth b = { .r = &r, .c = c, .sn = sn, .snapshot = &snapshot };
	struct gt_error *e;

	GT_TRY(record_name(&r, &container_kind, call, NULL, c->id));
	GT_TRY(place_find(s, call, c->snapshotter, &p));
	GT_TRY(place_record(&p, c->snapshot_key, &key));
	snapshot.p = &p;
	snapshot.r = &key;
	GT_TRY(snapshot_creation_begin(&snapshot, GT_SNAPSHOT_ACTIVE, sn->parent, sn->labels,
				       &mounts));
	e = birth_finish(&b, &mounts);
	if (e) {
		snapshot_creation_undo(&snapshot);
		return e;
	}
	snapshot_creation_tell(&snapshot);
	tell_created(p.l, call, c);
	return NULL;
}

struct change {
	const struct gt_container *given;
	const struct gt_strv *mask;
};

/* What stays as it was made; without a mask it must be given as it is. */
static struct gt_error *immutable_check(const struct gt_container *c,
					const struct gt_container *given)
{
	if (strcmp(c->snapshotter, given->snapshotter ? given->snapshotter : ""))
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "container.Snapshotter field is immutable");
	if (strcmp(c->runtime, given->runtime ? given->runtime : ""))
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "container.Runtime.Name field is immutable");
	return NULL;
}

static struct gt_error *change_field(struct gt_container *c, const struct gt_container *given,
				     const char *path)
{
	struct extensions extensions = { .v = &c->extensions, .n = &c->n_extensions };

	if (!strcmp(path, "spec"))
		gt_any_copy(&c->spec, &given->spec);
	else if (!strcmp(path, "image"))
		string_replace(&c->image, given->image);
	else if (!strcmp(path, "snapshotkey"))
		string_replace(&c->snapshot_key, given->snapshot_key);
	else if (!mask_labels(path, "labels", &c->labels, &given->labels) &&
		 !mask_extensions(path, extensions, given->extensions, given->n_extensions))
		return mask_refused(path, c->id);
	return NULL;
}

static struct gt_error *change(void *object, const void *arg)
{
	static const char *const everything[] = { "labels", "spec", "extensions", "image",
						  "snapshotkey" };
	struct gt_container *c = object;
	const struct change *change = arg;

	if (change->mask && change->mask->n) {
		for (size_t i = 0; i < change->mask->n; i++)
			GT_TRY(change_field(c, change->given, change->mask->v[i]));
	} else {
		GT_TRY(immutable_check(c, change->given));
		for (size_t i = 0; i < sizeof(everything) / sizeof(everything[0]); i++)
			GT_TRY(change_field(c, change->given, everything[i]));
	}
	GT_TRY(container_check(c));
	c->updated_at = local_time();
	return NULL;
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call,
			       const struct gt_container *given, const struct gt_strv *mask,
			       struct gt_container *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_container) c = { 0 };
	gt_auto(gt_arena) a = { 0 };
	struct change arg = { .given = given, .mask = mask };
	Containerd__Events__ContainerUpdate *event;

	GT_TRY(record_name(&r, &container_kind, call, NULL, given->id));
	GT_TRY(records_change(local_of(s), call, &r, change, &arg, &c));
	event = gt_arena_message(&a, &containerd__events__container_update__descriptor);
	event->id = c.id;
	event->image = gt_wire_string(c.image);
	gt_wire_labels(&a, &event->base, "labels", &c.labels);
	event->snapshot_key = gt_wire_string(c.snapshot_key);
	local_publish(local_of(s), call->ns, "/containers/update", &event->base);
	if (out) {
		*out = c;
		c = (struct gt_container){ 0 };
	}
	return NULL;
}

struct visit {
	struct gt_error *(*fn)(void *arg, const struct gt_container *c);
	void *arg;
};

static struct gt_error *visit(void *arg, const void *object)
{
	const struct visit *v = arg;

	return v->fn(v->arg, object);
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     const struct gt_strv *filters,
			     struct gt_error *(*fn)(void *arg, const struct gt_container *c),
			     void *arg)
{
	struct visit v = { .fn = fn, .arg = arg };

	return records_list_all(local_of(s), call, &container_kind, filters, visit, &v);
}

static void tell_removed(struct local *l, struct gt_call *call, const char *id)
{
	gt_auto(gt_arena) a = { 0 };
	Containerd__Events__ContainerDelete *event =
		gt_arena_message(&a, &containerd__events__container_delete__descriptor);

	logs_remove(l, call->ns, id);
	event->id = (char *)id;
	local_publish(l, call->ns, "/containers/delete", &event->base);
}

static struct gt_error *remove_container(struct gt_services *s, struct gt_call *call,
					 const char *id)
{
	gt_auto(record) r = RECORD_INIT;

	GT_TRY(record_name(&r, &container_kind, call, NULL, id));
	GT_TRY(records_remove(local_of(s), call, &r));
	tell_removed(local_of(s), call, id);
	return NULL;
}

struct whole {
	const struct record *r;
	const struct gt_container *seen;
	struct snapshot_removal *snapshot;
	bool has_snapshot; /* out: it was there */
};

static struct gt_error *whole_remove(struct gt_txn *t, void *arg)
{
	struct whole *w = arg;
	gt_auto(gt_container) now = { 0 };
	struct gt_error *e;

	GT_TRY(record_get(t, w->r, &now));
	if (strcmp(now.snapshot_key, w->seen->snapshot_key) ||
	    strcmp(now.snapshotter, w->seen->snapshotter))
		return gt_error_new(GT_ABORTED, "container %s was given another snapshot meanwhile",
				    now.id);
	e = snapshot_remove_record(t, w->snapshot);
	w->has_snapshot = !e;
	GT_TRY(gt_error_unless(e, GT_NOT_FOUND));
	return record_remove(t, w->r);
}

static struct gt_error *remove_whole(struct gt_services *s, struct gt_call *call, const char *id)
{
	struct local *l = local_of(s);
	gt_auto(record) r = RECORD_INIT;
	gt_auto(record) key = RECORD_INIT;
	gt_auto(gt_container) c = { 0 };
	struct place p;
	struct snapshot_removal snapshot = { .p = &p, .r = &key };
	struct whole w = { .r = &r, .seen = &c, .snapshot = &snapshot };
	struct gt_error *e;

	GT_TRY(record_name(&r, &container_kind, call, NULL, id));
	GT_TRY(records_get(l, call, &r, &c));
	if (!*c.snapshot_key)
		return remove_container(s, call, id);
	GT_TRY(place_find(s, call, c.snapshotter, &p));
	GT_TRY(place_record(&p, c.snapshot_key, &key));
	e = local_update(l, call, whole_remove, &w);
	if (!e && w.has_snapshot)
		snapshot_removed(&snapshot, c.snapshot_key);
	snapshot_done(&snapshot.object);
	GT_TRY(e);
	tell_removed(l, call, id);
	return NULL;
}

const struct gt_containers_ops local_containers = {
	.size = sizeof(local_containers),
	.get = get,
	.create = create,
	.update = update,
	.list = list,
	.remove = remove_container,
	.remove_whole = remove_whole,
	.create_whole = create_whole,
};
