/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The entries of proxy_plugins. What the core knows of an entry are the words below; everything else in
 * it is an option of the services that speak to the far side, and checked when their options are known.
 */
#include <config.h>

#include "core/config-private.h"

#include <gantry/buf.h>

#include <string.h>

/* containerd's words for kinds. */
static const struct {
	const char *word;
	enum gt_kind kind;
} types[] = {
	{ "snapshot", GT_SNAPSHOTTER },
	{ "content", GT_CONTENT },
	{ "diff", GT_DIFFER },
	{ "sandbox", GT_SANDBOXER },
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

struct entry {
	char *type;
	char *address;
	char *far_id;
	char *ns;
	char *platform;
	struct gt_strv capabilities;
};

static const struct gt_option entry_options[] = {
	GT_OPT_STRING(struct entry, type, "", ""),
	GT_OPT_STRING(struct entry, address, "", ""),
	GT_OPT_STRING(struct entry, far_id, "", ""),
	{ .name = "namespace", .type = GT_OPTION_STRING, .value = "", .text = "",
	  .offset = offsetof(struct entry, ns) },
	GT_OPT_STRING(struct entry, platform, "", ""),
	GT_OPT_LIST(struct entry, capabilities, "[]", ""),
	{ 0 }
};

static struct gt_error *wrong(const struct source *s, config_setting_t *v, const char *entry,
			      struct gt_error *e)
{
	const char *name = config_setting_name(v);

	return gt_error_wrap(e, "%s:%d: " GT_CONFIG_PROXY_PLUGINS ".%s.%s", s->name,
			     config_setting_source_line(v), entry, name ? name : "?");
}

static struct gt_error *exports_read(config_setting_t *v, struct gt_labels *out)
{
	if (!config_setting_is_group(v))
		return gt_error_new(GT_INVALID_ARGUMENT, "expected a group of strings");
	for (int i = 0; i < config_setting_length(v); i++) {
		config_setting_t *one = config_setting_get_elem(v, i);
		const char *text = config_setting_get_string(one);

		if (!text)
			return gt_error_new(GT_INVALID_ARGUMENT, "%s: expected a string",
					    config_setting_name(one));
		gt_labels_set(out, config_setting_name(one), text);
	}
	return NULL;
}

/* What is for the services goes on as text, as on a command line. */
static struct gt_error *option_read(const char *name, const struct gt_value *v, struct gt_strv *out)
{
	gt_auto(gt_buf) list = GT_BUF_INIT;

	switch (v->type) {
	case GT_VALUE_STRING:
		gt_strv_addf(out, "%s=%s", name, v->text);
		return NULL;
	case GT_VALUE_INT:
		gt_strv_addf(out, "%s=%lld", name, v->number);
		return NULL;
	case GT_VALUE_BOOL:
		gt_strv_addf(out, "%s=%s", name, v->number ? "true" : "false");
		return NULL;
	case GT_VALUE_LIST:
		for (size_t i = 0; i < v->list.n; i++)
			gt_buf_addf(&list, "%s%s", i ? ", " : "", v->list.v[i]);
		gt_strv_addf(out, "%s=[%s]", name, list.s);
		return NULL;
	default:
		return gt_error_new(GT_INVALID_ARGUMENT, "%s cannot stand here", v->text);
	}
}

static struct gt_error *member_read(config_setting_t *v, struct entry *words,
				    struct gt_config_proxy *p)
{
	const char *name = config_setting_name(v);
	const struct gt_option *o = gt_option_find(entry_options, name);
	struct gt_value value;
	struct gt_error *e;

	if (!strcmp(name, "exports"))
		return exports_read(v, &p->exports);
	gt_config_value(v, &value);
	e = o ? gt_option_set(o, words, &value) : option_read(name, &value, &p->options);
	gt_strv_done(&value.list);
	return e;
}

static struct gt_error *kind_find(const char *type, enum gt_kind *out)
{
	for (size_t i = 0; i < N_TYPES; i++) {
		if (strcmp(type, types[i].word) && strcmp(type, gt_kind_type(types[i].kind)))
			continue;
		*out = types[i].kind;
		return NULL;
	}
	return gt_error_new(GT_INVALID_ARGUMENT,
			    "type \"%s\": expected snapshot, content, diff or sandbox", type);
}

/* What cannot be told from one setting. */
static struct gt_error *entry_check(struct entry *words, struct gt_config_proxy *p)
{
	GT_TRY(kind_find(words->type, &p->kind));
	if (!*words->address)
		return gt_error_new(GT_INVALID_ARGUMENT, "address is required: the path of its socket");
	p->far_id = gt_xstrdup(*words->far_id ? words->far_id : p->name);
	p->address = gt_steal(&words->address);
	p->ns = gt_steal(&words->ns);
	p->platform = gt_steal(&words->platform);
	gt_strv_addv(&p->capabilities, &words->capabilities);
	gt_strv_addf(&p->options, "address=%s", p->address);
	return NULL;
}

static struct gt_error *entry_read(const struct source *s, config_setting_t *group,
				   struct gt_config_proxy *p)
{
	struct entry words = { 0 };
	struct gt_error *e = NULL;

	p->name = gt_xstrdup(config_setting_name(group));
	p->place = gt_strf("%s:%d", s->name, config_setting_source_line(group));
	if (!config_setting_is_group(group))
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "%s: " GT_CONFIG_PROXY_PLUGINS ".%s: expected a group: %s: { ... };",
				    p->place, p->name, p->name);
	e = gt_option_defaults(entry_options, &words);
	for (int i = 0; !e && i < config_setting_length(group); i++) {
		config_setting_t *v = config_setting_get_elem(group, i);

		e = wrong(s, v, p->name, member_read(v, &words, p));
	}
	if (!e)
		e = gt_error_wrap(entry_check(&words, p), "%s: " GT_CONFIG_PROXY_PLUGINS ".%s",
				  p->place, p->name);
	gt_option_done(entry_options, &words);
	return e;
}

static void proxy_done(struct gt_config_proxy *p)
{
	free(p->name);
	free(p->place);
	free(p->address);
	free(p->far_id);
	free(p->ns);
	free(p->platform);
	gt_labels_done(&p->exports);
	gt_strv_done(&p->capabilities);
	gt_strv_done(&p->options);
	*p = (struct gt_config_proxy){ 0 };
}

/* A later file's entry takes the whole place of an earlier one's. */
static struct gt_config_proxy *entry_place(struct gt_settings *set, const char *name)
{
	for (size_t i = 0; i < set->n_proxy; i++) {
		if (!strcmp(set->proxy[i].name, name)) {
			proxy_done(&set->proxy[i]);
			return &set->proxy[i];
		}
	}
	set->proxy = gt_xrealloc(set->proxy, (set->n_proxy + 1) * sizeof(*set->proxy));
	set->proxy[set->n_proxy] = (struct gt_config_proxy){ 0 };
	return &set->proxy[set->n_proxy++];
}

struct gt_error *gt_config_proxies_load(struct gt_config *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct source *s = c->sources[i];
		config_setting_t *all = config_lookup(&s->file, GT_CONFIG_PROXY_PLUGINS);

		if (!all)
			continue;
		if (!config_setting_is_group(all))
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "%s:%d: " GT_CONFIG_PROXY_PLUGINS ": expected a group of groups",
					    s->name, config_setting_source_line(all));
		for (int k = 0; k < config_setting_length(all); k++) {
			config_setting_t *group = config_setting_get_elem(all, k);

			GT_TRY(entry_read(s, group,
					  entry_place(&c->settings, config_setting_name(group))));
		}
	}
	return NULL;
}

void gt_config_proxies_done(struct gt_config *c)
{
	for (size_t i = 0; i < c->settings.n_proxy; i++)
		proxy_done(&c->settings.proxy[i]);
	free(c->settings.proxy);
}

static void print_list(const char *name, const struct gt_strv *l, struct gt_buf *out)
{
	if (!l->n)
		return;
	gt_buf_addf(out, "\t\t%s = [ ", name);
	for (size_t i = 0; i < l->n; i++) {
		gt_buf_adds(out, i ? ", " : "");
		gt_buf_addq(out, l->v[i]);
	}
	gt_buf_adds(out, " ];\n");
}

static void print_string(const char *indent, const char *name, const char *value, struct gt_buf *out)
{
	if (!*value)
		return;
	gt_buf_addf(out, "%s%s = ", indent, name);
	gt_buf_addq(out, value);
	gt_buf_adds(out, ";\n");
}

static void print_proxy(const struct gt_config_proxy *p, struct gt_buf *out)
{
	gt_buf_addf(out, "\t%s: { # %s\n", p->name, p->place);
	print_string("\t\t", "type", gt_kind_type(p->kind), out);
	print_string("\t\t", "far_id", p->far_id, out);
	print_string("\t\t", "namespace", p->ns, out);
	print_string("\t\t", "platform", p->platform, out);
	if (p->exports.n) {
		gt_buf_adds(out, "\t\texports: {\n");
		for (size_t i = 0; i < p->exports.n; i++)
			print_string("\t\t\t", p->exports.v[i].key, p->exports.v[i].value, out);
		gt_buf_adds(out, "\t\t};\n");
	}
	print_list("capabilities", &p->capabilities, out);
	for (size_t i = 0; i < p->options.n; i++) {
		const char *eq = strchr(p->options.v[i], '=');
		gt_autofree char *name = gt_xstrndup(p->options.v[i], (size_t)(eq - p->options.v[i]));

		print_string("\t\t", name, eq + 1, out);
	}
	gt_buf_adds(out, "\t};\n");
}

void gt_config_print_proxies(const struct gt_config *c, struct gt_buf *out)
{
	if (!c->settings.n_proxy)
		return;
	gt_buf_adds(out, GT_CONFIG_PROXY_PLUGINS ": {\n");
	for (size_t i = 0; i < c->settings.n_proxy; i++)
		print_proxy(&c->settings.proxy[i], out);
	gt_buf_adds(out, "};\n");
}
