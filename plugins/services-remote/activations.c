/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "remote.h"

#include <gantry/api-activations.h>

#include "containerd.services.mounts.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#define V1(name) Containerd__Services__Mounts__V1__##name
#define INIT(name) CONTAINERD__SERVICES__MOUNTS__V1__##name##__INIT
#define TYPE(name) containerd__services__mounts__v1__##name##__descriptor
#define SERVICE "containerd.services.mounts.v1.Mounts"

METHOD(activate_method, SERVICE, "Activate", TYPE(activate_response));
METHOD(deactivate_method, SERVICE, "Deactivate", google__protobuf__empty__descriptor);
METHOD(info_method, SERVICE, "Info", TYPE(info_response));
METHOD(update_method, SERVICE, "Update", TYPE(update_response));
METHOD(list_method, SERVICE, "List", TYPE(list_message));

static struct gt_error *activation_get(const Containerd__Types__ActivationInfo *m,
				       const struct gt_grpc_remote *method,
				       struct gt_activation *out)
{
	GT_TRY(remote_answered(m, method));
	if (out)
		gt_wire_activation_get(m, out);
	return NULL;
}

static struct gt_error *create(struct gt_services *s, struct gt_call *call, const char *name,
			       const struct gt_mounts *mounts, const struct gt_labels *labels,
			       bool temporary, struct gt_activation *out)
{
	V1(ActivateRequest) q = INIT(ACTIVATE_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };

	q.name = gt_wire_string(name);
	q.mounts = gt_wire_mounts(&a, mounts, &q.n_mounts);
	if (labels)
		gt_wire_labels(&a, &q.base, "labels", labels);
	q.temporary = temporary;
	GT_TRY(gt_grpc_call(remote_client(s), call, &activate_method, &q.base, &m));
	return activation_get(((V1(ActivateResponse) *)m)->info, &activate_method, out);
}

static struct gt_error *remove_one(struct gt_services *s, struct gt_call *call, const char *name)
{
	V1(DeactivateRequest) q = INIT(DEACTIVATE_REQUEST);

	q.name = gt_wire_string(name);
	return remote_do(s, call, &deactivate_method, &q.base);
}

static struct gt_error *get(struct gt_services *s, struct gt_call *call, const char *name,
			    struct gt_activation *out)
{
	V1(InfoRequest) q = INIT(INFO_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;

	q.name = gt_wire_string(name);
	GT_TRY(gt_grpc_call(remote_client(s), call, &info_method, &q.base, &m));
	return activation_get(((V1(InfoResponse) *)m)->info, &info_method, out);
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call,
			       const struct gt_activation *x, const struct gt_strv *mask,
			       struct gt_activation *out)
{
	V1(UpdateRequest) q = INIT(UPDATE_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };

	q.info = gt_wire_activation(&a, x);
	q.update_mask = gt_wire_mask(&a, mask);
	GT_TRY(gt_grpc_call(remote_client(s), call, &update_method, &q.base, &m));
	return activation_get(((V1(UpdateResponse) *)m)->info, &update_method, out);
}

struct listing {
	struct gt_error *(*fn)(void *arg, const struct gt_activation *a);
	void *arg;
};

static struct gt_error *listed(void *arg, const ProtobufCMessage *m)
{
	const struct listing *l = arg;
	gt_auto(gt_activation) x = { 0 };

	GT_TRY(activation_get(((const V1(ListMessage) *)m)->info, &list_method, &x));
	return l->fn(l->arg, &x);
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     const struct gt_strv *filters,
			     struct gt_error *(*fn)(void *arg, const struct gt_activation *a),
			     void *arg)
{
	V1(ListRequest) q = INIT(LIST_REQUEST);
	struct listing l = { fn, arg };

	REMOTE_STRINGS(q, filters, filters);
	return remote_each(s, call, &list_method, &q.base, listed, &l);
}

const struct gt_activations_ops remote_activations = {
	.size = sizeof(remote_activations),
	.create = create,
	.remove = remove_one,
	.get = get,
	.update = update,
	.list = list,
};
