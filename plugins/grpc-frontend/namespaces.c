/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include <gantry/api-namespaces.h>

#include "containerd.services.namespaces.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#include <string.h>

#define V1(name) Containerd__Services__Namespaces__V1__##name

GRPC_KEEPS(gt_labels)

static V1(Namespace) *namespace_wire(struct gt_arena *a, const char *name,
				     const struct gt_labels *labels)
{
	V1(Namespace) *m =
		gt_arena_message(a, &containerd__services__namespaces__v1__namespace__descriptor);

	m->name = (char *)name;
	gt_wire_labels(a, &m->base, "labels", labels);
	return m;
}

static struct gt_error *create(struct gt_grpc_unary *u)
{
	const V1(CreateNamespaceRequest) *r = u->request;
	V1(CreateNamespaceResponse) *m = u->reply;
	struct gt_labels *labels = keep_gt_labels(u);

	GT_TRY(grpc_required(r->namespace_, "namespace"));
	gt_wire_labels_get(&r->namespace_->base, "labels", labels);
	GT_TRY(gt_namespaces_create(SERVICES(u), u->call, r->namespace_->name, labels));
	m->namespace_ = namespace_wire(&u->arena, r->namespace_->name, labels);
	return NULL;
}

static struct gt_error *get(struct gt_grpc_unary *u)
{
	const V1(GetNamespaceRequest) *r = u->request;
	V1(GetNamespaceResponse) *m = u->reply;
	struct gt_labels *labels = keep_gt_labels(u);

	GT_TRY(gt_namespaces_get(SERVICES(u), u->call, r->name, labels));
	m->namespace_ = namespace_wire(&u->arena, r->name, labels);
	return NULL;
}

static struct gt_error *add(void *arg, const char *name, const struct gt_labels *labels)
{
	gt_auto(gt_arena) a = { 0 };

	return gt_grpc_unary_add(arg, 1, &namespace_wire(&a, name, labels)->base);
}

static struct gt_error *list(struct gt_grpc_unary *u)
{
	return gt_namespaces_list(SERVICES(u), u->call, add, u);
}

/* The labels that a mask names, with what the request has for them: an empty value drops one. */
static struct gt_error *masked(const Google__Protobuf__FieldMask *mask,
			       const struct gt_labels *given, struct gt_labels *out)
{
	static const char prefix[] = "labels.";

	for (size_t i = 0; i < mask->n_paths; i++) {
		const char *path = mask->paths[i], *value;

		if (strncmp(path, prefix, strlen(prefix)) != 0)
			return gt_error_new(GT_INVALID_ARGUMENT, "cannot update \"%s\" field", path);
		value = gt_labels_get(given, path + strlen(prefix));
		gt_labels_set(out, path + strlen(prefix), value ? value : "");
	}
	return NULL;
}

static struct gt_error *update(struct gt_grpc_unary *u)
{
	const V1(UpdateNamespaceRequest) *r = u->request;
	V1(UpdateNamespaceResponse) *m = u->reply;
	struct gt_labels *given = keep_gt_labels(u), *some = keep_gt_labels(u),
			 *now = keep_gt_labels(u);
	bool replace = !r->update_mask || !r->update_mask->n_paths;

	GT_TRY(grpc_required(r->namespace_, "namespace"));
	gt_wire_labels_get(&r->namespace_->base, "labels", given);
	if (!replace)
		GT_TRY(masked(r->update_mask, given, some));
	GT_TRY(gt_namespaces_update(SERVICES(u), u->call, r->namespace_->name,
				    replace ? given : some, replace));
	GT_TRY(gt_namespaces_get(SERVICES(u), u->call, r->namespace_->name, now));
	m->namespace_ = namespace_wire(&u->arena, r->namespace_->name, now);
	return NULL;
}

static struct gt_error *remove_one(struct gt_grpc_unary *u)
{
	const V1(DeleteNamespaceRequest) *r = u->request;

	return gt_namespaces_remove(SERVICES(u), u->call, r->name);
}

#define TYPE(name) containerd__services__namespaces__v1__##name##__descriptor
const struct gt_grpc_method grpc_namespaces[] = {
	GT_GRPC_UNARY("Create", TYPE(create_namespace_request), TYPE(create_namespace_response), create, 0),
	GT_GRPC_UNARY("Get", TYPE(get_namespace_request), TYPE(get_namespace_response), get,
		      GT_GRPC_QUICK),
	GT_GRPC_UNARY("List", TYPE(list_namespaces_request), TYPE(list_namespaces_response), list, 0),
	GT_GRPC_UNARY("Update", TYPE(update_namespace_request), TYPE(update_namespace_response), update, 0),
	GT_GRPC_UNARY("Delete", TYPE(delete_namespace_request), google__protobuf__empty__descriptor,
		      remove_one, 0),
	{ 0 }
};
