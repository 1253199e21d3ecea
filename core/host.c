/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/host.h"

#include "core/config.h"
#include "core/event.h"
#include "core/kind.h"
#include "core/loader.h"
#include "core/op.h"
#include "core/option.h"
#include "core/proxy.h"
#include "core/slot.h"

#include <gantry/api-introspection.h>
#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/log.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct slot *gt_slot_of(const struct gt_init *init)
{
	return (struct slot *)((char *)(uintptr_t)init - offsetof(struct slot, init));
}

struct slot *gt_slot_add(struct gt_host *h, enum gt_kind kind, const char *name)
{
	struct slot *s = gt_xcalloc(1, sizeof(*s));

	s->host = h;
	s->kind = kind;
	s->name = gt_xstrdup(name);
	GT_GROW(h->slots, h->n, h->alloc);
	h->slots[h->n++] = s;
	return s;
}

void gt_slot_add_proxy(struct gt_host *h, const struct gt_config_proxy *proxy)
{
	const struct gt_settings *set = gt_config_settings(h->config);
	gt_autofree char *name = gt_strf("proxy_plugins.%s", proxy->name);
	gt_autofree char *far_name = gt_strf("%s of %s", set->proxies.services, name);
	struct slot *far = gt_slot_add(h, GT_SERVICES, far_name), *s = gt_slot_add(h, proxy->kind, name);

	far->proxy = proxy;
	gt_strv_addv(&far->far_options, &set->proxies.options);
	gt_strv_addv(&far->far_options, &proxy->options);
	far->extra = &far->far_options;
	s->proxy = proxy;
	s->far = far;
	s->is_active = true;
}

static void slot_free(struct slot *s)
{
	if (s->config) {
		gt_option_done(s->module->options, s->config);
		free(s->config);
	}
	gt_module_free(s->module);
	gt_error_free(s->error);
	free(s->counts);
	gt_strv_done(&s->far_options);
	free(s->root);
	free(s->state_dir);
	free(s->name);
	free(s);
}

/* Remembers why the plugin cannot be used; takes 'e'. */
static void slot_fail_take(struct slot *s, struct gt_error *e)
{
	s->state = SLOT_FAILED;
	gt_error_free(s->error);
	s->error = e;
}

/* A proxy plugin's ops are the core's; its file is that of the services behind it. */
static struct gt_error *proxy_load(struct slot *s)
{
	struct gt_module *m;
	const char *doc = NULL;
	const void *ops = proxy_ops(s->kind, &doc);

	gt_slot_load(s->far);
	if (s->far->state == SLOT_FAILED)
		return gt_error_new(gt_error_class(s->far->error), "%s", gt_error_text(s->far->error));
	m = gt_xcalloc(1, sizeof(*m));
	m->name = gt_xstrdup(s->far->module->name);
	m->file = gt_xstrdup(s->far->module->file);
	m->needs = gt_xcalloc(1, sizeof(*m->needs));
	m->options = gt_xcalloc(1, sizeof(*m->options));
	m->ops = gt_kind_copy_ops(s->kind, ops);
	m->plugin = (struct gt_plugin){
		GT_PLUGIN_HEADER,
		.kind = s->kind,
		.id = s->proxy->name,
		.doc = doc,
		.needs = m->needs,
		.options = m->options,
		.ops.size = ops,
	};
	s->module = m;
	return NULL;
}

static struct gt_error *module_load(struct slot *s)
{
	const struct gt_settings *set = gt_config_settings(s->host->config);

	if (s->file)
		return gt_module_load_file(s->file, &s->module);
	if (s->far)
		return proxy_load(s);
	if (gt_slot_is_far(s) && !*set->proxies.services)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "proxies.services names no module that speaks to proxy plugins");
	return gt_module_load(&set->plugin_path, gt_slot_is_far(s) ? set->proxies.services : s->name,
			      &s->module);
}

void gt_slot_load(struct slot *s)
{
	struct gt_error *e;

	if (s->state != SLOT_NEW)
		return;
	e = module_load(s);
	if (!e && s->kind && s->module->plugin.kind != s->kind)
		e = gt_error_new(GT_INVALID_ARGUMENT, "%s is a %s, but active as a %s", s->name,
				 gt_kind_name(s->module->plugin.kind), gt_kind_name(s->kind));
	for (size_t i = 0; !e && i < s->host->n; i++) {
		struct slot *o = s->host->slots[i];

		if (gt_slot_is_far(s) || gt_slot_is_far(o))
			continue;
		if (o != s && o->state != SLOT_NEW && o->state != SLOT_FAILED &&
		    o->module->plugin.kind == s->module->plugin.kind &&
		    !strcmp(o->module->plugin.id, s->module->plugin.id))
			e = gt_error_new(GT_ALREADY_EXISTS, "%s and %s are both the %s \"%s\"", s->name,
					 o->name, gt_kind_name(s->kind), s->module->plugin.id);
	}
	if (e) {
		slot_fail_take(s, e);
		return;
	}
	s->kind = s->module->plugin.kind;
	s->state = SLOT_LOADED;
}

static struct gt_error *needs_open(struct slot *s)
{
	for (const struct gt_need *n = s->module->needs; n->kind; n++) {
		struct slot *o;

		if (n->flags & GT_NEED_OPTIONAL)
			continue;
		GT_TRY(gt_error_wrap(gt_slot_find(s->host, n->kind, n->id, &o), "needs %s",
				     gt_kind_type(n->kind)));
		GT_TRY(gt_error_wrap(gt_slot_open(o), "needs %s", gt_kind_type(n->kind)));
	}
	return NULL;
}

/* Sets options as they stand on a command line, "NAME=VALUE". */
static struct gt_error *extra_set(const struct slot *s, const char *text, void *config)
{
	const char *eq = strchr(text, '=');
	gt_autofree char *name = gt_xstrndup(text, eq ? (size_t)(eq - text) : 0);
	const struct gt_option *o = gt_option_find(s->module->options, name);
	gt_auto(gt_strv) known = { 0 };
	const char *near;

	if (o)
		return gt_error_wrap(gt_option_set_text(o, config, eq + 1), "%s", name);
	for (o = s->module->options; o->name; o++)
		gt_strv_add(&known, o->name);
	near = gt_nearest(name, (const char *const *)known.v, known.n);
	return gt_error_new(GT_INVALID_ARGUMENT, "%s: unknown option of %s%s%s%s",
			    *name ? name : text, s->module->name, near ? " (did you mean " : "",
			    near ? near : "", near ? "?)" : "");
}

/* Fills the options of a loaded module. Services behind a proxy plugin have none of the module's group. */
static struct gt_error *config_fill(const struct slot *s, void *config)
{
	struct gt_error *e = gt_slot_is_far(s)
				     ? gt_option_defaults(s->module->options, config)
				     : gt_config_plugin(s->host->config, s->name, s->module->options,
							config);

	for (size_t i = 0; !e && s->extra && i < s->extra->n; i++)
		e = extra_set(s, s->extra->v[i], config);
	if (!gt_slot_is_far(s))
		return e;
	return gt_error_wrap(e, "%s: proxy_plugins.%s", s->proxy->place, s->proxy->name);
}

/* Kinds that keep nothing: `ctr help` needs no root. */
static bool needs_folders(const struct slot *s)
{
	return s->kind != GT_FRONTEND && s->kind != GT_SERVICES && s->kind != GT_RESOLVER;
}

static struct gt_error *instance_open(struct slot *s)
{
	const struct gt_settings *set = gt_config_settings(s->host->config);
	const struct gt_plugin *p = &s->module->plugin;

	s->config = gt_xcalloc(1, p->config_size + 1);
	GT_TRY(s->far ? gt_slot_open(s->far) : config_fill(s, s->config));
	if (needs_folders(s))
		GT_TRY(gt_folders_prepare(s->host));
	s->root = gt_strf("%s/%s.%s", set->root, gt_kind_type(p->kind), p->id);
	s->state_dir = gt_strf("%s/%s.%s", set->state, gt_kind_type(p->kind), p->id);
	if (!s->counts)
		s->counts = gt_op_counts_new(p->kind);
	s->init = (struct gt_init){
		.size = sizeof(s->init),
		.host = s->host,
		.module = s->name,
		.id = s->proxy ? s->proxy->name : p->id,
		.root = s->root,
		.state = s->state_dir,
		.config = s->config,
		.durability = s->host->durability,
		.events = s->host->events,
		.base_root = set->root,
		.base_state = set->state,
		.counts = s->counts,
	};
	if (!s->proxy &&
	    (p->kind == GT_CONTENT || p->kind == GT_SNAPSHOTTER || p->kind == GT_METADATA))
		GT_TRY(gt_folder_make(s->root, 0700));
	GT_TRY(needs_open(s));
	return gt_kind_open(p->kind, s->module->ops, &s->init, &s->instance);
}

/* The names of the plugins that are being opened, the first one needing the next. */
static char *opening_chain(const struct gt_host *h, const struct slot *last)
{
	struct gt_buf b = GT_BUF_INIT;

	for (size_t i = 0; i < h->opening_n; i++)
		gt_buf_addf(&b, "%s -> ", h->opening[i]->name);
	gt_buf_adds(&b, last->name);
	return gt_buf_detach(&b);
}

struct gt_error *gt_slot_open(struct slot *s)
{
	struct gt_host *h = s->host;
	struct gt_error *e;

	gt_slot_load(s);
	switch (s->state) {
	case SLOT_OPEN:
		return NULL;
	case SLOT_OPENING: {
		gt_autofree char *chain = opening_chain(h, s);

		return gt_error_new(GT_FAILED_PRECONDITION, "plugins need each other in a circle: %s",
				    chain);
	}
	case SLOT_FAILED:
		break;
	case SLOT_NEW:
	case SLOT_LOADED:
		s->state = SLOT_OPENING;
		GT_GROW(h->opening, h->opening_n, h->opening_alloc);
		h->opening[h->opening_n++] = s;
		e = instance_open(s);
		h->opening_n--;
		if (!e) {
			s->state = SLOT_OPEN;
			return NULL;
		}
		slot_fail_take(s, e);
	}
	return gt_error_new(GT_UNAVAILABLE, "plugin %s is in error: %s", s->name,
			    gt_error_text(s->error));
}

static bool answers(const struct slot *s, const char *id, bool patterns)
{
	const struct gt_plugin *p = &s->module->plugin;

	if (!patterns && !strcmp(p->id, id))
		return true;
	for (const char *const *name = p->provides; name && *name; name++) {
		size_t len = strlen(*name);
		bool is_pattern = len && (*name)[len - 1] == '*';

		if (is_pattern != patterns)
			continue;
		if (is_pattern ? !strncmp(*name, id, len - 1) : !strcmp(*name, id))
			return true;
	}
	return false;
}

static const char *configured_default(const struct gt_host *h, enum gt_kind kind)
{
	const struct gt_settings *set = gt_config_settings(h->config);
	const char *id = kind == GT_SNAPSHOTTER ? set->defaults.snapshotter
			 : kind == GT_RUNTIME	? set->defaults.runtime
						: "";

	return *id ? id : NULL;
}

struct gt_error *gt_slot_find(struct gt_host *h, enum gt_kind kind, const char *id,
			      struct slot **out)
{
	gt_auto(gt_buf) seen = GT_BUF_INIT;

	if (!id || !*id)
		id = configured_default(h, kind);
	for (int patterns = 0; patterns < 2; patterns++) {
		for (size_t i = 0; i < h->n; i++) {
			struct slot *s = h->slots[i];

			if (!s->is_active || s->kind != kind)
				continue;
			if (!id) {
				*out = s;
				return NULL;
			}
			gt_slot_load(s);
			if (s->module && s->module->ops && answers(s, id, patterns)) {
				*out = s;
				return NULL;
			}
			if (!patterns && s->state == SLOT_FAILED)
				gt_buf_addf(&seen, "%s%s in error: %s", seen.len ? ", " : "", s->name,
					    gt_error_text(s->error));
			else if (!patterns)
				gt_buf_addf(&seen, "%s%s", seen.len ? ", " : "",
					    s->module->plugin.id);
		}
		if (!id)
			break;
	}
	if (!id)
		return gt_error_new(GT_NOT_FOUND, "no %s is active", gt_kind_name(kind));
	return gt_error_new(GT_NOT_FOUND, "no active %s answers to \"%s\" (active: %s)",
			    gt_kind_name(kind), id, seen.len ? seen.s : "none");
}

static struct gt_error *need_get(const struct gt_init *init, enum gt_kind kind, const char *id,
				 void **out)
{
	struct slot *s = gt_slot_of(init), *o;
	const struct gt_need *n = s->module->needs;
	struct gt_error *e;

	while (n->kind && n->kind != kind)
		n++;
	if (!n->kind) {
		fprintf(stderr, "gantry: %s asks for a %s, which it has not declared as a need\n",
			s->name, gt_kind_name(kind));
		abort();
	}
	pthread_mutex_lock(&s->host->lock);
	e = gt_slot_find(s->host, kind, id, &o);
	if (!e)
		e = gt_slot_open(o);
	if (!e)
		*out = o->instance;
	pthread_mutex_unlock(&s->host->lock);
	return e;
}

#define X(NAME, name, key, type)                                                                  \
	struct gt_error *gt_need_##name(const struct gt_init *init, const char *id,                \
					struct gt_##name **out)                                    \
	{                                                                                          \
		void *instance = NULL;                                                             \
                                                                                                   \
		GT_TRY(need_get(init, GT_##NAME, id, &instance));                                  \
		*out = instance;                                                                   \
		return NULL;                                                                       \
	}
GT_KINDS(X)
#undef X

void gt_need_ids(const struct gt_init *init, enum gt_kind kind, struct gt_strv *out)
{
	struct gt_host *h = init->host;

	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < h->n; i++) {
		struct slot *s = h->slots[i];

		if (!s->is_active || s->kind != kind)
			continue;
		gt_slot_load(s);
		if (s->module && s->module->ops)
			gt_strv_add(out, s->module->plugin.id);
	}
	pthread_mutex_unlock(&h->lock);
}

const char *gt_need_default(const struct gt_init *init, enum gt_kind kind)
{
	struct gt_host *h = init->host;
	const char *id = configured_default(h, kind);
	struct slot *s = NULL;

	if (id)
		return id;
	pthread_mutex_lock(&h->lock);
	if (gt_error_unless(gt_slot_find(h, kind, NULL, &s), GT_NOT_FOUND) == NULL && s) {
		gt_slot_load(s);
		id = s->module && s->module->ops ? s->module->plugin.id : NULL;
	}
	pthread_mutex_unlock(&h->lock);
	return id;
}

struct gt_host *gt_host_new(const struct gt_config *config)
{
	struct gt_host *h = gt_xcalloc(1, sizeof(*h));
	pthread_mutexattr_t a;

	h->config = config;
	h->lock_fd = -1;
	h->events = gt_events_new();
	h->durability = strcmp(gt_config_settings(config)->durability, "fast")
				? GT_DURABILITY_FULL
				: GT_DURABILITY_FAST;
	pthread_mutexattr_init(&a);
	/* A plugin's open may ask for the plugins that it needs. */
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&h->lock, &a);
	pthread_mutex_init(&h->samples_lock, NULL);
	pthread_mutexattr_destroy(&a);
	return h;
}

/* A group of options must be right even if its plugin is not needed now. */
static struct gt_error *groups_check(struct gt_host *h)
{
	struct gt_strv groups = { 0 }, known = { 0 };
	struct gt_error *e = NULL;

	gt_config_plugin_groups(h->config, &groups);
	for (size_t i = 0; !e && i < groups.n; i++) {
		const char *name = groups.v[i];
		struct slot *s = gt_slot_by_name(h, name);

		if (!s) /* not active: its options are checked all the same */
			s = gt_slot_add(h, GT_KIND_NONE, name);
		gt_slot_load(s);
		if (s->module && s->module->ops) {
			gt_autofree char *values = gt_xcalloc(1, s->module->plugin.config_size + 1);

			e = gt_config_plugin(h->config, name, s->module->options, values);
			gt_option_done(s->module->options, values);
		} else if (!s->module) {
			gt_autofree char *place = gt_config_group_place(h->config, name);
			const char *near;

			gt_module_list(&gt_config_settings(h->config)->plugin_path, &known);
			for (const struct gt_config_group *g = gt_config_groups + 1; g->name; g++)
				gt_strv_add(&known, g->name);
			near = gt_nearest(name, (const char *const *)known.v, known.n);
			e = gt_error_new(GT_INVALID_ARGUMENT,
					 "%s: %s: no plugin and no group of that name%s%s%s", place, name,
					 near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
		}
	}
	gt_strv_done(&groups);
	gt_strv_done(&known);
	return e;
}

struct slot *gt_slot_by_name(struct gt_host *h, const char *name)
{
	for (size_t i = 0; i < h->n; i++)
		if (!strcmp(h->slots[i]->name, name))
			return h->slots[i];
	return NULL;
}

static struct gt_error *required_find(struct gt_host *h, const char *name, struct slot **out)
{
	*out = gt_slot_named(h, name);
	if (*out)
		return NULL;
	return gt_error_new(GT_FAILED_PRECONDITION, "required plugin %s is not active", name);
}

struct gt_error *gt_host_required(struct gt_host *h)
{
	const struct gt_strv *required = &gt_config_settings(h->config)->required_plugins;
	struct slot *s;

	for (size_t i = 0; i < required->n; i++) {
		GT_TRY(required_find(h, required->v[i], &s));
		GT_TRY(gt_error_wrap(gt_slot_open(s), "required plugin"));
	}
	return NULL;
}

/* What an entry of proxy_plugins says to the services behind it. */
static struct gt_error *proxy_check(const struct slot *s)
{
	const struct gt_module *m = s->module;
	gt_autofree char *values = gt_xcalloc(1, m->plugin.config_size + 1);
	struct gt_error *e = config_fill(s, values);

	gt_option_done(m->options, values);
	return e;
}

struct gt_error *gt_host_check(struct gt_host *h)
{
	const struct gt_strv *required = &gt_config_settings(h->config)->required_plugins;
	struct slot *o;

	for (size_t i = 0; i < required->n; i++)
		GT_TRY(required_find(h, required->v[i], &o));
	for (size_t i = 0; i < h->n; i++) {
		struct slot *s = h->slots[i];

		gt_slot_load(s);
		if (!s->is_active)
			continue;
		if (s->state == SLOT_FAILED)
			return gt_error_new(gt_error_class(s->error), "active plugin %s: %s", s->name,
					    gt_error_text(s->error));
		if (s->far)
			GT_TRY(proxy_check(s->far));
		for (const struct gt_need *n = s->module->needs; n->kind; n++)
			if (!(n->flags & GT_NEED_OPTIONAL))
				GT_TRY(gt_error_wrap(gt_slot_find(h, n->kind, n->id, &o), "%s needs %s",
						     s->name, gt_kind_type(n->kind)));
	}
	if (configured_default(h, GT_SNAPSHOTTER))
		GT_TRY(gt_error_wrap(gt_slot_find(h, GT_SNAPSHOTTER, NULL, &o), "defaults.snapshotter"));
	if (configured_default(h, GT_RUNTIME))
		GT_TRY(gt_error_wrap(gt_slot_find(h, GT_RUNTIME, NULL, &o), "defaults.runtime"));
	return NULL;
}

struct gt_error *gt_host_open(const struct gt_config *config, bool preload, struct gt_host **out)
{
	const struct gt_settings *set = gt_config_settings(config);
	struct gt_host *h = gt_host_new(config);
	struct gt_error *e;

	for (int kind = 1; kind < GT_KIND_COUNT; kind++) {
		for (size_t i = 0; i < set->active[kind].n; i++) {
			if (gt_slot_by_name(h, set->active[kind].v[i])) {
				e = gt_error_new(GT_INVALID_ARGUMENT, "active.%s: %s is named twice",
						 gt_kind_facts(kind)->key, set->active[kind].v[i]);
				gt_host_close(h);
				return e;
			}
			gt_slot_add(h, kind, set->active[kind].v[i])->is_active = true;
		}
	}
	for (size_t i = 0; i < set->n_proxy; i++)
		gt_slot_add_proxy(h, &set->proxy[i]);
	gt_slots_disable(h);
	e = groups_check(h);
	for (size_t i = 0; !e && preload && i < h->n; i++)
		gt_slot_load(h->slots[i]);
	if (e) {
		gt_host_close(h);
		return e;
	}
	*out = h;
	return NULL;
}

/* Whether an open plugin other than 's' declares a need of its kind. */
static bool is_needed(const struct gt_host *h, const struct slot *s)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct slot *o = h->slots[i];

		if (o == s || o->state != SLOT_OPEN)
			continue;
		for (const struct gt_need *n = o->module->needs; n->kind; n++)
			if (n->kind == s->kind && o->kind != s->kind)
				return true;
	}
	return false;
}

static struct slot *next_to_close(const struct gt_host *h)
{
	struct slot *any = NULL;

	for (size_t i = h->n; i-- > 0;) {
		struct slot *s = h->slots[i];

		if (s->state != SLOT_OPEN || gt_slot_is_far(s))
			continue;
		if (!is_needed(h, s))
			return s;
		any = s;
	}
	return any;
}

static void slot_close(struct slot *s)
{
	gt_kind_close(s->kind, s->module->ops, s->instance);
	s->state = SLOT_LOADED;
	if (s->far && s->far->state == SLOT_OPEN)
		slot_close(s->far);
}

void gt_host_close(struct gt_host *h)
{
	struct slot *s;

	if (!h)
		return;
	while ((s = next_to_close(h)))
		slot_close(s);
	for (size_t i = 0; i < h->n; i++) /* of a proxy plugin that could not be opened */
		if (h->slots[i]->state == SLOT_OPEN)
			slot_close(h->slots[i]);
	gt_events_free(h->events);
	for (size_t i = 0; i < h->n; i++)
		slot_free(h->slots[i]);
	free(h->slots);
	free(h->opening);
	gt_strv_done(&h->retired);
	if (h->lock_fd >= 0)
		close(h->lock_fd);
	pthread_mutex_destroy(&h->lock);
	pthread_mutex_destroy(&h->samples_lock);
	if (h->own_config)
		gt_config_free(h->own_config);
	free(h);
}

struct gt_error *gt_host_frontend(struct gt_host *h, const char *id, struct gt_frontend **out)
{
	struct slot *s;
	struct gt_error *e;

	pthread_mutex_lock(&h->lock);
	e = gt_slot_find(h, GT_FRONTEND, id, &s);
	if (!e)
		e = gt_slot_open(s);
	if (!e)
		*out = s->instance;
	pthread_mutex_unlock(&h->lock);
	return e;
}

/* The configuration of a host for tests. */
static void test_config(const char *dir, enum gt_durability durability, struct gt_buf *out)
{
	gt_buf_adds(out, "root = ");
	gt_buf_addq(out, dir);
	gt_buf_adds(out, " \"/root\"; state = ");
	gt_buf_addq(out, dir);
	gt_buf_addf(out, " \"/state\"; durability = \"%s\";\n",
		    durability == GT_DURABILITY_FAST ? "fast" : "full");
}

/* Opens the one plugin of a host for tests, and hands both over; takes 'h'. */
static struct gt_error *test_open_take(struct gt_host *h, struct slot *s, struct gt_host **out,
				       enum gt_kind *kind, void **instance)
{
	struct gt_error *e = gt_slot_open(s);

	s->file = NULL;
	s->extra = NULL;
	if (e) {
		gt_error_free(e);
		e = gt_steal(&s->error);
		gt_host_close(h);
		return e;
	}
	*out = h;
	*kind = s->kind;
	*instance = s->instance;
	return NULL;
}

struct gt_error *gt_host_open_file(const char *file, const char *dir,
				   const struct gt_strv *options, enum gt_durability durability,
				   struct gt_host **out, enum gt_kind *kind, void **instance)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	struct gt_config *config;
	struct gt_host *h;
	struct slot *s;

	test_config(dir, durability, &text);
	GT_TRY(gt_config_load(text.s, NULL, &config));
	h = gt_host_new(config);
	h->own_config = config;
	s = gt_slot_add(h, GT_KIND_NONE, "");
	s->file = file;
	s->extra = options;
	s->is_active = true;
	gt_slot_load(s);
	if (s->module) { /* its name is the file's */
		free(s->name);
		s->name = gt_xstrdup(s->module->name);
	}
	return test_open_take(h, s, out, kind, instance);
}

struct gt_error *gt_host_open_proxy(const char *file, const char *type, const char *dir,
				    const struct gt_strv *options, enum gt_durability durability,
				    struct gt_host **out, enum gt_kind *kind, void **instance)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	const char *slash = strrchr(file, '/');
	gt_autofree char *folder = gt_xstrndup(file, slash ? (size_t)(slash - file) : 0);
	gt_autofree char *module = gt_xstrdup(slash ? slash + 1 : file);
	struct gt_config *config;
	struct gt_host *h;

	if (strrchr(module, '.'))
		*strrchr(module, '.') = '\0';
	test_config(dir, durability, &text);
	gt_buf_adds(&text, "plugin_path = ");
	gt_buf_addq(&text, folder);
	gt_buf_adds(&text, "; proxies: { services = ");
	gt_buf_addq(&text, module);
	gt_buf_adds(&text, "; }; proxy_plugins: { tested: { type = ");
	gt_buf_addq(&text, type);
	for (size_t i = 0; options && i < options->n; i++) {
		const char *eq = strchr(options->v[i], '=');

		if (!eq)
			return gt_error_new(GT_INVALID_ARGUMENT, "%s: an option is NAME=VALUE",
					    options->v[i]);
		gt_buf_addf(&text, "; %.*s = ", (int)(eq - options->v[i]), options->v[i]);
		gt_buf_addq(&text, eq + 1);
	}
	gt_buf_adds(&text, "; }; };\n");
	GT_TRY(gt_config_load(text.s, NULL, &config));
	h = gt_host_new(config);
	h->own_config = config;
	gt_slot_add_proxy(h, gt_config_settings(config)->proxy);
	return test_open_take(h, h->slots[h->n - 1], out, kind, instance);
}
