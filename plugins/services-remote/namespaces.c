/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "remote.h"

#include <gantry/api-namespaces.h>
#include <gantry/buf.h>

#include "containerd.services.namespaces.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#define V1(name) Containerd__Services__Namespaces__V1__##name
#define INIT(name) CONTAINERD__SERVICES__NAMESPACES__V1__##name##__INIT
#define TYPE(name) containerd__services__namespaces__v1__##name##__descriptor
#define SERVICE "containerd.services.namespaces.v1.Namespaces"

METHOD(create_method, SERVICE, "Create", TYPE(create_namespace_response));
METHOD(get_method, SERVICE, "Get", TYPE(get_namespace_response));
METHOD(list_method, SERVICE, "List", TYPE(list_namespaces_response));
METHOD(update_method, SERVICE, "Update", TYPE(update_namespace_response));
METHOD(delete_method, SERVICE, "Delete", google__protobuf__empty__descriptor);

static V1(Namespace) *wire(struct gt_arena *a, const char *name, const struct gt_labels *labels)
{
	V1(Namespace) *m = gt_arena_message(a, &TYPE(namespace));

	m->name = gt_wire_string(name);
	if (labels)
		gt_wire_labels(a, &m->base, "labels", labels);
	return m;
}

static struct gt_error *create(struct gt_services *s, struct gt_call *call, const char *name,
			       const struct gt_labels *labels)
{
	V1(CreateNamespaceRequest) q = INIT(CREATE_NAMESPACE_REQUEST);
	gt_auto(gt_arena) a = { 0 };

	q.namespace_ = wire(&a, name, labels);
	return remote_do(s, call, &create_method, &q.base);
}

static struct gt_error *get(struct gt_services *s, struct gt_call *call, const char *name,
			    struct gt_labels *labels)
{
	V1(GetNamespaceRequest) q = INIT(GET_NAMESPACE_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(GetNamespaceResponse) *r;

	q.name = gt_wire_string(name);
	GT_TRY(gt_grpc_call(remote_client(s), call, &get_method, &q.base, &m));
	r = (const void *)m;
	GT_TRY(remote_answered(r->namespace_, &get_method));
	gt_wire_labels_get(&r->namespace_->base, "labels", labels);
	return NULL;
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     struct gt_error *(*fn)(void *arg, const char *name,
						    const struct gt_labels *labels),
			     void *arg)
{
	V1(ListNamespacesRequest) q = INIT(LIST_NAMESPACES_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(ListNamespacesResponse) *r;

	GT_TRY(gt_grpc_call(remote_client(s), call, &list_method, &q.base, &m));
	r = (const void *)m;
	for (size_t i = 0; i < r->n_namespaces; i++) {
		gt_auto(gt_labels) labels = { 0 };

		gt_wire_labels_get(&r->namespaces[i]->base, "labels", &labels);
		GT_TRY(fn(arg, r->namespaces[i]->name, &labels));
	}
	return NULL;
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call, const char *name,
			       const struct gt_labels *labels, bool replace)
{
	V1(UpdateNamespaceRequest) q = INIT(UPDATE_NAMESPACE_REQUEST);
	gt_auto(gt_arena) a = { 0 };
	gt_auto(gt_strv) mask = { 0 };

	for (size_t i = 0; !replace && i < labels->n; i++)
		gt_strv_addf(&mask, "labels.%s", labels->v[i].key);
	q.namespace_ = wire(&a, name, labels);
	q.update_mask = gt_wire_mask(&a, &mask);
	return remote_do(s, call, &update_method, &q.base);
}

static struct gt_error *remove_one(struct gt_services *s, struct gt_call *call, const char *name)
{
	V1(DeleteNamespaceRequest) q = INIT(DELETE_NAMESPACE_REQUEST);

	q.name = gt_wire_string(name);
	return remote_do(s, call, &delete_method, &q.base);
}

const struct gt_namespaces_ops remote_namespaces = {
	.size = sizeof(remote_namespaces),
	.create = create,
	.get = get,
	.list = list,
	.update = update,
	.remove = remove_one,
};
