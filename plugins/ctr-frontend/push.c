/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "images.h"
#include "lookup.h"
#include "progress.h"
#include "registry.h"

#include <gantry/api-blobs.h>
#include <gantry/buf.h>

#include <client/push.h>
#include <oci/document.h>

/* The image that LOCAL, or REMOTE where there is none, names; or the blob of --manifest. */
static struct gt_error *find_target(struct ctr *c, struct gt_services *s, struct gt_descriptor *out)
{
	const char *manifest = ctr_string(c, "manifest");
	gt_auto(gt_image) image = { 0 };
	gt_auto(gt_blob) blob = { 0 };

	if (!*manifest) {
		const char *local = *ctr_arg(c, 1) ? ctr_arg(c, 1) : ctr_arg(c, 0);

		GT_TRY(gt_error_wrap(ctr_find_image(c, s, local, &image),
				     "unable to resolve image to manifest"));
		gt_descriptor_copy(out, &image.target);
		return NULL;
	}
	GT_TRY(gt_error_wrap(gt_digest_check(manifest), "invalid manifest digest"));
	GT_TRY(ctr_hint_content(c, s, gt_blobs_info(s, &c->call, manifest, &blob), manifest));
	out->media_type = gt_xstrdup(ctr_string(c, "manifest-type"));
	out->digest = gt_xstrdup(manifest);
	out->size = blob.info.size;
	return NULL;
}

static struct gt_error *push(struct ctr *c, struct ctr_registry *registry,
			     struct gt_push_image_options *o)
{
	const struct gt_strv *platforms = ctr_list(c, "platform");
	gt_auto(gt_descriptor) target = { 0 };
	gt_autoptr(ctr_progress) progress = NULL;
	gt_autofree char *ref = NULL;
	struct gt_services *s;
	struct gt_error *e;

	for (size_t i = 0; i < platforms->n; i++)
		GT_TRY(gt_platforms_add(&o->platforms, platforms->v[i]));
	GT_TRY(ctr_full_reference(ctr_arg(c, 0), &ref));
	GT_TRY(ctr_services(c, &s));
	GT_TRY(find_target(c, s, &target));
	GT_TRY(ctr_registry_read(c, registry));
	GT_TRY(ctr_progress_begin(c, &progress));
	o->resolver = registry->resolver;
	o->registry = &registry->options;
	o->progress = ctr_progress_board(progress);
	e = gt_image_push(s, &c->call, ref, &target, o);
	ctr_progress_end(progress, !e);
	return e;
}

static struct gt_error *run_push(struct ctr *c)
{
	int64_t uploads = ctr_int(c, "max-concurrent-uploaded-layers");
	struct gt_push_image_options o = { .foreign = ctr_bool(c, "allow-non-distributable-blobs") };
	struct ctr_registry registry = { 0 };
	struct gt_error *e;

	if (!*ctr_arg(c, 0))
		return ctr_usage_error("please provide a remote image reference to push");
	o.uploads = uploads > 0 && uploads < 64 ? uploads : uploads > 0 ? 64 : 0;
	e = push(c, &registry, &o);
	ctr_registry_done(&registry);
	gt_platforms_done(&o.platforms);
	return e;
}

static const struct ctr_flag flags[] = {
	{ .name = "manifest", .type = CTR_STRING, .text = "`DIGEST` of the manifest to push" },
	{ .name = "manifest-type",
	  .type = CTR_STRING,
	  .value = GT_TYPE_OCI_MANIFEST,
	  .text = "media type of the digest given by --manifest" },
	{ .name = "platform",
	  .type = CTR_LIST,
	  .bits = CTR_COMMAS,
	  .text = "push the manifest for that platform alone; given again: the index with those" },
	{ .name = "max-concurrent-uploaded-layers",
	  .type = CTR_INT,
	  .text = "blobs that are sent at the same time; 0: three" },
	{ .name = "allow-non-distributable-blobs",
	  .type = CTR_BOOL,
	  .text = "also push layers that are not to be handed on" },
	{ 0 },
};

const struct ctr_command ctr_image_push = {
	.name = "push",
	.text = "push an image to a registry",
	.args = "[flags] <remote> [<local>]",
	.more = "Names are read as Docker reads them: nginx is docker.io/library/nginx:latest. What the\n"
		"registry has already is not sent.",
	.flags = (const struct ctr_flag *const[]){ flags, ctr_progress_flag, ctr_local_flag,
						   ctr_registry_flags, NULL },
	.run = run_push,
};
