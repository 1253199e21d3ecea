/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "remote.h"

#include "google/protobuf/empty.pb-c.h"

#define V1(name) Containerd__Services__Leases__V1__##name
#define INIT(name) CONTAINERD__SERVICES__LEASES__V1__##name##__INIT
#define TYPE(name) containerd__services__leases__v1__##name##__descriptor
#define SERVICE "containerd.services.leases.v1.Leases"
#define EMPTY google__protobuf__empty__descriptor

METHOD(create_method, SERVICE, "Create", TYPE(create_response));
METHOD(delete_method, SERVICE, "Delete", EMPTY);
METHOD(list_method, SERVICE, "List", TYPE(list_response));
METHOD(add_method, SERVICE, "AddResource", EMPTY);
METHOD(drop_method, SERVICE, "DeleteResource", EMPTY);
METHOD(resources_method, SERVICE, "ListResources", TYPE(list_resources_response));

static struct gt_error *create(struct gt_services *s, struct gt_call *call, const char *id,
			       const struct gt_labels *labels, struct gt_lease *out)
{
	V1(CreateRequest) q = INIT(CREATE_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };
	const V1(Lease) *lease;

	q.id = gt_wire_string(id);
	if (labels)
		gt_wire_labels(&a, &q.base, "labels", labels);
	GT_TRY(gt_grpc_call(remote_client(s), call, &create_method, &q.base, &m));
	lease = ((V1(CreateResponse) *)m)->lease;
	GT_TRY(remote_answered(lease, &create_method));
	gt_wire_lease_get(lease, out);
	return NULL;
}

static struct gt_error *remove_one(struct gt_services *s, struct gt_call *call, const char *id,
				   bool sync)
{
	V1(DeleteRequest) q = INIT(DELETE_REQUEST);

	q.id = gt_wire_string(id);
	q.sync = sync;
	return remote_do(s, call, &delete_method, &q.base);
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     const struct gt_strv *filters,
			     struct gt_error *(*fn)(void *arg, const struct gt_lease *l), void *arg)
{
	V1(ListRequest) q = INIT(LIST_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(ListResponse) *r;

	REMOTE_STRINGS(q, filters, filters);
	GT_TRY(gt_grpc_call(remote_client(s), call, &list_method, &q.base, &m));
	r = (const void *)m;
	for (size_t i = 0; i < r->n_leases; i++) {
		gt_auto(gt_lease) l = { 0 };

		gt_wire_lease_get(r->leases[i], &l);
		GT_TRY(fn(arg, &l));
	}
	return NULL;
}

static struct gt_error *add(struct gt_services *s, struct gt_call *call, const char *lease,
			    const char *type, const char *id)
{
	V1(Resource) resource = INIT(RESOURCE);
	V1(AddResourceRequest) q = INIT(ADD_RESOURCE_REQUEST);

	resource.type = gt_wire_string(type);
	resource.id = gt_wire_string(id);
	q.id = gt_wire_string(lease);
	q.resource = &resource;
	return remote_do(s, call, &add_method, &q.base);
}

static struct gt_error *drop(struct gt_services *s, struct gt_call *call, const char *lease,
			     const char *type, const char *id)
{
	V1(Resource) resource = INIT(RESOURCE);
	V1(DeleteResourceRequest) q = INIT(DELETE_RESOURCE_REQUEST);

	resource.type = gt_wire_string(type);
	resource.id = gt_wire_string(id);
	q.id = gt_wire_string(lease);
	q.resource = &resource;
	return remote_do(s, call, &drop_method, &q.base);
}

static struct gt_error *resources(struct gt_services *s, struct gt_call *call, const char *lease,
				  struct gt_error *(*fn)(void *arg, const char *type,
							 const char *id),
				  void *arg)
{
	V1(ListResourcesRequest) q = INIT(LIST_RESOURCES_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(ListResourcesResponse) *r;

	q.id = gt_wire_string(lease);
	GT_TRY(gt_grpc_call(remote_client(s), call, &resources_method, &q.base, &m));
	r = (const void *)m;
	for (size_t i = 0; i < r->n_resources; i++)
		GT_TRY(fn(arg, r->resources[i]->type, r->resources[i]->id));
	return NULL;
}

const struct gt_leases_ops remote_leases = {
	.size = sizeof(remote_leases),
	.create = create,
	.remove = remove_one,
	.list = list,
	.add = add,
	.drop = drop,
	.resources = resources,
};
