/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/api-leases.h>

#include "core/op.h"

#include <gantry/buf.h>

#include <string.h>

#define ID_MAX 255

void gt_lease_done(struct gt_lease *l)
{
	free(l->id);
	gt_labels_done(&l->labels);
	*l = (struct gt_lease){ 0 };
}

/* No identifier: clients name leases after what they keep, ctr its mounts' after their folder. */
static struct gt_error *id_check(const char *id)
{
	gt_auto(gt_buf) q = GT_BUF_INIT;

	if (strlen(id) <= ID_MAX && !strpbrk(id, "\n\r\t\x1b"))
		return NULL;
	gt_buf_addq(&q, id);
	return gt_error_new(GT_INVALID_ARGUMENT, "lease id %.80s is too long or no text", q.s);
}

struct gt_error *gt_leases_create(struct gt_services *s, struct gt_call *call, const char *id,
				  const struct gt_labels *labels, struct gt_lease *out)
{
	GT_TRY(gt_op_check_ns(s->ops->leases && s->ops->leases->create, s->init,
			    "leases.create", call));
	if (id && *id)
		GT_TRY(id_check(id));
	return s->ops->leases->create(s, call, id, labels, out);
}

struct gt_error *gt_leases_remove(struct gt_services *s, struct gt_call *call, const char *id,
				  bool sync)
{
	GT_TRY(gt_op_check_ns(s->ops->leases && s->ops->leases->remove, s->init,
			    "leases.remove", call));
	return s->ops->leases->remove(s, call, id, sync);
}

struct gt_error *gt_leases_list(struct gt_services *s, struct gt_call *call,
				const struct gt_strv *filters,
				struct gt_error *(*fn)(void *, const struct gt_lease *), void *arg)
{
	GT_TRY(gt_op_check_ns(s->ops->leases && s->ops->leases->list, s->init,
			    "leases.list", call));
	return s->ops->leases->list(s, call, filters, fn, arg);
}

struct gt_error *gt_leases_add(struct gt_services *s, struct gt_call *call, const char *lease,
			       const char *type, const char *id)
{
	GT_TRY(gt_op_check_ns(s->ops->leases && s->ops->leases->add, s->init, "leases.add", call));
	return s->ops->leases->add(s, call, lease, type, id);
}

struct gt_error *gt_leases_drop(struct gt_services *s, struct gt_call *call, const char *lease,
				const char *type, const char *id)
{
	GT_TRY(gt_op_check_ns(s->ops->leases && s->ops->leases->drop, s->init,
			    "leases.drop", call));
	return s->ops->leases->drop(s, call, lease, type, id);
}

struct gt_error *gt_leases_resources(struct gt_services *s, struct gt_call *call, const char *lease,
				     struct gt_error *(*fn)(void *, const char *, const char *),
				     void *arg)
{
	GT_TRY(gt_op_check_ns(s->ops->leases && s->ops->leases->resources, s->init,
			    "leases.resources", call));
	return s->ops->leases->resources(s, call, lease, fn, arg);
}
