/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <toml/config.h>

#include <toml/toml.h>

#include "plugins.h"

#include <gantry/buf.h>

#include <string.h>

#define VERSION_MAX 4

struct target {
	const char *name; /* of the file */
	config_setting_t *top;
	void (*warn)(void *arg, const char *text);
	void *arg;
};

/* What containerd calls it, '|' between the tables and the key, and what it is here. */
static const struct known {
	const char *path;
	const char *group, *setting;
} known[] = {
	{ "grpc|address", "grpc-frontend", "address" },
	{ "grpc|uid", "grpc-frontend", "uid" },
	{ "grpc|gid", "grpc-frontend", "gid" },
	{ "ttrpc|address", "grpc-frontend", "ttrpc_address" },
	{ "debug|address", "metrics-frontend", "debug_address" },
	{ "debug|uid", "metrics-frontend", "uid" },
	{ "debug|gid", "metrics-frontend", "gid" },
	{ "debug|level", "log", "level" },
	{ "debug|format", "log", "format" },
	{ "metrics|address", "metrics-frontend", "address" },
	{ "plugins|io.containerd.server.v1.grpc|address", "grpc-frontend", "address" },
	{ "plugins|io.containerd.server.v1.grpc|uid", "grpc-frontend", "uid" },
	{ "plugins|io.containerd.server.v1.grpc|gid", "grpc-frontend", "gid" },
	{ "plugins|io.containerd.server.v1.ttrpc|address", "grpc-frontend", "ttrpc_address" },
	{ "plugins|io.containerd.server.v1.debug|address", "metrics-frontend", "debug_address" },
	{ "plugins|io.containerd.server.v1.debug|uid", "metrics-frontend", "uid" },
	{ "plugins|io.containerd.server.v1.debug|gid", "metrics-frontend", "gid" },
	{ "plugins|io.containerd.server.v1.metrics|address", "metrics-frontend", "address" },
	{ "plugins|io.containerd.gc.v1.scheduler|pause_threshold", "services-local", "pause_threshold" },
	{ "plugins|io.containerd.gc.v1.scheduler|deletion_threshold", "services-local",
	  "deletion_threshold" },
	{ "plugins|io.containerd.gc.v1.scheduler|mutation_threshold", "services-local",
	  "mutation_threshold" },
	{ "plugins|io.containerd.gc.v1.scheduler|schedule_delay", "services-local", "schedule_delay" },
	{ "plugins|io.containerd.gc.v1.scheduler|startup_delay", "services-local", "startup_delay" },
	{ "plugins|io.containerd.metadata.v1.bolt|content_sharing_policy", "services-local",
	  "content_sharing" },
	{ "plugins|io.containerd.internal.v1.restart|interval", "restart-frontend", "interval" },
	{ "plugins|io.containerd.monitor.container.v1.restart|interval", "restart-frontend", "interval" },
	{ "plugins|io.containerd.snapshotter.v1.overlayfs|root_path", "snapshotter-overlay", "root" },
	{ "plugins|io.containerd.snapshotter.v1.overlayfs|upperdir_label", "snapshotter-overlay",
	  "upperdir_label" },
	{ "plugins|io.containerd.snapshotter.v1.overlayfs|sync_remove", "snapshotter-overlay",
	  "sync_remove" },
	{ "plugins|io.containerd.snapshotter.v1.overlayfs|mount_options", "snapshotter-overlay",
	  "mount_options" },
	{ "plugins|io.containerd.snapshotter.v1.native|root_path", "snapshotter-native", "root" },
	{ "plugins|io.containerd.transfer.v1.local|config_path", "resolver-http", "hosts_dir" },
	{ "plugins|io.containerd.grpc.v1.cri|registry|config_path", "resolver-http", "hosts_dir" },
	{ "plugins|io.containerd.cri.v1.images|registry|config_path", "resolver-http", "hosts_dir" },
};

/* The tables and keys at the top of containerd's file that are none of ours. */
static const char *const foreign[] = { "grpc",	  "ttrpc",	       "debug",	    "metrics",
				       "plugins", "cgroup",	       "timeouts",  "stream_processors",
				       "temp",	  "plugin_dir",	       "oom_score" };

static struct gt_error *bad(const struct target *t, const struct gt_toml *v, const char *what)
{
	return gt_error_new(GT_INVALID_ARGUMENT, "%s:%u: %s: %s", t->name, v->line,
			    v->key ? v->key : "(list)", what);
}

/* libconfig takes no line from who makes a setting; this is where its parser writes it, too. */
static void place(config_setting_t *s, unsigned line)
{
	s->line = line;
}

static struct gt_error *copy(const struct target *t, const struct gt_toml *v, config_setting_t *parent,
			     const char *name);

static struct gt_error *copy_items(const struct target *t, const struct gt_toml *v,
				   config_setting_t *s)
{
	for (size_t i = 0; i < v->n; i++)
		GT_TRY(copy(t, &v->items[i], s, v->items[i].key));
	return NULL;
}

/* A table that is there already has been named in another way before: its keys come together. */
static config_setting_t *group_get(config_setting_t *parent, const char *name, unsigned line)
{
	config_setting_t *g = config_setting_get_member(parent, name);

	if (g)
		return config_setting_is_group(g) ? g : NULL;
	g = config_setting_add(parent, name, CONFIG_TYPE_GROUP);
	if (g)
		place(g, line);
	return g;
}

/* Adds the value as a setting of that name; NULL: as an element of a list. */
static struct gt_error *copy(const struct target *t, const struct gt_toml *v, config_setting_t *parent,
			     const char *name)
{
	static const int types[] = {
		[GT_TOML_TABLE] = CONFIG_TYPE_GROUP,   [GT_TOML_ARRAY] = CONFIG_TYPE_LIST,
		[GT_TOML_STRING] = CONFIG_TYPE_STRING, [GT_TOML_INTEGER] = CONFIG_TYPE_INT64,
		[GT_TOML_FLOAT] = CONFIG_TYPE_FLOAT,   [GT_TOML_BOOLEAN] = CONFIG_TYPE_BOOL,
	};
	config_setting_t *s;

	if (v->type == GT_TOML_TIME)
		return bad(t, v, "no setting is a date or a time");
	s = v->type == GT_TOML_TABLE && name ? group_get(parent, name, v->line)
					     : config_setting_add(parent, name, types[v->type]);
	if (!s)
		return bad(t, v,
			   name && config_setting_get_member(parent, name)
				   ? "is set twice"
				   : "is no name of a setting");
	if (s->line == 0)
		place(s, v->line);
	switch (v->type) {
	case GT_TOML_STRING:
		config_setting_set_string(s, v->string);
		return NULL;
	case GT_TOML_INTEGER:
		config_setting_set_int64(s, v->integer);
		return NULL;
	case GT_TOML_FLOAT:
		config_setting_set_float(s, v->real);
		return NULL;
	case GT_TOML_BOOLEAN:
		config_setting_set_bool(s, v->boolean);
		return NULL;
	default:
		return copy_items(t, v, s);
	}
}

/* As containerd's own default has most of what it does not use. */
static bool says_nothing(const struct gt_toml *v)
{
	switch (v->type) {
	case GT_TOML_STRING:
		return !*v->string;
	case GT_TOML_INTEGER:
		return v->integer == 0;
	case GT_TOML_BOOLEAN:
		return !v->boolean;
	case GT_TOML_TABLE:
	case GT_TOML_ARRAY:
		return !v->n;
	default:
		return false;
	}
}

static void warn_ignored(const struct target *t, const struct gt_toml *v, const char *path)
{
	gt_autofree char *text = NULL;
	gt_autofree char *shown = gt_xstrdup(path);

	for (char *p = shown; *p; p++)
		if (*p == '|')
			*p = '/';
	text = gt_strf("%s:%u: %s: containerd's setting means nothing here, and is not used", t->name, v->line,
		       shown);
	t->warn(t->arg, text);
}

/* What is written in another way here. */
static struct gt_error *known_copy(const struct target *t, const struct gt_toml *v,
				   const struct known *k, config_setting_t *group)
{
	gt_autofree char *text = NULL;
	struct gt_toml other = *v;

	if (v->type == GT_TOML_FLOAT) { /* a share */
		text = gt_strf("%g", v->real);
		other.type = GT_TOML_STRING;
		other.string = text;
	} else if (!strcmp(k->path, "debug|level") && v->type == GT_TOML_STRING &&
		   (!strcmp(v->string, "fatal") || !strcmp(v->string, "panic"))) {
		text = gt_xstrdup("error");
		other.string = text;
	}
	return copy(t, &other, group, k->setting);
}

static struct gt_error *translate(const struct target *t, const struct gt_toml *v, const char *path)
{
	config_setting_t *group;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].path, path) != 0)
			continue;
		if (says_nothing(v) && v->type == GT_TOML_STRING)
			return NULL;
		group = group_get(t->top, known[i].group, v->line);
		return group ? known_copy(t, v, &known[i], group)
			     : bad(t, v, "is no group elsewhere in this file");
	}
	if (v->type != GT_TOML_TABLE) {
		if (!says_nothing(v))
			warn_ignored(t, v, path);
		return NULL;
	}
	for (size_t i = 0; i < v->n; i++) {
		gt_autofree char *longer = gt_strf("%s|%s", path, v->items[i].key);

		GT_TRY(translate(t, &v->items[i], longer));
	}
	return NULL;
}

/* Lists of plugins, each by the name that it has here. */
static struct gt_error *plugins_copy(const struct target *t, const struct gt_toml *v)
{
	bool disabled = !strcmp(v->key, "disabled_plugins");
	config_setting_t *s = config_setting_add(t->top, v->key, CONFIG_TYPE_LIST);

	if (v->type != GT_TOML_ARRAY)
		return bad(t, v, "expected a list of plugins");
	if (!s)
		return bad(t, v, "is set twice");
	place(s, v->line);
	for (size_t i = 0; i < v->n; i++) {
		const struct gt_toml *one = &v->items[i];
		const char *name;

		if (one->type != GT_TOML_STRING)
			return bad(t, v, "expected a list of plugins");
		name = disabled ? toml_plugin_disabled(one->string) : toml_plugin_required(one->string);
		if (name) {
			struct gt_toml ours = *one;

			ours.string = (char *)name;
			GT_TRY(copy(t, &ours, s, NULL));
		} else {
			gt_autofree char *path = gt_strf("%s|%s", v->key, one->string);

			warn_ignored(t, v, path);
		}
	}
	return NULL;
}

static bool is_foreign(const struct gt_toml *v)
{
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (!strcmp(foreign[i], v->key))
			return true;
	return false;
}

static struct gt_error *top_copy(const struct target *t, const struct gt_toml *v)
{
	if (!strcmp(v->key, "version")) {
		if (v->type != GT_TOML_INTEGER || v->integer < 1 || v->integer > VERSION_MAX)
			return bad(t, v, "expected a version of containerd's configuration, 1 to 4");
		return NULL;
	}
	if (!strcmp(v->key, "disabled_plugins") || !strcmp(v->key, "required_plugins"))
		return plugins_copy(t, v);
	return is_foreign(v) ? translate(t, v, v->key) : copy(t, v, t->top, v->key);
}

struct gt_error *gt_toml_config(const char *name, const char *text, size_t len, config_t *out,
				void (*warn)(void *arg, const char *text), void *arg)
{
	struct target t = { .name = name, .top = config_root_setting(out), .warn = warn, .arg = arg };
	gt_autoptr(gt_toml) doc = NULL;

	GT_TRY(gt_toml_parse(name, text, len, &doc));
	for (size_t i = 0; i < doc->n; i++)
		GT_TRY(top_copy(&t, &doc->items[i]));
	return NULL;
}
