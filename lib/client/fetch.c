/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/fetch.h>

#include <gantry/buf.h>
#include <gantry/hash.h>
#include <gantry/log.h>

#include <client/ingest.h>
#include <oci/document.h>
#include <string.h>

#define CHUNK (256 * 1024) /* stays in the second-level cache between socket, hash and file */
#define SOURCE "containerd.io/distribution.source."
#define LABEL_MAX 4096
#define ANNOTATION_REF "org.opencontainers.image.ref.name"

void gt_fetch_init(struct gt_fetch *f, const char *ref)
{
	gt_auto(gt_reference) r = { 0 };
	struct gt_error *e = gt_reference_parse(ref, &r);
	const char *slash = e ? NULL : strchr(r.locator, '/');

	gt_error_free(e); /* the resolver will say so */
	f->ref = ref;
	pthread_mutex_init(&f->lock, NULL);
	if (!slash)
		return;
	f->source_key = gt_strf(SOURCE "%.*s", (int)(slash - r.locator), r.locator);
	f->source = gt_xstrdup(slash + 1);
}

void gt_fetch_done(struct gt_fetch *f)
{
	free(f->source_key);
	free(f->source);
	gt_strv_done(&f->begun);
	pthread_mutex_destroy(&f->lock);
}

static void begun_note(struct gt_fetch *f, const char *ref)
{
	pthread_mutex_lock(&f->lock);
	if (!gt_strv_has(&f->begun, ref))
		gt_strv_add(&f->begun, ref);
	pthread_mutex_unlock(&f->lock);
}

static void ingest_drop(struct gt_fetch *f, const struct gt_call *outer, const char *ref)
{
	struct gt_call call = *outer;
	struct gt_error *e;

	call.cancel = NULL;
	call.deadline = 0;
	e = gt_blobs_abort(f->s, &call, ref);
	/* gone, or somebody else is at it */
	e = gt_error_unless(gt_error_unless(e, GT_NOT_FOUND), GT_UNAVAILABLE);
	gt_log_warn_take(e, "drop ingest %s", ref);
}

void gt_fetch_undo(struct gt_fetch *f, const struct gt_call *call)
{
	for (size_t i = 0; i < f->begun.n; i++)
		ingest_drop(f, call, f->begun.v[i]);
	gt_strv_done(&f->begun);
	f->begun = (struct gt_strv){ 0 };
}

static const char *kind_of(const char *type)
{
	if (gt_type_is_manifest(type))
		return "manifest";
	if (gt_type_is_index(type))
		return "index";
	if (gt_type_is_layer(type))
		return "layer";
	if (gt_type_is_config(type))
		return "config";
	return strcmp(type, "application/vnd.in-toto+json") ? "unknown" : "attestation";
}

char *gt_fetch_ref(const struct gt_descriptor *d)
{
	const char *name = gt_labels_get(&d->annotations, ANNOTATION_REF);

	return gt_strf("%s-%s%s%s", kind_of(d->media_type), name ? name : "", name ? "@" : "",
		       d->digest);
}

/* The label's value with our repository in it; NULL: it is as it should be, or would be too long. */
static char *source_value(const struct gt_fetch *f, const char *before)
{
	gt_auto(gt_strv) all = { 0 };
	gt_auto(gt_buf) text = GT_BUF_INIT;

	if (!f->source)
		return NULL;
	gt_strv_split(&all, before ? before : "", ',');
	if (gt_strv_has(&all, f->source))
		return NULL;
	gt_strv_add(&all, f->source);
	gt_strv_sort(&all);
	for (size_t i = 0; i < all.n; i++)
		gt_buf_addf(&text, "%s%s", i ? "," : "", all.v[i]);
	if (strlen(f->source_key) + text.len > LABEL_MAX)
		return NULL;
	return gt_buf_detach(&text);
}

/* Gives a blob that is there the labels which it lacks. */
static struct gt_error *labels_add(struct gt_fetch *f, struct gt_call *call, const char *digest,
				   const struct gt_labels *labels)
{
	gt_auto(gt_blob) b = { 0 };
	gt_auto(gt_labels) wanted = { 0 };
	gt_auto(gt_strv) mask = { 0 };
	gt_autofree char *source = NULL;

	GT_TRY(gt_blobs_info(f->s, call, digest, &b));
	source = source_value(f, f->source_key ? gt_labels_get(&b.labels, f->source_key) : NULL);
	if (source)
		gt_labels_set(&wanted, f->source_key, source);
	for (size_t i = 0; labels && i < labels->n; i++) {
		const char *have = gt_labels_get(&b.labels, labels->v[i].key);

		if (!have || strcmp(have, labels->v[i].value))
			gt_labels_set(&wanted, labels->v[i].key, labels->v[i].value);
	}
	if (!wanted.n)
		return NULL;
	for (size_t i = 0; i < wanted.n; i++)
		gt_strv_addf(&mask, "labels.%s", wanted.v[i].key);
	return gt_blobs_update(f->s, call, digest, &wanted, &mask, NULL);
}

/* Brings the rest of the blob from 'at' on into the ingest. */
static struct gt_error *copy(struct gt_fetch *f, struct gt_call *call,
			     const struct gt_descriptor *d, struct gt_writer *w, int64_t at,
			     size_t line)
{
	gt_autoptr(gt_reader) r = NULL;
	gt_autofree char *chunk = NULL;
	size_t n;

	GT_TRY(gt_resolver_fetch(f->resolver, call, f->ref, d, f->registry, &r));
	chunk = gt_xmalloc(CHUNK);
	do {
		GT_TRY(gt_reader_pread(r, chunk, CHUNK, at, &n));
		GT_TRY(gt_writer_write(w, chunk, n));
		at += n;
		gt_progress_done(f->progress, line, at, true);
	} while (n);
	return NULL;
}

static struct gt_error *commit(struct gt_fetch *f, struct gt_call *call,
			       const struct gt_descriptor *d, struct gt_writer *w,
			       const struct gt_labels *labels, bool *exists)
{
	gt_auto(gt_labels) all = { 0 };
	gt_autofree char *source = source_value(f, NULL);
	struct gt_error *e;

	if (labels)
		gt_labels_copy(&all, labels);
	if (source)
		gt_labels_set(&all, f->source_key, source);
	e = gt_blobs_commit(f->s, call, w, d->size, d->digest, &all, NULL);
	*exists = gt_error_class(e) == GT_ALREADY_EXISTS;
	return gt_error_unless(e, GT_ALREADY_EXISTS);
}

/*
 * Fills and commits an open ingest. Bytes that an earlier attempt left are believed only as far as
 * the digest comes out right in the end; else it begins anew, once.
 */
static struct gt_error *fill(struct gt_fetch *f, struct gt_call *call,
			     const struct gt_descriptor *d, struct gt_writer *w,
			     const struct gt_labels *labels, size_t line, bool *exists,
			     bool *whole)
{
	gt_auto(gt_ingest_info) info = { 0 };
	int64_t at;

	GT_TRY(gt_writer_status(w, &info));
	at = info.offset <= d->size ? info.offset : 0;
	*whole = at == d->size; /* another namespace has it */
	for (;;) {
		struct gt_error *e;

		if (at < info.offset)
			GT_TRY(gt_writer_truncate(w, at));
		gt_progress_done(f->progress, line, at, false);
		gt_progress_state(f->progress, line, GT_PROGRESS_DOWNLOADING);
		if (at < d->size || !d->size)
			GT_TRY(copy(f, call, d, w, at, line));
		gt_progress_state(f->progress, line, GT_PROGRESS_COMMITTING);
		e = commit(f, call, d, w, labels, exists);
		if (gt_error_class(e) != GT_FAILED_PRECONDITION || !at)
			return e;
		gt_log_info("%s: what was there of it is not right; it is fetched anew", d->digest);
		gt_error_free(e);
		info.offset = d->size;
		at = 0;
	}
}

struct gt_error *gt_fetch_blob(struct gt_fetch *f, struct gt_call *call,
			       const struct gt_descriptor *d, const struct gt_labels *labels)
{
	gt_autofree char *ref = gt_fetch_ref(d);
	size_t line = gt_progress_line(f->progress, ref, d->size);
	struct gt_writer *w = NULL;
	bool exists = false, whole = false;
	struct gt_error *e = gt_ingest_open(f->s, call, ref, d, f->progress, line, &w);

	if (gt_error_class(e) == GT_ALREADY_EXISTS) {
		gt_error_free(e);
		exists = true;
		e = NULL;
	} else if (!e) {
		begun_note(f, ref);
		e = fill(f, call, d, w, labels, line, &exists, &whole);
		gt_writer_free(w);
		if (gt_error_class(e) == GT_FAILED_PRECONDITION)
			ingest_drop(f, call, ref);
	}
	if (!e && exists)
		e = labels_add(f, call, d->digest, labels);
	if (e)
		return gt_error_wrap(e, "fetch %s", d->digest);
	gt_progress_done(f->progress, line, d->size, false);
	gt_progress_state(f->progress, line,
			  exists || whole ? GT_PROGRESS_EXISTS : GT_PROGRESS_DONE);
	return NULL;
}

/* The bytes of a document, verified; '*here': from the content service. */
static struct gt_error *document_read(struct gt_fetch *f, struct gt_call *call,
				      const struct gt_descriptor *d, char **text, size_t *len,
				      bool *here)
{
	gt_autoptr(gt_reader) r = NULL;
	struct gt_error *e = gt_blobs_reader(f->s, call, d->digest, &r);

	*here = !e;
	GT_TRY(gt_error_unless(e, GT_NOT_FOUND));
	if (!*here)
		GT_TRY(gt_resolver_fetch(f->resolver, call, f->ref, d, f->registry, &r));
	GT_TRY(gt_reader_all(r, GT_DOCUMENT_MAX, text, len));
	if ((int64_t)*len != d->size)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "it has %zu bytes, its descriptor says %lld", *len,
				    (long long)d->size);
	return gt_digest_verify(d->digest, *text, *len);
}

static struct gt_error *document_store(struct gt_fetch *f, struct gt_call *call,
				       const struct gt_descriptor *d, const char *text, size_t len,
				       const struct gt_labels *labels, size_t line)
{
	gt_autofree char *ref = gt_fetch_ref(d);
	gt_autoptr(gt_writer) w = NULL;
	bool exists = false;
	struct gt_error *e = gt_ingest_open(f->s, call, ref, d, f->progress, line, &w);

	if (!e) {
		begun_note(f, ref);
		GT_TRY(gt_writer_truncate(w, 0));
		GT_TRY(gt_writer_write(w, text, len));
		e = commit(f, call, d, w, labels, &exists);
	} else if (gt_error_class(e) == GT_ALREADY_EXISTS) {
		gt_error_free(e);
		exists = true;
		e = NULL;
	}
	if (!e && exists)
		e = labels_add(f, call, d->digest, labels);
	return e;
}

static struct gt_error *document(struct gt_fetch *f, struct gt_call *call,
				 const struct gt_descriptor *d,
				 struct gt_error *(*check)(void *arg, const struct gt_descriptor *d,
							   const char *text, size_t len,
							   struct gt_labels *labels),
				 void *arg, size_t line)
{
	gt_auto(gt_labels) labels = { 0 };
	gt_autofree char *text = NULL;
	bool here = false;
	size_t len;

	if (d->size > GT_DOCUMENT_MAX)
		return gt_error_new(GT_RESOURCE_EXHAUSTED,
				    "it claims %lld bytes, a document may have %d",
				    (long long)d->size, GT_DOCUMENT_MAX);
	gt_progress_state(f->progress, line, GT_PROGRESS_DOWNLOADING);
	GT_TRY(document_read(f, call, d, &text, &len, &here));
	GT_TRY(check(arg, d, text, len, &labels));
	gt_progress_done(f->progress, line, len, !here);
	gt_progress_state(f->progress, line, GT_PROGRESS_COMMITTING);
	GT_TRY(document_store(f, call, d, text, len, &labels, line));
	gt_progress_state(f->progress, line, here ? GT_PROGRESS_EXISTS : GT_PROGRESS_DONE);
	return NULL;
}

struct gt_error *
gt_fetch_document(struct gt_fetch *f, struct gt_call *call, const struct gt_descriptor *d,
		  struct gt_error *(*check)(void *arg, const struct gt_descriptor *d,
					    const char *text, size_t len, struct gt_labels *labels),
		  void *arg)
{
	gt_autofree char *ref = gt_fetch_ref(d);
	size_t line = gt_progress_line(f->progress, ref, d->size);

	return gt_error_wrap(document(f, call, d, check, arg, line), "fetch %s", d->digest);
}
