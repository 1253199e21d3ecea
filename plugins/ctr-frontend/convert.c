/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "epoch.h"
#include "images.h"
#include "lookup.h"

#include <client/convert.h>

#include <string.h>

static struct gt_error *read_flags(struct ctr *c, struct gt_convert_options *o)
{
	const struct gt_strv *platforms = ctr_list(c, "platform");
	int ways = ctr_bool(c, "uncompress") + ctr_bool(c, "zstd") + ctr_bool(c, "gzip");

	if (ctr_bool(c, "erofs") || *ctr_string(c, "erofs-compressors") ||
	    *ctr_string(c, "erofs-mkfs-options"))
		return ctr_usage_error("layers as EROFS images are not supported: no snapshotter "
				       "here could use them");
	if (ways > 1)
		return ctr_usage_error("--uncompress, --gzip and --zstd exclude each other");
	if (ctr_bool(c, "all-platforms") && platforms->n)
		return ctr_usage_error("cannot specify both --platform and --all-platforms");
	if (ctr_bool(c, "uncompress"))
		o->layers = GT_CONVERT_PLAIN;
	else if (ctr_bool(c, "gzip"))
		o->layers = GT_CONVERT_GZIP;
	else if (ctr_bool(c, "zstd"))
		o->layers = GT_CONVERT_ZSTD;
	o->oci = ctr_bool(c, "oci");
	o->platforms.strict = true;
	for (size_t i = 0; i < platforms->n; i++)
		GT_TRY(gt_platforms_add(&o->platforms, platforms->v[i]));
	if (!platforms->n && !ctr_bool(c, "all-platforms"))
		gt_platforms_add_host(&o->platforms);
	return NULL;
}

static struct gt_error *convert(struct ctr *c, struct gt_convert_options *o)
{
	gt_auto(gt_image) source = { 0 };
	gt_auto(gt_image) made = { 0 };
	struct gt_services *s;
	struct timespec epoch;

	GT_TRY(read_flags(c, o));
	GT_TRY(ctr_read_epoch(c, &epoch));
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_image(c, s, ctr_arg(c, 0), &source));
	GT_TRY(gt_image_convert(s, &c->call, &source, ctr_arg(c, 1), o, &made));
	fprintf(c->out, "%s\n", made.target.digest);
	return NULL;
}

static struct gt_error *run_convert(struct ctr *c)
{
	const struct ctr_config *config = c->init->config;
	struct gt_convert_options o = { .worker = *config->worker ? config->worker : NULL };
	struct gt_error *e;

	if (!*ctr_arg(c, 0) || !*ctr_arg(c, 1))
		return ctr_usage_error("src and target image need to be specified");
	e = convert(c, &o);
	gt_platforms_done(&o.platforms);
	return e;
}

static const struct ctr_flag flags[] = {
	{ .name = "uncompress", .type = CTR_BOOL, .text = "decompress the layers" },
	{ .name = "gzip", .type = CTR_BOOL, .text = "compress the layers with gzip" },
	{ .name = "zstd", .type = CTR_BOOL, .text = "compress the layers with zstd" },
	{ .name = "oci", .type = CTR_BOOL, .text = "use OCI's media types instead of Docker's" },
	{ .name = "platform",
	  .type = CTR_LIST,
	  .bits = CTR_COMMAS,
	  .text = "convert that platform instead of this machine's; may be given again" },
	{ .name = "all-platforms", .type = CTR_BOOL, .text = "convert all platforms" },
	{ .name = "erofs", .type = CTR_BOOL, .text = "make EROFS layers: not supported" },
	{ .name = "erofs-compressors", .type = CTR_STRING, .text = "not supported" },
	{ .name = "erofs-mkfs-options", .type = CTR_STRING, .text = "not supported" },
	{ 0 },
};

const struct ctr_command ctr_image_convert = {
	.name = "convert",
	.text = "make an image of another, with other layers, media types or platforms",
	.args = "[flags] <source_ref> <target_ref>",
	.more = "Prints the digest of the new image. Of an index the platforms that are not wanted are\n"
		"left out. SOURCE_DATE_EPOCH, if it is set, is the date of the image.",
	.flags = (const struct ctr_flag *const[]){ flags, NULL },
	.run = run_convert,
};
