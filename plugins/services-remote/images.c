/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "remote.h"

#include <gantry/api-images.h>

#include "google/protobuf/empty.pb-c.h"

#define V1(name) Containerd__Services__Images__V1__##name
#define INIT(name) CONTAINERD__SERVICES__IMAGES__V1__##name##__INIT
#define TYPE(name) containerd__services__images__v1__##name##__descriptor
#define SERVICE "containerd.services.images.v1.Images"

METHOD(get_method, SERVICE, "Get", TYPE(get_image_response));
METHOD(list_method, SERVICE, "List", TYPE(list_images_response));
METHOD(create_method, SERVICE, "Create", TYPE(create_image_response));
METHOD(update_method, SERVICE, "Update", TYPE(update_image_response));
METHOD(delete_method, SERVICE, "Delete", google__protobuf__empty__descriptor);

static struct gt_error *image_get(const V1(Image) *m, const struct gt_grpc_remote *method,
				  struct gt_image *out)
{
	GT_TRY(remote_answered(m, method));
	GT_TRY(remote_answered(m->target, method));
	if (out)
		gt_wire_image_get(m, out);
	return NULL;
}

static struct gt_error *get(struct gt_services *s, struct gt_call *call, const char *name,
			    struct gt_image *out)
{
	V1(GetImageRequest) q = INIT(GET_IMAGE_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;

	q.name = gt_wire_string(name);
	GT_TRY(gt_grpc_call(remote_client(s), call, &get_method, &q.base, &m));
	return image_get(((V1(GetImageResponse) *)m)->image, &get_method, out);
}

static struct gt_error *create(struct gt_services *s, struct gt_call *call,
			       const struct gt_image *image, struct gt_image *out)
{
	V1(CreateImageRequest) q = INIT(CREATE_IMAGE_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };

	q.image = gt_wire_image(&a, image);
	if (gt_call_epoch(call))
		q.source_date_epoch = gt_wire_time(&a, gt_call_epoch(call));
	GT_TRY(gt_grpc_call(remote_client(s), call, &create_method, &q.base, &m));
	return image_get(((V1(CreateImageResponse) *)m)->image, &create_method, out);
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call,
			       const struct gt_image *image, const struct gt_strv *mask,
			       struct gt_image *out)
{
	V1(UpdateImageRequest) q = INIT(UPDATE_IMAGE_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };

	q.image = gt_wire_image(&a, image);
	q.update_mask = gt_wire_mask(&a, mask);
	if (gt_call_epoch(call))
		q.source_date_epoch = gt_wire_time(&a, gt_call_epoch(call));
	GT_TRY(gt_grpc_call(remote_client(s), call, &update_method, &q.base, &m));
	return image_get(((V1(UpdateImageResponse) *)m)->image, &update_method, out);
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     const struct gt_strv *filters,
			     struct gt_error *(*fn)(void *arg, const struct gt_image *i), void *arg)
{
	V1(ListImagesRequest) q = INIT(LIST_IMAGES_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(ListImagesResponse) *r;

	REMOTE_STRINGS(q, filters, filters);
	GT_TRY(gt_grpc_call(remote_client(s), call, &list_method, &q.base, &m));
	r = (const void *)m;
	for (size_t i = 0; i < r->n_images; i++) {
		gt_auto(gt_image) image = { 0 };

		GT_TRY(image_get(r->images[i], &list_method, &image));
		GT_TRY(fn(arg, &image));
	}
	return NULL;
}

static struct gt_error *remove_one(struct gt_services *s, struct gt_call *call, const char *name,
				   bool sync)
{
	V1(DeleteImageRequest) q = INIT(DELETE_IMAGE_REQUEST);

	q.name = gt_wire_string(name);
	q.sync = sync;
	return remote_do(s, call, &delete_method, &q.base);
}

const struct gt_images_ops remote_images = {
	.size = sizeof(remote_images),
	.get = get,
	.create = create,
	.update = update,
	.list = list,
	.remove = remove_one,
};
