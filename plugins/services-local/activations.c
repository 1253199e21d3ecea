/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts service: a record says what is mounted, and is there before anything is. Who makes or ends one
 * has the lock of its name, so a record that is not made and not locked is a dead process's.
 */
#include <config.h>

#include "activations.h"

#include "fields.h"
#include "leases.h"
#include "records.h"

#include <gantry/log.h>
#include <wire/objects.h>

#include <string.h>
#include <time.h>

#define LOCKED_WAIT_NS 20000000

static ProtobufCMessage *activation_encode(struct gt_arena *a, const void *object)
{
	Gantry__Records__Activation *m = gt_arena_message(a, &gantry__records__activation__descriptor);
	const struct activation *x = object;

	m->info = gt_wire_activation(a, &x->info);
	m->lease = gt_wire_string(x->lease);
	m->seq = x->seq;
	m->made = x->made;
	return &m->base;
}

static bool activation_decode(const ProtobufCMessage *base, void *object)
{
	const Gantry__Records__Activation *m = (const void *)base;
	struct activation *x = object;

	if (!m->info)
		return false;
	gt_wire_activation_get(m->info, &x->info);
	x->lease = gt_xstrdup(m->lease);
	x->seq = m->seq;
	x->made = m->made;
	return true;
}

static void activation_clear(void *object)
{
	struct activation *x = object;

	gt_activation_done(&x->info);
	free(x->lease);
	*x = (struct activation){ 0 };
}

static void activation_done(struct activation *x)
{
	activation_clear(x);
}

static const char *activation_field(const void *object, const struct gt_strv *path,
				    struct gt_buf *scratch)
{
	const struct activation *x = object;

	(void)scratch;
	if (!strcmp(path->v[0], "name"))
		return gt_filter_string(x->info.name);
	if (!strcmp(path->v[0], "labels"))
		return gt_filter_label(&x->info.labels, path, 1);
	return NULL;
}

static const struct record_kind activation_kind = {
	.key = KEY_ACTIVATION,
	.what = "mount",
	.quoted = true,
	.size = sizeof(struct activation),
	.message = &gantry__records__activation__descriptor,
	.encode = activation_encode,
	.decode = activation_decode,
	.done = activation_clear,
	.field = activation_field,
};

/* The lock of a name, for who makes or ends what goes by it; waits as long as the call lasts. */
static struct gt_error *name_lock(struct local *l, struct gt_call *call, const char *name,
				  struct name_lock *lock)
{
	gt_autofree char *whole = gt_strf("%s/%s", call->ns, name);
	bool got = false;

	for (;;) {
		GT_TRY(gt_call_check(call));
		GT_TRY(name_lock_try(l, 'm', whole, lock, &got));
		if (got)
			return NULL;
		nanosleep(&(struct timespec){ .tv_nsec = LOCKED_WAIT_NS }, NULL);
	}
}

/* With the lock: one that nobody finished, or that a reboot ended, makes room. */
static struct gt_error *stale_remove(struct local *l, struct gt_call *call, const struct record *r)
{
	gt_auto(activation) x = { 0 };
	struct gt_error *e = records_get(l, call, r, &x);

	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		return NULL;
	}
	GT_TRY(e);
	if (x.made && activation_is_there(l, &x))
		return record_error(r, GT_ALREADY_EXISTS);
	GT_TRY(activation_unmake(l, &x));
	return gt_error_unless(records_remove(l, call, r), GT_NOT_FOUND);
}

/* --- the service's ops --------------------------------------------------------------------------- */

static struct gt_error *made_change(void *object, const void *arg)
{
	struct activation *now = object;
	const struct activation *made = arg;
	gt_auto(gt_arena) a = { 0 };

	gt_activation_done(&now->info);
	gt_wire_activation_get(gt_wire_activation(&a, &made->info), &now->info);
	now->made = true;
	return NULL;
}

static void info_give(struct activation *x, struct gt_activation *out)
{
	if (!out)
		return;
	*out = x->info;
	x->info = (struct gt_activation){ 0 };
}

static struct gt_error *create(struct gt_services *s, struct gt_call *call, const char *name,
			       const struct gt_mounts *mounts, const struct gt_labels *labels,
			       bool temporary, struct gt_activation *out)
{
	struct local *l = local_of(s);
	gt_auto(record) r = RECORD_INIT;
	gt_auto(name_lock) lock = NAME_LOCK_INIT;
	gt_auto(activation) x = { 0 };
	gt_auto(activation) stored = { 0 };
	struct gt_call undo = GT_CALL_INIT;
	struct gt_error *e;
	size_t n;

	GT_TRY(labels_check(labels));
	GT_TRY(activation_plan(name, mounts, temporary, &n));
	GT_TRY(record_name(&r, &activation_kind, call, NULL, name));
	GT_TRY(name_lock(l, call, name, &lock));
	GT_TRY(stale_remove(l, call, &r));
	x.info.name = gt_xstrdup(name);
	labels_store(&x.info.labels, labels);
	x.lease = gt_xstrdup(call->lease ? call->lease : "");
	x.seq = local_sequence(l);
	GT_TRY(records_create(l, call, &r, &x, NULL));
	e = activation_make(l, call, mounts, n, temporary, &x);
	if (!e) {
		e = records_change(l, call, &r, made_change, &x, &stored);
		if (e)
			gt_log_warn_take(activation_unmake(l, &x), "mount \"%s\"", name);
	}
	if (!e) {
		info_give(&x, out);
		return NULL;
	}
	undo.ns = call->ns; /* also when the call has ended */
	if (!activation_is_there(l, &x))
		gt_log_warn_take(records_remove(l, &undo, &r), "mount \"%s\"", name);
	return e;
}

static struct gt_error *end(struct local *l, struct gt_call *call, const char *name)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(name_lock) lock = NAME_LOCK_INIT;
	gt_auto(activation) x = { 0 };

	GT_TRY(record_name(&r, &activation_kind, call, NULL, name));
	GT_TRY(name_lock(l, call, name, &lock));
	GT_TRY(records_get(l, call, &r, &x));
	GT_TRY(gt_error_wrap(activation_unmake(l, &x), "mount \"%s\"", name));
	return records_remove(l, call, &r);
}

static struct gt_error *remove_one(struct gt_services *s, struct gt_call *call, const char *name)
{
	return end(local_of(s), call, name);
}

static struct gt_error *get(struct gt_services *s, struct gt_call *call, const char *name,
			    struct gt_activation *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(activation) x = { 0 };

	GT_TRY(record_name(&r, &activation_kind, call, NULL, name));
	GT_TRY(records_get(local_of(s), call, &r, &x));
	if (!x.made || !activation_is_there(local_of(s), &x))
		return record_error(&r, GT_NOT_FOUND);
	info_give(&x, out);
	return NULL;
}

struct change {
	const struct gt_activation *given;
	const struct gt_strv *mask;
};

static struct gt_error *change(void *object, const void *arg)
{
	struct activation *x = object;
	const struct change *c = arg;
	bool masked = c->mask && c->mask->n;

	for (size_t i = 0; i < (masked ? c->mask->n : 1); i++) {
		const char *path = masked ? c->mask->v[i] : "labels";

		if (!mask_labels(path, "labels", &x->info.labels, &c->given->labels))
			return mask_refused(path, x->info.name);
	}
	return labels_check(&x->info.labels);
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call,
			       const struct gt_activation *given, const struct gt_strv *mask,
			       struct gt_activation *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(activation) x = { 0 };
	struct change arg = { given, mask };

	GT_TRY(record_name(&r, &activation_kind, call, NULL, given->name));
	GT_TRY(records_change(local_of(s), call, &r, change, &arg, &x));
	info_give(&x, out);
	return NULL;
}

struct listing {
	struct local *l;
	struct gt_error *(*fn)(void *arg, const struct gt_activation *a);
	void *arg;
};

static struct gt_error *listed(void *arg, const void *object)
{
	const struct listing *v = arg;
	const struct activation *x = object;

	return x->made && activation_is_there(v->l, x) ? v->fn(v->arg, &x->info) : NULL;
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     const struct gt_strv *filters,
			     struct gt_error *(*fn)(void *arg, const struct gt_activation *a), void *arg)
{
	struct listing v = { local_of(s), fn, arg };

	return records_list_all(local_of(s), call, &activation_kind, filters, listed, &v);
}

/* --- with their leases ----------------------------------------------------------------------------- */

struct ended {
	struct gt_strv ns, names;
};

static struct gt_error *ended_see(struct gt_txn *t, struct gt_slice key, struct gt_slice value,
				  struct ended *all)
{
	gt_auto(activation) x = { 0 };
	gt_auto(record) lease = RECORD_INIT;
	struct gt_call call = GT_CALL_INIT;
	const char *ns = key.data + 2; /* "m", NUL, namespace, NUL, name */
	bool there;

	GT_TRY(record_decode(&activation_kind, value, &x));
	if (!*x.lease)
		return NULL;
	call.ns = ns;
	GT_TRY(record_name(&lease, &lease_kind, &call, NULL, x.lease));
	GT_TRY(record_exists(t, &lease, &there));
	if (!there) {
		gt_strv_add(&all->ns, ns);
		gt_strv_add(&all->names, x.info.name);
	}
	return NULL;
}

struct ended_scan {
	struct gt_txn *t;
	struct ended *all;
};

static struct gt_error *ended_scan(void *arg, struct gt_slice key, struct gt_slice value)
{
	struct ended_scan *s = arg;

	return ended_see(s->t, key, value, s->all);
}

static struct gt_error *ended_look(struct gt_txn *t, void *arg)
{
	struct ended_scan s = { t, arg };
	gt_auto(gt_buf) prefix = GT_BUF_INIT;

	gt_strv_done(&s.all->ns); /* of an earlier run */
	gt_strv_done(&s.all->names);
	key_set_prefix(&prefix, KEY_ACTIVATION, NULL);
	return gt_txn_scan(t, key_slice(&prefix), ended_scan, &s);
}

struct gt_error *activations_collect(struct local *l, struct gt_call *call)
{
	struct ended all = { 0 };
	struct gt_error *e = local_view(l, call, ended_look, &all);

	for (size_t i = 0; !e && i < all.names.n; i++) {
		struct gt_call one = *call;

		one.ns = all.ns.v[i];
		e = gt_call_check(call);
		if (!e)
			gt_log_warn_take(gt_error_unless(end(l, &one, all.names.v[i]), GT_NOT_FOUND),
					 "end mount \"%s\" with its lease", all.names.v[i]);
	}
	gt_strv_done(&all.ns);
	gt_strv_done(&all.names);
	return e;
}

const struct gt_activations_ops local_activations = {
	.size = sizeof(local_activations),
	.create = create,
	.remove = remove_one,
	.get = get,
	.update = update,
	.list = list,
};
