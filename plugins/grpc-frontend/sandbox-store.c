/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include "containerd.services.sandbox.v1.pb-c.h"

#define V1(name) Containerd__Services__Sandbox__V1__##name

GRPC_KEEPS(gt_sandbox)

static struct gt_error *create(struct gt_grpc_unary *u)
{
	const V1(StoreCreateRequest) *r = u->request;
	V1(StoreCreateResponse) *m = u->reply;
	struct gt_sandbox *given = keep_gt_sandbox(u), *made = keep_gt_sandbox(u);

	GT_TRY(grpc_required(r->sandbox, "sandbox"));
	gt_wire_sandbox_get(r->sandbox, given);
	GT_TRY(gt_sandboxes_create(SERVICES(u), u->call, given, made));
	m->sandbox = gt_wire_sandbox(&u->arena, made);
	return NULL;
}

static struct gt_error *update(struct gt_grpc_unary *u)
{
	const V1(StoreUpdateRequest) *r = u->request;
	V1(StoreUpdateResponse) *m = u->reply;
	struct gt_sandbox *given = keep_gt_sandbox(u), *made = keep_gt_sandbox(u);
	struct gt_strv mask = grpc_strings(r->fields, r->n_fields);

	GT_TRY(grpc_required(r->sandbox, "sandbox"));
	gt_wire_sandbox_get(r->sandbox, given);
	GT_TRY(gt_sandboxes_update(SERVICES(u), u->call, given, &mask, made));
	m->sandbox = gt_wire_sandbox(&u->arena, made);
	return NULL;
}

static struct gt_error *get(struct gt_grpc_unary *u)
{
	const V1(StoreGetRequest) *r = u->request;
	V1(StoreGetResponse) *m = u->reply;
	struct gt_sandbox *b = keep_gt_sandbox(u);

	GT_TRY(gt_sandboxes_get(SERVICES(u), u->call, r->sandbox_id, b));
	m->sandbox = gt_wire_sandbox(&u->arena, b);
	return NULL;
}

static struct gt_error *add(void *arg, const struct gt_sandbox *b)
{
	gt_auto(gt_arena) a = { 0 };

	return gt_grpc_unary_add(arg, 1, &gt_wire_sandbox(&a, b)->base);
}

static struct gt_error *list(struct gt_grpc_unary *u)
{
	const V1(StoreListRequest) *r = u->request;
	struct gt_strv filters = grpc_strings(r->filters, r->n_filters);

	return gt_sandboxes_list(SERVICES(u), u->call, &filters, add, u);
}

static struct gt_error *remove_one(struct gt_grpc_unary *u)
{
	const V1(StoreDeleteRequest) *r = u->request;

	return gt_sandboxes_remove(SERVICES(u), u->call, r->sandbox_id);
}

#define TYPE(name) containerd__services__sandbox__v1__store_##name##__descriptor
const struct gt_grpc_method grpc_sandbox_store[] = {
	GT_GRPC_UNARY("Create", TYPE(create_request), TYPE(create_response), create, 0),
	GT_GRPC_UNARY("Update", TYPE(update_request), TYPE(update_response), update, 0),
	GT_GRPC_UNARY("Get", TYPE(get_request), TYPE(get_response), get, 0),
	GT_GRPC_UNARY("List", TYPE(list_request), TYPE(list_response), list, 0),
	GT_GRPC_UNARY("Delete", TYPE(delete_request), TYPE(delete_response), remove_one, 0),
	{ 0 }
};
