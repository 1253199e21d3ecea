/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "blobs.h"

#include "fields.h"
#include "gc-journal.h"
#include "leases.h"
#include "namespaces.h"

#include <gantry/log.h>
#include <wire/objects.h>

#include "containerd.events.pb-c.h"

#include <inttypes.h>
#include <string.h>

static ProtobufCMessage *blob_encode(struct gt_arena *a, const void *object)
{
	Gantry__Records__Blob *m = gt_arena_message(a, &gantry__records__blob__descriptor);

	m->info = gt_wire_blob(a, object);
	return &m->base;
}

static bool blob_decode(const ProtobufCMessage *m, void *object)
{
	const Gantry__Records__Blob *record = (const Gantry__Records__Blob *)m;

	if (!record->info)
		return false;
	gt_wire_blob_get(record->info, object);
	return true;
}

static void blob_clear(void *object)
{
	gt_blob_done(object);
}

static const char *blob_field(const void *object, const struct gt_strv *path,
			      struct gt_buf *scratch)
{
	const struct gt_blob *b = object;

	if (!strcmp(path->v[0], "digest"))
		return b->info.digest;
	if (!strcmp(path->v[0], "labels"))
		return gt_filter_label(&b->labels, path, 1);
	if (strcmp(path->v[0], "size"))
		return NULL;
	gt_buf_addf(scratch, "%" PRId64, b->info.size);
	return scratch->s;
}

const struct record_kind blob_kind = {
	.key = KEY_BLOB,
	.what = "content",
	.size = sizeof(struct gt_blob),
	.message = &gantry__records__blob__descriptor,
	.encode = blob_encode,
	.decode = blob_decode,
	.done = blob_clear,
	.field = blob_field,
};

static struct gt_error *info(struct gt_services *s, struct gt_call *call, const char *digest,
			     struct gt_blob *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_blob) b = { 0 };

	GT_TRY(record_name(&r, &blob_kind, call, NULL, digest));
	GT_TRY(records_get(local_of(s), call, &r, &b));
	*out = b;
	b = (struct gt_blob){ 0 };
	return NULL;
}

struct change {
	const struct gt_labels *labels;
	const struct gt_strv *mask;
};

static struct gt_error *change(void *object, const void *arg)
{
	struct gt_blob *b = object;
	const struct change *c = arg;

	if (!c->mask || !c->mask->n)
		labels_store(&b->labels, c->labels);
	for (size_t i = 0; c->mask && i < c->mask->n; i++)
		if (!mask_labels(c->mask->v[i], "labels", &b->labels, c->labels))
			return mask_refused(c->mask->v[i], b->info.digest);
	GT_TRY(labels_check(&b->labels));
	b->info.updated_at = local_time();
	return NULL;
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call, const char *digest,
			       const struct gt_labels *labels, const struct gt_strv *mask,
			       struct gt_blob *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_blob) b = { 0 };
	struct change c = { .labels = labels, .mask = mask };

	GT_TRY(record_name(&r, &blob_kind, call, NULL, digest));
	GT_TRY(records_change(local_of(s), call, &r, change, &c, &b));
	if (out) {
		*out = b;
		b = (struct gt_blob){ 0 };
	}
	return NULL;
}

struct visit {
	struct gt_error *(*fn)(void *arg, const struct gt_blob *b);
	void *arg;
};

static struct gt_error *visit(void *arg, const void *object)
{
	const struct visit *v = arg;

	return v->fn(v->arg, object);
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     const struct gt_strv *filters,
			     struct gt_error *(*fn)(void *arg, const struct gt_blob *b), void *arg)
{
	struct visit v = { .fn = fn, .arg = arg };

	return records_list_all(local_of(s), call, &blob_kind, filters, visit, &v);
}

static struct gt_error *reader(struct gt_services *s, struct gt_call *call, const char *digest,
			       struct gt_reader **out)
{
	gt_auto(gt_blob) b = { 0 };
	struct gt_content *c;

	GT_TRY(info(s, call, digest, &b));
	GT_TRY(gt_need_content(local_of(s)->init, NULL, &c));
	return gt_content_reader(c, call, digest, out);
}

struct removal {
	const struct record *r;
	const struct gt_call *call;
};

static struct gt_error *forget(struct gt_txn *t, void *arg)
{
	const struct removal *removal = arg;

	GT_TRY(record_remove(t, removal->r));
	GT_TRY(note_drop(t, removal->call->ns, removal->r->name));
	return lease_forget(t, removal->call, "content", removal->r->name);
}

static struct gt_error *remove_blob(struct gt_services *s, struct gt_call *call,
				    const char *digest)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_arena) a = { 0 };
	struct removal removal = { .r = &r, .call = call };
	Containerd__Events__ContentDelete *event;

	GT_TRY(record_name(&r, &blob_kind, call, NULL, digest));
	GT_TRY(local_update(local_of(s), call, forget, &removal));
	event = gt_arena_message(&a, &containerd__events__content_delete__descriptor);
	event->digest = (char *)digest;
	local_publish(local_of(s), call->ns, "/content/delete", &event->base);
	blob_sweep(local_of(s), call, digest);
	return NULL;
}

/* Whether a namespace that shares has a blob. */
struct sharing {
	const char *digest;
	bool found;
};

static struct gt_error *namespaces_have(struct gt_txn *t, const struct gt_strv *names,
					const char *digest, bool *out)
{
	*out = false;
	for (size_t i = 0; i < names->n && !*out; i++) {
		gt_auto(gt_buf) key = GT_BUF_INIT;
		struct gt_slice value;
		struct gt_error *e;

		GT_TRY(key_set(&key, KEY_BLOB, names->v[i], digest, NULL));
		e = gt_txn_get(t, key_slice(&key), &value);
		*out = !e;
		GT_TRY(gt_error_unless(e, GT_NOT_FOUND));
	}
	return NULL;
}

static struct gt_error *sharing_find(struct gt_txn *t, void *arg)
{
	struct sharing *s = arg;
	gt_auto(gt_strv) names = { 0 };

	GT_TRY(namespace_names(t, true, &names));
	return namespaces_have(t, &names, s->digest, &s->found);
}

struct gt_error *blob_shareable(struct local *l, struct gt_call *call, const char *digest,
				bool *out)
{
	struct sharing s = { .digest = digest };

	*out = true;
	if (!strcmp(l->config->content_sharing, "shared"))
		return NULL;
	GT_TRY(local_view(l, call, sharing_find, &s));
	*out = s.found;
	return NULL;
}

/* Blobs that are looked at together: their locks are held while their files are deleted. */
#define DELETE_BATCH 64

struct deletion {
	const char *digests[DELETE_BATCH];
	bool kept[DELETE_BATCH];
	size_t n;
};

static struct gt_error *ingest_expects(void *arg, struct gt_slice key, struct gt_slice value)
{
	struct deletion *d = arg;
	gt_autowire ProtobufCMessage *m = NULL;
	const char *expected;

	(void)key;
	GT_TRY(gt_error_reclass(gt_wire_unpack(ingest_kind.message, value.data, value.len, &m),
				GT_DATA_LOSS));
	expected = ((const Gantry__Records__Ingest *)m)->expected;
	for (size_t i = 0; *expected && i < d->n; i++)
		d->kept[i] |= !strcmp(d->digests[i], expected);
	return NULL;
}

static struct gt_error *deletion_look(struct gt_txn *t, void *arg)
{
	struct deletion *d = arg;
	gt_auto(gt_strv) names = { 0 };
	gt_auto(gt_buf) prefix = GT_BUF_INIT;

	GT_TRY(namespace_names(t, false, &names));
	for (size_t i = 0; i < d->n; i++)
		GT_TRY(namespaces_have(t, &names, d->digests[i], &d->kept[i]));
	key_set_prefix(&prefix, KEY_INGEST, NULL);
	return gt_txn_scan(t, key_slice(&prefix), ingest_expects, d);
}

static struct gt_error *delete_bytes(struct gt_content *c, struct gt_call *call, const char *digest,
				     struct gt_collected *out)
{
	gt_auto(gt_blob_info) info = { 0 };
	struct gt_error *e = gt_content_info(c, call, digest, &info);

	if (!e)
		e = gt_content_remove(c, call, digest);
	if (!e)
		out->freed += info.size;
	return gt_error_unless(e, GT_NOT_FOUND);
}

static struct gt_error *deletion_run(struct local *l, struct gt_call *call, struct deletion *d,
				     struct name_lock *lock, struct gt_collected *out)
{
	struct gt_content *c;

	GT_TRY(gt_need_content(l->init, NULL, &c));
	GT_TRY(local_view(l, call, deletion_look, d));
	for (size_t i = 0; i < d->n; i++) {
		if (!d->kept[i])
			GT_TRY(delete_bytes(c, call, d->digests[i], out));
		name_lock_drop(lock, 'c', d->digests[i]);
	}
	return NULL;
}

struct gt_error *blobs_delete(struct local *l, struct gt_call *call, const struct gt_strv *digests,
			      struct gt_collected *out, bool *missed)
{
	for (size_t at = 0; at < digests->n;) {
		gt_auto(name_lock) lock = NAME_LOCK_INIT;
		struct deletion d = { .n = 0 };

		for (; at < digests->n && d.n < DELETE_BATCH; at++) {
			bool mine;

			GT_TRY(name_lock_try(l, 'c', digests->v[at], &lock, &mine));
			if (mine)
				d.digests[d.n++] = digests->v[at];
			*missed |= !mine;
		}
		GT_TRY(deletion_run(l, call, &d, &lock, out));
	}
	return NULL;
}

static struct gt_error *note_missed(struct gt_txn *t, void *arg)
{
	(void)arg;
	return journal_dirty(t, true);
}

void blob_sweep(struct local *l, struct gt_call *call, const char *digest)
{
	gt_auto(gt_strv) one = { 0 };
	struct gt_collected out = { 0 };
	struct gt_call last = GT_CALL_INIT;
	bool missed = false;
	struct gt_error *e;

	gt_strv_add(&one, digest);
	e = blobs_delete(l, call, &one, &out, &missed);
	if (e || missed)
		gt_log_warn_take(local_update(l, &last, note_missed, NULL), "note a search");
	gt_log_warn_take(e, "delete the bytes of content %s", digest);
}

const struct gt_blobs_ops local_blobs = {
	.size = sizeof(local_blobs),
	.info = info,
	.update = update,
	.list = list,
	.remove = remove_blob,
	.reader = reader,
	.writer = ingest_writer,
	.commit = ingest_commit,
	.status = ingest_status,
	.list_ingests = ingest_list,
	.abort = ingest_abort,
	.note = blob_note,
	.set_notes = blob_set_notes,
};
