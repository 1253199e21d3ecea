/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "images.h"

#include <gantry/api-containers.h>
#include <gantry/api-images.h>

static struct gt_error *note_image(void *arg, const struct gt_container *container)
{
	if (container->image && *container->image)
		gt_strv_add(arg, container->image);
	return NULL;
}

static struct gt_error *note_name(void *arg, const struct gt_image *image)
{
	gt_strv_add(arg, image->name);
	return NULL;
}

static struct gt_error *run_prune(struct ctr *c)
{
	gt_auto(gt_strv) used = { 0 };
	gt_auto(gt_strv) names = { 0 };
	struct gt_error *kept = NULL;
	struct gt_services *s;

	if (!ctr_bool(c, "all")) {
		ctr_log(c, "warning", NULL, "No images pruned. `image prune` requires --all to be specified.");
		return NULL;
	}
	GT_TRY(ctr_services(c, &s));
	GT_TRY(gt_containers_list(s, &c->call, NULL, note_image, &used));
	GT_TRY(gt_images_list(s, &c->call, NULL, note_name, &names));
	for (size_t i = 0; i < names.n; i++) {
		struct gt_error *e;

		if (gt_strv_has(&used, names.v[i]))
			continue;
		e = gt_images_remove(s, &c->call, names.v[i], i + 1 == names.n);
		e = gt_error_unless(e, GT_NOT_FOUND);
		if (!ctr_keep_error(c, &kept, e, "could not delete image %s", names.v[i]))
			ctr_log(c, "info", NULL, "deleted image: %s", names.v[i]);
	}
	return kept;
}

static const struct ctr_flag flags[] = {
	{ .name = "all", .type = CTR_BOOL, .text = "remove all that no container uses" },
	{ 0 },
};

const struct ctr_command ctr_image_prune = {
	.name = "prune",
	.text = "remove the images that no container uses",
	.args = "[flags]",
	.flags = (const struct ctr_flag *const[]){ flags, NULL },
	.run = run_prune,
	.bits = CTR_COLLECTS,
};
