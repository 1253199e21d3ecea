/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/api-images.h>

#include "core/op.h"

#include <gantry/buf.h>

#include <string.h>

void gt_image_copy(struct gt_image *dst, const struct gt_image *src)
{
	struct gt_image i = {
		.name = gt_xstrdup(src->name),
		.created_at = src->created_at,
		.updated_at = src->updated_at,
	};

	gt_labels_copy(&i.labels, &src->labels);
	gt_descriptor_copy(&i.target, &src->target);
	*dst = i;
}

void gt_image_done(struct gt_image *i)
{
	free(i->name);
	gt_labels_done(&i->labels);
	gt_descriptor_done(&i->target);
	*i = (struct gt_image){ 0 };
}

struct gt_error *gt_images_get(struct gt_services *s, struct gt_call *call, const char *name,
			       struct gt_image *out)
{
	GT_TRY(gt_op_check_ns(s->ops->images && s->ops->images->get, s->init, "images.get", call));
	GT_TRY(gt_op_required("image name", name));
	return s->ops->images->get(s, call, name, out);
}

struct gt_error *gt_images_create(struct gt_services *s, struct gt_call *call,
				  const struct gt_image *image, struct gt_image *out)
{
	GT_TRY(gt_op_check_ns(s->ops->images && s->ops->images->create, s->init,
			    "images.create", call));
	GT_TRY(gt_op_required("image name", image->name));
	return s->ops->images->create(s, call, image, out);
}

struct gt_error *gt_images_update(struct gt_services *s, struct gt_call *call,
				  const struct gt_image *image, const struct gt_strv *mask,
				  struct gt_image *out)
{
	GT_TRY(gt_op_check_ns(s->ops->images && s->ops->images->update, s->init,
			    "images.update", call));
	GT_TRY(gt_op_required("image name", image->name));
	return s->ops->images->update(s, call, image, mask, out);
}

struct gt_error *gt_images_list(struct gt_services *s, struct gt_call *call,
				const struct gt_strv *filters,
				struct gt_error *(*fn)(void *, const struct gt_image *), void *arg)
{
	GT_TRY(gt_op_check_ns(s->ops->images && s->ops->images->list, s->init,
			    "images.list", call));
	return s->ops->images->list(s, call, filters, fn, arg);
}

struct gt_error *gt_images_remove(struct gt_services *s, struct gt_call *call, const char *name,
				  bool sync)
{
	GT_TRY(gt_op_check_ns(s->ops->images && s->ops->images->remove, s->init,
			    "images.remove", call));
	GT_TRY(gt_op_required("image name", name));
	return s->ops->images->remove(s, call, name, sync);
}
