/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "images.h"
#include "progress.h"
#include "registry.h"

#include <gantry/buf.h>

#include <client/pull.h>

#include <string.h>

/* A pull or fetch from the command line. */
struct pull {
	struct ctr *c;
	struct gt_pull_options o;
	struct ctr_registry registry;
	struct gt_labels labels;
	struct ctr_progress *progress;
	struct gt_buf later; /* lines that wait for the progress to end */
	bool fetched, print_chain, quiet;
	int64_t begin; /* of unpacking */
};

static void say(struct pull *p)
{
	if (!p->fetched || !p->later.len)
		return;
	fwrite(p->later.s, 1, p->later.len, p->c->out);
	fflush(p->c->out);
	gt_buf_setlen(&p->later, 0);
}

static struct gt_error *step(void *arg, enum gt_pull_step step, const char *platform,
			     const struct gt_image_view *v)
{
	struct pull *p = arg;

	if (step == GT_PULL_FETCHED) {
		p->fetched = true;
		ctr_progress_end(p->progress, true);
	} else if (step == GT_PULL_UNPACKING) {
		if (!p->begin)
			p->begin = gt_now();
		if (!p->quiet)
			gt_buf_addf(&p->later, "unpacking %s %s...\n", platform, v->manifest.digest);
	} else if (p->print_chain) {
		gt_buf_addf(&p->later, "image chain ID: %s\n", gt_image_view_chain_id(v));
	}
	say(p);
	return NULL;
}

static struct gt_error *read_flags(struct pull *p)
{
	const struct gt_strv *labels = ctr_list(p->c, "label");
	const struct gt_strv *platforms = ctr_list(p->c, "platform");

	p->o.all_platforms = ctr_bool(p->c, "all-platforms");
	if (p->o.all_platforms && platforms->n)
		return ctr_usage_error("cannot specify both --platform and --all-platforms");
	if (ctr_bool(p->c, "all-metadata") && ctr_bool(p->c, "skip-metadata"))
		return ctr_usage_error("cannot specify both --all-metadata and --skip-metadata");
	for (size_t i = 0; i < platforms->n; i++) {
		gt_auto(gt_platform) one = { 0 };

		GT_TRY(gt_platform_parse(platforms->v[i], &one));
		gt_strv_add_take(&p->o.platforms, gt_platform_format(&one));
	}
	if (ctr_bool(p->c, "all-metadata"))
		p->o.metadata = GT_PULL_ALL_METADATA;
	ctr_labels_parse(&p->labels, labels, "true");
	p->o.labels = &p->labels;
	p->o.step = step;
	p->o.arg = p;
	return ctr_registry_read(p->c, &p->registry);
}

static struct gt_error *pull(struct pull *p, const char *arg)
{
	gt_autofree char *ref = NULL;
	struct gt_services *s;
	struct gt_error *e;

	GT_TRY(ctr_full_reference(arg, &ref));
	GT_TRY(read_flags(p));
	GT_TRY(ctr_services(p->c, &s));
	GT_TRY(ctr_progress_begin(p->c, &p->progress));
	p->o.resolver = p->registry.resolver;
	p->o.registry = &p->registry.options;
	p->o.progress = ctr_progress_board(p->progress);
	e = gt_image_pull(s, &p->c->call, ref, &p->o, NULL);
	ctr_progress_end(p->progress, !e);
	p->fetched = true;
	say(p);
	return e;
}

static void pull_done(struct pull *p)
{
	ctr_progress_free(p->progress);
	ctr_registry_done(&p->registry);
	gt_strv_done(&p->o.platforms);
	gt_labels_done(&p->labels);
	gt_buf_done(&p->later);
}

static struct gt_error *run_pull(struct ctr *c)
{
	struct pull p = {
		.c = c,
		.o = { .unpack = true, .snapshotter = ctr_snapshotter(c) },
		.later = GT_BUF_INIT,
		.print_chain = ctr_bool(c, "print-chainid"),
		.quiet = ctr_bool(c, "quiet"),
	};
	int64_t downloads = ctr_int(c, "max-concurrent-downloads");
	struct gt_error *e;

	if (!*ctr_arg(c, 0))
		return ctr_usage_error("please provide an image reference to pull");
	p.o.downloads = downloads > 0 && downloads < 64 ? downloads : downloads > 0 ? 64 : 0;
	e = pull(&p, ctr_arg(c, 0));
	if (!e && !p.quiet) {
		gt_autofree char *took = ctr_duration_go(p.begin ? gt_now() - p.begin : 0);

		fprintf(c->out, "done: %s\t\n", took);
	}
	pull_done(&p);
	return e;
}

static struct gt_error *run_fetch(struct ctr *c)
{
	struct pull p = { .c = c, .later = GT_BUF_INIT, .quiet = true };
	struct gt_error *e;

	if (!*ctr_arg(c, 0))
		return ctr_usage_error("please provide an image reference to fetch");
	if (ctr_bool(c, "metadata-only"))
		p.o.metadata = GT_PULL_METADATA_ONLY;
	e = pull(&p, ctr_arg(c, 0));
	pull_done(&p);
	return e;
}

static const struct ctr_flag shared_flags[] = {
	{ .name = "label", .type = CTR_LIST, .text = "label `KEY=VALUE` for the image" },
	{ .name = "platform",
	  .type = CTR_LIST,
	  .bits = CTR_COMMAS,
	  .text = "take the manifest for that platform instead of this machine's; may be given again" },
	{ .name = "all-platforms", .type = CTR_BOOL, .text = "take all platforms" },
	{ .name = "all-metadata",
	  .type = CTR_BOOL,
	  .text = "also take manifests and configs of platforms that are not wanted" },
	{ .name = "skip-metadata",
	  .type = CTR_BOOL,
	  .text = "take nothing of platforms that are not wanted, as is the default" },
	{ 0 },
};

static const struct ctr_flag pull_flags[] = {
	{ .name = "print-chainid",
	  .type = CTR_BOOL,
	  .text = "print the chain ID of what has been unpacked" },
	{ .name = "max-concurrent-downloads",
	  .type = CTR_INT,
	  .text = "blobs that are fetched at the same time; 0: three" },
	{ .name = "sync-fs",
	  .type = CTR_BOOL,
	  .text = "have layers on disk before the image has its name, which is so anyhow" },
	{ 0 },
};

static const struct ctr_flag fetch_flags[] = {
	{ .name = "metadata-only",
	  .type = CTR_BOOL,
	  .text = "take manifests and configs, and no layers" },
	{ 0 },
};

const struct ctr_command ctr_image_pull = {
	.name = "pull",
	.text = "pull an image from a registry",
	.args = "[flags] <ref>",
	.more = "Fetches an image and unpacks it into snapshots. A short name is read as Docker reads it:\n"
		"nginx is docker.io/library/nginx:latest. What is here already is not fetched again, and an\n"
		"interrupted pull goes on where it was.",
	.flags = (const struct ctr_flag *const[]){ shared_flags, pull_flags, ctr_progress_flag,
						   ctr_local_flag, ctr_snapshotter_flag,
						   ctr_registry_flags, NULL },
	.run = run_pull,
};

const struct ctr_command ctr_content_fetch = {
	.name = "fetch",
	.text = "fetch all content of an image, without unpacking it",
	.args = "[flags] <ref>",
	.flags = (const struct ctr_flag *const[]){ shared_flags, fetch_flags, ctr_progress_flag,
						   ctr_registry_flags, NULL },
	.run = run_fetch,
};
