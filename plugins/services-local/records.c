/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "records.h"

#include "gc-journal.h"
#include "leases.h"
#include "namespaces.h"

#include <gantry/metadata.h>
#include <wire/values.h>

#include <string.h>

/* How many objects a listing holds at a time. */
#define LIST_BATCH 256

struct gt_error *record_name(struct record *r, const struct record_kind *kind,
			     const struct gt_call *call, const char *scope, const char *name)
{
	GT_TRY(gt_call_namespace(call));
	if (!name || !*name)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s name must not be empty", kind->what);
	r->kind = kind;
	r->ns = call->ns;
	r->name = name;
	if (scope)
		return gt_error_wrap(key_set(&r->key, kind->key, call->ns, scope, name, NULL),
				     "%s", kind->what);
	return gt_error_wrap(key_set(&r->key, kind->key, call->ns, name, NULL), "%s", kind->what);
}

void record_done(struct record *r)
{
	gt_buf_done(&r->key);
}

struct gt_error *record_error(const struct record *r, enum gt_class cls)
{
	gt_auto(gt_buf) name = GT_BUF_INIT;

	if (r->kind->quoted)
		gt_buf_addq(&name, r->name);
	else
		gt_buf_adds(&name, r->name);
	if (cls == GT_NOT_FOUND && r->kind->in_namespace)
		return gt_error_new(cls, "%s %s in namespace \"%s\"", r->kind->what, name.s, r->ns);
	return gt_error_new(cls, "%s %s", r->kind->what, name.s);
}

struct gt_error *record_decode(const struct record_kind *kind, struct gt_slice value, void *object)
{
	gt_autowire ProtobufCMessage *m = NULL;

	GT_TRY(gt_error_wrap(gt_error_reclass(gt_wire_unpack(kind->message, value.data, value.len,
							     &m),
					      GT_DATA_LOSS),
			     "record of %s", kind->what));
	if (!kind->decode(m, object))
		return gt_error_new(GT_DATA_LOSS, "record of %s lacks its object", kind->what);
	return NULL;
}

struct gt_error *record_get(struct gt_txn *t, const struct record *r, void *object)
{
	struct gt_slice value;
	struct gt_error *e = gt_txn_get(t, key_slice(&r->key), &value);

	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		return record_error(r, GT_NOT_FOUND);
	}
	GT_TRY(e);
	return record_decode(r->kind, value, object);
}

struct gt_error *record_exists(struct gt_txn *t, const struct record *r, bool *out)
{
	struct gt_slice value;
	struct gt_error *e = gt_txn_get(t, key_slice(&r->key), &value);

	*out = !e;
	return gt_error_unless(e, GT_NOT_FOUND);
}

struct gt_error *record_put(struct gt_txn *t, const struct record *r, const void *object)
{
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_buf) b = GT_BUF_INIT;

	gt_wire_pack(r->kind->encode(&a, object), &b);
	GT_TRY(journal_note(t, key_slice(&r->key)));
	return gt_txn_put(t, key_slice(&r->key), key_slice(&b));
}

struct gt_error *record_add(struct gt_txn *t, const struct record *r, const void *object)
{
	bool there;

	GT_TRY(record_exists(t, r, &there));
	if (there)
		return record_error(r, GT_ALREADY_EXISTS);
	GT_TRY(namespace_touch(t, r->ns));
	return record_put(t, r, object);
}

struct gt_error *record_remove(struct gt_txn *t, const struct record *r)
{
	struct gt_error *e = gt_txn_remove(t, key_slice(&r->key));

	if (!e)
		return journal_dirty(t, false);
	if (gt_error_class(e) != GT_NOT_FOUND)
		return e;
	gt_error_free(e);
	return record_error(r, GT_NOT_FOUND);
}

struct gt_error *prefix_used(struct gt_txn *t, const struct gt_buf *prefix, bool *out)
{
	struct gt_slice key, value;
	struct gt_error *e = gt_txn_seek(t, key_slice(prefix), key_slice(prefix), &key, &value);

	*out = !e;
	return gt_error_unless(e, GT_NOT_FOUND);
}

struct gt_error *prefix_remove(struct gt_txn *t, const struct gt_buf *prefix)
{
	struct gt_slice key, value;
	struct gt_error *e;

	while (!(e = gt_txn_seek(t, key_slice(prefix), key_slice(prefix), &key, &value))) {
		gt_auto(gt_buf) copy = GT_BUF_INIT;

		gt_buf_add(&copy, key.data, key.len);
		GT_TRY(gt_txn_remove(t, key_slice(&copy)));
	}
	return gt_error_unless(e, GT_NOT_FOUND);
}

struct gt_error *local_update(struct local *l, struct gt_call *call,
			      struct gt_error *(*fn)(struct gt_txn *, void *), void *arg)
{
	struct gt_metadata *m;

	GT_TRY(gt_need_metadata(l->init, NULL, &m));
	return gt_metadata_update(m, call, fn, arg);
}

struct gt_error *local_view(struct local *l, struct gt_call *call,
			    struct gt_error *(*fn)(struct gt_txn *, void *), void *arg)
{
	struct gt_metadata *m;

	GT_TRY(gt_need_metadata(l->init, NULL, &m));
	return gt_metadata_view(m, call, fn, arg);
}

struct one {
	const struct record *r;
	void *object;
	const void *given;
	const struct gt_call *call;
	const char *type;
	struct gt_error *(*change)(void *object, const void *arg);
	const void *arg;
};

static struct gt_error *get_one(struct gt_txn *t, void *arg)
{
	struct one *o = arg;

	return record_get(t, o->r, o->object);
}

struct gt_error *records_get(struct local *l, struct gt_call *call, const struct record *r,
			     void *object)
{
	struct one o = { .r = r, .object = object };

	return local_view(l, call, get_one, &o);
}

static struct gt_error *create_one(struct gt_txn *t, void *arg)
{
	struct one *o = arg;

	GT_TRY(record_add(t, o->r, o->given));
	return o->type ? lease_note(t, o->call, o->type, o->r->name) : NULL;
}

struct gt_error *records_create(struct local *l, struct gt_call *call, const struct record *r,
				const void *object, const char *type)
{
	struct one o = { .r = r, .given = object, .call = call, .type = type };

	return local_update(l, call, create_one, &o);
}

static struct gt_error *change_one(struct gt_txn *t, void *arg)
{
	struct one *o = arg;

	o->r->kind->done(o->object); /* of an earlier run */
	GT_TRY(record_get(t, o->r, o->object));
	GT_TRY(o->change(o->object, o->arg));
	GT_TRY(record_put(t, o->r, o->object));
	return journal_dirty(t, false); /* it may refer to less than before */
}

struct gt_error *records_change(struct local *l, struct gt_call *call, const struct record *r,
				struct gt_error *(*change)(void *object, const void *arg),
				const void *arg, void *object)
{
	struct one o = { .r = r, .object = object, .change = change, .arg = arg };
	struct gt_error *e = local_update(l, call, change_one, &o);

	if (e)
		r->kind->done(object);
	return e;
}

static struct gt_error *remove_one(struct gt_txn *t, void *arg)
{
	struct one *o = arg;

	return record_remove(t, o->r);
}

struct gt_error *records_remove(struct local *l, struct gt_call *call, const struct record *r)
{
	struct one o = { .r = r };

	return local_update(l, call, remove_one, &o);
}

struct batch {
	const struct record_kind *kind;
	const struct gt_buf *prefix;
	const struct gt_filter *filter;
	struct gt_buf from;
	unsigned char *objects;
	size_t n;
	bool more;
};

static void batch_clear(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		b->kind->done(b->objects + i * b->kind->size);
	memset(b->objects, 0, b->n * b->kind->size);
	b->n = 0;
}

static struct gt_error *batch_fill(struct gt_txn *t, void *arg)
{
	struct batch *b = arg;
	struct gt_slice key, value;
	struct gt_error *e;

	batch_clear(b);
	b->more = true;
	while (b->n < LIST_BATCH) {
		void *object = b->objects + b->n * b->kind->size;

		e = gt_txn_seek(t, key_slice(b->prefix), key_slice(&b->from), &key, &value);
		if (e) {
			b->more = false;
			return gt_error_unless(e, GT_NOT_FOUND);
		}
		gt_buf_setlen(&b->from, 0);
		gt_buf_add(&b->from, key.data, key.len);
		gt_buf_addc(&b->from, '\0');
		GT_TRY(record_decode(b->kind, value, object));
		if (!b->filter || gt_filter_matches(b->filter, b->kind->field, object)) {
			b->n++;
		} else {
			b->kind->done(object);
			memset(object, 0, b->kind->size);
		}
	}
	return NULL;
}

static struct gt_error *batch_run(struct local *l, struct gt_call *call, struct batch *b,
				  struct gt_error *(*fn)(void *arg, const void *object), void *arg)
{
	do {
		GT_TRY(gt_call_check(call));
		GT_TRY(local_view(l, call, batch_fill, b));
		for (size_t i = 0; i < b->n; i++)
			GT_TRY(fn(arg, b->objects + i * b->kind->size));
	} while (b->more);
	return NULL;
}

struct gt_error *records_list(struct local *l, struct gt_call *call,
			      const struct record_kind *kind, const struct gt_buf *prefix,
			      const struct gt_strv *filters,
			      struct gt_error *(*fn)(void *arg, const void *object), void *arg)
{
	gt_autoptr(gt_filter) filter = NULL;
	struct batch b = { .kind = kind, .prefix = prefix, .from = GT_BUF_INIT };
	struct gt_error *e;

	if (filters && filters->n) {
		GT_TRY(gt_filter_parse(filters, &filter));
		b.filter = filter;
	}
	b.objects = gt_xcalloc(LIST_BATCH, kind->size);
	gt_buf_add(&b.from, prefix->s, prefix->len);
	e = batch_run(l, call, &b, fn, arg);
	batch_clear(&b);
	free(b.objects);
	gt_buf_done(&b.from);
	return e;
}

struct gt_error *records_list_all(struct local *l, struct gt_call *call,
				  const struct record_kind *kind, const struct gt_strv *filters,
				  struct gt_error *(*fn)(void *arg, const void *object), void *arg)
{
	gt_auto(gt_buf) prefix = GT_BUF_INIT;

	GT_TRY(gt_call_namespace(call));
	key_set_prefix(&prefix, kind->key, call->ns, NULL);
	return records_list(l, call, kind, &prefix, filters, fn, arg);
}
