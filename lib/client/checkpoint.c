/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/checkpoint.h>

#include <gantry/api-blobs.h>
#include <gantry/api-diffs.h>
#include <gantry/api-images.h>
#include <gantry/api-snapshots.h>
#include <gantry/log.h>
#include <oci/document.h>
#include <wire/values.h>

#include "containerd.runc.v1.pb-c.h"

#include <client/checkpoint-private.h>
#include <client/image.h>
#include <client/lease.h>
#include <string.h>
#include <time.h>

/* A checkpoint in the making. */
struct making {
	struct gt_services *s;
	struct gt_call *call; /* with a lease */
	const struct gt_checkpoint_options *o;
	struct gt_container record;
	struct gt_index index;
};

static void add_descriptor(struct making *m, struct gt_descriptor *d)
{
	struct gt_descriptors *l = &m->index.manifests;

	GT_GROW(l->v, l->n, l->alloc);
	l->v[l->n++] = *d;
	*d = (struct gt_descriptor){ 0 };
}

static struct gt_error *put(struct making *m, const char *type, const void *bytes, size_t len,
			    const struct gt_labels *labels, struct gt_descriptor *out)
{
	gt_autofree char *unique = gt_unique_name();
	gt_autofree char *ref = gt_strf("checkpoint-%s-%s", m->o->id, unique);
	gt_auto(gt_descriptor) d = { .media_type = gt_xstrdup(type), .size = (int64_t)len };
	gt_autoptr(gt_writer) w = NULL;

	GT_TRY(gt_blobs_writer(m->s, m->call, ref, NULL, &w));
	GT_TRY(gt_writer_write(w, bytes, len));
	GT_TRY(gt_writer_digest(w, &d.digest));
	GT_TRY(gt_error_unless(gt_blobs_commit(m->s, m->call, w, d.size, d.digest, labels, NULL),
			       GT_ALREADY_EXISTS));
	*out = d;
	d = (struct gt_descriptor){ 0 };
	return NULL;
}

static struct gt_error *add_blob(struct making *m, const char *type, const void *bytes, size_t len)
{
	struct gt_descriptor d = { 0 };

	GT_TRY(put(m, type, bytes, len, NULL, &d));
	add_descriptor(m, &d);
	return NULL;
}

static struct gt_error *add_any(struct making *m, const char *type, const struct gt_any *any)
{
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_buf) bytes = GT_BUF_INIT;

	gt_wire_pack(&gt_wire_any(&a, any)->base, &bytes);
	return add_blob(m, type, bytes.s, bytes.len);
}

static struct gt_error *add_runtime(struct making *m)
{
	const struct gt_container *c = &m->record;

	gt_labels_set(&m->index.annotations, GT_CHECKPOINT_RUNTIME, c->runtime);
	if (*c->snapshotter)
		gt_labels_set(&m->index.annotations, GT_CHECKPOINT_SNAPSHOTTER, c->snapshotter);
	GT_TRY(add_blob(m, GT_CHECKPOINT_TYPE "runtime.name", c->runtime, strlen(c->runtime)));
	if (!c->runtime_options.type_url)
		return NULL;
	return add_any(m, GT_CHECKPOINT_TYPE "runtime.options+proto", &c->runtime_options);
}

static struct gt_error *add_image(struct making *m)
{
	gt_auto(gt_image) image = { 0 };
	struct gt_descriptor d = { 0 };

	if (!*m->record.image)
		return gt_error_new(GT_FAILED_PRECONDITION, "container %s is of no image", m->o->id);
	gt_labels_set(&m->index.annotations, GT_CHECKPOINT_IMAGE, m->record.image);
	GT_TRY(gt_images_get(m->s, m->call, m->record.image, &image));
	gt_descriptor_copy(&d, &image.target);
	add_descriptor(m, &d);
	return NULL;
}

/* What differs from the layers below; the view of those goes again whatever happens. */
static struct gt_error *diff(struct making *m, struct gt_descriptor *out)
{
	const struct gt_container *c = &m->record;
	gt_auto(gt_snapshot_info) info = { 0 };
	gt_auto(gt_mounts) lower = { 0 };
	gt_auto(gt_mounts) upper = { 0 };
	gt_autofree char *unique = gt_unique_name();
	gt_autofree char *key = NULL;
	struct gt_call cleanup = *m->call;
	struct gt_error *e;

	GT_TRY(gt_snapshots_stat(m->s, m->call, c->snapshotter, c->snapshot_key, &info));
	GT_TRY(gt_snapshots_mounts(m->s, m->call, c->snapshotter, c->snapshot_key, &upper));
	key = gt_strf("%s-parent-view-%s", info.parent, unique);
	GT_TRY(gt_snapshots_view(m->s, m->call, c->snapshotter, key, info.parent, NULL, &lower));
	e = gt_diffs_diff(m->s, m->call, &lower, &upper, NULL, NULL, NULL, out);
	cleanup.cancel = NULL;
	cleanup.deadline = 0;
	gt_log_warn_take(gt_snapshots_remove(m->s, &cleanup, c->snapshotter, key),
			 "remove snapshot %s", key);
	return e;
}

static struct gt_error *add_rw(struct making *m)
{
	struct gt_descriptor d = { 0 };

	if (!*m->record.snapshot_key)
		return gt_error_new(GT_FAILED_PRECONDITION, "container %s has no snapshot", m->o->id);
	GT_TRY(gt_error_wrap(diff(m, &d), "what was written by %s", m->o->id));
	add_descriptor(m, &d);
	return NULL;
}

static void criu_options(const struct gt_checkpoint_options *o, struct gt_any *out)
{
	Containerd__Runc__V1__CheckpointOptions m = CONTAINERD__RUNC__V1__CHECKPOINT_OPTIONS__INIT;

	m.exit = o->exit;
	m.image_path = gt_wire_string(o->image_path);
	m.work_path = gt_wire_string(o->work_path);
	gt_wire_any_pack(&m.base, out);
}

static struct gt_error *add_task(struct making *m)
{
	gt_auto(gt_any) options = { 0 };
	struct gt_descriptor *v = NULL;
	size_t n = 0;

	criu_options(m->o, &options);
	GT_TRY(gt_tasks_checkpoint(m->s, m->call, m->o->id, NULL, &options, &v, &n));
	for (size_t i = 0; i < n; i++)
		add_descriptor(m, &v[i]);
	free(v);
	return add_any(m, GT_CHECKPOINT_TYPE "options.v1+proto", &options);
}

/* All of it while nothing changes. With 'exit' the processes are gone when CRIU is through: it goes last. */
static struct gt_error *add_all(struct making *m)
{
	if (!m->o->image_path || !m->o->task) {
		GT_TRY(add_runtime(m));
		if (m->o->image)
			GT_TRY(add_image(m));
		else if (*m->record.image)
			gt_labels_set(&m->index.annotations, GT_CHECKPOINT_IMAGE, m->record.image);
		if (m->o->rw)
			GT_TRY(add_rw(m));
	}
	if (m->o->task)
		return add_task(m);
	return add_any(m, GT_CHECKPOINT_TYPE "config.v1+proto", &m->record.spec);
}

static char *name_make(const char *id)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%m-%d-%Y-%H:%M:%S", &tm);
	return gt_strf("containerd.io/checkpoint/%s:%s", id, stamp);
}

static struct gt_error *image_make(struct making *m, char **name)
{
	gt_auto(gt_labels) keep = { 0 };
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_auto(gt_image) image = { 0 };

	image.name = m->o->name ? gt_xstrdup(m->o->name) : name_make(m->o->id);
	gt_labels_set(&image.labels, "containerd.io/checkpoint", "true");
	gt_image_index_labels(&m->index, NULL, NULL, &keep);
	m->index.media_type = gt_xstrdup(GT_TYPE_OCI_INDEX);
	gt_index_write(&m->index, &text);
	GT_TRY(put(m, GT_TYPE_OCI_INDEX, text.s, text.len, &keep, &image.target));
	GT_TRY(gt_images_create(m->s, m->call, &image, NULL));
	*name = gt_xstrdup(image.name);
	return NULL;
}

/* Whether this has stopped it, so that it is to go on afterwards. */
static bool pause_it(struct making *m)
{
	gt_auto(gt_task_state) t = { 0 };
	gt_autoptr(gt_error) e = gt_tasks_get(m->s, m->call, m->o->id, "", &t);

	/* CRIU stops the processes itself, and cannot look into ones that the freezer holds */
	if (e || m->o->task || t.status != GT_TASK_RUNNING)
		return false;
	e = gt_tasks_pause(m->s, m->call, m->o->id);
	return !e;
}

static void resume(struct making *m)
{
	struct gt_call call = *m->call;

	call.cancel = NULL;
	call.deadline = 0;
	gt_log_warn_take(gt_error_unless(gt_tasks_resume(m->s, &call, m->o->id), GT_NOT_FOUND),
			 "have %s go on", m->o->id);
}

struct gt_error *gt_checkpoint(struct gt_services *s, struct gt_call *call,
			       const struct gt_checkpoint_options *o, char **name)
{
	struct gt_lease_scope lease = { 0 };
	struct making m = { .s = s, .o = o };
	struct gt_error *e;
	bool paused;

	*name = NULL;
	GT_TRY(gt_lease_scope_open(s, call, &lease));
	m.call = &lease.call;
	e = gt_containers_get(s, m.call, o->id, &m.record);
	if (!e) {
		paused = pause_it(&m);
		e = add_all(&m);
		if (paused)
			resume(&m);
	}
	if (!e && !(o->task && o->image_path))
		e = image_make(&m, name);
	gt_container_done(&m.record);
	gt_index_done(&m.index);
	gt_lease_scope_done(&lease);
	return e;
}
