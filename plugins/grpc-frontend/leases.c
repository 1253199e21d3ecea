/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include <gantry/api-leases.h>

#include "google/protobuf/empty.pb-c.h"

#define V1(name) Containerd__Services__Leases__V1__##name

GRPC_KEEPS(gt_lease)
GRPC_KEEPS(gt_labels)

static struct gt_error *create(struct gt_grpc_unary *u)
{
	const V1(CreateRequest) *r = u->request;
	V1(CreateResponse) *m = u->reply;
	struct gt_labels *labels = keep_gt_labels(u);
	struct gt_lease *lease = keep_gt_lease(u);

	gt_wire_labels_get(&r->base, "labels", labels);
	GT_TRY(gt_leases_create(SERVICES(u), u->call, r->id, labels, lease));
	m->lease = gt_wire_lease(&u->arena, lease);
	return NULL;
}

static struct gt_error *remove_one(struct gt_grpc_unary *u)
{
	const V1(DeleteRequest) *r = u->request;

	return gt_leases_remove(SERVICES(u), u->call, r->id, r->sync);
}

static struct gt_error *add(void *arg, const struct gt_lease *l)
{
	gt_auto(gt_arena) a = { 0 };

	return gt_grpc_unary_add(arg, 1, &gt_wire_lease(&a, l)->base);
}

static struct gt_error *list(struct gt_grpc_unary *u)
{
	const V1(ListRequest) *r = u->request;
	struct gt_strv filters = grpc_strings(r->filters, r->n_filters);

	return gt_leases_list(SERVICES(u), u->call, &filters, add, u);
}

static struct gt_error *resource_add(struct gt_grpc_unary *u)
{
	const V1(AddResourceRequest) *r = u->request;

	GT_TRY(grpc_required(r->resource, "resource"));
	return gt_leases_add(SERVICES(u), u->call, r->id, r->resource->type, r->resource->id);
}

static struct gt_error *resource_drop(struct gt_grpc_unary *u)
{
	const V1(DeleteResourceRequest) *r = u->request;

	GT_TRY(grpc_required(r->resource, "resource"));
	return gt_leases_drop(SERVICES(u), u->call, r->id, r->resource->type, r->resource->id);
}

static struct gt_error *resource_list_add(void *arg, const char *type, const char *id)
{
	V1(Resource) m = CONTAINERD__SERVICES__LEASES__V1__RESOURCE__INIT;

	m.type = (char *)type;
	m.id = (char *)id;
	return gt_grpc_unary_add(arg, 1, &m.base);
}

static struct gt_error *resources(struct gt_grpc_unary *u)
{
	const V1(ListResourcesRequest) *r = u->request;

	return gt_leases_resources(SERVICES(u), u->call, r->id, resource_list_add, u);
}

#define TYPE(name) containerd__services__leases__v1__##name##__descriptor
#define EMPTY google__protobuf__empty__descriptor
const struct gt_grpc_method grpc_leases[] = {
	GT_GRPC_UNARY("Create", TYPE(create_request), TYPE(create_response), create, 0),
	GT_GRPC_UNARY("Delete", TYPE(delete_request), EMPTY, remove_one, 0),
	GT_GRPC_UNARY("List", TYPE(list_request), TYPE(list_response), list, 0),
	GT_GRPC_UNARY("AddResource", TYPE(add_resource_request), EMPTY, resource_add, 0),
	GT_GRPC_UNARY("DeleteResource", TYPE(delete_resource_request), EMPTY, resource_drop, 0),
	GT_GRPC_UNARY("ListResources", TYPE(list_resources_request), TYPE(list_resources_response),
		      resources, 0),
	{ 0 }
};
