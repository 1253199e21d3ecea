/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/api-containers.h>

#include "core/op.h"

#include <gantry/buf.h>

#include <string.h>

/* Where an extension stands, or would stand, in the sorted array. */
static size_t extension_find(const struct gt_container *c, const char *name, bool *found)
{
	size_t i = 0;

	while (i < c->n_extensions && strcmp(c->extensions[i].name, name) < 0)
		i++;
	*found = i < c->n_extensions && !strcmp(c->extensions[i].name, name);
	return i;
}

const struct gt_any *gt_container_extension(const struct gt_container *c, const char *name)
{
	bool found;
	size_t i = extension_find(c, name, &found);

	return found ? &c->extensions[i].value : NULL;
}

void gt_container_set_extension(struct gt_container *c, const char *name, const struct gt_any *value)
{
	bool found;
	size_t i = extension_find(c, name, &found);

	if (found) {
		gt_any_copy(&c->extensions[i].value, value);
		return;
	}
	c->extensions = gt_xrealloc(c->extensions, (c->n_extensions + 1) * sizeof(*c->extensions));
	memmove(c->extensions + i + 1, c->extensions + i,
		(c->n_extensions - i) * sizeof(*c->extensions));
	c->n_extensions++;
	c->extensions[i] = (struct gt_extension){ .name = gt_xstrdup(name) };
	gt_any_copy(&c->extensions[i].value, value);
}

void gt_container_copy(struct gt_container *dst, const struct gt_container *src)
{
	struct gt_container c = {
		.id = gt_xstrdup(src->id),
		.image = gt_xstrdup(src->image),
		.runtime = gt_xstrdup(src->runtime),
		.snapshotter = gt_xstrdup(src->snapshotter),
		.snapshot_key = gt_xstrdup(src->snapshot_key),
		.sandbox = gt_xstrdup(src->sandbox),
		.created_at = src->created_at,
		.updated_at = src->updated_at,
	};

	gt_labels_copy(&c.labels, &src->labels);
	gt_any_copy(&c.runtime_options, &src->runtime_options);
	gt_any_copy(&c.spec, &src->spec);
	for (size_t i = 0; i < src->n_extensions; i++)
		gt_container_set_extension(&c, src->extensions[i].name, &src->extensions[i].value);
	*dst = c;
}

void gt_container_done(struct gt_container *c)
{
	free(c->id);
	gt_labels_done(&c->labels);
	free(c->image);
	free(c->runtime);
	gt_any_done(&c->runtime_options);
	gt_any_done(&c->spec);
	free(c->snapshotter);
	free(c->snapshot_key);
	free(c->sandbox);
	for (size_t i = 0; i < c->n_extensions; i++) {
		free(c->extensions[i].name);
		gt_any_done(&c->extensions[i].value);
	}
	free(c->extensions);
	*c = (struct gt_container){ 0 };
}

struct gt_error *gt_containers_get(struct gt_services *s, struct gt_call *call, const char *id,
				   struct gt_container *out)
{
	GT_TRY(gt_op_check_ns(s->ops->containers && s->ops->containers->get, s->init,
			    "containers.get", call));
	GT_TRY(gt_identifier_check("container id", id));
	return s->ops->containers->get(s, call, id, out);
}

struct gt_error *gt_containers_create(struct gt_services *s, struct gt_call *call,
				      const struct gt_container *c, struct gt_container *out)
{
	GT_TRY(gt_op_check_ns(s->ops->containers && s->ops->containers->create, s->init,
			    "containers.create", call));
	GT_TRY(gt_identifier_check("container id", c->id));
	return s->ops->containers->create(s, call, c, out);
}

struct gt_error *gt_containers_update(struct gt_services *s, struct gt_call *call,
				      const struct gt_container *c, const struct gt_strv *mask,
				      struct gt_container *out)
{
	GT_TRY(gt_op_check_ns(s->ops->containers && s->ops->containers->update, s->init,
			    "containers.update", call));
	GT_TRY(gt_identifier_check("container id", c->id));
	return s->ops->containers->update(s, call, c, mask, out);
}

struct gt_error *gt_containers_list(struct gt_services *s, struct gt_call *call,
				    const struct gt_strv *filters,
				    struct gt_error *(*fn)(void *, const struct gt_container *),
				    void *arg)
{
	GT_TRY(gt_op_check_ns(s->ops->containers && s->ops->containers->list, s->init,
			    "containers.list", call));
	return s->ops->containers->list(s, call, filters, fn, arg);
}

struct gt_error *gt_containers_remove(struct gt_services *s, struct gt_call *call, const char *id)
{
	GT_TRY(gt_op_check_ns(s->ops->containers && s->ops->containers->remove, s->init,
			    "containers.remove", call));
	GT_TRY(gt_identifier_check("container id", id));
	return s->ops->containers->remove(s, call, id);
}

struct gt_error *gt_containers_remove_whole(struct gt_services *s, struct gt_call *call,
					    const char *id)
{
	GT_TRY(gt_op_check_ns(s->ops->containers && s->ops->containers->remove_whole, s->init,
			    "containers.remove_whole", call));
	GT_TRY(gt_identifier_check("container id", id));
	return s->ops->containers->remove_whole(s, call, id);
}

struct gt_error *gt_containers_create_whole(struct gt_services *s, struct gt_call *call,
					    const struct gt_container_snapshot *sn,
					    struct gt_container *c)
{
	GT_TRY(gt_op_check_ns(s->ops->containers && s->ops->containers->create_whole, s->init,
			    "containers.create_whole", call));
	GT_TRY(gt_identifier_check("container id", c->id));
	return s->ops->containers->create_whole(s, call, sn, c);
}
