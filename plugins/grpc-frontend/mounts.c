/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include <gantry/api-activations.h>

#include "containerd.services.mounts.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#define V1(name) Containerd__Services__Mounts__V1__##name

GRPC_KEEPS(gt_activation)
GRPC_KEEPS(gt_labels)
GRPC_KEEPS(gt_mounts)
GRPC_KEEPS(gt_strv)

static struct gt_error *activate(struct gt_grpc_unary *u)
{
	const V1(ActivateRequest) *r = u->request;
	V1(ActivateResponse) *m = u->reply;
	struct gt_mounts *mounts = keep_gt_mounts(u);
	struct gt_labels *labels = keep_gt_labels(u);
	struct gt_activation *made = keep_gt_activation(u);

	gt_wire_mounts_get(r->mounts, r->n_mounts, mounts);
	gt_wire_labels_get(&r->base, "labels", labels);
	GT_TRY(gt_activations_create(SERVICES(u), u->call, r->name, mounts, labels, r->temporary,
				     made));
	m->info = gt_wire_activation(&u->arena, made);
	return NULL;
}

static struct gt_error *deactivate(struct gt_grpc_unary *u)
{
	const V1(DeactivateRequest) *r = u->request;

	return gt_activations_remove(SERVICES(u), u->call, r->name);
}

static struct gt_error *info(struct gt_grpc_unary *u)
{
	const V1(InfoRequest) *r = u->request;
	V1(InfoResponse) *m = u->reply;
	struct gt_activation *x = keep_gt_activation(u);

	GT_TRY(gt_activations_get(SERVICES(u), u->call, r->name, x));
	m->info = gt_wire_activation(&u->arena, x);
	return NULL;
}

static struct gt_error *update(struct gt_grpc_unary *u)
{
	const V1(UpdateRequest) *r = u->request;
	V1(UpdateResponse) *m = u->reply;
	struct gt_activation *given = keep_gt_activation(u), *now = keep_gt_activation(u);
	struct gt_strv *mask = keep_gt_strv(u);

	GT_TRY(grpc_required(r->info, "info"));
	gt_wire_activation_get(r->info, given);
	gt_wire_mask_get(r->update_mask, mask);
	GT_TRY(gt_activations_update(SERVICES(u), u->call, given, mask, now));
	m->info = gt_wire_activation(&u->arena, now);
	return NULL;
}

static struct gt_error *listed(void *arg, const struct gt_activation *x)
{
	V1(ListMessage) m = CONTAINERD__SERVICES__MOUNTS__V1__LIST_MESSAGE__INIT;
	struct gt_grpc_call *c = arg;
	gt_auto(gt_arena) a = { 0 };

	GT_TRY(gt_call_check(&c->call));
	m.info = gt_wire_activation(&a, x);
	gt_grpc_send(c, &m.base);
	return NULL;
}

static void list(struct gt_grpc_call *c, const ProtobufCMessage *request)
{
	const V1(ListRequest) *r = (const void *)request;
	struct gt_strv filters = grpc_strings(r->filters, r->n_filters);

	gt_grpc_answer_error_take(c, gt_activations_list(SERVICES(c), &c->call, &filters, listed, c));
}

#define TYPE(name) containerd__services__mounts__v1__##name##__descriptor
const struct gt_grpc_method grpc_mounts[] = {
	GT_GRPC_UNARY("Activate", TYPE(activate_request), TYPE(activate_response), activate, 0),
	GT_GRPC_UNARY("Deactivate", TYPE(deactivate_request), google__protobuf__empty__descriptor,
		      deactivate, 0),
	GT_GRPC_UNARY("Info", TYPE(info_request), TYPE(info_response), info, 0),
	GT_GRPC_UNARY("Update", TYPE(update_request), TYPE(update_response), update, 0),
	{ .name = "List",
	  .request = &TYPE(list_request),
	  .response = &TYPE(list_message),
	  .flags = GT_GRPC_SERVER_STREAM,
	  .handle = list },
	{ 0 }
};
