/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"

static const struct ctr_flag global_flags[] = {
	{ .name = "debug", .type = CTR_BOOL, .text = "log all that is of use to find a mistake" },
	{ .name = "address",
	  .alias = "a",
	  .type = CTR_STRING,
	  .text = "socket of a daemon to work with; empty: with none, on the store itself",
	  .env = "CONTAINERD_ADDRESS" },
	{ .name = "connect-timeout",
	  .type = CTR_DURATION,
	  .text = "how long a daemon that does not answer is waited for; 0: 10s" },
	{ .name = "timeout",
	  .type = CTR_DURATION,
	  .text = "end the command with an error after that time; 0: never" },
	{ .name = "namespace",
	  .alias = "n",
	  .type = CTR_STRING,
	  .text = "namespace to work in",
	  .value = "default",
	  .env = "CONTAINERD_NAMESPACE" },
	{ .name = "config",
	  .type = CTR_STRING,
	  .text = "read Gantry's configuration from `FILE`",
	  .env = "GANTRY_CONFIG" },
	{ .name = "version", .alias = "v", .type = CTR_BOOL, .text = "print the version" },
	{ 0 },
};

const struct ctr_flag ctr_snapshotter_flag[] = {
	{ .name = "snapshotter",
	  .type = CTR_STRING,
	  .text = "snapshotter to use; empty: the namespace's default, else the configured one",
	  .env = "CONTAINERD_SNAPSHOTTER" },
	{ 0 },
};

const struct ctr_flag ctr_snapshot_label_flag[] = {
	{ .name = "snapshotter-label",
	  .type = CTR_LIST,
	  .text = "label `KEY=VALUE` for the container's snapshot" },
	{ 0 },
};

const char *ctr_snapshotter(const struct ctr *c)
{
	const char *name = ctr_string(c, "snapshotter");

	return *name ? name : NULL;
}

const struct ctr_command ctr_root = {
	.name = "ctr",
	.text = "containers and images on this machine, with no daemon",
	.more = "Works on the store that Gantry's configuration names. Commands, flags and output\n"
		"are those of containerd's ctr.",
	.flags = (const struct ctr_flag *const[]){ global_flags, NULL },
	.commands =
		(const struct ctr_command *const[]){
			&ctr_plugins,
			&ctr_version,
			&ctr_containers,
			&ctr_content,
			&ctr_events,
			&ctr_images,
			&ctr_leases,
			&ctr_logs,
			&ctr_namespaces,
			&ctr_run,
			&ctr_snapshots,
			&ctr_system,
			&ctr_stats,
			&ctr_tasks,
			&ctr_top,
			&ctr_oci,
			&ctr_info,
			&ctr_sandboxes,
			&ctr_shim,
			&ctr_install,
			&ctr_deprecations,
			&ctr_pprof,
			&ctr_publish,
			NULL,
		},
};
