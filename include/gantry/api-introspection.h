/* SPDX-License-Identifier: Apache-2.0 */
/* The introspection and version services. Their ops need no namespace in the call. */
#ifndef GANTRY_API_INTROSPECTION_H
#define GANTRY_API_INTROSPECTION_H

#include <gantry/any.h>
#include <gantry/services.h>

enum gt_plugin_status {
	GT_PLUGIN_OK,
	GT_PLUGIN_SKIP, /* does not apply here: the kernel lacks something */
	GT_PLUGIN_DISABLED, /* on disk, but not active */
	GT_PLUGIN_ERROR,
	GT_PLUGIN_PENDING, /* its socket is not there yet */
};
const char *gt_plugin_status_name(enum gt_plugin_status s); /* "ok" */

struct gt_plugin_info {
	char *type; /* "io.containerd.snapshotter.v1" */
	char *id;
	char *module; /* "snapshotter-overlay"; NULL from a remote */
	char *file; /* the .so; NULL from a remote */
	char *doc;
	struct gt_strv requires; /* types */
	struct gt_strv platforms;
	struct gt_labels exports; /* "root": its folder */
	struct gt_strv capabilities;
	enum gt_plugin_status status;
	enum gt_class error_class;
	char *error; /* why, for every status but ok; NULL: nothing to say */
};
void gt_plugin_info_done(struct gt_plugin_info *i);

struct gt_server_info {
	char *version;
	char *revision;
	char *uuid;
	uint64_t pid;
	uint64_t pidns;
};
void gt_server_info_done(struct gt_server_info *i);

struct gt_introspection_ops {
	size_t size;
	struct gt_error *(*plugins)(struct gt_services *s, struct gt_call *call,
				    const struct gt_strv *filters,
				    struct gt_error *(*fn)(void *arg, const struct gt_plugin_info *i),
				    void *arg);
	/* Also answers the version service. */
	struct gt_error *(*server)(struct gt_services *s, struct gt_call *call,
				   struct gt_server_info *out);
	/*
	 * What a plugin has to say beyond its listing, to a question of its own kind. The runtimes, as
	 * io.containerd.runtime.v2.task, take a containerd.types.RuntimeRequest and answer with a
	 * RuntimeInfo. NOT_FOUND; UNIMPLEMENTED for a plugin that has nothing more to say. The caller
	 * gt_any_done()s '*out'.
	 */
	struct gt_error *(*extra)(struct gt_services *s, struct gt_call *call, const char *type,
				  const char *id, const struct gt_any *question, struct gt_any *out);
	/* New members go here, at the end. */
};

/* The plugin of containerd's that has all runtimes behind it. */
#define GT_RUNTIMES_TYPE "io.containerd.runtime.v2"
#define GT_RUNTIMES_ID "task"

GT_MUST_USE struct gt_error *
gt_introspection_plugins(struct gt_services *s, struct gt_call *call, const struct gt_strv *filters,
			 struct gt_error *(*fn)(void *, const struct gt_plugin_info *), void *arg);
GT_MUST_USE struct gt_error *gt_introspection_extra(struct gt_services *s, struct gt_call *call,
						    const char *type, const char *id,
						    const struct gt_any *question,
						    struct gt_any *out);
GT_MUST_USE struct gt_error *gt_introspection_server(struct gt_services *s, struct gt_call *call,
						     struct gt_server_info *out);

/*
 * The host's own account of its plugins, for who implements the service: opens each active one, so
 * that its status is true. Modules that are not active come last, as disabled.
 */
GT_MUST_USE struct gt_error *
gt_host_plugins(const struct gt_init *init,
		struct gt_error *(*fn)(void *arg, const struct gt_plugin_info *i), void *arg);

/* The version of the running host, "1.2.3", and the commit it was built from ("" if not known). */
const char *gt_version(void);
const char *gt_revision(void);

#endif
