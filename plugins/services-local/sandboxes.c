/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fields.h"
#include "records.h"

#include <gantry/api-sandboxes.h>
#include <wire/objects.h>

#include <string.h>

static ProtobufCMessage *sandbox_encode(struct gt_arena *a, const void *object)
{
	Gantry__Records__Sandbox *m = gt_arena_message(a, &gantry__records__sandbox__descriptor);

	m->sandbox = gt_wire_sandbox(a, object);
	return &m->base;
}

static bool sandbox_decode(const ProtobufCMessage *m, void *object)
{
	const Gantry__Records__Sandbox *record = (const Gantry__Records__Sandbox *)m;

	if (!record->sandbox)
		return false;
	gt_wire_sandbox_get(record->sandbox, object);
	return true;
}

static void sandbox_clear(void *object)
{
	gt_sandbox_done(object);
}

static const char *sandbox_field(const void *object, const struct gt_strv *path,
				 struct gt_buf *scratch)
{
	const struct gt_sandbox *b = object;

	(void)scratch;
	if (!strcmp(path->v[0], "id"))
		return gt_filter_string(b->id);
	if (!strcmp(path->v[0], "labels"))
		return gt_filter_label(&b->labels, path, 1);
	return NULL;
}

static const struct record_kind sandbox_kind = {
	.key = KEY_SANDBOX,
	.what = "sandbox",
	.quoted = true,
	.in_namespace = true,
	.size = sizeof(struct gt_sandbox),
	.message = &gantry__records__sandbox__descriptor,
	.encode = sandbox_encode,
	.decode = sandbox_decode,
	.done = sandbox_clear,
	.field = sandbox_field,
};

static struct gt_error *sandbox_check(const struct gt_sandbox *b)
{
	GT_TRY(extensions_check(b->extensions, b->n_extensions));
	GT_TRY(labels_check(&b->labels));
	if (!b->runtime || !*b->runtime)
		return gt_error_new(GT_INVALID_ARGUMENT, "sandbox.Runtime.Name must be set");
	return NULL;
}

static struct gt_error *get(struct gt_services *s, struct gt_call *call, const char *id,
			    struct gt_sandbox *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_sandbox) b = { 0 };

	GT_TRY(record_name(&r, &sandbox_kind, call, NULL, id));
	GT_TRY(records_get(local_of(s), call, &r, &b));
	*out = b;
	b = (struct gt_sandbox){ 0 };
	return NULL;
}

static struct gt_error *change_field(struct gt_sandbox *b, const struct gt_sandbox *given,
				     const char *path)
{
	struct extensions extensions = { .v = &b->extensions, .n = &b->n_extensions };

	if (!strcmp(path, "spec")) {
		gt_any_copy(&b->spec, &given->spec);
	} else if (!strcmp(path, "runtime")) {
		string_replace(&b->runtime, given->runtime);
		gt_any_copy(&b->runtime_options, &given->runtime_options);
	} else if (!mask_labels(path, "labels", &b->labels, &given->labels) &&
		   !mask_extensions(path, extensions, given->extensions, given->n_extensions)) {
		return mask_refused(path, b->id);
	}
	return NULL;
}

struct change {
	const struct gt_sandbox *given;
	const struct gt_strv *mask;
};

/* Without a mask: all that can change. */
static struct gt_error *change(void *object, const void *arg)
{
	static const char *const everything[] = { "labels", "extensions", "spec", "runtime" };
	struct gt_sandbox *b = object;
	const struct change *c = arg;
	bool masked = c->mask && c->mask->n;
	size_t n = masked ? c->mask->n : sizeof(everything) / sizeof(everything[0]);

	for (size_t i = 0; i < n; i++)
		GT_TRY(change_field(b, c->given, masked ? c->mask->v[i] : everything[i]));
	GT_TRY(sandbox_check(b));
	b->updated_at = local_time();
	return NULL;
}

static struct gt_error *create(struct gt_services *s, struct gt_call *call,
			       const struct gt_sandbox *given, struct gt_sandbox *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_sandbox) b = { 0 };
	struct change all = { .given = given };

	GT_TRY(record_name(&r, &sandbox_kind, call, NULL, given->id));
	GT_TRY(gt_identifier_check("sandbox id", given->id));
	b.id = gt_xstrdup(given->id);
	string_replace(&b.sandboxer, given->sandboxer);
	GT_TRY(change(&b, &all));
	b.created_at = b.updated_at;
	GT_TRY(records_create(local_of(s), call, &r, &b, NULL));
	if (out) {
		*out = b;
		b = (struct gt_sandbox){ 0 };
	}
	return NULL;
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call,
			       const struct gt_sandbox *given, const struct gt_strv *mask,
			       struct gt_sandbox *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_sandbox) b = { 0 };
	struct change arg = { .given = given, .mask = mask };

	GT_TRY(record_name(&r, &sandbox_kind, call, NULL, given->id));
	GT_TRY(records_change(local_of(s), call, &r, change, &arg, &b));
	if (out) {
		*out = b;
		b = (struct gt_sandbox){ 0 };
	}
	return NULL;
}

struct visit {
	struct gt_error *(*fn)(void *arg, const struct gt_sandbox *b);
	void *arg;
};

static struct gt_error *visit(void *arg, const void *object)
{
	const struct visit *v = arg;

	return v->fn(v->arg, object);
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     const struct gt_strv *filters,
			     struct gt_error *(*fn)(void *arg, const struct gt_sandbox *b),
			     void *arg)
{
	struct visit v = { .fn = fn, .arg = arg };

	return records_list_all(local_of(s), call, &sandbox_kind, filters, visit, &v);
}

static struct gt_error *remove_sandbox(struct gt_services *s, struct gt_call *call, const char *id)
{
	gt_auto(record) r = RECORD_INIT;

	GT_TRY(record_name(&r, &sandbox_kind, call, NULL, id));
	return records_remove(local_of(s), call, &r);
}

const struct gt_sandboxes_ops local_sandboxes = {
	.size = sizeof(local_sandboxes),
	.get = get,
	.create = create,
	.update = update,
	.list = list,
	.remove = remove_sandbox,
};
