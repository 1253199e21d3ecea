/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include <gantry/api-images.h>

#include "google/protobuf/empty.pb-c.h"

#include <string.h>

#define V1(name) Containerd__Services__Images__V1__##name

GRPC_KEEPS(gt_image)
GRPC_KEEPS(gt_strv)

static struct gt_error *get(struct gt_grpc_unary *u)
{
	const V1(GetImageRequest) *r = u->request;
	V1(GetImageResponse) *m = u->reply;
	struct gt_image *image = keep_gt_image(u);

	GT_TRY(gt_images_get(SERVICES(u), u->call, r->name, image));
	m->image = gt_wire_image(&u->arena, image);
	return NULL;
}

static struct gt_error *add(void *arg, const struct gt_image *i)
{
	gt_auto(gt_arena) a = { 0 };

	return gt_grpc_unary_add(arg, 1, &gt_wire_image(&a, i)->base);
}

static struct gt_error *list(struct gt_grpc_unary *u)
{
	const V1(ListImagesRequest) *r = u->request;
	struct gt_strv filters = grpc_strings(r->filters, r->n_filters);

	return gt_images_list(SERVICES(u), u->call, &filters, add, u);
}

static struct gt_error *target_check(const V1(Image) *image)
{
	GT_TRY(grpc_required(image, "image"));
	return grpc_required(image->target, "image target");
}

/* The request's call, dated as the client says. */
static struct gt_call dated(const struct gt_grpc_unary *u, const Google__Protobuf__Timestamp *date,
			    struct timespec *epoch)
{
	struct gt_call call = *u->call;

	if (date) {
		*epoch = gt_wire_time_get(date);
		call.source_date_epoch = epoch;
	}
	return call;
}

static struct gt_error *create(struct gt_grpc_unary *u)
{
	const V1(CreateImageRequest) *r = u->request;
	V1(CreateImageResponse) *m = u->reply;
	struct gt_image *given = keep_gt_image(u), *made = keep_gt_image(u);
	struct timespec epoch;
	struct gt_call call = dated(u, r->source_date_epoch, &epoch);

	GT_TRY(target_check(r->image));
	gt_wire_image_get(r->image, given);
	GT_TRY(gt_images_create(SERVICES(u), &call, given, made));
	m->image = gt_wire_image(&u->arena, made);
	return NULL;
}

static struct gt_error *update(struct gt_grpc_unary *u)
{
	const V1(UpdateImageRequest) *r = u->request;
	V1(UpdateImageResponse) *m = u->reply;
	struct gt_image *given = keep_gt_image(u), *made = keep_gt_image(u);
	struct gt_strv *mask = keep_gt_strv(u);
	struct timespec epoch;
	struct gt_call call = dated(u, r->source_date_epoch, &epoch);

	GT_TRY(grpc_required(r->image, "image"));
	if (!r->update_mask || !r->update_mask->n_paths)
		GT_TRY(target_check(r->image));
	if (r->image->target) {
		gt_wire_image_get(r->image, given);
	} else { /* a mask may leave it out */
		given->name = gt_xstrdup(r->image->name);
		gt_wire_labels_get(&r->image->base, "labels", &given->labels);
		given->target.media_type = gt_xstrdup("");
		given->target.digest = gt_xstrdup("");
	}
	gt_wire_mask_get(r->update_mask, mask);
	GT_TRY(gt_images_update(SERVICES(u), &call, given, mask, made));
	m->image = gt_wire_image(&u->arena, made);
	return NULL;
}

static struct gt_error *remove_one(struct gt_grpc_unary *u)
{
	const V1(DeleteImageRequest) *r = u->request;
	struct gt_image *image = keep_gt_image(u);

	if (r->target) {
		GT_TRY(gt_images_get(SERVICES(u), u->call, r->name, image));
		if (strcmp(image->target.digest, r->target->digest) != 0)
			return gt_error_new(GT_NOT_FOUND, "image \"%s\" with target %s", r->name,
					    r->target->digest);
	}
	return gt_images_remove(SERVICES(u), u->call, r->name, r->sync);
}

#define TYPE(name) containerd__services__images__v1__##name##__descriptor
const struct gt_grpc_method grpc_images[] = {
	GT_GRPC_UNARY("Get", TYPE(get_image_request), TYPE(get_image_response), get, GT_GRPC_QUICK),
	GT_GRPC_UNARY("List", TYPE(list_images_request), TYPE(list_images_response), list, 0),
	GT_GRPC_UNARY("Create", TYPE(create_image_request), TYPE(create_image_response), create, 0),
	GT_GRPC_UNARY("Update", TYPE(update_image_request), TYPE(update_image_response), update, 0),
	GT_GRPC_UNARY("Delete", TYPE(delete_image_request), google__protobuf__empty__descriptor,
		      remove_one, 0),
	{ 0 }
};
