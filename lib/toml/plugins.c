/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "plugins.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Those that have another name here. What ends in a dot stands for all that begins so. */
static const struct plugin {
	const char *theirs;
	const char *ours;
	enum {
		WHOLE, /* the module */
		SERVED, /* a service of the module, which leaves it out if it is disabled by their name */
		PART, /* of what the module does, and cannot be left out */
	} how;
} plugins[] = {
	{ "io.containerd.event.v1.exchange", "services-local", PART },
	{ "io.containerd.gc.v1.scheduler", "services-local", PART },
	{ "io.containerd.internal.v1.restart", "restart-frontend", WHOLE },
	{ "io.containerd.lease.v1.manager", "services-local", PART },
	{ "io.containerd.metadata.v1.bolt", "metadata-lmdb", WHOLE },
	{ "io.containerd.monitor.container.v1.restart", "restart-frontend", WHOLE },
	{ "io.containerd.monitor.task.v1.cgroups", "metrics-frontend", PART },
	{ "io.containerd.monitor.v1.cgroups", "metrics-frontend", PART },
	{ "io.containerd.mount-manager.v1.bolt", "services-local", PART },
	{ "io.containerd.runtime.v2.shim", "runtime-shim", PART },
	{ "io.containerd.runtime.v2.task", "runtime-runc", PART },
	{ "io.containerd.sandbox.controller.v1.local", "sandboxer-shim", WHOLE },
	{ "io.containerd.sandbox.store.v1.local", "services-local", PART },
	{ "io.containerd.service.v1.", "services-local", PART },
	{ "io.containerd.shim.v1.manager", "runtime-runc", PART },
	{ "io.containerd.streaming.v1.manager", "services-local", PART },
	{ "io.containerd.transfer.v1.local", "services-local", PART },
	{ "io.containerd.grpc.v1.containers", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.content", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.diff", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.events", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.healthcheck", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.images", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.introspection", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.leases", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.mounts", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.namespaces", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.sandbox-controllers", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.sandboxes", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.snapshots", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.streaming", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.tasks", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.transfer", "grpc-frontend", SERVED },
	{ "io.containerd.grpc.v1.version", "grpc-frontend", SERVED },
};

static const struct plugin *find(const char *theirs)
{
	for (size_t i = 0; i < sizeof(plugins) / sizeof(plugins[0]); i++) {
		size_t n = strlen(plugins[i].theirs);
		bool all = plugins[i].theirs[n - 1] == '.';

		if (all ? !strncmp(plugins[i].theirs, theirs, n) : !strcmp(plugins[i].theirs, theirs))
			return &plugins[i];
	}
	return NULL;
}

const char *toml_plugin_required(const char *theirs)
{
	const struct plugin *p = find(theirs);

	return p ? p->ours : theirs;
}

const char *toml_plugin_disabled(const char *theirs)
{
	const struct plugin *p = find(theirs);

	if (p && p->how == PART)
		return NULL;
	return p && p->how == WHOLE ? p->ours : theirs;
}
