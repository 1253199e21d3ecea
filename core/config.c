/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/config-private.h"

#include "core/option.h"

#include <gantry/file.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>

#define CONFIG_MAX (1024 * 1024) /* bytes of one file */
#define FILES_MAX 256 /* of all imports */

static const struct gt_option top_options[] = {
	GT_OPT_PATH(struct gt_settings, root, "/var/lib/gantry", "Where everything lives that lasts."),
	GT_OPT_PATH(struct gt_settings, state, "/run/gantry",
		    "Where everything lives that a reboot ends."),
	GT_OPT_LIST(struct gt_settings, plugin_path, "[" GT_PLUGINDIR "]",
		    "Folders with plugins, searched in order."),
	GT_OPT_LIST(struct gt_settings, required_plugins, "[]",
		    "Plugins, by module or by TYPE.ID, without which no daemon starts."),
	GT_OPT_LIST(struct gt_settings, disabled_plugins, "[]",
		    "Plugins, by module or by TYPE.ID, that are left out though they are active. "
		    "io.containerd.grpc.v1.NAME: a service of the API that is not served."),
	GT_OPT_LIST(struct gt_settings, imports, "[]",
		    "Further files, patterns allowed, relative to the file that names them; a later file's "
		    "setting wins."),
	GT_OPT_ENUM(struct gt_settings, durability, "full", "full|fast",
		    "full: what is listed survives a power cut. fast: nothing is synced, for what can be "
		    "pulled again."),
	{ 0 }
};

static const struct gt_option defaults_options[] = {
	{ .name = "snapshotter", .type = GT_OPTION_STRING, .value = "",
	  .text = "The snapshotter where none is asked for, by id; empty: the first that is active.",
	  .offset = offsetof(struct gt_settings, defaults.snapshotter) },
	{ .name = "runtime", .type = GT_OPTION_STRING, .value = "",
	  .text = "The runtime where none is asked for; empty: the first that is active.",
	  .offset = offsetof(struct gt_settings, defaults.runtime) },
	{ 0 }
};

static const struct gt_option log_options[] = {
	{ .name = "level", .type = GT_OPTION_ENUM, .value = "warn",
	  .choices = "trace|debug|info|warn|error", .text = "What is written at least.",
	  .reloadable = true,
	  .offset = offsetof(struct gt_settings, log.level) },
	{ .name = "format", .type = GT_OPTION_ENUM, .value = "text", .choices = "text|json",
	  .text = "How a line looks.", .offset = offsetof(struct gt_settings, log.format) },
	{ .name = "topics", .type = GT_OPTION_LIST, .value = "[]", .reloadable = true,
	  .text = "Levels of single topics (a plugin's module, or \"core\"), as \"TOPIC=LEVEL\".",
	  .offset = offsetof(struct gt_settings, log.topics) },
	{ 0 }
};

static const struct gt_option active_options[] = {
#define X(NAME, name_, key, type_)                                                                \
	{ .name = key, .type = GT_OPTION_LIST, .value = "[]",                                      \
	  .text = "Modules of kind " #name_ ", the first one being the default of the kind.",      \
	  .offset = offsetof(struct gt_settings, active[GT_##NAME]) },
	GT_KINDS(X)
#undef X
	{ 0 }
};

static const struct gt_option proxies_options[] = {
	{ .name = "services", .type = GT_OPTION_STRING, .value = "",
	  .text = "The module of kind services that speaks to what is behind a proxy plugin's socket.",
	  .offset = offsetof(struct gt_settings, proxies.services) },
	{ .name = "options", .type = GT_OPTION_LIST, .value = "[]",
	  .text = "Options of that module for every proxy plugin, as \"NAME=VALUE\"; an entry of "
		  "proxy_plugins may set others.",
	  .offset = offsetof(struct gt_settings, proxies.options) },
	{ .name = "timeout", .type = GT_OPTION_DURATION, .value = "1m",
	  .text = "How long a proxy plugin may take to answer a call.",
	  .offset = offsetof(struct gt_settings, proxies.timeout) },
	{ .name = "layer_timeout", .type = GT_OPTION_DURATION, .value = "30m",
	  .text = "The same for what reads or writes whole layers: applying one, making one.",
	  .offset = offsetof(struct gt_settings, proxies.layer_timeout) },
	{ 0 }
};

const struct gt_config_group gt_config_groups[] = {
	{ "", top_options, NULL },
	{ "defaults", defaults_options, "What is used where nobody says which." },
	{ "log", log_options, "The log." },
	{ "active", active_options, "What is loaded, by module. One name may stand without brackets." },
	{ "proxies", proxies_options,
	  "What all proxy plugins share. Each is an entry of proxy_plugins, see gantry.conf(5)." },
	{ 0 }
};

static struct gt_error *source_new(struct gt_config *c, const char *name, struct source **out)
{
	struct source *s;

	if (c->n >= FILES_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: more than %d configuration files", name,
				    FILES_MAX);
	s = gt_xcalloc(1, sizeof(*s));
	s->name = gt_xstrdup(name);
	config_init(&s->file);
	GT_GROW(c->sources, c->n, c->alloc);
	c->sources[c->n++] = s;
	*out = s;
	return NULL;
}

static struct gt_error *source_add(struct gt_config *c, const char *name, const char *text)
{
	struct source *s;

	GT_TRY(source_new(c, name, &s));
	if (!config_read_string(&s->file, text))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s:%d: %s", name,
				    config_error_line(&s->file), config_error_text(&s->file));
	return NULL;
}

typedef struct gt_error *toml_fn(const char *name, const char *text, size_t len, config_t *out,
				 void (*warn)(void *arg, const char *text), void *arg);

static void warning_add(void *arg, const char *text)
{
	gt_strv_add(arg, text);
}

/* What reads TOML is C++ inside, and loaded by who has such a file only. It stays. */
static struct gt_error *toml_add(struct gt_config *c, const char *name, const struct gt_buf *text)
{
	static const char library[] = "libgantry-toml.so";
	void *lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	struct source *s;
	toml_fn *read;

	if (!lib)
		lib = dlopen(GT_LIBDIR "/libgantry-toml.so", RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		return gt_error_new(GT_UNAVAILABLE, "%s: load what reads TOML: %s", name, dlerror());
	*(void **)&read = dlsym(lib, "gt_toml_config");
	if (!read)
		return gt_error_new(GT_UNAVAILABLE, "%s: %s has no gt_toml_config", name, library);
	GT_TRY(source_new(c, name, &s));
	return read(name, text->s, text->len, &s->file, warning_add, &c->warnings);
}

static bool is_toml(const char *path)
{
	size_t len = strlen(path);

	return len > 5 && !strcmp(path + len - 5, ".toml");
}

static struct gt_error *file_add(struct gt_config *c, const char *path);

static struct gt_error *imports_add(struct gt_config *c, struct source *s, const char *path)
{
	config_setting_t *list = config_lookup(&s->file, "imports");
	const char *slash = strrchr(path, '/');
	struct gt_error *e = NULL;
	int n = list ? config_setting_length(list) : 0;

	if (!list)
		return NULL;
	if (config_setting_type(list) == CONFIG_TYPE_STRING)
		n = 1;
	for (int i = 0; !e && i < n; i++) {
		const char *pattern = config_setting_type(list) == CONFIG_TYPE_STRING
					      ? config_setting_get_string(list)
					      : config_setting_get_string_elem(list, i);
		gt_autofree char *full = NULL;
		glob_t g = { 0 };

		if (!pattern)
			return NULL; /* the table's check says what is wrong with it */
		full = *pattern == '/' || !slash
			       ? gt_xstrdup(pattern)
			       : gt_strf("%.*s/%s", (int)(slash - path), path, pattern);
		switch (glob(full, 0, NULL, &g)) {
		case 0:
			for (size_t k = 0; !e && k < g.gl_pathc; k++)
				e = file_add(c, g.gl_pathv[k]);
			break;
		case GLOB_NOMATCH:
			/* A pattern may match nothing; a file that is named must be there. */
			if (!strpbrk(pattern, "*?["))
				e = gt_error_new(GT_NOT_FOUND, "%s:%d: imports: no file %s", s->name,
						 config_setting_source_line(list), full);
			break;
		default:
			e = gt_error_new(GT_UNKNOWN, "%s:%d: imports: cannot list %s", s->name,
					 config_setting_source_line(list), full);
		}
		globfree(&g);
	}
	return e;
}

static struct gt_error *file_add(struct gt_config *c, const char *path)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;

	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->sources[i]->name, path))
			return gt_error_new(GT_INVALID_ARGUMENT, "%s is imported twice, or by itself",
					    path);
	GT_TRY(gt_error_wrap(gt_file_read(AT_FDCWD, path, CONFIG_MAX, &text), "configuration"));
	if (memchr(text.s, '\0', text.len))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: has a NUL byte: no configuration", path);
	GT_TRY(is_toml(path) ? toml_add(c, path, &text) : source_add(c, path, text.s));
	return imports_add(c, c->sources[c->n - 1], path);
}

/* The last setting of that name; '*s' tells whose. Group "" is the top. */
static config_setting_t *find(const struct gt_config *c, const char *group, const char *name,
			      struct source **s)
{
	for (size_t i = c->n; i-- > 0;) {
		config_setting_t *g = config_root_setting(&c->sources[i]->file);
		config_setting_t *v;

		if (*group)
			g = config_setting_get_member(g, group);
		v = g && config_setting_is_group(g) ? config_setting_get_member(g, name) : NULL;
		if (v) {
			*s = c->sources[i];
			return v;
		}
	}
	return NULL;
}

static const char *type_words(int type)
{
	switch (type) {
	case CONFIG_TYPE_GROUP:
		return "a group";
	case CONFIG_TYPE_FLOAT:
		return "a number with a point";
	default:
		return "a list that holds not only strings";
	}
}

void gt_config_value(config_setting_t *v, struct gt_value *out)
{
	int type = config_setting_type(v);

	*out = (struct gt_value){ .type = GT_VALUE_OTHER, .text = type_words(type) };
	switch (type) {
	case CONFIG_TYPE_STRING:
		out->type = GT_VALUE_STRING;
		out->text = config_setting_get_string(v);
		break;
	case CONFIG_TYPE_BOOL:
		out->type = GT_VALUE_BOOL;
		out->number = config_setting_get_bool(v);
		break;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		out->type = GT_VALUE_INT;
		out->number = type == CONFIG_TYPE_INT ? config_setting_get_int(v)
						      : config_setting_get_int64(v);
		break;
	case CONFIG_TYPE_LIST:
	case CONFIG_TYPE_ARRAY:
		for (int i = 0; i < config_setting_length(v); i++) {
			const char *s = config_setting_get_string_elem(v, i);

			if (!s) {
				gt_strv_done(&out->list);
				return;
			}
			gt_strv_add(&out->list, s);
		}
		out->type = GT_VALUE_LIST;
		break;
	}
}

struct gt_error *gt_config_unknown(const struct source *s, config_setting_t *v, const char *group,
				const struct gt_strv *known)
{
	const char *name = config_setting_name(v);
	const char *near = gt_nearest(name, (const char *const *)known->v, known->n);

	return gt_error_new(GT_INVALID_ARGUMENT, "%s:%d: %s%s%s: unknown option%s%s%s", s->name,
			    config_setting_source_line(v), group, *group ? "." : "", name,
			    near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

static struct gt_error *group_parse(const struct gt_config *c, const char *group,
				    const struct gt_option *table, void *values)
{
	GT_TRY(gt_option_defaults(table, values));
	for (const struct gt_option *o = table; o && o->name; o++) {
		struct source *s;
		config_setting_t *v = find(c, group, o->name, &s);
		struct gt_value value;
		struct gt_error *e;

		if (!v)
			continue;
		gt_config_value(v, &value);
		e = gt_option_set(o, values, &value);
		gt_strv_done(&value.list);
		GT_TRY(gt_error_wrap(e, "%s:%d: %s%s%s", s->name, config_setting_source_line(v),
				     group, *group ? "." : "", o->name));
	}
	return NULL;
}

/* Every member of 'group', in every file, must be in the table. */
static struct gt_error *group_check_names(const struct gt_config *c, const char *group,
					  const struct gt_option *table)
{
	struct gt_strv known = { 0 };
	struct gt_error *e = NULL;

	for (const struct gt_option *o = table; o && o->name; o++)
		gt_strv_add(&known, o->name);
	for (size_t i = 0; !e && i < c->n; i++) {
		config_setting_t *g = config_lookup(&c->sources[i]->file, group);

		if (!g)
			continue;
		if (!config_setting_is_group(g))
			e = gt_error_new(GT_INVALID_ARGUMENT,
					 "%s:%d: %s: expected a group: %s: { ... };",
					 c->sources[i]->name, config_setting_source_line(g), group,
					 group);
		for (int k = 0; !e && k < config_setting_length(g); k++) {
			config_setting_t *v = config_setting_get_elem(g, k);

			if (!gt_option_find(table, config_setting_name(v)))
				e = gt_config_unknown(c->sources[i], v, group, &known);
		}
	}
	gt_strv_done(&known);
	return e;
}

/* One of the core's own groups, which no plugin can have. */
static bool is_core_group(const char *name)
{
	if (!strcmp(name, GT_CONFIG_PROXY_PLUGINS))
		return true;
	for (const struct gt_config_group *g = gt_config_groups; g->name; g++)
		if (*g->name && !strcmp(g->name, name))
			return true;
	return false;
}

/* At the top stand the core's settings, the core's groups, and groups of plugins. */
static struct gt_error *top_check(const struct gt_config *c)
{
	struct gt_strv known = { 0 };
	struct gt_error *e = NULL;

	for (const struct gt_option *o = top_options; o->name; o++)
		gt_strv_add(&known, o->name);
	for (const struct gt_config_group *g = gt_config_groups + 1; g->name; g++)
		gt_strv_add(&known, g->name);
	gt_strv_add(&known, GT_CONFIG_PROXY_PLUGINS);
	for (size_t k = 1; k < GT_KIND_COUNT; k++)
		gt_strv_addv(&known, &c->settings.active[k]);
	for (size_t i = 0; !e && i < c->n; i++) {
		config_setting_t *top = config_root_setting(&c->sources[i]->file);

		for (int k = 0; !e && k < config_setting_length(top); k++) {
			config_setting_t *v = config_setting_get_elem(top, k);
			const char *name = config_setting_name(v);

			if (!gt_option_find(top_options, name) && !is_core_group(name) &&
			    !config_setting_is_group(v))
				e = gt_config_unknown(c->sources[i], v, "", &known);
		}
	}
	gt_strv_done(&known);
	return e;
}

struct gt_error *gt_config_load(const char *shipped, const char *file, struct gt_config **out)
{
	return gt_config_load_over(shipped, file, NULL, out);
}

struct gt_error *gt_config_load_over(const char *shipped, const char *file, const char *over,
				     struct gt_config **out)
{
	struct gt_config *c = gt_xcalloc(1, sizeof(*c));
	struct gt_error *e = source_add(c, "(shipped)", shipped);

	if (!e && file)
		e = file_add(c, file);
	if (!e && over)
		e = source_add(c, "(command line)", over);
	for (const struct gt_config_group *g = gt_config_groups; !e && g->name; g++) {
		if (*g->name)
			e = group_check_names(c, g->name, g->options);
		if (!e)
			e = group_parse(c, g->name, g->options, &c->settings);
	}
	if (!e)
		e = gt_config_proxies_load(c);
	if (!e)
		e = top_check(c);
	if (!e && (!*c->settings.root || !*c->settings.state))
		e = gt_error_new(GT_INVALID_ARGUMENT, "%s: root and state must not be empty", file);
	if (e) {
		gt_config_free(c);
		return e;
	}
	*out = c;
	return NULL;
}

void gt_config_free(struct gt_config *c)
{
	if (!c)
		return;
	for (const struct gt_config_group *g = gt_config_groups; g->name; g++)
		gt_option_done(g->options, &c->settings);
	gt_config_proxies_done(c);
	for (size_t i = 0; i < c->n; i++) {
		config_destroy(&c->sources[i]->file);
		free(c->sources[i]->name);
		free(c->sources[i]);
	}
	free(c->sources);
	gt_strv_done(&c->warnings);
	free(c);
}

const struct gt_strv *gt_config_warnings(const struct gt_config *c)
{
	return &c->warnings;
}

const struct gt_settings *gt_config_settings(const struct gt_config *c)
{
	return &c->settings;
}

static config_setting_t *group_find(const struct gt_config *c, const char *group, struct source **s)
{
	for (size_t i = c->n; i-- > 0;) {
		config_setting_t *g = config_lookup(&c->sources[i]->file, group);

		if (g) {
			*s = c->sources[i];
			return g;
		}
	}
	return NULL;
}

char *gt_config_group_place(const struct gt_config *c, const char *group)
{
	struct source *s;
	config_setting_t *g = group_find(c, group, &s);

	return g ? gt_strf("%s:%d", s->name, config_setting_source_line(g)) : NULL;
}

void gt_config_plugin_groups(const struct gt_config *c, struct gt_strv *out)
{
	for (size_t i = 0; i < c->n; i++) {
		config_setting_t *top = config_root_setting(&c->sources[i]->file);

		for (int k = 0; k < config_setting_length(top); k++) {
			config_setting_t *v = config_setting_get_elem(top, k);
			const char *name = config_setting_name(v);

			if (config_setting_is_group(v) && !is_core_group(name) && !gt_strv_has(out, name))
				gt_strv_add(out, name);
		}
	}
}

struct gt_error *gt_config_plugin(const struct gt_config *c, const char *module,
				  const struct gt_option *table, void *options)
{
	GT_TRY(group_check_names(c, module, table));
	return group_parse(c, module, table, options);
}

void gt_config_print_group(const struct gt_config *c, const char *group,
			   const struct gt_option *table, const void *values, bool texts,
			   struct gt_buf *out)
{
	const char *indent = *group ? "\t" : "";

	if (*group)
		gt_buf_addf(out, "%s: {\n", group);
	for (const struct gt_option *o = table; o && o->name; o++) {
		struct source *s;
		config_setting_t *v = find(c, group, o->name, &s);

		if (texts) {
			gt_auto(gt_buf) expects = GT_BUF_INIT;

			gt_option_expects(o, &expects);
			gt_buf_addf(out, "%s# %s (%s%s)\n", indent, o->text, expects.s,
				    o->reloadable ? "; reloaded by SIGHUP" : "");
		}
		gt_buf_addf(out, "%s%s = ", indent, o->name);
		gt_option_print(o, values, out);
		gt_buf_addc(out, ';');
		if (!texts && v)
			gt_buf_addf(out, " # %s:%d", s->name, config_setting_source_line(v));
		else if (!texts)
			gt_buf_adds(out, " # default");
		gt_buf_addc(out, '\n');
	}
	if (*group)
		gt_buf_adds(out, "};\n");
}
