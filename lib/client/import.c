/* SPDX-License-Identifier: Apache-2.0 */
/* The course of an import: scan, plan, documents, layers and unpacking, names. */
#include <config.h>

#include <client/import.h>

#include <gantry/api-blobs.h>
#include <gantry/hash.h>
#include <gantry/log.h>

#include <client/image.h>
#include <client/import-private.h>
#include <client/lease.h>
#include <client/unpack.h>
#include <string.h>
#include <time.h>

#define NAME_MAX_BYTES 4096

char *gt_import_prefix(const struct import *m)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[32];

	if (m->o->base_name && *m->o->base_name)
		return gt_xstrdup(m->o->base_name);
	localtime_r(&now, &tm);
	strftime(text, sizeof(text), "import-%Y-%m-%d", &tm);
	return gt_xstrdup(text);
}

bool gt_import_wants_name(const struct import *m, const char *name)
{
	gt_autofree char *prefix = NULL;
	size_t len;

	if (m->o->names != GT_IMPORT_NAMES_BELOW)
		return m->o->names == GT_IMPORT_ALL_NAMES;
	prefix = gt_import_prefix(m);
	len = strlen(prefix);
	return !strncmp(name, prefix, len) && (!name[len] || strchr("/:@", name[len]));
}

struct gt_error *gt_import_no_name(const struct import *m)
{
	gt_autofree char *prefix = NULL;

	if (m->o->names == GT_IMPORT_NO_NAMES)
		return gt_error_new(GT_INVALID_ARGUMENT, "no name is given for what is imported");
	prefix = gt_import_prefix(m);
	return gt_error_new(GT_NOT_FOUND, "the archive has no image below %s", prefix);
}

struct gt_error *gt_import_add_name(struct import *m, const char *name,
				    const struct gt_descriptor *target)
{
	struct import_name *n;

	if (strlen(name) > NAME_MAX_BYTES)
		return gt_error_new(GT_INVALID_ARGUMENT, "image name is longer than %d bytes",
				    NAME_MAX_BYTES);
	for (const char *p = name; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f) {
			gt_auto(gt_buf) q = GT_BUF_INIT;

			gt_buf_addq(&q, name);
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "image name %s has a control character", q.s);
		}
	}
	GT_GROW(m->names, m->n_names, m->alloc_names);
	n = &m->names[m->n_names++];
	*n = (struct import_name){ .image.name = gt_xstrdup(name) };
	gt_descriptor_copy(&n->image.target, target);
	return NULL;
}

struct gt_error *gt_import_add_digest_name(struct import *m, bool named,
					   const struct gt_descriptor *target)
{
	gt_autofree char *prefix = NULL;
	gt_autofree char *name = NULL;

	if (!m->o->digests || (named && m->o->skip_digest_for_named))
		return NULL;
	prefix = gt_import_prefix(m);
	name = gt_strf("%s@%s", prefix, target->digest);
	return gt_import_add_name(m, name, target);
}

void gt_import_manifest_labels(const struct import *m, const struct gt_manifest *doc,
			       struct gt_labels *out)
{
	gt_auto(gt_labels) all = { 0 };

	gt_image_manifest_labels(doc, &all);
	for (size_t i = 0; i < all.n; i++) {
		if (!m->o->discard_unpacked_layers ||
		    strncmp(all.v[i].key, "containerd.io/gc.ref.content.l.", 31))
			gt_labels_set(out, all.v[i].key, all.v[i].value);
	}
}

static bool is_taken(void *arg, const struct gt_descriptor *d)
{
	return gt_import_blob_find(arg, d->digest) != NULL;
}

struct gt_error *gt_import_add_index(struct import *m, struct gt_index *index)
{
	gt_auto(gt_descriptor) d = { 0 };
	gt_auto(gt_buf) text = GT_BUF_INIT;
	struct import_blob *b;
	bool fresh;

	if (!m->o->index_name || !*m->o->index_name)
		return NULL;
	if (!index->media_type)
		index->media_type = gt_xstrdup(GT_TYPE_OCI_INDEX);
	gt_index_write(index, &text);
	d.media_type = gt_xstrdup(index->media_type);
	d.digest = gt_digest_of(text.s, text.len);
	d.size = text.len;
	b = gt_import_blob(m, &d, &fresh);
	if (fresh) {
		gt_buf_add(&b->text, text.s, text.len);
		gt_image_index_labels(index, is_taken, m, &b->labels);
	}
	return gt_import_add_name(m, m->o->index_name, &d);
}

static struct gt_error *store_blobs(struct import *m, bool layers)
{
	for (size_t i = 0; i < m->n_blobs; i++) {
		if (m->order[i]->is_layer == layers)
			GT_TRY(gt_import_blob_store(m, m->call, m->order[i]));
	}
	return NULL;
}

static struct gt_error *step(struct import *m, enum gt_import_step step, const struct gt_image *i)
{
	return m->o->step ? m->o->step(m->o->arg, step, i) : NULL;
}

/* One image on its way into snapshots; kept to the end, to be undone if something fails later. */
struct job {
	struct import *m;
	struct gt_image_view view;
	struct gt_unpack_options options;
	struct gt_unpack *unpack;
	bool finished;
	struct job *next;
};

static void job_free(struct job *j)
{
	gt_unpack_free(j->unpack);
	gt_image_view_done(&j->view);
	free(j);
}

static struct gt_error *fetch_layer(void *arg, struct gt_call *call, size_t i)
{
	struct job *j = arg;
	struct import_blob *b =
		gt_import_blob_find(j->m, j->view.document.layers.v[i].digest);

	/* A layer that the archive left out can only be there already. */
	return b ? gt_import_blob_store(j->m, call, b) : NULL;
}

/* The manifest to unpack; with every platform wanted, this machine's if the image has it. */
static struct gt_error *view_of(struct import *m, const struct gt_descriptor *target,
				struct gt_image_view *out)
{
	gt_auto(gt_platforms) host = { 0 };
	struct gt_error *e;

	if (m->o->platforms.n)
		return gt_image_resolve(m->s, m->call, target, &m->o->platforms, out);
	gt_platforms_add_host(&host);
	e = gt_image_resolve(m->s, m->call, target, &host, out);
	if (gt_error_class(e) != GT_NOT_FOUND)
		return e;
	gt_error_free(e);
	return gt_image_resolve(m->s, m->call, target, &m->o->platforms, out);
}

static struct gt_error *unpack(struct import *m, const struct gt_image *image, struct job **jobs)
{
	struct job *j = gt_xcalloc(1, sizeof(*j));

	j->m = m;
	j->next = *jobs;
	*jobs = j;
	GT_TRY(step(m, GT_IMPORT_UNPACKING, image));
	GT_TRY(view_of(m, &image->target, &j->view));
	j->options = (struct gt_unpack_options){
		.snapshotter = m->o->snapshotter,
		.labels = &m->o->snapshot_labels,
		.jobs = m->o->jobs,
		.fetch = fetch_layer,
		.arg = j,
	};
	GT_TRY(gt_unpack_open(m->s, m->call, &j->view, &j->options, &j->unpack));
	for (size_t i = 0; i < j->view.document.layers.n; i++)
		gt_unpack_ready(j->unpack, i);
	GT_TRY(gt_unpack_finish(j->unpack));
	j->finished = true;
	return step(m, GT_IMPORT_UNPACKED, image);
}

static struct gt_error *set_name(struct import *m, struct import_name *n)
{
	struct gt_error *e = NULL;
	bool there, missed = true; /* somebody took the name away, or gave it, after we had looked */

	for (int i = 0; missed && i < GT_IMAGE_SET_TRIES; i++) {
		gt_error_free(e);
		gt_image_done(&n->before);
		e = gt_images_get(m->s, m->call, n->image.name, &n->before);
		there = !e;
		if (gt_error_class(e) == GT_NOT_FOUND)
			gt_error_free(gt_steal(&e));
		if (e)
			break;
		gt_labels_copy(&n->image.labels, &n->before.labels);
		for (size_t k = 0; k < m->o->labels.n; k++)
			gt_labels_set(&n->image.labels, m->o->labels.v[k].key,
				      m->o->labels.v[k].value);
		e = there ? gt_images_update(m->s, m->call, &n->image, NULL, NULL)
			  : gt_images_create(m->s, m->call, &n->image, NULL);
		missed = gt_error_class(e) == (there ? GT_NOT_FOUND : GT_ALREADY_EXISTS);
	}
	n->set = !e;
	return gt_error_wrap(e, "name image %s", n->image.name);
}

static void undo_name(struct import *m, struct import_name *n)
{
	struct gt_call call = *m->call;
	struct gt_error *e;

	if (!n->set)
		return;
	call.cancel = NULL;
	call.deadline = 0;
	if (n->before.name)
		e = gt_images_update(m->s, &call, &n->before, NULL, NULL);
	else
		e = gt_images_remove(m->s, &call, n->image.name, false);
	gt_log_warn_take(gt_error_unless(e, GT_NOT_FOUND), "undo name %s", n->image.name);
}

static bool seen_before(const struct import *m, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (!strcmp(m->names[k].image.target.digest, m->names[i].image.target.digest))
			return true;
	}
	return false;
}

static struct gt_error *course(struct import *m, struct job **jobs)
{
	GT_TRY(gt_import_scan(m));
	if (m->is_oci || !m->has_docker)
		GT_TRY(gt_import_plan_oci(m));
	else
		GT_TRY(gt_import_plan_docker(m));
	GT_TRY(store_blobs(m, false));
	for (size_t i = 0; m->o->unpack && i < m->n_names; i++) {
		const struct gt_image *image = &m->names[i].image;

		if (!seen_before(m, i)) {
			GT_TRY(unpack(m, image, jobs));
			continue;
		}
		GT_TRY(step(m, GT_IMPORT_UNPACKING, image));
		GT_TRY(step(m, GT_IMPORT_UNPACKED, image));
	}
	GT_TRY(store_blobs(m, true));
	for (size_t i = 0; i < m->n_names; i++)
		GT_TRY(set_name(m, &m->names[i]));
	gt_import_drop_unused(m);
	for (size_t i = 0; i < m->n_names; i++)
		GT_TRY(step(m, GT_IMPORT_DONE, &m->names[i].image));
	return NULL;
}

static void import_done(struct import *m)
{
	gt_import_blobs_done(m);
	for (size_t i = 0; i < m->n_entries; i++) {
		free(m->entries[i].name);
		free(m->entries[i].link);
		free(m->entries[i].digest);
	}
	free(m->entries);
	for (size_t i = 0; i < m->n_names; i++) {
		gt_image_done(&m->names[i].image);
		gt_image_done(&m->names[i].before);
	}
	free(m->names);
	gt_buf_done(&m->index);
	gt_buf_done(&m->docker);
	gt_strv_done(&m->written);
	pthread_cond_destroy(&m->change);
	pthread_mutex_destroy(&m->lock);
}

struct gt_error *gt_image_import(struct gt_services *s, struct gt_call *call, int fd,
				 const struct gt_import_options *o)
{
	struct import m = {
		.s = s,
		.o = o,
		.fd = fd,
		.index = GT_BUF_INIT,
		.docker = GT_BUF_INIT,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.change = PTHREAD_COND_INITIALIZER,
	};
	gt_auto(gt_lease_scope) lease = { 0 };
	struct job *jobs = NULL, *next;
	struct gt_error *e;

	GT_TRY(gt_lease_scope_open(s, call, &lease));
	m.call = &lease.call;
	e = course(&m, &jobs);
	for (size_t i = m.n_names; e && i-- > 0;)
		undo_name(&m, &m.names[i]);
	for (struct job *j = jobs; j; j = next) {
		next = j->next;
		if (e && j->finished)
			gt_unpack_undo(j->unpack);
		job_free(j);
	}
	if (e)
		gt_import_undo_blobs(&m);
	import_done(&m);
	return e;
}
