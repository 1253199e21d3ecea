/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "namespaces.h"

#include "blobs.h"
#include "fields.h"

#include <gantry/api-namespaces.h>
#include <wire/values.h>

#include "containerd.events.pb-c.h"

#include <string.h>

struct namespace {
	char *name;
	struct gt_labels labels;
};

static ProtobufCMessage *namespace_encode(struct gt_arena *a, const void *object)
{
	const struct namespace *n = object;
	Gantry__Records__Namespace *m = gt_arena_message(a, &gantry__records__namespace__descriptor);

	m->name = gt_wire_string(n->name);
	gt_wire_labels(a, &m->base, "labels", &n->labels);
	return &m->base;
}

static bool namespace_decode(const ProtobufCMessage *m, void *object)
{
	struct namespace *n = object;

	n->name = gt_xstrdup(((const Gantry__Records__Namespace *)m)->name);
	gt_wire_labels_get(m, "labels", &n->labels);
	return true;
}

static void namespace_clear(void *object)
{
	struct namespace *n = object;

	free(gt_steal(&n->name));
	gt_labels_done(&n->labels);
}

static void namespace_done(struct namespace *n)
{
	namespace_clear(n);
}

static const struct record_kind namespace_kind = {
	.key = KEY_NAMESPACE,
	.what = "namespace",
	.quoted = true,
	.size = sizeof(struct namespace),
	.message = &gantry__records__namespace__descriptor,
	.encode = namespace_encode,
	.decode = namespace_decode,
	.done = namespace_clear,
};

/* The record of a namespace, which stands in none. */
static struct gt_error *namespace_record(struct record *r, const char *name)
{
	GT_TRY(gt_identifier_check("namespace", name));
	*r = (struct record){
		.kind = &namespace_kind,
		.ns = name,
		.name = name,
		.key = GT_BUF_INIT,
	};
	return key_set(&r->key, KEY_NAMESPACE, name, NULL);
}

struct gt_error *namespace_touch(struct gt_txn *t, const char *ns)
{
	gt_auto(record) r = RECORD_INIT;
	struct namespace fresh = { .name = (char *)ns };
	bool there;

	GT_TRY(namespace_record(&r, ns));
	GT_TRY(record_exists(t, &r, &there));
	return there ? NULL : record_put(t, &r, &fresh);
}

struct gt_error *namespace_label(struct local *l, struct gt_call *call, const char *ns,
				 const char *key, char **out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(namespace) n = { 0 };

	GT_TRY(namespace_record(&r, ns));
	GT_TRY(gt_error_unless(records_get(l, call, &r, &n), GT_NOT_FOUND));
	*out = gt_xstrdup(gt_labels_get(&n.labels, key));
	return NULL;
}

struct names {
	bool shareable;
	struct gt_strv *out;
};

static struct gt_error *add_name(void *arg, struct gt_slice key, struct gt_slice value)
{
	const struct names *names = arg;
	gt_autowire ProtobufCMessage *m = NULL;
	gt_auto(namespace) n = { 0 };
	const char *label;

	(void)key;
	GT_TRY(gt_error_reclass(gt_wire_unpack(namespace_kind.message, value.data, value.len, &m),
				GT_DATA_LOSS));
	namespace_decode(m, &n);
	label = gt_labels_get(&n.labels, "containerd.io/namespace.shareable");
	if (!names->shareable || (label && !strcmp(label, "true")))
		gt_strv_add(names->out, n.name);
	return NULL;
}

struct gt_error *namespace_names(struct gt_txn *t, bool shareable, struct gt_strv *out)
{
	gt_auto(gt_buf) prefix = GT_BUF_INIT;
	struct names names = { .shareable = shareable, .out = out };

	key_set_prefix(&prefix, KEY_NAMESPACE, NULL);
	return gt_txn_scan(t, key_slice(&prefix), add_name, &names);
}

static struct gt_error *create(struct gt_services *s, struct gt_call *call, const char *name,
			       const struct gt_labels *labels)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(namespace) n = { 0 };
	gt_auto(gt_arena) a = { 0 };
	Containerd__Events__NamespaceCreate *event;

	GT_TRY(labels_check(labels));
	GT_TRY(namespace_record(&r, name));
	n.name = gt_xstrdup(name);
	labels_store(&n.labels, labels);
	GT_TRY(records_create(local_of(s), call, &r, &n, NULL));
	event = gt_arena_message(&a, &containerd__events__namespace_create__descriptor);
	event->name = n.name;
	gt_wire_labels(&a, &event->base, "labels", &n.labels);
	local_publish(local_of(s), name, "/namespaces/create", &event->base);
	return NULL;
}

static struct gt_error *get(struct gt_services *s, struct gt_call *call, const char *name,
			    struct gt_labels *labels)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(namespace) n = { 0 };

	GT_TRY(namespace_record(&r, name));
	GT_TRY(gt_error_unless(records_get(local_of(s), call, &r, &n), GT_NOT_FOUND));
	*labels = n.labels;
	n.labels = (struct gt_labels){ 0 };
	return NULL;
}

struct visit {
	struct gt_error *(*fn)(void *arg, const char *name, const struct gt_labels *labels);
	void *arg;
};

static struct gt_error *visit(void *arg, const void *object)
{
	const struct visit *v = arg;
	const struct namespace *n = object;

	return v->fn(v->arg, n->name, &n->labels);
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     struct gt_error *(*fn)(void *arg, const char *name,
						    const struct gt_labels *labels),
			     void *arg)
{
	gt_auto(gt_buf) prefix = GT_BUF_INIT;
	struct visit v = { .fn = fn, .arg = arg };

	key_set_prefix(&prefix, KEY_NAMESPACE, NULL);
	return records_list(local_of(s), call, &namespace_kind, &prefix, NULL, visit, &v);
}

struct change {
	const struct record *r;
	const struct gt_labels *labels;
	bool replace;
};

static void merge(struct gt_labels *now, const struct gt_labels *given)
{
	for (size_t i = 0; given && i < given->n; i++) {
		if (*given->v[i].value)
			gt_labels_set(now, given->v[i].key, given->v[i].value);
		else
			gt_labels_unset(now, given->v[i].key);
	}
}

static struct gt_error *change(struct gt_txn *t, void *arg)
{
	const struct change *c = arg;
	gt_auto(namespace) n = { 0 };

	GT_TRY(namespace_touch(t, c->r->name));
	GT_TRY(record_get(t, c->r, &n));
	if (c->replace)
		labels_store(&n.labels, c->labels);
	else
		merge(&n.labels, c->labels);
	return record_put(t, c->r, &n);
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call, const char *name,
			       const struct gt_labels *labels, bool replace)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_arena) a = { 0 };
	struct change c = { .r = &r, .labels = labels, .replace = replace };
	Containerd__Events__NamespaceUpdate *event;

	GT_TRY(labels_check(labels));
	GT_TRY(namespace_record(&r, name));
	GT_TRY(local_update(local_of(s), call, change, &c));
	event = gt_arena_message(&a, &containerd__events__namespace_update__descriptor);
	event->name = (char *)name;
	/* what was asked for, as containerd's, not what came of it */
	if (labels)
		gt_wire_labels(&a, &event->base, "labels", labels);
	local_publish(local_of(s), name, "/namespaces/update", &event->base);
	return NULL;
}

/* Says of a snapshot's key whose it is, once for each snapshotter. */
static struct gt_error *add_snapshotter(void *arg, struct gt_slice key, struct gt_slice value)
{
	struct gt_strv *what = arg;
	const char *k = key.data, *ns_end = memchr(k + 2, '\0', key.len - 2);
	gt_autofree char *text = NULL;

	(void)value;
	if (!ns_end)
		return NULL;
	text = gt_strf("snapshots on \"%s\" snapshotter", ns_end + 1);
	if (!gt_strv_has(what, text))
		gt_strv_add_take(what, gt_steal(&text));
	return NULL;
}

static struct gt_error *still_has(struct gt_txn *t, const char *ns, struct gt_strv *what)
{
	static const struct {
		char key;
		const char *what;
	} kinds[] = {
		{ KEY_IMAGE, "images" },
		{ KEY_BLOB, "blobs" },
		{ KEY_CONTAINER, "containers" },
		{ KEY_SANDBOX, "sandboxes" },
	};
	gt_auto(gt_buf) prefix = GT_BUF_INIT;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		bool used;

		key_set_prefix(&prefix, kinds[i].key, ns, NULL);
		GT_TRY(prefix_used(t, &prefix, &used));
		if (used)
			gt_strv_add(what, kinds[i].what);
	}
	key_set_prefix(&prefix, KEY_SNAPSHOT, ns, NULL);
	return gt_txn_scan(t, key_slice(&prefix), add_snapshotter, what);
}

struct removal {
	const struct record *r;
	struct gt_strv ingests; /* the content store's refs */
};

/* Leases and ingests go with the namespace: nothing but it keeps them. */
static struct gt_error *remove_all(struct gt_txn *t, void *arg)
{
	static const char rest[] = { KEY_LEASE, KEY_RESOURCE, KEY_INGEST };
	struct removal *removal = arg;
	const struct record *r = removal->r;
	gt_auto(gt_strv) what = { 0 };
	gt_auto(gt_buf) text = GT_BUF_INIT;

	GT_TRY(still_has(t, r->name, &what));
	for (size_t i = 0; i < what.n; i++)
		gt_buf_addf(&text, "%s%s", i ? ", " : "", what.v[i]);
	if (what.n)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "namespace \"%s\" must be empty, but it still has %s", r->name,
				    text.s);
	GT_TRY(record_remove(t, r));
	gt_strv_done(&removal->ingests); /* of an earlier run */
	GT_TRY(ingest_backends(t, r->name, &removal->ingests));
	for (size_t i = 0; i < sizeof(rest); i++) {
		gt_auto(gt_buf) prefix = GT_BUF_INIT;

		key_set_prefix(&prefix, rest[i], r->name, NULL);
		GT_TRY(prefix_remove(t, &prefix));
	}
	return NULL;
}

static struct gt_error *remove_namespace(struct gt_services *s, struct gt_call *call,
					 const char *name)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_arena) a = { 0 };
	struct removal removal = { .r = &r };
	Containerd__Events__NamespaceDelete *event;
	struct gt_error *e;

	GT_TRY(namespace_record(&r, name));
	e = local_update(local_of(s), call, remove_all, &removal);
	if (!e && removal.ingests.n)
		ingest_drop_backends(local_of(s), call, &removal.ingests);
	gt_strv_done(&removal.ingests);
	GT_TRY(e);
	event = gt_arena_message(&a, &containerd__events__namespace_delete__descriptor);
	event->name = (char *)name;
	local_publish(local_of(s), name, "/namespaces/delete", &event->base);
	return NULL;
}

const struct gt_namespaces_ops local_namespaces = {
	.size = sizeof(local_namespaces),
	.create = create,
	.get = get,
	.list = list,
	.update = update,
	.remove = remove_namespace,
};
