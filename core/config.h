/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: files in libconfig's syntax, or TOML where their names end so, merged key by key. The lowest layer is the program's
 * own (what ships as active), then comes the file, then what it imports, in order; the last one that
 * sets a key wins. What is wrong is an INVALID_ARGUMENT "FILE:LINE: SETTING: what was expected".
 */
#ifndef GANTRY_CORE_CONFIG_H
#define GANTRY_CORE_CONFIG_H

#include <gantry/buf.h>
#include <gantry/option.h>
#include <gantry/plugin.h>

/* The settings of the core itself. */
struct gt_settings {
	char *root;
	char *state;
	struct gt_strv plugin_path;
	struct gt_strv required_plugins;
	struct gt_strv disabled_plugins;
	struct gt_strv imports;
	char *durability;
	struct {
		char *snapshotter;
		char *runtime;
	} defaults;
	struct {
		char *level;
		char *format;
		struct gt_strv topics;
	} log;
	struct gt_strv active[GT_KIND_COUNT]; /* modules, by kind */
	struct {
		char *services; /* module */
		struct gt_strv options; /* of it, "NAME=VALUE" */
		int64_t timeout;
		int64_t layer_timeout;
	} proxies;
	struct gt_config_proxy *proxy; /* the entries of proxy_plugins */
	size_t n_proxy;
};

/* An entry of proxy_plugins: a plugin that is a service of another process, behind a socket. */
struct gt_config_proxy {
	char *name; /* its id here */
	char *place; /* "FILE:LINE" */
	enum gt_kind kind;
	char *address;
	char *far_id; /* by which the far side knows it */
	char *ns; /* in which the far side has all that it keeps; "": the caller's */
	char *platform; /* "": this machine's */
	struct gt_labels exports;
	struct gt_strv capabilities;
	struct gt_strv options; /* of the services that speak to it, "NAME=VALUE" */
};

struct gt_config;

/* A table of the core's own settings, and the group that it stands in ("" for the top). */
struct gt_config_group {
	const char *name;
	const struct gt_option *options;
	const char *text;
};
/* Ended by a NULL name; the fields of all stand in the one struct gt_settings. */
extern const struct gt_config_group gt_config_groups[];

/*
 * Reads the configuration. 'shipped' is the text of the lowest layer; 'file' NULL: only that one.
 * Checks all but the groups of plugins, which gt_config_plugin does when their options are known.
 */
GT_MUST_USE struct gt_error *gt_config_load(const char *shipped, const char *file,
					    struct gt_config **out);
/* The same with a layer on top, "(command line)", in the file's syntax; NULL: none. */
GT_MUST_USE struct gt_error *gt_config_load_over(const char *shipped, const char *file,
						 const char *over, struct gt_config **out);
void gt_config_free(struct gt_config *c);

/* What was read and is not used: "FILE:LINE: ...". */
const struct gt_strv *gt_config_warnings(const struct gt_config *c);

/* The core's settings, defaults filled in. Belongs to 'c'. */
const struct gt_settings *gt_config_settings(const struct gt_config *c);

/* All groups that are none of the core's, each once. */
void gt_config_plugin_groups(const struct gt_config *c, struct gt_strv *out);
/* "FILE:LINE" of the last place that opens the group; NULL if there is none. The caller frees it. */
char *gt_config_group_place(const struct gt_config *c, const char *group);

/* Fills 'options' of a plugin (zeroed) from defaults and the module's group; done by gt_option_done. */
GT_MUST_USE struct gt_error *gt_config_plugin(const struct gt_config *c, const char *module,
					      const struct gt_option *table, void *options);

/* Adds the entries of proxy_plugins to 'out', each with the place that it stands at. */
void gt_config_print_proxies(const struct gt_config *c, struct gt_buf *out);

/*
 * Adds one group with its effective values to 'out'. 'texts': each setting's text as a comment
 * before it; else each value with the place that set it behind it.
 */
void gt_config_print_group(const struct gt_config *c, const char *group,
			   const struct gt_option *table, const void *values, bool texts,
			   struct gt_buf *out);

#endif
