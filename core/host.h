/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The running core: the plugins that a configuration selects, and how programs start it. A host is made
 * once, by the main thread.
 */
#ifndef GANTRY_CORE_HOST_H
#define GANTRY_CORE_HOST_H

#include <gantry/plugin.h>

struct gt_config;
struct gt_host;

/*
 * Makes a host of the configuration, which it does not take and which must outlive it. Opens no plugin.
 * 'preload': dlopens all active modules now; else each when it is
 * first asked for, by whatever thread, under the host's lock.
 */
GT_MUST_USE struct gt_error *gt_host_open(const struct gt_config *config, bool preload,
					  struct gt_host **out);

/*
 * Holds the root for this process alone, as a daemon does: waits at most 'timeout' milliseconds for
 * others that have it open to end. UNAVAILABLE if they do not, or another daemon holds it. Before any
 * plugin is opened.
 */
GT_MUST_USE struct gt_error *gt_host_hold(struct gt_host *h, int timeout);

/*
 * Opens the plugins that `required_plugins` names. FAILED_PRECONDITION if one is not active; else what keeps one
 * from opening. For a daemon, when it holds the root: a command needs what it uses, and fails by that.
 */
GT_MUST_USE struct gt_error *gt_host_required(struct gt_host *h);

/*
 * Where the daemon serves that holds the configuration's root: a new string, or NULL if none does. One that
 * has only just begun is waited for, at most 'timeout' milliseconds.
 */
GT_MUST_USE struct gt_error *gt_root_daemon(const struct gt_config *config, int timeout,
					    char **address);

/* What a program does when a frontend serves, and while it does. */
struct gt_host_hooks {
	void (*ready)(void *arg);
	void (*alive)(void *arg);
	int64_t alive_every; /* nanoseconds; 0: never */
	void *arg;
};
void gt_host_set_hooks(struct gt_host *h, const struct gt_host_hooks *hooks);

/* Adds the ids of the active frontends that a daemon runs. */
GT_MUST_USE struct gt_error *gt_host_daemon_frontends(struct gt_host *h, struct gt_strv *out);

/* One of them, opened; '*skipped', and no error, where it has nothing to do by its configuration. */
GT_MUST_USE struct gt_error *gt_host_daemon_frontend(struct gt_host *h, const char *id,
						     struct gt_frontend **out, bool *skipped);

/* Gives open plugins the values that a newer configuration has for their reloadable options. */
GT_MUST_USE struct gt_error *gt_host_reload(struct gt_host *h, const struct gt_config *newer);

/* Closes all instances, those first that nothing needs, and frees the host. Nothing is unloaded. */
void gt_host_close(struct gt_host *h);

/*
 * Checks all that can be known without opening a plugin: each active module is there and whole, its
 * options are right, and some active plugin answers to each default and each required need.
 */
GT_MUST_USE struct gt_error *gt_host_check(struct gt_host *h);

/* The active frontend with that id, opened. NOT_FOUND, or why it cannot be opened. */
GT_MUST_USE struct gt_error *gt_host_frontend(struct gt_host *h, const char *id,
					      struct gt_frontend **out);

/*
 * For tests: a host of the one module 'file', whose roots lie below 'dir', with options "name=value"
 * (may be NULL). Its instance is opened; '*kind' tells what '*instance' is.
 */
GT_MUST_USE struct gt_error *gt_host_open_file(const char *file, const char *dir,
					       const struct gt_strv *options,
					       enum gt_durability durability, struct gt_host **out,
					       enum gt_kind *kind, void **instance);

/*
 * The same for a proxy plugin of that type ("snapshot"), behind which is the services module 'file'. An
 * option is a word of its entry, or of the module.
 */
GT_MUST_USE struct gt_error *gt_host_open_proxy(const char *file, const char *type, const char *dir,
						const struct gt_strv *options,
						enum gt_durability durability, struct gt_host **out,
						enum gt_kind *kind, void **instance);

#endif
