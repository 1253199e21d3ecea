/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing blobs into the content service, and taking them out again. */
#include <config.h>

#include <client/import-private.h>

#include <gantry/api-blobs.h>
#include <gantry/hash.h>
#include <gantry/log.h>

#include <archive/blob.h>
#include <client/ingest.h>
#include <client/lease.h>
#include <search.h>
#include <string.h>

#define CHUNK (256 * 1024)

static int by_digest(const void *a, const void *b)
{
	const struct import_blob *x = a, *y = b;

	return strcmp(x->desc.digest, y->desc.digest);
}

struct import_blob *gt_import_blob_find(struct import *m, const char *digest)
{
	struct import_blob key = { .desc.digest = (char *)digest };
	struct import_blob **found = tfind(&key, &m->blobs, by_digest);

	return found ? *found : NULL;
}

struct import_blob *gt_import_blob(struct import *m, const struct gt_descriptor *desc, bool *fresh)
{
	struct import_blob *b = gt_import_blob_find(m, desc->digest);

	*fresh = !b;
	if (b)
		return b;
	b = gt_xcalloc(1, sizeof(*b));
	gt_descriptor_copy(&b->desc, desc);
	gt_buf_init(&b->text);
	tsearch(b, &m->blobs, by_digest);
	GT_GROW(m->order, m->n_blobs, m->alloc_blobs);
	m->order[m->n_blobs++] = b;
	return b;
}

static void nothing(void *p)
{
	(void)p;
}

void gt_import_blobs_done(struct import *m)
{
	tdestroy(m->blobs, nothing);
	for (size_t i = 0; i < m->n_blobs; i++) {
		struct import_blob *b = m->order[i];

		gt_descriptor_done(&b->desc);
		gt_labels_done(&b->labels);
		gt_buf_done(&b->text);
		free(b);
	}
	free(m->order);
}

static struct gt_call cleanup_call(const struct import *m)
{
	struct gt_call call = *m->call;

	call.cancel = NULL;
	call.deadline = 0;
	return call;
}

static void written_add(struct import *m, const char *digest)
{
	pthread_mutex_lock(&m->lock);
	gt_strv_add(&m->written, digest);
	pthread_mutex_unlock(&m->lock);
}

/* Commits and closes 'w', which it takes. '*exists': somebody else was first. */
static struct gt_error *commit_take(struct import *m, struct gt_call *call, struct gt_writer *w,
				    int64_t size, const char *expected,
				    const struct gt_labels *labels, char **digest, bool *exists)
{
	struct gt_error *e = gt_blobs_commit(m->s, call, w, size, expected, labels, digest);

	gt_writer_free(w);
	*exists = gt_error_class(e) == GT_ALREADY_EXISTS;
	if (*exists) {
		gt_error_free(e);
		return NULL;
	}
	if (gt_error_class(e) == GT_FAILED_PRECONDITION) /* not what it is called */
		return gt_error_reclass(e, GT_INVALID_ARGUMENT);
	return e;
}

static void ingest_abort(struct import *m, const char *ref)
{
	struct gt_call call = cleanup_call(m);

	gt_log_warn_take(gt_error_unless(gt_blobs_abort(m->s, &call, ref), GT_NOT_FOUND),
			 "abort ingest %s", ref);
}

static struct gt_error *labels_set(struct import *m, struct gt_call *call, const char *digest,
				   const struct gt_labels *labels)
{
	gt_auto(gt_strv) mask = { 0 };

	if (!labels->n)
		return NULL;
	for (size_t i = 0; i < labels->n; i++)
		gt_strv_addf(&mask, "labels.%s", labels->v[i].key);
	return gt_blobs_update(m->s, call, digest, labels, &mask, NULL);
}

static struct gt_error *bytes_write(struct import *m, struct gt_call *call,
				    const struct import_blob *b, struct gt_writer *w)
{
	if (!b->entry)
		return gt_writer_write(w, b->text.s, b->text.len);
	return gt_writer_write_from(w, call, m->fd, b->entry->offset, b->entry->size);
}

static struct gt_error *store(struct import *m, struct gt_call *call, struct import_blob *b)
{
	gt_autofree char *ref = gt_strf("tar-%s", b->desc.digest);
	gt_autofree char *digest = NULL;
	struct gt_writer *w = NULL;
	bool exists = false;
	struct gt_error *e;

	if (b->entry && b->entry->offset < 0) /* it is there since the scan */
		return labels_set(m, call, b->desc.digest, &b->labels);
	e = gt_ingest_open_empty(m->s, call, ref, &b->desc, &w);
	if (gt_error_class(e) == GT_ALREADY_EXISTS) {
		gt_error_free(e);
		return labels_set(m, call, b->desc.digest, &b->labels);
	}
	GT_TRY(e);
	e = bytes_write(m, call, b, w);
	if (e)
		gt_writer_free(w);
	else
		e = commit_take(m, call, w, b->desc.size, b->desc.digest, &b->labels, &digest,
				&exists);
	if (e) {
		ingest_abort(m, ref);
		return e;
	}
	if (exists)
		return labels_set(m, call, b->desc.digest, &b->labels);
	written_add(m, b->desc.digest);
	return NULL;
}

struct gt_error *gt_import_blob_store(struct import *m, struct gt_call *call, struct import_blob *b)
{
	struct gt_error *e;

	pthread_mutex_lock(&m->lock);
	while (b->state == IMPORT_BLOB_BUSY)
		pthread_cond_wait(&m->change, &m->lock);
	if (b->state == IMPORT_BLOB_DONE) {
		pthread_mutex_unlock(&m->lock);
		return NULL;
	}
	b->state = IMPORT_BLOB_BUSY;
	pthread_mutex_unlock(&m->lock);
	e = gt_error_wrap(store(m, call, b), "%s", b->entry ? b->entry->name : b->desc.digest);
	pthread_mutex_lock(&m->lock);
	b->state = e ? IMPORT_BLOB_TODO : IMPORT_BLOB_DONE;
	pthread_cond_broadcast(&m->change);
	pthread_mutex_unlock(&m->lock);
	return e;
}

static struct gt_error *copy_entry(struct import *m, struct gt_archive_source *src,
				   struct gt_writer *w)
{
	gt_autofree char *buf = gt_xmalloc(CHUNK);

	for (;;) {
		size_t n;

		GT_TRY(gt_archive_source_read(src, m->call, buf, CHUNK, &n));
		if (!n)
			return NULL;
		GT_TRY(gt_writer_write(w, buf, n));
	}
}

struct gt_error *gt_import_stream_store(struct import *m, struct gt_archive_source *src,
					const struct gt_archive_entry *entry, const char *expected,
					char **digest)
{
	struct gt_descriptor desc = { .digest = (char *)expected, .size = entry->size };
	gt_autofree char *unique = gt_unique_name();
	gt_autofree char *ref = expected ? gt_strf("tar-%s", expected)
					 : gt_strf("tar-%s-%s", unique, entry->name);
	struct gt_writer *w = NULL;
	bool exists = false;
	struct gt_error *e = gt_ingest_open_empty(m->s, m->call, ref, &desc, &w);

	if (gt_error_class(e) == GT_ALREADY_EXISTS) {
		gt_error_free(e);
		*digest = gt_xstrdup(expected);
		return NULL;
	}
	GT_TRY(e);
	e = copy_entry(m, src, w);
	if (!e && !expected)
		e = gt_writer_digest(w, digest);
	if (e)
		gt_writer_free(w);
	else
		e = commit_take(m, m->call, w, entry->size, expected ? expected : *digest, NULL,
				NULL, &exists);
	if (e) {
		ingest_abort(m, ref);
		free(gt_steal(digest));
		return e;
	}
	if (expected)
		*digest = gt_xstrdup(expected);
	if (!exists)
		written_add(m, *digest);
	return NULL;
}

static struct gt_error *compress(struct import *m, const struct import_entry *entry,
				 const char *diff_id, struct gt_writer *w, struct gt_descriptor *d)
{
	struct gt_layer_result r = { 0 };
	gt_auto(gt_ingest_info) info = { 0 };
	gt_autoptr(gt_reader) reader = NULL;
	struct gt_error *e = NULL;

	GT_TRY(gt_import_entry_open(m, entry, &reader));
	GT_TRY(gt_layer_recode(m->o->worker, m->call, reader, GT_LAYER_GZIP, 0, w, &r));
	if (strcmp(r.digest, diff_id))
		e = gt_error_new(GT_INVALID_ARGUMENT, "its digest is %s, the configuration says %s",
				 r.digest, diff_id);
	gt_layer_result_done(&r);
	if (!e)
		e = gt_writer_status(w, &info);
	d->size = info.offset;
	return e ? e : gt_writer_digest(w, &d->digest);
}

struct gt_error *gt_import_entry_compress(struct import *m, const struct import_entry *entry,
					  const char *diff_id, struct gt_descriptor *d)
{
	gt_autofree char *ref = gt_strf("compress-blob-%.*s-%s", (int)strcspn(diff_id, ":"), diff_id,
					gt_digest_hex(diff_id));
	gt_auto(gt_labels) labels = { 0 };
	struct gt_writer *w = NULL;
	bool exists = false;
	struct gt_error *e;

	gt_labels_set(&labels, "containerd.io/uncompressed", diff_id);
	GT_TRY(gt_ingest_open_empty(m->s, m->call, ref, NULL, &w));
	e = compress(m, entry, diff_id, w, d);
	if (e)
		gt_writer_free(w);
	else
		e = commit_take(m, m->call, w, d->size, d->digest, &labels, NULL, &exists);
	if (e)
		ingest_abort(m, ref);
	else if (!exists)
		written_add(m, d->digest);
	return e;
}

static void blob_remove(struct import *m, const char *digest)
{
	struct gt_call call = cleanup_call(m);

	gt_log_warn_take(gt_error_unless(gt_blobs_remove(m->s, &call, digest), GT_NOT_FOUND),
			 "remove blob %s", digest);
}

void gt_import_drop_unused(struct import *m)
{
	for (size_t i = 0; i < m->written.n; i++) {
		if (!gt_import_blob_find(m, m->written.v[i]))
			blob_remove(m, m->written.v[i]);
	}
}

/*
 * Which of our blobs somebody else has come to need meanwhile: an import of the same image that
 * found them there. 'needed' are digests that images and other blobs refer to.
 */
struct needed {
	struct import *m;
	struct gt_strv digests;
	struct gt_labels of_ours; /* "OURS CHILD": references from blobs of ours */
};

static struct gt_error *note_image(void *arg, const struct gt_image *image)
{
	struct needed *n = arg;

	gt_strv_add(&n->digests, image->target.digest);
	return NULL;
}

static struct gt_error *note_blob(void *arg, const struct gt_blob *b)
{
	struct needed *n = arg;
	bool ours = gt_strv_has(&n->m->written, b->info.digest);

	for (size_t i = 0; i < b->labels.n; i++) {
		gt_autofree char *edge = NULL;

		if (strncmp(b->labels.v[i].key, "containerd.io/gc.ref.content", 28))
			continue;
		if (!ours) {
			gt_strv_add(&n->digests, b->labels.v[i].value);
			continue;
		}
		edge = gt_strf("%s %s", b->info.digest, b->labels.v[i].value);
		gt_labels_set(&n->of_ours, edge, b->labels.v[i].value);
	}
	return NULL;
}

/* A blob of ours that is needed needs its children. */
static void spread(struct needed *n)
{
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < n->of_ours.n; i++) {
			const char *child = n->of_ours.v[i].value;
			size_t len = strcspn(n->of_ours.v[i].key, " ");
			gt_autofree char *parent = gt_xstrndup(n->of_ours.v[i].key, len);

			if (gt_strv_has(&n->digests, parent) && !gt_strv_has(&n->digests, child)) {
				gt_strv_add(&n->digests, child);
				more = true;
			}
		}
	}
}

void gt_import_undo_blobs(struct import *m)
{
	struct gt_call call = cleanup_call(m);
	struct needed n = { .m = m };
	struct gt_error *e = NULL;

	if (!m->written.n)
		return;
	e = gt_images_list(m->s, &call, NULL, note_image, &n);
	if (!e)
		e = gt_blobs_list(m->s, &call, NULL, note_blob, &n);
	if (!e)
		spread(&n);
	for (size_t i = 0; !e && i < m->written.n; i++) {
		if (!gt_strv_has(&n.digests, m->written.v[i]))
			blob_remove(m, m->written.v[i]);
	}
	gt_log_warn_take(e, "look for blobs to remove");
	gt_strv_done(&n.digests);
	gt_labels_done(&n.of_ours);
}
