/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "leases.h"

#include "collection.h"
#include "fields.h"

#include <gantry/api-leases.h>
#include <gantry/content.h>
#include <wire/objects.h>

#include <string.h>
#include <sys/random.h>

static ProtobufCMessage *lease_encode(struct gt_arena *a, const void *object)
{
	Gantry__Records__Lease *m = gt_arena_message(a, &gantry__records__lease__descriptor);

	m->lease = gt_wire_lease(a, object);
	return &m->base;
}

static bool lease_decode(const ProtobufCMessage *m, void *object)
{
	const Gantry__Records__Lease *record = (const Gantry__Records__Lease *)m;

	if (!record->lease)
		return false;
	gt_wire_lease_get(record->lease, object);
	return true;
}

static void lease_clear(void *object)
{
	gt_lease_done(object);
}

static const char *lease_field(const void *object, const struct gt_strv *path,
			       struct gt_buf *scratch)
{
	const struct gt_lease *l = object;

	(void)scratch;
	if (!strcmp(path->v[0], "id"))
		return gt_filter_string(l->id);
	if (!strcmp(path->v[0], "labels"))
		return gt_filter_label(&l->labels, path, 1);
	return NULL;
}

const struct record_kind lease_kind = {
	.key = KEY_LEASE,
	.what = "lease",
	.quoted = true,
	.size = sizeof(struct gt_lease),
	.message = &gantry__records__lease__descriptor,
	.encode = lease_encode,
	.decode = lease_decode,
	.done = lease_clear,
	.field = lease_field,
};

/* As Go's clients make them: "N-BASE64", from the nanoseconds of the clock and three random bytes. */
static char *make_id(void)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char random[4] = { 0 };

	if (getrandom(random, sizeof(random), 0) < 0)
		random[0] = 0; /* the clock must do */
	return gt_strf("%ld-%c%c%c%c", local_time().tv_nsec, digits[random[0] % 62],
		       digits[random[1] % 62], digits[random[2] % 62], digits[random[3] % 62]);
}

static struct gt_error *create(struct gt_services *s, struct gt_call *call, const char *id,
			       const struct gt_labels *labels, struct gt_lease *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_lease) lease = { .created_at = local_time() };

	lease.id = id && *id ? gt_xstrdup(id) : make_id();
	GT_TRY(labels_check(labels));
	labels_store(&lease.labels, labels);
	GT_TRY(record_name(&r, &lease_kind, call, NULL, lease.id));
	GT_TRY(records_create(local_of(s), call, &r, &lease, NULL));
	*out = lease;
	lease = (struct gt_lease){ 0 };
	return NULL;
}

static struct gt_error *remove_all(struct gt_txn *t, void *arg)
{
	const struct record *r = arg;
	gt_auto(gt_buf) prefix = GT_BUF_INIT;

	GT_TRY(record_remove(t, r));
	key_set_prefix(&prefix, KEY_RESOURCE, r->ns, r->name, NULL);
	return prefix_remove(t, &prefix);
}

static struct gt_error *remove_lease(struct gt_services *s, struct gt_call *call, const char *id,
				     bool sync)
{
	gt_auto(record) r = RECORD_INIT;
	struct gt_collected went;

	GT_TRY(record_name(&r, &lease_kind, call, NULL, id));
	GT_TRY(local_update(local_of(s), call, remove_all, &r));
	return sync ? collect(local_of(s), call, 0, &went) : NULL;
}

struct visit {
	struct gt_error *(*fn)(void *arg, const struct gt_lease *l);
	void *arg;
};

static struct gt_error *visit(void *arg, const void *object)
{
	const struct visit *v = arg;

	return v->fn(v->arg, object);
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     const struct gt_strv *filters,
			     struct gt_error *(*fn)(void *arg, const struct gt_lease *l), void *arg)
{
	struct visit v = { .fn = fn, .arg = arg };

	return records_list_all(local_of(s), call, &lease_kind, filters, visit, &v);
}

static struct gt_error *type_check(const char *type, const char *id)
{
	if (!*id)
		return gt_error_new(GT_INVALID_ARGUMENT, "resource id must not be empty");
	if (!strcmp(type, "content"))
		return gt_digest_check(id);
	if (!strcmp(type, "ingests") || !strcmp(type, "images"))
		return NULL;
	if (!strncmp(type, "snapshots/", 10) && type[10] && !strchr(type + 10, '/'))
		return NULL;
	return gt_error_new(GT_UNIMPLEMENTED, "resource type \"%s\" not supported", type);
}

struct resource {
	struct record lease;
	struct gt_buf key;
};

static void resource_done(struct resource *r)
{
	record_done(&r->lease);
	gt_buf_done(&r->key);
}

static struct gt_error *resource_name(struct resource *r, const struct gt_call *call,
				      const char *lease, const char *type, const char *id)
{
	*r = (struct resource){ .lease = RECORD_INIT, .key = GT_BUF_INIT };
	GT_TRY(record_name(&r->lease, &lease_kind, call, NULL, lease));
	return gt_error_wrap(key_set(&r->key, KEY_RESOURCE, call->ns, lease, type, id, NULL),
			     "resource of lease \"%s\"", lease);
}

static struct gt_error *lease_must_exist(struct gt_txn *t, const struct record *lease)
{
	bool there;

	GT_TRY(record_exists(t, lease, &there));
	return there ? NULL : record_error(lease, GT_NOT_FOUND);
}

static struct gt_error *resource_add(struct gt_txn *t, void *arg)
{
	const struct resource *r = arg;
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_buf) b = GT_BUF_INIT;
	struct timespec now = local_time();
	Gantry__Records__Resource *m = gt_arena_message(&a, &gantry__records__resource__descriptor);

	GT_TRY(lease_must_exist(t, &r->lease));
	m->added_at = gt_wire_time(&a, &now);
	gt_wire_pack(&m->base, &b);
	GT_TRY(journal_note(t, key_slice(&r->key)));
	return gt_txn_put(t, key_slice(&r->key), key_slice(&b));
}

static struct gt_error *resource_drop(struct gt_txn *t, void *arg)
{
	const struct resource *r = arg;

	GT_TRY(lease_must_exist(t, &r->lease));
	GT_TRY(gt_error_unless(gt_txn_remove(t, key_slice(&r->key)), GT_NOT_FOUND));
	return journal_dirty(t, false);
}

static struct gt_error *resource_change(struct gt_services *s, struct gt_call *call,
					const char *lease, const char *type, const char *id,
					struct gt_error *(*fn)(struct gt_txn *, void *))
{
	gt_auto(resource) r = { .lease = RECORD_INIT, .key = GT_BUF_INIT };

	GT_TRY(type_check(type, id));
	GT_TRY(resource_name(&r, call, lease, type, id));
	return local_update(local_of(s), call, fn, &r);
}

static struct gt_error *add(struct gt_services *s, struct gt_call *call, const char *lease,
			    const char *type, const char *id)
{
	return resource_change(s, call, lease, type, id, resource_add);
}

static struct gt_error *drop(struct gt_services *s, struct gt_call *call, const char *lease,
			     const char *type, const char *id)
{
	return resource_change(s, call, lease, type, id, resource_drop);
}

struct gt_error *lease_note(struct gt_txn *t, const struct gt_call *call, const char *type,
			    const char *id)
{
	gt_auto(resource) r = { .lease = RECORD_INIT, .key = GT_BUF_INIT };

	if (!call->lease || !*call->lease)
		return NULL;
	GT_TRY(resource_name(&r, call, call->lease, type, id));
	return resource_add(t, &r);
}

struct gt_error *lease_has(struct gt_txn *t, const struct gt_call *call, const char *type,
			   const char *id, bool *out)
{
	gt_auto(resource) r = { .lease = RECORD_INIT, .key = GT_BUF_INIT };
	struct gt_slice value;
	struct gt_error *e;

	*out = true;
	if (!call->lease || !*call->lease)
		return NULL;
	GT_TRY(resource_name(&r, call, call->lease, type, id));
	e = gt_txn_get(t, key_slice(&r.key), &value);
	*out = !e;
	return gt_error_unless(e, GT_NOT_FOUND);
}

struct gt_error *lease_forget(struct gt_txn *t, const struct gt_call *call, const char *type,
			      const char *id)
{
	gt_auto(resource) r = { .lease = RECORD_INIT, .key = GT_BUF_INIT };

	if (!call->lease || !*call->lease)
		return NULL;
	GT_TRY(resource_name(&r, call, call->lease, type, id));
	return gt_error_unless(gt_txn_remove(t, key_slice(&r.key)), GT_NOT_FOUND);
}

struct listing {
	struct record lease;
	struct gt_buf prefix;
	struct gt_strv found; /* type and id, in turns */
};

static struct gt_error *listing_add(void *arg, struct gt_slice key, struct gt_slice value)
{
	struct listing *l = arg;
	const char *type = (const char *)key.data + l->prefix.len;
	size_t len = key.len - l->prefix.len, type_len = strnlen(type, len);

	(void)value;
	if (type_len == len)
		return NULL;
	gt_strv_add_take(&l->found, gt_xstrndup(type, type_len));
	gt_strv_add_take(&l->found, gt_xstrndup(type + type_len + 1, len - type_len - 1));
	return NULL;
}

static struct gt_error *listing_fill(struct gt_txn *t, void *arg)
{
	struct listing *l = arg;

	GT_TRY(lease_must_exist(t, &l->lease));
	return gt_txn_scan(t, key_slice(&l->prefix), listing_add, l);
}

static void listing_done(struct listing *l)
{
	record_done(&l->lease);
	gt_buf_done(&l->prefix);
	gt_strv_done(&l->found);
}

static struct gt_error *resources(struct gt_services *s, struct gt_call *call, const char *lease,
				  struct gt_error *(*fn)(void *arg, const char *type,
							 const char *id),
				  void *arg)
{
	gt_auto(listing) l = { .lease = RECORD_INIT, .prefix = GT_BUF_INIT };

	GT_TRY(record_name(&l.lease, &lease_kind, call, NULL, lease));
	key_set_prefix(&l.prefix, KEY_RESOURCE, call->ns, lease, NULL);
	GT_TRY(local_view(local_of(s), call, listing_fill, &l));
	for (size_t i = 0; i + 1 < l.found.n; i += 2)
		GT_TRY(fn(arg, l.found.v[i], l.found.v[i + 1]));
	return NULL;
}

const struct gt_leases_ops local_leases = {
	.size = sizeof(local_leases),
	.create = create,
	.remove = remove_lease,
	.list = list,
	.add = add,
	.drop = drop,
	.resources = resources,
};
