/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a blob. Where its bytes are here already, brought by another namespace, nothing need be
 * written: the writer stands at the end and commit only makes the record. Who writes all the same gets
 * an ingest with a copy.
 */
#include <config.h>

#include "blobs.h"

#include "fields.h"
#include "leases.h"

#include <gantry/buf.h>
#include <wire/values.h>

#include "containerd.events.pb-c.h"

#include <inttypes.h>
#include <string.h>

#define KEPT_SECONDS (24 * 60 * 60) /* how long an ingest without lease is kept */
#define RENEW_SECONDS 60 /* one that is opened again before is not noted anew */
#define COPY_BLOCK (256 * 1024)

struct blob_writer {
	struct gt_writer base;
	struct local *l;
	struct gt_content *content;
	struct gt_call call; /* namespace and lease of who opened it, copies */
	struct ingest ingest;
	struct gt_writer *inner; /* NULL: the bytes are here */
	struct timespec started; /* where inner is NULL */
	bool done;
};

static struct blob_writer *writer_of(struct gt_writer *w)
{
	return (struct blob_writer *)w;
}

static void blob_writer_free(struct blob_writer *w)
{
	if (!w)
		return;
	gt_writer_free(w->inner);
	ingest_done(&w->ingest);
	free((char *)w->call.ns);
	free((char *)w->call.lease);
	free(w);
}
GT_DEFINE_AUTOPTR(blob_writer)

static void writer_close(struct gt_writer *w)
{
	blob_writer_free(writer_of(w));
}

static struct gt_error *copy_blob(struct blob_writer *w, struct gt_writer *to, int64_t size)
{
	gt_autoptr(gt_reader) r = NULL;
	gt_autofree char *block = gt_xmalloc(COPY_BLOCK);
	int64_t off = 0;

	GT_TRY(gt_content_reader(w->content, &w->call, w->ingest.expected, &r));
	while (off < size) {
		size_t n = size - off < COPY_BLOCK ? (size_t)(size - off) : COPY_BLOCK;

		GT_TRY(gt_reader_pread(r, block, n, off, &n));
		if (!n)
			return gt_error_new(GT_DATA_LOSS, "content %s ends at byte %" PRId64,
					    w->ingest.expected, off);
		GT_TRY(gt_writer_write(to, block, n));
		off += (int64_t)n;
	}
	return NULL;
}

/* Gives a writer of bytes that are here an ingest of its own, with the first 'size' of them. */
static struct gt_error *detach(struct blob_writer *w, int64_t size)
{
	gt_autoptr(gt_writer) inner = NULL;

	if (size < 0 || size > w->ingest.total)
		return gt_error_new(GT_OUT_OF_RANGE,
				    "cut ingest %s of %" PRId64 " bytes to %" PRId64,
				    w->ingest.ref, w->ingest.total, size);
	GT_TRY(gt_content_writer(w->content, &w->call, w->ingest.backend, 0, NULL, &inner));
	GT_TRY(gt_writer_truncate(inner, 0));
	GT_TRY(copy_blob(w, inner, size));
	w->inner = gt_steal(&inner);
	return NULL;
}

static struct gt_error *must_be_open(struct blob_writer *w)
{
	if (w->done)
		return gt_error_new(GT_FAILED_PRECONDITION, "ingest %s is committed",
				    w->ingest.ref);
	return NULL;
}

static struct gt_error *writer_write(struct gt_writer *base, const void *buf, size_t len)
{
	struct blob_writer *w = writer_of(base);

	GT_TRY(must_be_open(w));
	if (!len)
		return NULL;
	if (!w->inner)
		GT_TRY(detach(w, w->ingest.total));
	return gt_writer_write(w->inner, buf, len);
}

static struct gt_error *writer_write_from(struct gt_writer *base, struct gt_call *call, int fd,
					  int64_t off, int64_t len)
{
	struct blob_writer *w = writer_of(base);

	GT_TRY(must_be_open(w));
	if (!len)
		return NULL;
	if (!w->inner)
		GT_TRY(detach(w, w->ingest.total));
	return gt_writer_write_from(w->inner, call, fd, off, len);
}

static struct gt_error *writer_truncate(struct gt_writer *base, int64_t size)
{
	struct blob_writer *w = writer_of(base);

	GT_TRY(must_be_open(w));
	return w->inner ? gt_writer_truncate(w->inner, size) : detach(w, size);
}

static struct gt_error *writer_status(struct gt_writer *base, struct gt_ingest_info *out)
{
	struct blob_writer *w = writer_of(base);
	gt_auto(gt_ingest_info) info = { 0 };

	if (w->inner) {
		GT_TRY(gt_writer_status(w->inner, &info));
		free(gt_steal(&info.ref));
		free(gt_steal(&info.expected));
	} else {
		info.offset = w->ingest.total;
		info.started_at = info.updated_at = w->started;
	}
	info.total = w->ingest.total;
	info.ref = gt_xstrdup(w->ingest.ref);
	info.expected = *w->ingest.expected ? gt_xstrdup(w->ingest.expected) : NULL;
	*out = info;
	info = (struct gt_ingest_info){ 0 };
	return NULL;
}

static struct gt_error *writer_digest(struct gt_writer *base, char **out)
{
	struct blob_writer *w = writer_of(base);

	if (w->inner)
		return gt_writer_digest(w->inner, out);
	*out = gt_xstrdup(w->ingest.expected);
	return NULL;
}

/* What the blob will be called. */
static struct gt_error *commit_digest(struct blob_writer *w, const char *expected, char **digest)
{
	if (w->inner && !expected)
		return gt_writer_digest(w->inner, digest);
	if (!w->inner && expected && strcmp(expected, w->ingest.expected))
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "unexpected commit digest %s, expected %s", w->ingest.expected,
				    expected);
	*digest = gt_xstrdup(w->inner ? expected : w->ingest.expected);
	return NULL;
}

/* The bytes are the blob 'digest' of the content store after this. */
static struct gt_error *commit_bytes(struct blob_writer *w, int64_t size, const char *digest)
{
	if (w->inner)
		return gt_error_unless(gt_writer_commit(w->inner, size, digest, NULL),
				       GT_ALREADY_EXISTS);
	if (size > 0 && size != w->ingest.total)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "unexpected commit size %" PRId64 ", expected %" PRId64,
				    w->ingest.total, size);
	return NULL;
}

struct commit {
	const struct blob_writer *w;
	const struct record *blob;
	const struct record *ingest;
	const struct gt_blob *object;
	bool existed;
};

static struct gt_error *commit_records(struct gt_txn *t, void *arg)
{
	struct commit *c = arg;

	GT_TRY(record_exists(t, c->blob, &c->existed));
	if (!c->existed)
		GT_TRY(record_add(t, c->blob, c->object));
	GT_TRY(gt_error_unless(record_remove(t, c->ingest), GT_NOT_FOUND));
	GT_TRY(lease_forget(t, &c->w->call, "ingests", c->ingest->name));
	return lease_note(t, &c->w->call, "content", c->blob->name);
}

static struct gt_error *commit_locked(struct blob_writer *w, struct gt_call *call, int64_t size,
				      const char *expected, struct gt_blob *b, bool *existed)
{
	gt_auto(record) blob = RECORD_INIT;
	gt_auto(record) ingest = RECORD_INIT;
	gt_auto(gt_blob_info) info = { 0 };
	gt_autofree char *digest = NULL;
	gt_auto(name_lock) lock = NAME_LOCK_INIT;
	struct commit c = { .w = w, .blob = &blob, .ingest = &ingest, .object = b };

	GT_TRY(commit_digest(w, expected, &digest));
	GT_TRY(name_lock_share(w->l, call, 'c', digest, &lock));
	GT_TRY(commit_bytes(w, size, digest));
	w->done = true;
	GT_TRY(gt_content_info(w->content, call, digest, &info));
	b->info.digest = gt_xstrdup(digest);
	b->info.size = info.size;
	b->info.created_at = b->info.updated_at = local_time();
	GT_TRY(record_name(&blob, &blob_kind, &w->call, NULL, digest));
	GT_TRY(record_name(&ingest, &ingest_kind, &w->call, NULL, w->ingest.ref));
	GT_TRY(local_update(w->l, call, commit_records, &c));
	*existed = c.existed;
	return NULL;
}

static struct gt_error *commit(struct blob_writer *w, struct gt_call *call, int64_t size,
			       const char *expected, const struct gt_labels *labels, char **digest)
{
	gt_auto(gt_blob) b = { 0 };
	gt_auto(gt_arena) a = { 0 };
	Containerd__Events__ContentCreate *event;
	bool existed;

	GT_TRY(must_be_open(w));
	GT_TRY(labels_check(labels));
	labels_store(&b.labels, labels);
	if (!expected || !*expected)
		expected = *w->ingest.expected ? w->ingest.expected : NULL;
	GT_TRY(commit_locked(w, call, size, expected, &b, &existed));
	if (existed)
		return gt_error_new(GT_ALREADY_EXISTS, "content %s", b.info.digest);
	event = gt_arena_message(&a, &containerd__events__content_create__descriptor);
	event->digest = b.info.digest;
	event->size = b.info.size;
	local_publish(w->l, w->call.ns, "/content/create", &event->base);
	if (digest)
		*digest = gt_steal(&b.info.digest);
	return NULL;
}

static struct gt_error *writer_commit(struct gt_writer *base, int64_t size, const char *expected,
				      char **digest)
{
	struct blob_writer *w = writer_of(base);

	return commit(w, &w->call, size, expected, NULL, digest);
}

static const struct gt_writer_ops writer_ops = {
	.size = sizeof(writer_ops),
	.write = writer_write,
	.truncate = writer_truncate,
	.status = writer_status,
	.digest = writer_digest,
	.commit = writer_commit,
	.close = writer_close,
	.write_from = writer_write_from,
};

struct gt_error *ingest_commit(struct gt_services *s, struct gt_call *call, struct gt_writer *w,
			       int64_t size, const char *expected, const struct gt_labels *labels,
			       char **digest)
{
	if (w->ops != &writer_ops || writer_of(w)->l != local_of(s))
		return gt_error_new(GT_INVALID_ARGUMENT, "commit a writer of another service");
	if (strcmp(call->ns, writer_of(w)->call.ns))
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "commit a writer of another namespace, \"%s\"",
				    writer_of(w)->call.ns);
	return commit(writer_of(w), call, size, expected, labels, digest);
}

struct opening {
	const struct record *ingest;
	const struct record *blob; /* NULL: digest not known */
	struct blob_writer *w;
	struct ingest found;
	bool has_blob;
	bool is_leased; /* the call's lease has it, or there is none */
	bool was_taken; /* by a collection, before the lease had it */
};

static struct gt_error *opening_look(struct gt_txn *t, void *arg)
{
	struct opening *o = arg;

	o->has_blob = o->was_taken = false;
	if (o->blob)
		GT_TRY(record_exists(t, o->blob, &o->has_blob));
	if (o->has_blob)
		return lease_has(t, &o->w->call, "content", o->blob->name, &o->is_leased);
	return gt_error_unless(record_get(t, o->ingest, &o->found), GT_NOT_FOUND);
}

/* A blob that is there becomes the lease's. */
static struct gt_error *opening_keep(struct gt_txn *t, void *arg)
{
	struct opening *o = arg;

	GT_TRY(record_exists(t, o->blob, &o->has_blob));
	o->was_taken = !o->has_blob;
	return o->has_blob ? lease_note(t, &o->w->call, "content", o->blob->name) : NULL;
}

static struct gt_error *opening_note(struct gt_txn *t, void *arg)
{
	struct opening *o = arg;
	bool there;

	GT_TRY(record_exists(t, o->ingest, &there));
	if (there)
		GT_TRY(record_put(t, o->ingest, &o->w->ingest));
	else
		GT_TRY(record_add(t, o->ingest, &o->w->ingest));
	return lease_note(t, &o->w->call, "ingests", o->ingest->name);
}

/* Takes what is known of an ingest from its record and from who opens it. */
static void opening_merge(struct opening *o, const char *ref, const struct gt_descriptor *desc)
{
	struct ingest *i = &o->w->ingest;
	const char *expected = o->blob ? o->blob->name : o->found.expected;

	i->ref = gt_xstrdup(ref);
	i->backend = o->found.backend ? gt_xstrdup(o->found.backend) :
					gt_strf("%s/1/%s", o->w->call.ns, ref);
	i->expected = gt_xstrdup(expected ? expected : "");
	i->total = desc && desc->size > 0 ? desc->size : o->found.total;
	i->expire_at.tv_sec = local_time().tv_sec + KEPT_SECONDS;
	if (o->w->call.lease)
		i->expire_at = (struct timespec){ 0 };
}

static bool opening_is_new(const struct opening *o)
{
	const struct ingest *a = &o->found, *b = &o->w->ingest;

	return !a->ref || o->w->call.lease || a->total != b->total ||
	       strcmp(a->expected, b->expected) ||
	       a->expire_at.tv_sec < b->expire_at.tv_sec - RENEW_SECONDS;
}

/* Opens the content store's ingest, or finds that the bytes are here. */
static struct gt_error *opening_bytes(struct opening *o)
{
	struct blob_writer *w = o->w;
	gt_auto(gt_blob_info) info = { 0 };
	bool share = false;
	struct gt_error *e;

	if (o->blob)
		GT_TRY(blob_shareable(w->l, &w->call, o->blob->name, &share));
	e = gt_content_writer(w->content, &w->call, w->ingest.backend, w->ingest.total,
			      share ? o->blob->name : NULL, &w->inner);
	if (gt_error_class(e) != GT_ALREADY_EXISTS)
		return e;
	gt_error_free(e);
	GT_TRY(gt_content_info(w->content, &w->call, o->blob->name, &info));
	if (w->ingest.total && w->ingest.total != info.size)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "unexpected size %" PRId64 " of content %s, expected %" PRId64,
				    info.size, o->blob->name, w->ingest.total);
	w->ingest.total = info.size;
	w->started = local_time();
	return NULL;
}

static struct gt_error *opening_run(struct opening *o, const char *ref,
				    const struct gt_descriptor *desc)
{
	struct blob_writer *w = o->w;
	gt_auto(name_lock) lock = NAME_LOCK_INIT;

	do {
		GT_TRY(local_view(w->l, &w->call, opening_look, o));
		if (o->has_blob && !o->is_leased)
			GT_TRY(local_update(w->l, &w->call, opening_keep, o));
	} while (o->was_taken);
	if (o->has_blob)
		return record_error(o->blob, GT_ALREADY_EXISTS);
	opening_merge(o, ref, desc);
	GT_TRY(name_lock_share(w->l, &w->call, 'g', w->ingest.backend, &lock));
	if (o->blob)
		GT_TRY(name_lock_share(w->l, &w->call, 'c', o->blob->name, &lock));
	GT_TRY(opening_bytes(o));
	if (opening_is_new(o))
		return local_update(w->l, &w->call, opening_note, o);
	return NULL;
}

struct gt_error *ingest_writer(struct gt_services *s, struct gt_call *call, const char *ref,
			       const struct gt_descriptor *desc, struct gt_writer **out)
{
	gt_auto(record) ingest = RECORD_INIT;
	gt_auto(record) blob = RECORD_INIT;
	gt_autoptr(blob_writer) w = NULL;
	struct opening o = { .ingest = &ingest };
	struct gt_error *e;

	GT_TRY(record_name(&ingest, &ingest_kind, call, NULL, ref));
	if (desc && desc->digest && *desc->digest) {
		GT_TRY(gt_digest_check(desc->digest));
		GT_TRY(record_name(&blob, &blob_kind, call, NULL, desc->digest));
		o.blob = &blob;
	}
	w = gt_xcalloc(1, sizeof(*w));
	w->base.ops = &writer_ops;
	w->l = local_of(s);
	w->call = (struct gt_call)GT_CALL_INIT;
	w->call.ns = gt_xstrdup(call->ns);
	w->call.lease = call->lease && *call->lease ? gt_xstrdup(call->lease) : NULL;
	GT_TRY(gt_need_content(w->l->init, NULL, &w->content));
	o.w = w;
	e = opening_run(&o, ref, desc);
	ingest_done(&o.found);
	GT_TRY(e);
	*out = &gt_steal(&w)->base;
	return NULL;
}
