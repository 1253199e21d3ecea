/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/container.h>

#include <gantry/api-images.h>
#include <gantry/api-leases.h>
#include <gantry/api-snapshots.h>
#include <gantry/api-tasks.h>
#include <gantry/log.h>

#include <client/container-spec.h>
#include <client/defaults.h>
#include <client/idmap.h>
#include <client/image.h>
#include <client/lease.h>
#include <client/rootfs.h>
#include <client/task.h>
#include <client/runtime-options.h>
#include <client/unpack.h>
#include <proc/identity.h>
#include <string.h>

#define LABEL_MAX 4096

static struct gt_error *image_view(struct gt_services *s, struct gt_call *call,
				   const struct gt_container_options *o, struct gt_image_view *out)
{
	gt_auto(gt_platforms) platforms = { 0 };
	gt_auto(gt_image) image = { 0 };

	if (o->platform)
		GT_TRY(gt_platforms_add(&platforms, o->platform));
	else
		gt_platforms_add_host(&platforms);
	GT_TRY(gt_images_get(s, call, o->image, &image));
	return gt_error_wrap(gt_image_resolve(s, call, &image.target, &platforms, out), "image %s",
			     o->image);
}

/* What a container's snapshot is made with. */
struct basis {
	const char *parent;
	char *moved; /* the parent with the container's ids; nothing refers to it until there is a child */
	struct gt_labels labels;
	struct gt_lease_scope lease;
	struct gt_call *call;
};

static void basis_done(struct basis *b)
{
	free(b->moved);
	gt_labels_done(&b->labels);
	gt_lease_scope_done(&b->lease);
}

/* On the image's snapshot, or on one with the container's ids. NOT_FOUND if that is not there. */
static struct gt_error *basis_find(struct gt_services *s, struct gt_call *call,
				   const struct gt_container_options *o, const char *snapshotter,
				   const char *parent, struct basis *b)
{
	bool wanted;

	GT_TRY(gt_idmaps_check(o, &wanted));
	gt_labels_copy(&b->labels, &o->snapshot_labels);
	b->parent = parent;
	b->call = call;
	if (!wanted)
		return NULL;
	if (o->remap_labels) {
		gt_idmaps_labels(o, &b->labels);
		return NULL;
	}
	GT_TRY(gt_lease_scope_open(s, call, &b->lease));
	b->call = &b->lease.call;
	GT_TRY(gt_idmaps_snapshot(s, b->call, o, snapshotter, parent, &b->moved));
	b->parent = b->moved;
	return NULL;
}

/*
 * A process that was killed between a snapshot and its container's record leaves a snapshot that stands in
 * the way of the next container of that name: it goes, if it is such a one.
 */
static struct gt_error *remove_abandoned(struct gt_services *s, struct gt_call *call,
					 const char *snapshotter, const char *id, bool *removed)
{
	gt_auto(gt_snapshot_info) info = { 0 };
	gt_auto(gt_container) c = { 0 };
	struct gt_error *e = gt_containers_get(s, call, id, &c);
	const char *maker;

	*removed = false;
	if (!e)
		return NULL;
	GT_TRY(gt_error_unless(e, GT_NOT_FOUND));
	e = gt_snapshots_stat(s, call, snapshotter, id, &info);
	if (e)
		return gt_error_unless(e, GT_NOT_FOUND);
	maker = gt_labels_get(&info.labels, GT_LABEL_MAKER);
	if (info.kind != GT_SNAPSHOT_ACTIVE || !maker || !gt_process_is_gone(maker))
		return NULL;
	GT_TRY(gt_snapshots_remove(s, call, snapshotter, id));
	*removed = true;
	return NULL;
}

/* Prefixes that daemons act upon: what an image says is never control data. */
static bool is_reserved(const char *key)
{
	static const char *const prefixes[] = { "containerd.io/", "io.containerd.",
						"io.cri-containerd" };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		if (!strncmp(key, prefixes[i], strlen(prefixes[i])))
			return true;
	}
	return false;
}

static void image_labels(const struct gt_image_config *c, struct gt_labels *out)
{
	const char *signal = *c->stop_signal ? c->stop_signal : "SIGTERM";
	struct gt_error *e;
	int number;

	for (size_t i = 0; i < c->labels.n; i++) {
		const struct gt_label *l = &c->labels.v[i];

		if (is_reserved(l->key))
			continue;
		if (strlen(l->key) + strlen(l->value) > LABEL_MAX) {
			gt_log_warn("image label %.64s is longer than %d bytes: left out", l->key,
				    LABEL_MAX);
			continue;
		}
		gt_labels_set(out, l->key, l->value);
	}
	e = gt_signal_parse(signal, &number);
	gt_labels_set(out, GT_LABEL_STOP_SIGNAL, e ? "SIGTERM" : signal);
	gt_error_free(e);
}

static struct gt_error *options_check(const struct gt_container_options *o)
{
	int sources = !!o->image + !!o->rootfs + !!o->spec;

	GT_TRY(gt_identifier_check("container id", o->id));
	if (sources != 1)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "a container is made of an image, a root folder or a spec");
	if (o->privileged_without_host_devices && !o->privileged)
		return gt_error_new(GT_INVALID_ARGUMENT, "can't use 'privileged-without-host-devices' "
							 "without 'privileged' specified");
	if (o->cpus > 0 && (o->cpu_quota_given || o->cpu_quota > 0 || o->cpu_period))
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "cpus and quota/period should be used separately");
	return NULL;
}

/* Fills the record; with a snapshot, 'mounts' show it and nothing is written to it yet. */
static struct gt_error *fill(struct gt_call *call, const struct gt_container_options *o,
			     const struct gt_image_view *v, const struct gt_mounts *mounts,
			     struct gt_container *c)
{
	gt_autoptr(gt_spec) spec = NULL;
	gt_autofd int root = -1;

	if (v) {
		GT_TRY(gt_error_wrap(gt_rootfs_open(mounts, true, &root), "open root file system"));
		image_labels(&v->config, &c->labels);
	}
	for (size_t i = 0; i < o->labels.n; i++)
		gt_labels_set(&c->labels, o->labels.v[i].key, o->labels.v[i].value);
	for (size_t i = 0; i < o->n_extensions; i++)
		gt_container_set_extension(c, o->extensions[i].name, &o->extensions[i].value);
	GT_TRY(gt_container_spec_make(call, o, v ? &v->config : NULL, root, &spec));
	gt_spec_any(spec, &c->spec);
	return gt_runtime_options(o, c->runtime, &c->runtime_options);
}

/* A container on a snapshot of its own, or (without 'c') such a snapshot alone, shown by 'mounts'. */
struct making {
	struct gt_services *s;
	struct gt_call *call;
	const struct gt_container_options *o;
	const struct gt_image_view *v;
	const char *snapshotter;
	struct gt_container *c;
	struct gt_mounts *mounts;
	bool made; /* the snapshot was */
};

static struct gt_error *prepare(struct making *m, const char *key, struct basis *b,
				struct gt_mounts *mounts)
{
	gt_autofree char *maker = gt_process_identity();

	if (maker) /* until the container refers to it: cheaper than a lease */
		gt_labels_set(&b->labels, GT_LABEL_MAKER, maker);
	GT_TRY(gt_snapshots_prepare(m->s, b->call, m->snapshotter, key, b->parent, &b->labels,
				    mounts));
	m->made = true;
	return NULL;
}

static struct gt_error *fill_made(void *arg, const struct gt_mounts *mounts, struct gt_container *c)
{
	struct making *m = arg;

	m->made = true;
	return fill(m->call, m->o, m->v, mounts, c);
}

/* Where snapshots and containers lie in different stores: one after the other. */
static struct gt_error *make_apart(struct making *m, struct basis *b)
{
	gt_auto(gt_mounts) mounts = { 0 };
	gt_auto(gt_container) made = { 0 };
	struct gt_call cleanup = *m->call;
	struct gt_container given;
	struct gt_error *e;

	GT_TRY(prepare(m, m->c->snapshot_key, b, &mounts));
	e = fill_made(m, &mounts, m->c);
	if (!e)
		e = gt_containers_create(m->s, m->call, m->c, &made);
	if (e) {
		cleanup.cancel = NULL;
		cleanup.deadline = 0;
		gt_log_warn_take(gt_snapshots_remove(m->s, &cleanup, m->snapshotter,
						     m->c->snapshot_key),
				 "remove snapshot %s", m->c->snapshot_key);
		return e;
	}
	given = *m->c;
	*m->c = made;
	made = given;
	return NULL;
}

static struct gt_error *make_once(struct making *m)
{
	gt_auto(basis) b = { 0 };
	struct gt_container_snapshot sn = { .fill = fill_made, .arg = m };
	struct gt_error *e;

	GT_TRY(basis_find(m->s, m->call, m->o, m->snapshotter, gt_image_view_chain_id(m->v), &b));
	if (!m->c)
		return prepare(m, m->o->id, &b, m->mounts);
	sn.parent = b.parent;
	sn.labels = &b.labels;
	e = gt_containers_create_whole(m->s, b.call, &sn, m->c);
	if (gt_error_class(e) != GT_UNIMPLEMENTED)
		return e;
	gt_error_free(e);
	return make_apart(m, &b);
}

/* Unpacks the image if that is missing. */
static struct gt_error *make(struct making *m)
{
	struct gt_unpack_options unpack = { .snapshotter = m->snapshotter };
	struct gt_error *e = make_once(m);
	bool removed;

	if (gt_error_class(e) == GT_ALREADY_EXISTS && !m->made) {
		gt_error_free(remove_abandoned(m->s, m->call, m->snapshotter, m->o->id, &removed));
		if (removed) {
			gt_error_free(e);
			e = make_once(m);
		}
	}
	if (gt_error_class(e) != GT_NOT_FOUND || m->made || !*gt_image_view_chain_id(m->v))
		return e;
	gt_error_free(e);
	GT_TRY(gt_error_wrap(gt_image_unpack(m->s, m->call, m->v, &unpack), "unpack %s",
			     m->o->image));
	return make_once(m);
}

struct gt_error *gt_container_new(struct gt_services *s, struct gt_call *call,
				  const struct gt_container_options *o, struct gt_container *out)
{
	gt_auto(gt_container) c = { 0 };
	gt_auto(gt_image_view) v = { 0 };
	struct making m = { .s = s, .call = call, .o = o, .v = &v, .c = &c };

	GT_TRY(options_check(o));
	c.id = gt_xstrdup(o->id);
	c.image = gt_xstrdup(o->image ? o->image : "");
	c.sandbox = gt_xstrdup(o->sandbox ? o->sandbox : "");
	GT_TRY(gt_default_runtime(s, call, o->runtime, &c.runtime));
	if (!o->image) {
		c.snapshotter = gt_xstrdup("");
		c.snapshot_key = gt_xstrdup("");
		GT_TRY(fill(call, o, NULL, NULL, &c));
		return gt_containers_create(s, call, &c, out);
	}
	GT_TRY(image_view(s, call, o, &v));
	GT_TRY(gt_default_snapshotter(s, call, o->snapshotter, &c.snapshotter));
	c.snapshot_key = gt_xstrdup(o->id);
	m.snapshotter = c.snapshotter;
	GT_TRY(make(&m));
	if (out) {
		*out = c;
		c = (struct gt_container){ 0 };
	}
	return NULL;
}

/* A view of the image's layers, to look up the user without making the container. */
static struct gt_error *spec_of_image(struct gt_services *s, struct gt_call *call,
				      const struct gt_container_options *o, struct gt_spec **out)
{
	gt_auto(gt_image_view) v = { 0 };
	gt_auto(gt_mounts) mounts = { 0 };
	gt_autofree char *snapshotter = NULL;
	struct gt_container_options tmp = *o;
	gt_autofree char *key = gt_strf("%s-spec", o->id);
	struct making m = { .s = s, .call = call, .o = &tmp, .v = &v, .mounts = &mounts };
	gt_autofd int root = -1;
	struct gt_call cleanup = *call;
	struct gt_error *e;

	GT_TRY(image_view(s, call, o, &v));
	GT_TRY(gt_default_snapshotter(s, call, o->snapshotter, &snapshotter));
	tmp.id = key;
	m.snapshotter = snapshotter;
	GT_TRY(make(&m));
	e = gt_rootfs_open(&mounts, true, &root);
	if (!e)
		e = gt_container_spec_make(call, o, &v.config, root, out);
	cleanup.cancel = NULL;
	cleanup.deadline = 0;
	gt_log_warn_take(gt_snapshots_remove(s, &cleanup, snapshotter, key), "remove snapshot %s",
			 key);
	return e;
}

struct gt_error *gt_container_spec(struct gt_services *s, struct gt_call *call,
				   const struct gt_container_options *o, struct gt_spec **out)
{
	GT_TRY(options_check(o));
	if (o->image)
		return spec_of_image(s, call, o, out);
	return gt_container_spec_make(call, o, NULL, -1, out);
}

/* Go's form of a task's state, as containerd's client prints it. */
static struct gt_error *not_stopped(const struct gt_task_state *t)
{
	static const char *const words[] = { "unknown", "created", "running",
					     "stopped", "paused",  "pausing" };
	const char *word = t->status <= GT_TASK_PAUSING ? words[t->status] : words[0];

	return gt_error_new(GT_FAILED_PRECONDITION,
			    "cannot delete a non stopped container: {%s %u 0001-01-01 00:00:00 +0000 "
			    "UTC}",
			    word, t->exit_status);
}

/* Nothing refers to a snapshot that is kept, so that a collection would take it. */
static struct gt_error *root_snapshot(struct gt_services *s, struct gt_call *call,
				      const struct gt_container *c)
{
	gt_autofree char *now = gt_rfc3339_in(0);
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_strv) mask = { 0 };
	gt_auto(gt_snapshot_info) changed = { 0 };

	gt_labels_set(&labels, "containerd.io/gc.root", now);
	gt_strv_add(&mask, "labels.containerd.io/gc.root");
	return gt_error_unless(gt_snapshots_update(s, call, c->snapshotter, c->snapshot_key,
						   &labels, &mask, &changed),
			       GT_NOT_FOUND);
}

struct gt_error *gt_container_remove_parts(struct gt_services *s, struct gt_call *call,
					   const struct gt_container *c, bool keep_snapshot)
{
	struct gt_error *e;

	if (keep_snapshot && *c->snapshot_key)
		GT_TRY(root_snapshot(s, call, c));
	if (keep_snapshot || !*c->snapshot_key)
		return gt_containers_remove(s, call, c->id);
	e = gt_containers_remove_whole(s, call, c->id);
	if (gt_error_class(e) != GT_UNIMPLEMENTED)
		return e;
	gt_error_free(e);
	/* The snapshot first: should we die in between, the record says what to delete again. */
	GT_TRY(gt_error_unless(gt_snapshots_remove(s, call, c->snapshotter, c->snapshot_key),
			       GT_NOT_FOUND));
	return gt_containers_remove(s, call, c->id);
}

struct gt_error *gt_container_delete(struct gt_services *s, struct gt_call *call, const char *id,
				     bool keep_snapshot)
{
	gt_auto(gt_container) c = { 0 };
	gt_auto(gt_task_state) t = { 0 };
	struct gt_error *e;

	GT_TRY(gt_containers_get(s, call, id, &c));
	e = gt_tasks_get(s, call, id, "", &t);
	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		return gt_container_remove_parts(s, call, &c, keep_snapshot);
	}
	GT_TRY(e);
	if (t.status != GT_TASK_STOPPED && t.status != GT_TASK_CREATED)
		return not_stopped(&t);
	GT_TRY(gt_error_unless(gt_tasks_remove(s, call, id, "", &(struct gt_exit){ 0 }),
			       GT_NOT_FOUND));
	gt_task_forget_stdio(&t);
	return gt_container_remove_parts(s, call, &c, keep_snapshot);
}

struct gt_error *gt_container_delete_forced(struct gt_services *s, struct gt_call *call,
					    const char *id, bool keep_snapshot)
{
	gt_auto(gt_container) c = { 0 };
	gt_auto(gt_task_state) t = { 0 };
	struct gt_exit exit = { 0 };
	/* Without a record there may still be a task: whoever deleted it was killed in between. */
	struct gt_error *missing = gt_containers_get(s, call, id, &c);
	struct gt_error *e;

	if (missing && gt_error_class(missing) != GT_NOT_FOUND)
		return missing;
	gt_error_free(gt_tasks_get(s, call, id, "", &t)); /* only for where its stdio is */
	e = gt_tasks_purge(s, call, id, &exit);
	if (missing) {
		gt_autofree char *snapshotter = NULL;
		bool removed = false, found = gt_error_class(e) != GT_NOT_FOUND;

		e = gt_error_unless(e, GT_NOT_FOUND);
		if (!e)
			e = gt_default_snapshotter(s, call, NULL, &snapshotter);
		if (!e)
			e = remove_abandoned(s, call, snapshotter, id, &removed);
		if (!e && !found && !removed)
			return missing;
		gt_error_free(missing);
		return e;
	}
	GT_TRY(gt_error_unless(e, GT_NOT_FOUND));
	gt_task_forget_stdio(&t);
	return gt_container_remove_parts(s, call, &c, keep_snapshot);
}
