/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "remote.h"

#include "containerd.services.sandbox.v1.pb-c.h"

#define V1(name) Containerd__Services__Sandbox__V1__##name
#define INIT(name) CONTAINERD__SERVICES__SANDBOX__V1__##name##__INIT
#define TYPE(name) containerd__services__sandbox__v1__##name##__descriptor
#define SERVICE "containerd.services.sandbox.v1.Store"

METHOD(create_method, SERVICE, "Create", TYPE(store_create_response));
METHOD(update_method, SERVICE, "Update", TYPE(store_update_response));
METHOD(get_method, SERVICE, "Get", TYPE(store_get_response));
METHOD(list_method, SERVICE, "List", TYPE(store_list_response));
METHOD(delete_method, SERVICE, "Delete", TYPE(store_delete_response));

static struct gt_error *sandbox_get(const Containerd__Types__Sandbox *m,
				    const struct gt_grpc_remote *method, struct gt_sandbox *out)
{
	GT_TRY(remote_answered(m, method));
	if (out)
		gt_wire_sandbox_get(m, out);
	return NULL;
}

static struct gt_error *get(struct gt_services *s, struct gt_call *call, const char *id,
			    struct gt_sandbox *out)
{
	V1(StoreGetRequest) q = INIT(STORE_GET_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;

	q.sandbox_id = gt_wire_string(id);
	GT_TRY(gt_grpc_call(remote_client(s), call, &get_method, &q.base, &m));
	return sandbox_get(((V1(StoreGetResponse) *)m)->sandbox, &get_method, out);
}

static struct gt_error *create(struct gt_services *s, struct gt_call *call,
			       const struct gt_sandbox *b, struct gt_sandbox *out)
{
	V1(StoreCreateRequest) q = INIT(STORE_CREATE_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };

	q.sandbox = gt_wire_sandbox(&a, b);
	GT_TRY(gt_grpc_call(remote_client(s), call, &create_method, &q.base, &m));
	return sandbox_get(((V1(StoreCreateResponse) *)m)->sandbox, &create_method, out);
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call,
			       const struct gt_sandbox *b, const struct gt_strv *mask,
			       struct gt_sandbox *out)
{
	V1(StoreUpdateRequest) q = INIT(STORE_UPDATE_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };

	q.sandbox = gt_wire_sandbox(&a, b);
	REMOTE_STRINGS(q, fields, mask);
	GT_TRY(gt_grpc_call(remote_client(s), call, &update_method, &q.base, &m));
	return sandbox_get(((V1(StoreUpdateResponse) *)m)->sandbox, &update_method, out);
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     const struct gt_strv *filters,
			     struct gt_error *(*fn)(void *arg, const struct gt_sandbox *b), void *arg)
{
	V1(StoreListRequest) q = INIT(STORE_LIST_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(StoreListResponse) *r;

	REMOTE_STRINGS(q, filters, filters);
	GT_TRY(gt_grpc_call(remote_client(s), call, &list_method, &q.base, &m));
	r = (const void *)m;
	for (size_t i = 0; i < r->n_list; i++) {
		gt_auto(gt_sandbox) b = { 0 };

		gt_wire_sandbox_get(r->list[i], &b);
		GT_TRY(fn(arg, &b));
	}
	return NULL;
}

static struct gt_error *remove_one(struct gt_services *s, struct gt_call *call, const char *id)
{
	V1(StoreDeleteRequest) q = INIT(STORE_DELETE_REQUEST);

	q.sandbox_id = gt_wire_string(id);
	return remote_do(s, call, &delete_method, &q.base);
}

const struct gt_sandboxes_ops remote_sandboxes = {
	.size = sizeof(remote_sandboxes),
	.get = get,
	.create = create,
	.update = update,
	.list = list,
	.remove = remove_one,
};
