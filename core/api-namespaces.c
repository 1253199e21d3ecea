/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/api-namespaces.h>

#include "core/op.h"

struct gt_error *gt_namespaces_create(struct gt_services *s, struct gt_call *call, const char *name,
				      const struct gt_labels *labels)
{
	GT_TRY(gt_op_check(s->ops->namespaces && s->ops->namespaces->create, s->init,
			 "namespaces.create"));
	GT_TRY(gt_identifier_check("namespace", name));
	return s->ops->namespaces->create(s, call, name, labels);
}

struct gt_error *gt_namespaces_get(struct gt_services *s, struct gt_call *call, const char *name,
				   struct gt_labels *labels)
{
	GT_TRY(gt_op_check(s->ops->namespaces && s->ops->namespaces->get, s->init,
			 "namespaces.get"));
	GT_TRY(gt_identifier_check("namespace", name));
	return s->ops->namespaces->get(s, call, name, labels);
}

struct gt_error *gt_namespaces_list(struct gt_services *s, struct gt_call *call,
				    struct gt_error *(*fn)(void *, const char *, const struct gt_labels *),
				    void *arg)
{
	GT_TRY(gt_op_check(s->ops->namespaces && s->ops->namespaces->list, s->init,
			 "namespaces.list"));
	return s->ops->namespaces->list(s, call, fn, arg);
}

struct gt_error *gt_namespaces_update(struct gt_services *s, struct gt_call *call, const char *name,
				      const struct gt_labels *labels, bool replace)
{
	GT_TRY(gt_op_check(s->ops->namespaces && s->ops->namespaces->update, s->init,
			 "namespaces.update"));
	GT_TRY(gt_identifier_check("namespace", name));
	return s->ops->namespaces->update(s, call, name, labels, replace);
}

struct gt_error *gt_namespaces_remove(struct gt_services *s, struct gt_call *call, const char *name)
{
	GT_TRY(gt_op_check(s->ops->namespaces && s->ops->namespaces->remove, s->init,
			 "namespaces.remove"));
	GT_TRY(gt_identifier_check("namespace", name));
	return s->ops->namespaces->remove(s, call, name);
}
