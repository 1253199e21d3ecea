/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "images.h"
#include "lookup.h"
#include "registry.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <client/image-mount.h>

#include <errno.h>
#include <string.h>

#define DAY "24h0m0s"

/* Where mounts go that nobody named a place for. */
static char *temporary_folder(const struct ctr *c)
{
	return gt_strf("%s/mounts", c->init->base_state);
}

static struct gt_error *make_temporary(const struct ctr *c, char **out)
{
	gt_autofree char *folder = temporary_folder(c);
	gt_autofree char *path = gt_strf("%s/XXXXXX", folder);

	GT_TRY(gt_file_mkdirs(folder, 0700));
	if (!mkdtemp(path))
		return gt_error_errno(gt_file_class(errno), errno, "make folder in %s", folder);
	*out = gt_steal(&path);
	return NULL;
}

static void remove_temporary(const struct ctr *c, const char *target)
{
	gt_autofree char *folder = temporary_folder(c);
	size_t len = strlen(folder);

	if (!strncmp(target, folder, len) && target[len] == '/' && !strchr(target + len + 1, '/'))
		rmdir(target); /* one that is not empty is not ours any more */
}

static void print_chain(void *arg, const char *chain_id)
{
	struct ctr *c = arg;

	fprintf(c->out, "%s\n", chain_id);
	fflush(c->out);
}

static struct gt_error *mount_image(struct ctr *c, struct gt_image_mount_options *o)
{
	const char *platform = ctr_string(c, "platform");
	gt_autofree char *temporary = NULL;
	gt_auto(gt_image) image = { 0 };
	struct gt_services *s;
	struct gt_error *e;

	if (*platform)
		GT_TRY(gt_platforms_add(&o->platforms, platform));
	else
		gt_platforms_add_host(&o->platforms);
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_image(c, s, ctr_arg(c, 0), &image));
	o->target = ctr_arg(c, 1);
	if (!*o->target) {
		GT_TRY(make_temporary(c, &temporary));
		o->target = temporary;
	}
	e = gt_image_mount(s, &c->call, &image, o);
	if (e && temporary)
		rmdir(temporary);
	if (!e)
		fprintf(c->out, "%s\n", o->target);
	return e;
}

static struct gt_error *run_mount(struct ctr *c)
{
	gt_auto(gt_labels) labels = { 0 };
	struct gt_image_mount_options o = {
		.snapshotter = ctr_snapshotter(c),
		.labels = &labels,
		.writable = ctr_bool(c, "rw"),
		.expire = ctr_duration(c, "expiration") / 1000000000,
		.chain = print_chain,
		.arg = c,
	};
	struct gt_error *e;

	if (!*ctr_arg(c, 0))
		return ctr_usage_error("please provide an image reference to mount");
	ctr_labels_parse(&labels, ctr_list(c, "label"), "true");
	e = mount_image(c, &o);
	gt_platforms_done(&o.platforms);
	return e;
}

static struct gt_error *run_unmount(struct ctr *c)
{
	const char *target = ctr_arg(c, 0);
	struct gt_services *s;

	if (!*target)
		return ctr_usage_error("please provide a target path to unmount from");
	GT_TRY(ctr_services(c, &s));
	GT_TRY(gt_image_unmount(s, &c->call, target, ctr_snapshotter(c), ctr_bool(c, "rm")));
	remove_temporary(c, target);
	fprintf(c->out, "%s\n", target);
	return NULL;
}

static const struct ctr_flag label_flag[] = {
	{ .name = "label", .type = CTR_LIST, .text = "label `KEY=VALUE` for the snapshot" },
	{ 0 },
};

static const struct ctr_flag mount_flags[] = {
	{ .name = "rw", .type = CTR_BOOL, .text = "let the files be written to, in a layer of their own" },
	{ .name = "platform",
	  .type = CTR_STRING,
	  .text = "mount the image for that platform instead of this machine's" },
	{ .name = "expiration",
	  .alias = "x",
	  .type = CTR_DURATION,
	  .value = DAY,
	  .text = "how long the snapshot is kept" },
	{ .name = "sync-fs",
	  .type = CTR_BOOL,
	  .text = "have the layers on disk before they are mounted, which is so anyhow" },
	{ 0 },
};

static const struct ctr_flag unmount_flags[] = {
	{ .name = "rm", .type = CTR_BOOL, .text = "remove the snapshot, too" },
	{ 0 },
};

const struct ctr_command ctr_image_mount = {
	.name = "mount",
	.text = "mount an image at a folder",
	.args = "[flags] <ref> [<target>]",
	.more = "Prints the image's chain ID and the folder; where none is given one is made. Whatever else\n"
		"is needed for it stays until the mount's time is over or it is unmounted with --rm.",
	.flags = (const struct ctr_flag *const[]){ mount_flags, label_flag, ctr_snapshotter_flag,
						   ctr_registry_flags, NULL },
	.run = run_mount,
};

const struct ctr_command ctr_image_unmount = {
	.name = "unmount",
	.text = "undo the mount of an image",
	.args = "[flags] <target>",
	.flags = (const struct ctr_flag *const[]){ unmount_flags, label_flag, ctr_snapshotter_flag,
						   ctr_registry_flags, NULL },
	.run = run_unmount,
	.bits = CTR_COLLECTS,
};
