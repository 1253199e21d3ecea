/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "collection.h"
#include "fields.h"
#include "records.h"

#include <gantry/api-images.h>
#include <gantry/content.h>
#include <wire/objects.h>

#include <string.h>

static ProtobufCMessage *image_encode(struct gt_arena *a, const void *object)
{
	Gantry__Records__Image *m = gt_arena_message(a, &gantry__records__image__descriptor);

	m->image = gt_wire_image(a, object);
	return &m->base;
}

static bool image_decode(const ProtobufCMessage *m, void *object)
{
	const Gantry__Records__Image *record = (const Gantry__Records__Image *)m;

	if (!record->image)
		return false;
	gt_wire_image_get(record->image, object);
	return true;
}

static void image_clear(void *object)
{
	gt_image_done(object);
}

static const char *image_field(const void *object, const struct gt_strv *path,
			       struct gt_buf *scratch)
{
	const struct gt_image *i = object;

	(void)scratch;
	if (!strcmp(path->v[0], "name"))
		return gt_filter_string(i->name);
	if (!strcmp(path->v[0], "labels"))
		return gt_filter_label(&i->labels, path, 1);
	if (!strcmp(path->v[0], "annotations"))
		return gt_filter_label(&i->target.annotations, path, 1);
	if (strcmp(path->v[0], "target") || path->n < 2)
		return NULL;
	if (!strcmp(path->v[1], "digest"))
		return gt_filter_string(i->target.digest);
	if (!strcmp(path->v[1], "mediatype"))
		return gt_filter_string(i->target.media_type);
	return NULL;
}

static const struct record_kind image_kind = {
	.key = KEY_IMAGE,
	.what = "image",
	.quoted = true,
	.size = sizeof(struct gt_image),
	.message = &gantry__records__image__descriptor,
	.encode = image_encode,
	.decode = image_decode,
	.done = image_clear,
	.field = image_field,
};

static struct gt_error *image_check(const struct gt_image *i)
{
	GT_TRY(labels_check(&i->labels));
	if (!i->target.media_type || !*i->target.media_type)
		return gt_error_new(GT_INVALID_ARGUMENT, "image target's media type must be set");
	if (i->target.size <= 0)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "image target's size must be greater than zero");
	return gt_error_wrap(gt_digest_check(i->target.digest ? i->target.digest : ""),
			     "image target's digest");
}

static struct gt_error *get(struct gt_services *s, struct gt_call *call, const char *name,
			    struct gt_image *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_image) image = { 0 };

	GT_TRY(record_name(&r, &image_kind, call, NULL, name));
	GT_TRY(records_get(local_of(s), call, &r, &image));
	*out = image;
	image = (struct gt_image){ 0 };
	return NULL;
}

static struct timespec date_of(const struct gt_call *call)
{
	const struct timespec *epoch = gt_call_epoch(call);

	return epoch ? *epoch : local_time();
}

static struct gt_error *create(struct gt_services *s, struct gt_call *call,
			       const struct gt_image *given, struct gt_image *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_image) image = { 0 };
	gt_auto(gt_arena) a = { 0 };
	Containerd__Services__Images__V1__ImageCreate *event;

	GT_TRY(record_name(&r, &image_kind, call, NULL, given->name));
	GT_TRY(image_check(given));
	gt_image_copy(&image, given);
	labels_store(&image.labels, &given->labels);
	image.created_at = image.updated_at = date_of(call);
	GT_TRY(records_create(local_of(s), call, &r, &image, "images"));
	event = gt_arena_message(&a, &containerd__services__images__v1__image_create__descriptor);
	event->name = image.name;
	gt_wire_labels(&a, &event->base, "labels", &image.labels);
	local_publish(local_of(s), call->ns, "/images/create", &event->base);
	if (out) {
		*out = image;
		image = (struct gt_image){ 0 };
	}
	return NULL;
}

struct change {
	const struct gt_call *call;
	const struct gt_image *given;
	const struct gt_strv *mask;
};

static void target_replace(struct gt_descriptor *dst, const struct gt_descriptor *src)
{
	gt_descriptor_done(dst);
	gt_descriptor_copy(dst, src);
}

static struct gt_error *change(void *object, const void *arg)
{
	static char *everything[] = { (char *)"labels", (char *)"target" };
	struct gt_image *i = object;
	const struct change *c = arg;
	bool masked = c->mask && c->mask->n;
	char *const *paths = masked ? c->mask->v : everything;
	size_t n = masked ? c->mask->n : 2;

	for (size_t p = 0; p < n; p++) {
		if (!strcmp(paths[p], "target"))
			target_replace(&i->target, &c->given->target);
		else if (!mask_labels(paths[p], "labels", &i->labels, &c->given->labels) &&
			 !mask_labels(paths[p], "annotations", &i->target.annotations,
				      &c->given->target.annotations))
			return mask_refused(paths[p], i->name);
	}
	GT_TRY(image_check(i));
	i->updated_at = date_of(c->call);
	return NULL;
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call,
			       const struct gt_image *given, const struct gt_strv *mask,
			       struct gt_image *out)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_image) image = { 0 };
	gt_auto(gt_arena) a = { 0 };
	struct change c = { .call = call, .given = given, .mask = mask };
	Containerd__Services__Images__V1__ImageUpdate *event;

	GT_TRY(record_name(&r, &image_kind, call, NULL, given->name));
	GT_TRY(records_change(local_of(s), call, &r, change, &c, &image));
	event = gt_arena_message(&a, &containerd__services__images__v1__image_update__descriptor);
	event->name = image.name;
	gt_wire_labels(&a, &event->base, "labels", &image.labels);
	local_publish(local_of(s), call->ns, "/images/update", &event->base);
	if (out) {
		*out = image;
		image = (struct gt_image){ 0 };
	}
	return NULL;
}

struct visit {
	struct gt_error *(*fn)(void *arg, const struct gt_image *i);
	void *arg;
};

static struct gt_error *visit(void *arg, const void *object)
{
	const struct visit *v = arg;

	return v->fn(v->arg, object);
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     const struct gt_strv *filters,
			     struct gt_error *(*fn)(void *arg, const struct gt_image *i), void *arg)
{
	struct visit v = { .fn = fn, .arg = arg };

	return records_list_all(local_of(s), call, &image_kind, filters, visit, &v);
}

static struct gt_error *remove_image(struct gt_services *s, struct gt_call *call, const char *name,
				     bool sync)
{
	gt_auto(record) r = RECORD_INIT;
	gt_auto(gt_arena) a = { 0 };
	Containerd__Services__Images__V1__ImageDelete *event;
	struct gt_collected went;

	GT_TRY(record_name(&r, &image_kind, call, NULL, name));
	GT_TRY(records_remove(local_of(s), call, &r));
	event = gt_arena_message(&a, &containerd__services__images__v1__image_delete__descriptor);
	event->name = (char *)name;
	local_publish(local_of(s), call->ns, "/images/delete", &event->base);
	return sync ? collect(local_of(s), call, 0, &went) : NULL;
}

const struct gt_images_ops local_images = {
	.size = sizeof(local_images),
	.get = get,
	.create = create,
	.update = update,
	.list = list,
	.remove = remove_image,
};
