/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "images.h"

#include <gantry/buf.h>

#include <client/import.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* "unpacking NAME (DIGEST)...done", one line an image. */
static struct gt_error *step(void *arg, enum gt_import_step step, const struct gt_image *image)
{
	struct ctr *c = arg;

	if (step == GT_IMPORT_UNPACKING) {
		fprintf(c->out, "unpacking %s (%s)...", image->name, image->target.digest);
		fflush(c->out);
	} else if (step == GT_IMPORT_UNPACKED) {
		fprintf(c->out, "done\n");
	}
	return NULL;
}

static struct gt_error *run_import(struct ctr *c)
{
	const char *in = ctr_arg(c, 0), *base = ctr_string(c, "base-name");
	const char *index = ctr_string(c, "index-name"), *platform = ctr_string(c, "platform");
	const struct ctr_config *config = c->init->config;
	struct gt_import_options o = {
		.names = *base ? GT_IMPORT_NAMES_BELOW : GT_IMPORT_ALL_NAMES,
		.base_name = base,
		.digests = ctr_bool(c, "digests"),
		.skip_digest_for_named = ctr_bool(c, "skip-digest-for-named"),
		.index_name = *index ? index : NULL,
		.compress_blobs = ctr_bool(c, "compress-blobs"),
		.unpack = !ctr_bool(c, "no-unpack"),
		.discard_unpacked_layers = ctr_bool(c, "discard-unpacked-layers"),
		.snapshotter = ctr_snapshotter(c),
		.worker = *config->worker ? config->worker : NULL,
		.step = step,
		.arg = c,
	};
	gt_autofd int opened = -1;
	int fd = STDIN_FILENO;
	struct gt_services *s;
	struct gt_error *e = NULL;

	if (o.skip_digest_for_named && !o.digests)
		return ctr_usage_error(
			"--skip-digest-for-named must be specified with --digests option");
	if (o.discard_unpacked_layers && !o.unpack)
		return ctr_usage_error(
			"--discard-unpacked-layers and --no-unpack are incompatible options");
	if (strcmp(in, "-")) {
		fd = opened = open(in, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "open %s", in);
	}
	ctr_labels_parse(&o.labels, ctr_list(c, "label"), "true");
	if (*platform)
		e = gt_platforms_add(&o.platforms, platform);
	else if (!ctr_bool(c, "all-platforms"))
		gt_platforms_add_host(&o.platforms);
	if (!e)
		e = ctr_services(c, &s);
	if (!e)
		e = gt_image_import(s, &c->call, fd, &o);
	gt_platforms_done(&o.platforms);
	gt_labels_done(&o.labels);
	return e;
}

static const struct ctr_flag flags[] = {
	{ .name = "base-name",
	  .type = CTR_STRING,
	  .text = "name for images of which the archive gives only a tag; others are left out then" },
	{ .name = "digests", .type = CTR_BOOL, .text = "also make a name with the digest of each" },
	{ .name = "skip-digest-for-named",
	  .type = CTR_BOOL,
	  .text = "with --digests: not for images that have a name" },
	{ .name = "index-name", .type = CTR_STRING, .text = "name for the archive's index itself" },
	{ .name = "all-platforms",
	  .type = CTR_BOOL,
	  .text = "want and unpack all platforms that the archive lists" },
	{ .name = "platform",
	  .type = CTR_STRING,
	  .text = "want and unpack that platform instead of this machine's" },
	{ .name = "no-unpack", .type = CTR_BOOL, .text = "do not unpack the layers" },
	{ .name = "compress-blobs",
	  .type = CTR_BOOL,
	  .text = "compress layers of a Docker archive that are not" },
	{ .name = "discard-unpacked-layers",
	  .type = CTR_BOOL,
	  .text = "let layers be collected once they are unpacked" },
	{ .name = "label", .type = CTR_LIST, .text = "label `KEY=VALUE` for the images" },
	{ .name = "sync-fs",
	  .type = CTR_BOOL,
	  .text = "have layers on disk before an image has its name, which is so anyhow" },
	{ 0 },
};

const struct ctr_command ctr_image_import = {
	.name = "import",
	.text = "import images from an OCI or Docker archive",
	.args = "[flags] <in>",
	.more = "Reads a tar archive, compressed or not, from a file or, for \"-\", from standard input.\n"
		"A name that is there already moves to the imported image. On an error nothing of the\n"
		"archive stays.",
	.flags = (const struct ctr_flag *const[]){ flags, ctr_local_flag, ctr_snapshotter_flag, NULL },
	.run = run_import,
};
