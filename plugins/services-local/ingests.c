/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of ingests, and what can be asked of them from outside. The writer is in writer.c.
 *
 * The content store has an ingest first, and its record comes then; it goes last. So an ingest without
 * record is what a dead process left, and a record without ingest is as good as none.
 */
#include <config.h>

#include "blobs.h"

#include "leases.h"

#include <gantry/log.h>
#include <wire/objects.h>

#include <string.h>

void ingest_done(struct ingest *i)
{
	free(i->ref);
	free(i->backend);
	free(i->expected);
	*i = (struct ingest){ 0 };
}

static ProtobufCMessage *ingest_encode(struct gt_arena *a, const void *object)
{
	const struct ingest *i = object;
	Gantry__Records__Ingest *m = gt_arena_message(a, &gantry__records__ingest__descriptor);

	m->ref = gt_wire_string(i->ref);
	m->backend = gt_wire_string(i->backend);
	m->expected = gt_wire_string(i->expected);
	m->total = i->total;
	m->expire_at = gt_wire_time(a, &i->expire_at);
	return &m->base;
}

static bool ingest_decode(const ProtobufCMessage *m, void *object)
{
	const Gantry__Records__Ingest *record = (const Gantry__Records__Ingest *)m;
	struct ingest *i = object;

	i->ref = gt_xstrdup(record->ref);
	i->backend = gt_xstrdup(record->backend);
	i->expected = gt_xstrdup(record->expected);
	i->total = record->total;
	i->expire_at = gt_wire_time_get(record->expire_at);
	return true;
}

static void ingest_clear(void *object)
{
	ingest_done(object);
}

static const char *ingest_field(const void *object, const struct gt_strv *path,
				struct gt_buf *scratch)
{
	const struct ingest *i = object;

	(void)scratch;
	return strcmp(path->v[0], "ref") ? NULL : i->ref;
}

const struct record_kind ingest_kind = {
	.key = KEY_INGEST,
	.what = "ingest",
	.size = sizeof(struct ingest),
	.message = &gantry__records__ingest__descriptor,
	.encode = ingest_encode,
	.decode = ingest_decode,
	.done = ingest_clear,
	.field = ingest_field,
};

static struct gt_error *add_backend(void *arg, struct gt_slice key, struct gt_slice value)
{
	gt_autowire ProtobufCMessage *m = NULL;

	(void)key;
	GT_TRY(gt_error_reclass(gt_wire_unpack(ingest_kind.message, value.data, value.len, &m),
				GT_DATA_LOSS));
	gt_strv_add(arg, ((const Gantry__Records__Ingest *)m)->backend);
	return NULL;
}

struct gt_error *ingest_backends(struct gt_txn *t, const char *ns, struct gt_strv *out)
{
	gt_auto(gt_buf) prefix = GT_BUF_INIT;

	key_set_prefix(&prefix, KEY_INGEST, ns, NULL);
	return gt_txn_scan(t, key_slice(&prefix), add_backend, out);
}

void ingest_drop_backends(struct local *l, struct gt_call *call, const struct gt_strv *backends)
{
	struct gt_content *c;
	struct gt_error *e = gt_need_content(l->init, NULL, &c);

	for (size_t i = 0; !e && i < backends->n; i++)
		gt_log_warn_take(gt_error_unless(gt_content_abort(c, call, backends->v[i]),
						 GT_NOT_FOUND),
				 "drop ingest %s", backends->v[i]);
	gt_log_warn_take(e, "drop ingests");
}

/* What the content store says of an ingest, under the name that its namespace has for it. */
static struct gt_error *status_of(struct local *l, struct gt_call *call, const struct ingest *i,
				  struct gt_ingest_info *out)
{
	struct gt_content *c;
	gt_auto(gt_ingest_info) info = { 0 };

	GT_TRY(gt_need_content(l->init, NULL, &c));
	GT_TRY(gt_content_status(c, call, i->backend, &info));
	free(info.ref);
	info.ref = gt_xstrdup(i->ref);
	if (!info.expected && *i->expected)
		info.expected = gt_xstrdup(i->expected);
	*out = info;
	info = (struct gt_ingest_info){ 0 };
	return NULL;
}

struct gt_error *ingest_status(struct gt_services *s, struct gt_call *call, const char *ref,
			       struct gt_ingest_info *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(ingest) i = { 0 };
	struct gt_error *e;

	GT_TRY(record_name(&r, &ingest_kind, call, NULL, ref));
	GT_TRY(records_get(local_of(s), call, &r, &i));
	e = status_of(local_of(s), call, &i, out);
	if (gt_error_class(e) != GT_NOT_FOUND)
		return e;
	gt_error_free(e);
	return record_error(&r, GT_NOT_FOUND);
}

struct visit {
	struct local *l;
	struct gt_call *call;
	struct gt_error *(*fn)(void *arg, const struct gt_ingest_info *i);
	void *arg;
};

static struct gt_error *visit(void *arg, const void *object)
{
	const struct visit *v = arg;
	gt_auto(gt_ingest_info) info = { 0 };
	struct gt_error *e = status_of(v->l, v->call, object, &info);

	return e ? gt_error_unless(e, GT_NOT_FOUND) : v->fn(v->arg, &info);
}

struct gt_error *ingest_list(struct gt_services *s, struct gt_call *call,
			     const struct gt_strv *filters,
			     struct gt_error *(*fn)(void *arg, const struct gt_ingest_info *i),
			     void *arg)
{
	struct visit v = { .l = local_of(s), .call = call, .fn = fn, .arg = arg };

	return records_list_all(local_of(s), call, &ingest_kind, filters, visit, &v);
}

struct removal {
	const struct record *r;
	const struct gt_call *call;
};

static struct gt_error *forget(struct gt_txn *t, void *arg)
{
	const struct removal *removal = arg;

	GT_TRY(record_remove(t, removal->r));
	return lease_forget(t, removal->call, "ingests", removal->r->name);
}

struct gt_error *ingest_abort(struct gt_services *s, struct gt_call *call, const char *ref)
{
	struct local *l = local_of(s);
	gt_auto(record) r = RECORD_INIT;
	gt_auto(ingest) i = { 0 };
	struct removal removal = { .r = &r, .call = call };
	struct gt_content *c;

	GT_TRY(record_name(&r, &ingest_kind, call, NULL, ref));
	GT_TRY(records_get(l, call, &r, &i));
	GT_TRY(gt_need_content(l->init, NULL, &c));
	GT_TRY(gt_error_unless(gt_content_abort(c, call, i.backend), GT_NOT_FOUND));
	GT_TRY(gt_error_unless(local_update(l, call, forget, &removal), GT_NOT_FOUND));
	if (*i.expected)
		blob_sweep(l, call, i.expected);
	return NULL;
}
