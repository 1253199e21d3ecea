/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "remote.h"

#include "google/protobuf/empty.pb-c.h"

#define V1(name) Containerd__Services__Containers__V1__##name
#define INIT(name) CONTAINERD__SERVICES__CONTAINERS__V1__##name##__INIT
#define TYPE(name) containerd__services__containers__v1__##name##__descriptor
#define SERVICE "containerd.services.containers.v1.Containers"

METHOD(get_method, SERVICE, "Get", TYPE(get_container_response));
METHOD(list_method, SERVICE, "ListStream", TYPE(list_container_message));
METHOD(create_method, SERVICE, "Create", TYPE(create_container_response));
METHOD(update_method, SERVICE, "Update", TYPE(update_container_response));
METHOD(delete_method, SERVICE, "Delete", google__protobuf__empty__descriptor);

static struct gt_error *container_get(const V1(Container) *m, const struct gt_grpc_remote *method,
				      struct gt_container *out)
{
	GT_TRY(remote_answered(m, method));
	if (out)
		gt_wire_container_get(m, out);
	return NULL;
}

static struct gt_error *get(struct gt_services *s, struct gt_call *call, const char *id,
			    struct gt_container *out)
{
	V1(GetContainerRequest) q = INIT(GET_CONTAINER_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;

	q.id = gt_wire_string(id);
	GT_TRY(gt_grpc_call(remote_client(s), call, &get_method, &q.base, &m));
	return container_get(((V1(GetContainerResponse) *)m)->container, &get_method, out);
}

static struct gt_error *create(struct gt_services *s, struct gt_call *call,
			       const struct gt_container *c, struct gt_container *out)
{
	V1(CreateContainerRequest) q = INIT(CREATE_CONTAINER_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };

	q.container = gt_wire_container(&a, c);
	GT_TRY(gt_grpc_call(remote_client(s), call, &create_method, &q.base, &m));
	return container_get(((V1(CreateContainerResponse) *)m)->container, &create_method, out);
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call,
			       const struct gt_container *c, const struct gt_strv *mask,
			       struct gt_container *out)
{
	V1(UpdateContainerRequest) q = INIT(UPDATE_CONTAINER_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };

	q.container = gt_wire_container(&a, c);
	q.update_mask = gt_wire_mask(&a, mask);
	GT_TRY(gt_grpc_call(remote_client(s), call, &update_method, &q.base, &m));
	return container_get(((V1(UpdateContainerResponse) *)m)->container, &update_method, out);
}

struct listing {
	struct gt_error *(*fn)(void *arg, const struct gt_container *c);
	void *arg;
};

static struct gt_error *listed(void *arg, const ProtobufCMessage *m)
{
	const struct listing *l = arg;
	gt_auto(gt_container) c = { 0 };

	GT_TRY(container_get(((const V1(ListContainerMessage) *)m)->container, &list_method, &c));
	return l->fn(l->arg, &c);
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     const struct gt_strv *filters,
			     struct gt_error *(*fn)(void *arg, const struct gt_container *c),
			     void *arg)
{
	V1(ListContainersRequest) q = INIT(LIST_CONTAINERS_REQUEST);
	struct listing l = { fn, arg };

	REMOTE_STRINGS(q, filters, filters);
	return remote_each(s, call, &list_method, &q.base, listed, &l);
}

static struct gt_error *remove_one(struct gt_services *s, struct gt_call *call, const char *id)
{
	V1(DeleteContainerRequest) q = INIT(DELETE_CONTAINER_REQUEST);

	q.id = gt_wire_string(id);
	return remote_do(s, call, &delete_method, &q.base);
}

const struct gt_containers_ops remote_containers = {
	.size = sizeof(remote_containers),
	.get = get,
	.create = create,
	.update = update,
	.list = list,
	.remove = remove_one,
};
