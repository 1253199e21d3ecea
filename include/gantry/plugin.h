/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plugin is: data. One exported constant says what it is, what it needs, what its options are
 * and where its operations stand. Loading runs no code of the plugin.
 *
 * ABI: GT_ABI is the number that host and plugin must share. Within one ABI number every struct here
 * only grows at its end and begins with its size; the host reads the smaller of both sizes and takes
 * the rest as zero, so that an old plugin works in a new host and a new one in an old host.
 */
#ifndef GANTRY_PLUGIN_H
#define GANTRY_PLUGIN_H

#include <gantry/error.h>
#include <gantry/option.h>
#include <gantry/strv.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GT_ABI 1

/* X(NAME, struct name, key under `active` in the configuration, containerd's plugin type) */
#define GT_KINDS(X)                                                                               \
	X(CONTENT, content, "content", "io.containerd.content.v1")                                 \
	X(SNAPSHOTTER, snapshotter, "snapshotters", "io.containerd.snapshotter.v1")                \
	X(DIFFER, differ, "differs", "io.containerd.differ.v1")                                    \
	X(METADATA, metadata, "metadata", "io.containerd.metadata.v1")                             \
	X(RUNTIME, runtime, "runtimes", "io.containerd.runtime.v2")                                \
	X(SERVICES, services, "services", "io.containerd.service.v1")                              \
	X(FRONTEND, frontend, "frontends", "io.containerd.grpc.v1")                                \
	X(RESOLVER, resolver, "resolvers", "io.containerd.resolver.v1")                            \
	X(SANDBOXER, sandboxer, "sandboxers", "io.containerd.sandbox.controller.v1")

enum gt_kind {
	GT_KIND_NONE = 0,
#define X(NAME, name, key, type) GT_##NAME,
	GT_KINDS(X)
#undef X
	GT_KIND_COUNT,
};

const char *gt_kind_name(enum gt_kind kind); /* "snapshotter" */
const char *gt_kind_type(enum gt_kind kind); /* "io.containerd.snapshotter.v1" */

#define X(NAME, name, key, type)                                                                  \
	struct gt_##name;                                                                          \
	struct gt_##name##_ops;
GT_KINDS(X)
#undef X

enum gt_need_flags {
	GT_NEED_REQUIRED = 0, /* without it the plugin is not opened */
	GT_NEED_OPTIONAL = 1, /* the plugin looks for itself whether it is there */
};

/* Something of another kind that a plugin uses. Nothing that is not declared here can be had. */
struct gt_need {
	enum gt_kind kind; /* 0 ends the table */
	unsigned flags;
	const char *id; /* NULL: any of the kind */
};

enum gt_durability {
	GT_DURABILITY_FULL, /* what an op has answered survives a power cut */
	GT_DURABILITY_FAST, /* no sync at all: caches that can be made again */
};

struct gt_host; /* the core's side; opaque */
struct gt_events; /* event exchange, <gantry/event.h> */
struct gt_op_counts; /* the core's; opaque */

/* What a plugin is opened with. It outlives the instance, and so does all that it points to. */
struct gt_init {
	size_t size;
	struct gt_host *host;
	const char *module; /* "snapshotter-overlay" */
	const char *id; /* "overlayfs" */
	/*
	 * This plugin's folder for what lasts, 0700. There already for kinds that keep something
	 * (content, snapshotter, metadata); others make it when they need it.
	 */
	const char *root;
	const char *state; /* the same for what a reboot ends; the plugin makes it */
	const void *config; /* the plugin's own struct, filled from its options */
	enum gt_durability durability;
	struct gt_events *events;
	const char *base_root; /* `root` of the configuration */
	const char *base_state; /* `state` of the configuration */
	struct gt_op_counts *counts; /* the host's own */
};

/*
 * The instance behind a declared need; opens it if nothing has yet. 'name' is an id or something the
 * plugin provides; NULL is the configured default of the kind, or the only one. NOT_FOUND if no
 * active plugin goes by that name, UNAVAILABLE (with its reason) if the plugin is in error. The
 * instance lives until the host ends. May block on opening; any thread. Aborts if the kind was not
 * declared as a need.
 */
#define X(NAME, name, key, type)                                                                  \
	GT_MUST_USE struct gt_error *gt_need_##name(const struct gt_init *init, const char *id,    \
						    struct gt_##name **out);
GT_KINDS(X)
#undef X

/* Adds the ids of the active plugins of a kind to 'out', configured order, whether they work or not. */
void gt_need_ids(const struct gt_init *init, enum gt_kind kind, struct gt_strv *out);

/*
 * Whether the configuration's disabled_plugins has that name: for who does several things that containerd has a
 * plugin for each.
 */
bool gt_plugin_is_disabled(const struct gt_init *init, const char *name);

/* The id that stands for the kind where none is asked for; NULL if no plugin of it is active. */
const char *gt_need_default(const struct gt_init *init, enum gt_kind kind);

struct gt_plugin {
	/* Filled by GT_PLUGIN_HEADER. */
	uint32_t abi;
	uint32_t size;

	enum gt_kind kind;
	const char *id; /* as containerd's users know it: "overlayfs" */
	const char *doc; /* one line */
	const struct gt_need *needs; /* NULL: none */
	const struct gt_option *options; /* NULL: none */
	size_t config_size;
	uint32_t option_size; /* by GT_PLUGIN_HEADER: sizeof(struct gt_option) */
	uint32_t need_size; /* by GT_PLUGIN_HEADER: sizeof(struct gt_need) */
	union {
		const size_t *size; /* each ops struct begins with its size */
#define X(NAME, name, key, type) const struct gt_##name##_ops *name;
		GT_KINDS(X)
#undef X
	} ops;
	/*
	 * Further names that it answers to where one of its kind is asked for by name, besides its
	 * id; a name that ends in '*' stands for all that begin so. NULL, or ended by NULL.
	 */
	const char *const *provides;
	const char *const *capabilities; /* shown by `ctr plugins ls -d`; NULL, or ended by NULL */
};

#define GT_PLUGIN_HEADER                                                                          \
	.abi = GT_ABI, .size = sizeof(struct gt_plugin), .option_size = sizeof(struct gt_option),  \
	.need_size = sizeof(struct gt_need)

/* The one exported symbol of a module: GT_PLUGIN(snapshotter_overlay) = { GT_PLUGIN_HEADER, ... }; */
#define GT_PLUGIN(module)                                                                         \
	extern const struct gt_plugin module##_LTX_gt_plugin;                                      \
	__attribute__((visibility("default"))) const struct gt_plugin module##_LTX_gt_plugin

/*
 * Each instance begins with its kind's base struct, which the kind's header defines with this and the
 * host fills after open: the wrappers find the plugin's ops through it. The plugin leaves it alone.
 */
#define GT_INSTANCE_MEMBERS(name)                                                                 \
	const struct gt_##name##_ops *ops;                                                         \
	const struct gt_init *init;

#endif
