/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/api-sandboxes.h>

#include "core/op.h"

#include <gantry/buf.h>

#include <string.h>

void gt_sandbox_done(struct gt_sandbox *b)
{
	free(b->id);
	gt_labels_done(&b->labels);
	free(b->runtime);
	gt_any_done(&b->runtime_options);
	gt_any_done(&b->spec);
	free(b->sandboxer);
	for (size_t i = 0; i < b->n_extensions; i++) {
		free(b->extensions[i].name);
		gt_any_done(&b->extensions[i].value);
	}
	free(b->extensions);
	*b = (struct gt_sandbox){ 0 };
}

struct gt_error *gt_sandboxes_get(struct gt_services *s, struct gt_call *call, const char *id,
				  struct gt_sandbox *out)
{
	GT_TRY(gt_op_check_ns(s->ops->sandboxes && s->ops->sandboxes->get, s->init,
			    "sandboxes.get", call));
	GT_TRY(gt_identifier_check("sandbox id", id));
	return s->ops->sandboxes->get(s, call, id, out);
}

struct gt_error *gt_sandboxes_create(struct gt_services *s, struct gt_call *call,
				     const struct gt_sandbox *b, struct gt_sandbox *out)
{
	GT_TRY(gt_op_check_ns(s->ops->sandboxes && s->ops->sandboxes->create, s->init,
			    "sandboxes.create", call));
	GT_TRY(gt_identifier_check("sandbox id", b->id));
	return s->ops->sandboxes->create(s, call, b, out);
}

struct gt_error *gt_sandboxes_update(struct gt_services *s, struct gt_call *call,
				     const struct gt_sandbox *b, const struct gt_strv *mask,
				     struct gt_sandbox *out)
{
	GT_TRY(gt_op_check_ns(s->ops->sandboxes && s->ops->sandboxes->update, s->init,
			    "sandboxes.update", call));
	GT_TRY(gt_identifier_check("sandbox id", b->id));
	return s->ops->sandboxes->update(s, call, b, mask, out);
}

struct gt_error *gt_sandboxes_list(struct gt_services *s, struct gt_call *call,
				   const struct gt_strv *filters,
				   struct gt_error *(*fn)(void *, const struct gt_sandbox *),
				   void *arg)
{
	GT_TRY(gt_op_check_ns(s->ops->sandboxes && s->ops->sandboxes->list, s->init,
			    "sandboxes.list", call));
	return s->ops->sandboxes->list(s, call, filters, fn, arg);
}

struct gt_error *gt_sandboxes_remove(struct gt_services *s, struct gt_call *call, const char *id)
{
	GT_TRY(gt_op_check_ns(s->ops->sandboxes && s->ops->sandboxes->remove, s->init,
			    "sandboxes.remove", call));
	GT_TRY(gt_identifier_check("sandbox id", id));
	return s->ops->sandboxes->remove(s, call, id);
}
