/* SPDX-License-Identifier: Apache-2.0 */
/* A newer configuration for plugins that are open. */
#include <config.h>

#include "core/config.h"
#include "core/host.h"
#include "core/loader.h"
#include "core/option.h"
#include "core/slot.h"

#include <gantry/buf.h>
#include <gantry/frontend.h>
#include <gantry/log.h>

#include <string.h>

/* Readers hold no lock: what fits into a word is written at once, and what it points to is kept. */
static void value_move(struct gt_host *h, const struct gt_option *o, char *to, char *from)
{
	switch (o->type) {
	case GT_OPTION_BOOL:
		*(volatile bool *)(to + o->offset) = *(bool *)(from + o->offset);
		break;
	case GT_OPTION_INT:
	case GT_OPTION_DURATION:
	case GT_OPTION_SIZE:
		__atomic_store_n((uint64_t *)(to + o->offset), *(uint64_t *)(from + o->offset),
				 __ATOMIC_RELEASE);
		break;
	case GT_OPTION_STRING:
	case GT_OPTION_PATH:
	case GT_OPTION_ENUM: {
		char **old = (char **)(to + o->offset), **now = (char **)(from + o->offset);

		if (strcmp(*old, *now) != 0)
			gt_strv_add_take(&h->retired, __atomic_exchange_n(old, gt_steal(now),
									  __ATOMIC_ACQ_REL));
		break;
	}
	case GT_OPTION_LIST: /* three words: cannot be reloadable */
		break;
	}
}

/* --- what a running daemon cannot take over ---------------------------------------------------- */

static bool strv_same(const struct gt_strv *a, const struct gt_strv *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = !strcmp(a->v[i], b->v[i]);
	return same;
}

static bool labels_same(const struct gt_labels *a, const struct gt_labels *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = !strcmp(a->v[i].key, b->v[i].key) && !strcmp(a->v[i].value, b->v[i].value);
	return same;
}

static bool value_same(const struct gt_option *o, const char *a, const char *b)
{
	const void *x = a + o->offset, *y = b + o->offset;

	switch (o->type) {
	case GT_OPTION_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case GT_OPTION_INT:
	case GT_OPTION_DURATION:
	case GT_OPTION_SIZE:
		return *(const uint64_t *)x == *(const uint64_t *)y;
	case GT_OPTION_STRING:
	case GT_OPTION_PATH:
	case GT_OPTION_ENUM:
		return !strcmp(*(char *const *)x, *(char *const *)y);
	case GT_OPTION_LIST:
		return strv_same(x, y);
	}
	return true;
}

static void restart_note(const char *what)
{
	gt_log_warn("%s has changed in the configuration: that takes effect at the next start", what);
}

static void values_compare(const char *group, const struct gt_option *options, const void *running,
			   const void *newer)
{
	for (const struct gt_option *o = options; o && o->name; o++) {
		gt_autofree char *name = gt_strf("%s%s%s", group, *group ? "." : "", o->name);

		if (!o->reloadable && !value_same(o, running, newer))
			restart_note(name);
	}
}

static const struct gt_config_proxy *proxy_find(const struct gt_settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_proxy; i++)
		if (!strcmp(s->proxy[i].name, name))
			return &s->proxy[i];
	return NULL;
}

static bool proxy_same(const struct gt_config_proxy *a, const struct gt_config_proxy *b)
{
	return a->kind == b->kind && !strcmp(a->address, b->address) && !strcmp(a->far_id, b->far_id) &&
	       !strcmp(a->ns, b->ns) && !strcmp(a->platform, b->platform) &&
	       labels_same(&a->exports, &b->exports) && strv_same(&a->capabilities, &b->capabilities) &&
	       strv_same(&a->options, &b->options);
}

static void proxies_compare(const struct gt_settings *running, const struct gt_settings *newer)
{
	for (size_t i = 0; i < running->n_proxy; i++) {
		gt_autofree char *name = gt_strf("proxy_plugins.%s", running->proxy[i].name);
		const struct gt_config_proxy *other = proxy_find(newer, running->proxy[i].name);

		if (!other || !proxy_same(&running->proxy[i], other))
			restart_note(name);
	}
	for (size_t i = 0; i < newer->n_proxy; i++) {
		gt_autofree char *name = gt_strf("proxy_plugins.%s", newer->proxy[i].name);

		if (!proxy_find(running, newer->proxy[i].name))
			restart_note(name);
	}
}

/* Of what is loaded and with whom it speaks nothing changes while calls run through it. */
static void settings_compare(const struct gt_config *running, const struct gt_config *newer)
{
	const struct gt_settings *a = gt_config_settings(running), *b = gt_config_settings(newer);

	for (const struct gt_config_group *g = gt_config_groups; g->name; g++)
		values_compare(g->name, g->options, a, b);
	proxies_compare(a, b);
}

static struct gt_error *slot_reload(struct gt_host *h, struct slot *s, const struct gt_config *newer)
{
	const struct gt_option *options = s->module->options;
	gt_autofree char *values = gt_xcalloc(1, s->module->plugin.config_size + 1);
	struct gt_error *e = gt_config_plugin(newer, s->name, options, values);

	if (!e)
		values_compare(s->name, options, s->config, values);
	for (const struct gt_option *o = options; !e && o && o->name; o++)
		if (o->reloadable)
			value_move(h, o, s->config, values);
	gt_option_done(options, values);
	return e;
}

struct gt_error *gt_host_reload(struct gt_host *h, const struct gt_config *newer)
{
	struct gt_error *e = NULL;

	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < h->n; i++)
		if (h->slots[i]->state == SLOT_OPEN && !h->slots[i]->proxy)
			e = gt_error_first(e, slot_reload(h, h->slots[i], newer));
	pthread_mutex_unlock(&h->lock);
	if (!e)
		settings_compare(h->config, newer);
	return e;
}

struct gt_error *gt_host_daemon_frontends(struct gt_host *h, struct gt_strv *out)
{
	struct gt_error *e = NULL;

	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; !e && i < h->n; i++) {
		struct slot *s = h->slots[i];

		if (!s->is_active || s->kind != GT_FRONTEND)
			continue;
		gt_slot_load(s);
		if (s->state == SLOT_FAILED)
			e = gt_error_new(gt_error_class(s->error), "frontend %s: %s", s->name,
					 gt_error_text(s->error));
		for (const char *const *c = e ? NULL : s->module->plugin.capabilities; c && *c; c++)
			if (!strcmp(*c, GT_FRONTEND_DAEMON))
				gt_strv_add(out, s->module->plugin.id);
	}
	pthread_mutex_unlock(&h->lock);
	return e;
}

struct gt_error *gt_host_daemon_frontend(struct gt_host *h, const char *id, struct gt_frontend **out,
					 bool *skipped)
{
	struct gt_error *e = gt_host_frontend(h, id, out);
	struct slot *s;

	*skipped = false;
	if (!e)
		return NULL;
	pthread_mutex_lock(&h->lock);
	*skipped = gt_error_unless(gt_slot_find(h, GT_FRONTEND, id, &s), GT_NOT_FOUND) == NULL && s &&
		   gt_error_class(s->error) == GT_UNIMPLEMENTED;
	pthread_mutex_unlock(&h->lock);
	if (!*skipped)
		return e;
	gt_error_free(e);
	return NULL;
}
