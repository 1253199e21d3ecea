/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "blobs.h"

#include "fields.h"
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

/* Who has, or expects, a blob. */
struct owners {
	const char *digest;
	bool shareable; /* look at those namespaces alone that share */
	bool found;
};

static struct gt_error *ingest_expects(void *arg, struct gt_slice key, struct gt_slice value)
{
	struct owners *o = arg;
	gt_autowire ProtobufCMessage *m = NULL;

	(void)key;
	GT_TRY(gt_error_reclass(gt_wire_unpack(ingest_kind.message, value.data, value.len, &m),
				GT_DATA_LOSS));
	o->found |= !strcmp(((const Gantry__Records__Ingest *)m)->expected, o->digest);
	return NULL;
}

static struct gt_error *owners_find(struct gt_txn *t, void *arg)
{
	struct owners *o = arg;
	gt_auto(gt_strv) names = { 0 };
	gt_auto(gt_buf) prefix = GT_BUF_INIT;

	o->found = false;
	GT_TRY(namespace_names(t, o->shareable, &names));
	for (size_t i = 0; i < names.n && !o->found; i++) {
		gt_auto(record) r = RECORD_INIT;
		struct gt_call call = GT_CALL_INIT;

		call.ns = names.v[i];
		GT_TRY(record_name(&r, &blob_kind, &call, NULL, o->digest));
		GT_TRY(record_exists(t, &r, &o->found));
	}
	if (o->found || o->shareable)
		return NULL;
	key_set_prefix(&prefix, KEY_INGEST, NULL);
	return gt_txn_scan(t, key_slice(&prefix), ingest_expects, o);
}

struct gt_error *blob_shareable(struct local *l, struct gt_call *call, const char *digest,
				bool *out)
{
	struct owners o = { .digest = digest, .shareable = true };

	*out = true;
	if (!strcmp(l->config->content_sharing, "shared"))
		return NULL;
	GT_TRY(local_view(l, call, owners_find, &o));
	*out = o.found;
	return NULL;
}

static struct gt_error *sweep(struct local *l, struct gt_call *call, const char *digest)
{
	struct owners o = { .digest = digest };
	gt_autofd int alone = -1;
	struct gt_content *c;

	GT_TRY(gt_need_content(l->init, NULL, &c));
	GT_TRY(local_lock_alone(l, call, &alone));
	GT_TRY(local_view(l, call, owners_find, &o));
	if (o.found)
		return NULL;
	return gt_error_unless(gt_content_remove(c, call, digest), GT_NOT_FOUND);
}

void blob_sweep(struct local *l, struct gt_call *call, const char *digest)
{
	gt_log_warn_take(sweep(l, call, digest), "delete the bytes of content %s", digest);
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
};
