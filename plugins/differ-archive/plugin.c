/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "archive.h"

#include <gantry/buf.h>

static struct gt_error *archive_open(const struct gt_init *init, struct gt_differ **out)
{
	struct archive_differ *d = gt_xcalloc(1, sizeof(*d));

	d->config = init->config;
	archive_target_sweep(init);
	*out = &d->base;
	return NULL;
}

static void archive_close(struct gt_differ *d)
{
	free(d);
}

static const struct gt_option archive_options[] = {
	GT_OPT_PATH(struct archive_config, worker, "",
		    "The program that reads and writes layers; empty: the one that was installed."),
	GT_OPT_SIZE(struct archive_config, max_layer_size, "64GiB",
		    "A layer that holds more bytes, uncompressed, is refused; 0: no limit.", GT_LIVE),
	GT_OPT_INT(struct archive_config, max_entries, "4000000", 0, 100000000,
		   "A layer with more files, folders and links is refused; 0: no limit.", GT_LIVE),
	GT_OPT_INT(struct archive_config, max_ratio, "0", 0, 100000000,
		   "A layer that grows to more than so many times its compressed size is refused. "
		   "Honest layers of zeros reach 1000 with gzip and more with zstd; 0: no limit.", GT_LIVE),
	GT_OPT_SIZE(struct archive_config, zstd_window, "128MiB",
		    "A zstd layer that needs more memory than this to unpack is refused."),
	GT_OPT_BOOL(struct archive_config, read_ahead, "true",
		    "Decompress in a second thread while files are written, as long as there are fewer "
		    "layers in work than processors."),
	{ 0 }
};

static const struct gt_differ_ops archive_ops = {
	.size = sizeof(archive_ops),
	.open = archive_open,
	.close = archive_close,
	.apply = archive_apply,
	.diff = archive_diff,
};

GT_PLUGIN(differ_archive) = {
	GT_PLUGIN_HEADER,
	.kind = GT_DIFFER,
	.id = "walking",
	.doc = "Turns layers of tar, gzip and zstd into files and back, in a confined process.",
	.options = archive_options,
	.config_size = sizeof(struct archive_config),
	.ops.differ = &archive_ops,
};
