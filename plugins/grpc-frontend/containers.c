/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include "google/protobuf/empty.pb-c.h"

#define V1(name) Containerd__Services__Containers__V1__##name

GRPC_KEEPS(gt_container)
GRPC_KEEPS(gt_strv)

static struct gt_error *get(struct gt_grpc_unary *u)
{
	const V1(GetContainerRequest) *r = u->request;
	V1(GetContainerResponse) *m = u->reply;
	struct gt_container *c = keep_gt_container(u);

	GT_TRY(gt_containers_get(SERVICES(u), u->call, r->id, c));
	m->container = gt_wire_container(&u->arena, c);
	return NULL;
}

static struct gt_error *add(void *arg, const struct gt_container *c)
{
	gt_auto(gt_arena) a = { 0 };

	return gt_grpc_unary_add(arg, 1, &gt_wire_container(&a, c)->base);
}

static struct gt_error *list(struct gt_grpc_unary *u)
{
	const V1(ListContainersRequest) *r = u->request;
	struct gt_strv filters = grpc_strings(r->filters, r->n_filters);

	return gt_containers_list(SERVICES(u), u->call, &filters, add, u);
}

static struct gt_error *stream_add(void *arg, const struct gt_container *c)
{
	gt_auto(gt_arena) a = { 0 };

	return grpc_batch_add(arg, &gt_wire_container(&a, c)->base);
}

static void list_stream(struct gt_grpc_call *c, const ProtobufCMessage *request)
{
	const V1(ListContainersRequest) *r = (const void *)request;
	struct gt_strv filters = grpc_strings(r->filters, r->n_filters);
	struct grpc_batch b = { .call = c, .buf = GT_BUF_INIT, .most = 1 };

	grpc_batch_end_take(&b, gt_containers_list(SERVICES(c), &c->call, &filters, stream_add, &b));
}

static struct gt_error *create(struct gt_grpc_unary *u)
{
	const V1(CreateContainerRequest) *r = u->request;
	V1(CreateContainerResponse) *m = u->reply;
	struct gt_container *given = keep_gt_container(u), *made = keep_gt_container(u);

	GT_TRY(grpc_required(r->container, "container"));
	gt_wire_container_get(r->container, given);
	grpc_run_ahead(u->arg);
	GT_TRY(gt_containers_create(SERVICES(u), u->call, given, made));
	m->container = gt_wire_container(&u->arena, made);
	return NULL;
}

static struct gt_error *update(struct gt_grpc_unary *u)
{
	const V1(UpdateContainerRequest) *r = u->request;
	V1(UpdateContainerResponse) *m = u->reply;
	struct gt_container *given = keep_gt_container(u), *made = keep_gt_container(u);
	struct gt_strv *mask = keep_gt_strv(u);

	GT_TRY(grpc_required(r->container, "container"));
	gt_wire_container_get(r->container, given);
	gt_wire_mask_get(r->update_mask, mask);
	GT_TRY(gt_containers_update(SERVICES(u), u->call, given, mask, made));
	m->container = gt_wire_container(&u->arena, made);
	return NULL;
}

static struct gt_error *remove_one(struct gt_grpc_unary *u)
{
	const V1(DeleteContainerRequest) *r = u->request;

	return gt_containers_remove(SERVICES(u), u->call, r->id);
}

#define TYPE(name) containerd__services__containers__v1__##name##__descriptor
const struct gt_grpc_method grpc_containers[] = {
	GT_GRPC_UNARY("Get", TYPE(get_container_request), TYPE(get_container_response), get,
		      GT_GRPC_QUICK),
	GT_GRPC_UNARY("List", TYPE(list_containers_request), TYPE(list_containers_response), list, 0),
	{ .name = "ListStream",
	  .request = &TYPE(list_containers_request),
	  .response = &TYPE(list_container_message),
	  .flags = GT_GRPC_SERVER_STREAM,
	  .handle = list_stream },
	GT_GRPC_UNARY("Create", TYPE(create_container_request), TYPE(create_container_response), create,
		      0),
	GT_GRPC_UNARY("Update", TYPE(update_container_request), TYPE(update_container_response), update,
		      0),
	GT_GRPC_UNARY("Delete", TYPE(delete_container_request), google__protobuf__empty__descriptor,
		      remove_one, 0),
	{ 0 }
};
