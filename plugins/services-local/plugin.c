/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "scheduler.h"
#include "stream.h"

#include <gantry/buf.h>

static struct gt_error *local_open(const struct gt_init *init, struct gt_services **out)
{
	struct local *l;

	GT_TRY(schedule_check(init->config));
	l = gt_xcalloc(1, sizeof(*l));
	l->init = init;
	l->config = init->config;
	l->stream = stream_new(l);
	*out = &l->base;
	return NULL;
}

static void local_close(struct gt_services *s)
{
	if (!s)
		return;
	schedule_end(local_of(s));
	stream_free(local_of(s)->stream);
	free(s);
}

static const struct gt_option local_options[] = {
	GT_OPT_ENUM(struct local_config, content_sharing, "shared", "shared|isolated",
		    "Whether a namespace that names a blob's digest gets the blob that another has, "
		    "or must send the bytes itself (unless that other is labelled "
		    "containerd.io/namespace.shareable=true).", GT_LIVE),
	GT_OPT_DURATION(struct local_config, task_timeout, "2s",
			"How long a listing of tasks waits for one before it shows UNKNOWN.", GT_LIVE),
	GT_OPT_SIZE(struct local_config, event_journal, "4MiB",
		    "How large each of the two files may become that keep the latest events, of all "
		    "processes and shims.", GT_LIVE),
	GT_OPT_SIZE(struct local_config, log_size, "10MiB",
		    "How large a file of a detached container's output may become before the next is "
		    "begun.", GT_LIVE),
	GT_OPT_INT(struct local_config, log_files, "3", 1, 1000,
		   "How many such files are kept of a container; the oldest goes first.", GT_LIVE),
	GT_OPT_STRING(struct local_config, pause_threshold, "0.02",
		      "In a daemon: the part of the time that garbage collections may take on "
		      "average, from 0 to 0.5.", GT_LIVE),
	GT_OPT_INT(struct local_config, deletion_threshold, "0", 0, INT32_MAX,
		   "In a daemon: after so many deletions a collection is due at once; 0: when its "
		   "time comes.", GT_LIVE),
	GT_OPT_INT(struct local_config, mutation_threshold, "100", 0, INT32_MAX,
		   "In a daemon: after so many changes of any kind there is a collection when its "
		   "time comes, even if nothing was deleted; 0: never for that.", GT_LIVE),
	GT_OPT_DURATION(struct local_config, schedule_delay, "0s",
			"In a daemon: how long a collection that is due at once waits for more.", GT_LIVE),
	GT_OPT_DURATION(struct local_config, startup_delay, "100ms",
			"In a daemon: when the first collection is, after the start."),
	GT_OPT_LIST(struct local_config, mount_roots, "[]",
		    "Folders, beside the daemon's root, in which mounts of types mkfs/... and mkdir/... may "
		    "have files and folders made."),
	{ 0 }
};

static const struct gt_need local_needs[] = {
	{ .kind = GT_METADATA, .flags = GT_NEED_OPTIONAL },
	{ .kind = GT_CONTENT, .flags = GT_NEED_OPTIONAL },
	{ .kind = GT_SNAPSHOTTER, .flags = GT_NEED_OPTIONAL },
	{ .kind = GT_DIFFER, .flags = GT_NEED_OPTIONAL },
	{ .kind = GT_RUNTIME, .flags = GT_NEED_OPTIONAL },
	{ .kind = GT_SANDBOXER, .flags = GT_NEED_OPTIONAL },
	{ 0 }
};

static const struct gt_services_ops local_ops = {
	.size = sizeof(local_ops),
	.open = local_open,
	.close = local_close,
#define X(name) .name = &local_##name,
	GT_SERVICE_TABLES(X)
#undef X
};

GT_PLUGIN(services_local) = {
	GT_PLUGIN_HEADER,
	.kind = GT_SERVICES,
	.id = "local",
	.doc = "The whole API over the drivers of this process.",
	.needs = local_needs,
	.options = local_options,
	.config_size = sizeof(struct local_config),
	.ops.services = &local_ops,
};
