/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/api-activations.h>

#include "core/op.h"

#include <gantry/buf.h>

#include <string.h>

#define NAME_MAX_LEN 440
#define MOUNTS_MAX 255

static void mount_done(struct gt_mount *m)
{
	free(m->type);
	free(m->source);
	free(m->target);
	gt_strv_done(&m->options);
}

void gt_activation_done(struct gt_activation *a)
{
	free(a->name);
	for (size_t i = 0; i < a->n_active; i++) {
		mount_done(&a->active[i].mount);
		free(a->active[i].point);
		gt_labels_done(&a->active[i].data);
	}
	free(a->active);
	gt_mounts_done(&a->system);
	gt_labels_done(&a->labels);
	*a = (struct gt_activation){ 0 };
}

/* No identifier: snapshot keys are used as names. */
static struct gt_error *name_check(const char *name)
{
	GT_TRY(gt_op_required("name of a mount", name));
	if (strlen(name) > NAME_MAX_LEN)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "name of a mount \"%.40s...\" is longer than %d bytes", name,
				    NAME_MAX_LEN);
	return NULL;
}

struct gt_error *gt_activations_create(struct gt_services *s, struct gt_call *call,
				       const char *name, const struct gt_mounts *mounts,
				       const struct gt_labels *labels, bool temporary,
				       struct gt_activation *out)
{
	GT_TRY(gt_op_check_ns(s->ops->activations && s->ops->activations->create, s->init,
			      "activations.create", call));
	GT_TRY(name_check(name));
	if (!mounts->n || mounts->n > MOUNTS_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "mount \"%s\": %zu mounts, where 1 to %d are possible", name,
				    mounts->n, MOUNTS_MAX);
	return s->ops->activations->create(s, call, name, mounts, labels, temporary, out);
}

struct gt_error *gt_activations_remove(struct gt_services *s, struct gt_call *call,
				       const char *name)
{
	GT_TRY(gt_op_check_ns(s->ops->activations && s->ops->activations->remove, s->init,
			      "activations.remove", call));
	GT_TRY(name_check(name));
	return s->ops->activations->remove(s, call, name);
}

struct gt_error *gt_activations_get(struct gt_services *s, struct gt_call *call, const char *name,
				    struct gt_activation *out)
{
	GT_TRY(gt_op_check_ns(s->ops->activations && s->ops->activations->get, s->init,
			      "activations.get", call));
	GT_TRY(name_check(name));
	return s->ops->activations->get(s, call, name, out);
}

struct gt_error *gt_activations_update(struct gt_services *s, struct gt_call *call,
				       const struct gt_activation *a, const struct gt_strv *mask,
				       struct gt_activation *out)
{
	GT_TRY(gt_op_check_ns(s->ops->activations && s->ops->activations->update, s->init,
			      "activations.update", call));
	GT_TRY(name_check(a->name));
	return s->ops->activations->update(s, call, a, mask, out);
}

struct gt_error *gt_activations_list(struct gt_services *s, struct gt_call *call,
				     const struct gt_strv *filters,
				     struct gt_error *(*fn)(void *, const struct gt_activation *),
				     void *arg)
{
	GT_TRY(gt_op_check_ns(s->ops->activations && s->ops->activations->list, s->init,
			      "activations.list", call));
	return s->ops->activations->list(s, call, filters, fn, arg);
}
