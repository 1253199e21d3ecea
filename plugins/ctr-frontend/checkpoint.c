/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "checkpoint.h"

#include "commands.h"
#include "lookup.h"

#include <client/checkpoint.h>

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

static struct gt_error *run_task_checkpoint(struct ctr *c)
{
	struct gt_checkpoint_options o = {
		.id = ctr_arg(c, 0),
		.image = true,
		.rw = true,
		.task = true,
		.exit = ctr_bool(c, "exit"),
		.image_path = or_null(ctr_string(c, "image-path")),
		.work_path = or_null(ctr_string(c, "work-path")),
	};
	gt_auto(gt_task_state) task = { 0 };
	gt_autofree char *name = NULL;
	struct gt_services *s;

	if (!*o.id)
		return ctr_usage_error("container id must be provided");
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_task(c, s, o.id, &task));
	GT_TRY(ctr_service_error(gt_checkpoint(s, &c->call, &o, &name)));
	if (name)
		fprintf(c->out, "%s\n", name);
	return NULL;
}

static struct gt_error *check_arguments(const struct ctr *c)
{
	if (!*ctr_arg(c, 0))
		return ctr_usage_error("container id must be provided");
	if (!*ctr_arg(c, 1))
		return ctr_usage_error("ref must be provided");
	return NULL;
}

static struct gt_error *run_checkpoint(struct ctr *c)
{
	struct gt_checkpoint_options o = {
		.id = ctr_arg(c, 0),
		.name = ctr_arg(c, 1),
		.image = ctr_bool(c, "image"),
		.rw = ctr_bool(c, "rw"),
		.task = ctr_bool(c, "task"),
	};
	gt_auto(gt_container) record = { 0 };
	gt_autofree char *name = NULL;
	struct gt_services *s;

	GT_TRY(check_arguments(c));
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_container(c, s, o.id, &record));
	return ctr_service_error(gt_checkpoint(s, &c->call, &o, &name));
}

static struct gt_error *run_restore(struct ctr *c)
{
	struct gt_restore_options o = {
		.id = ctr_arg(c, 0),
		.image = ctr_arg(c, 1),
		.rw = ctr_bool(c, "rw"),
		.live = ctr_bool(c, "live"),
	};
	gt_autofree char *fifo_dir = gt_strf("%s/fifo", c->init->base_state);
	struct gt_task_options t = { .detach = true, .fifo_dir = fifo_dir, .in = -1, .out = -1, .err = -1 };
	gt_auto(gt_image) image = { 0 };
	uint32_t status = 0;
	struct gt_services *s;

	GT_TRY(check_arguments(c));
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_image(c, s, o.image, &image));
	o.image = image.name;
	return gt_restore(s, &c->call, &o, &t, &status);
}

static const struct ctr_flag task_flags[] = {
	{ .name = "exit", .type = CTR_BOOL, .text = "end the container when it has been saved" },
	{ .name = "image-path",
	  .type = CTR_STRING,
	  .text = "folder for CRIU's files, in the place of an image" },
	{ .name = "work-path", .type = CTR_STRING, .text = "folder for what CRIU works with, and its log" },
	{ 0 },
};

static const struct ctr_flag checkpoint_flags[] = {
	{ .name = "rw", .type = CTR_BOOL, .text = "with what was written to the root file system" },
	{ .name = "image", .type = CTR_BOOL, .text = "with the image" },
	{ .name = "task", .type = CTR_BOOL, .text = "with the processes, by CRIU" },
	{ 0 },
};

static const struct ctr_flag restore_flags[] = {
	{ .name = "rw", .type = CTR_BOOL, .text = "with what had been written to the root file system" },
	{ .name = "live", .type = CTR_BOOL, .text = "have the processes go on, by CRIU" },
	{ 0 },
};

const struct ctr_command ctr_task_checkpoint = {
	.name = "checkpoint",
	.text = "save a container that runs as an image, by CRIU",
	.args = "[flags] CONTAINER",
	.more = "Prints the name of the image.",
	.flags = (const struct ctr_flag *const[]){ task_flags, NULL },
	.run = run_task_checkpoint,
};

const struct ctr_command ctr_container_checkpoint = {
	.name = "checkpoint",
	.text = "save a container as an image",
	.args = "[flags] CONTAINER REF",
	.flags = (const struct ctr_flag *const[]){ checkpoint_flags, NULL },
	.run = run_checkpoint,
};

const struct ctr_command ctr_container_restore = {
	.name = "restore",
	.text = "make a container of what checkpoint saved, and start it",
	.args = "[flags] CONTAINER REF",
	.more = "Of the checkpoint's document only what an image could say is taken over: its mounts, devices,\n"
		"labels and runtime options are not.",
	.flags = (const struct ctr_flag *const[]){ restore_flags, NULL },
	.run = run_restore,
};
