/* SPDX-License-Identifier: Apache-2.0 */
/* The host's account of its plugins. */
#include <config.h>

#include <gantry/api-introspection.h>

#include "core/config.h"
#include "core/kind.h"
#include "core/loader.h"
#include "core/proxy.h"
#include "core/slot.h"

#include <gantry/buf.h>

#include <string.h>
#include <sys/utsname.h>

const char *gt_plugin_status_name(enum gt_plugin_status s)
{
	static const char *const names[] = {
		[GT_PLUGIN_OK] = "ok",		 [GT_PLUGIN_SKIP] = "skip",
		[GT_PLUGIN_DISABLED] = "disabled", [GT_PLUGIN_ERROR] = "error",
		[GT_PLUGIN_PENDING] = "pending",
	};

	return (size_t)s < sizeof(names) / sizeof(names[0]) ? names[s] : "unknown";
}

void gt_plugin_info_done(struct gt_plugin_info *i)
{
	free(i->type);
	free(i->id);
	free(i->module);
	free(i->file);
	free(i->doc);
	gt_strv_done(&i->requires);
	gt_strv_done(&i->platforms);
	gt_labels_done(&i->exports);
	gt_strv_done(&i->capabilities);
	free(i->error);
	*i = (struct gt_plugin_info){ 0 };
}

void gt_server_info_done(struct gt_server_info *i)
{
	free(i->version);
	free(i->revision);
	free(i->uuid);
	*i = (struct gt_server_info){ 0 };
}

const char *gt_version(void)
{
	return PACKAGE_VERSION;
}

const char *gt_revision(void)
{
	return GT_REVISION;
}

/* Those kinds that do something to a platform's files or processes say which platform. */
static void platform_add(enum gt_kind kind, const struct gt_config_proxy *proxy, struct gt_strv *out)
{
	struct utsname u;

	if (proxy && *proxy->platform) {
		gt_strv_add(out, proxy->platform);
		return;
	}
	if (kind != GT_SNAPSHOTTER && kind != GT_DIFFER && kind != GT_RUNTIME && kind != GT_SANDBOXER)
		return;
	if (uname(&u) < 0)
		return;
	gt_strv_addf(out, "linux/%s",
		     !strcmp(u.machine, "x86_64")    ? "amd64"
		     : !strcmp(u.machine, "aarch64") ? "arm64"
						     : u.machine);
}

static void status_fill(const struct slot *s, struct gt_plugin_info *i)
{
	if (!s->is_active) {
		i->status = GT_PLUGIN_DISABLED;
		i->error = s->error ? gt_xstrdup(gt_error_text(s->error))
				    : gt_xstrdup("not active in the configuration");
		return;
	}
	if (!s->error)
		return;
	i->error_class = gt_error_class(s->error);
	i->status = i->error_class == GT_UNIMPLEMENTED ? GT_PLUGIN_SKIP : GT_PLUGIN_ERROR;
	i->error = gt_xstrdup(gt_error_text(s->error));
}

static void info_fill(const struct slot *s, struct gt_plugin_info *i)
{
	const struct gt_plugin *p = s->module && s->module->ops ? &s->module->plugin : NULL;

	i->type = gt_xstrdup(s->kind ? gt_kind_type(s->kind) : "-");
	i->id = gt_xstrdup(p ? p->id : s->name);
	i->module = gt_xstrdup(s->proxy && s->module ? s->module->name : s->name);
	i->file = s->module ? gt_xstrdup(s->module->file) : NULL;
	i->doc = gt_xstrdup(p ? p->doc : "");
	for (const struct gt_need *n = p ? p->needs : NULL; n && n->kind; n++)
		if (!gt_strv_has(&i->requires, gt_kind_type(n->kind)))
			gt_strv_add(&i->requires, gt_kind_type(n->kind));
	for (const char *const *c = p ? p->capabilities : NULL; c && *c; c++)
		gt_strv_add(&i->capabilities, *c);
	platform_add(s->kind, s->proxy, &i->platforms);
	if (s->proxy) {
		gt_labels_copy(&i->exports, &s->proxy->exports);
		gt_strv_addv(&i->capabilities, &s->proxy->capabilities);
	}
	if (!s->proxy && s->root && s->state == SLOT_OPEN)
		gt_labels_set(&i->exports, "root", s->root);
	status_fill(s, i);
}

/* A far side that does not answer may do so later: that is no error of the plugin's. */
static void pending_fill(const struct slot *s, struct gt_plugin_info *i)
{
	struct gt_error *e;

	if (i->status != GT_PLUGIN_OK)
		return;
	e = proxy_probe(s->far->instance, s->proxy);
	if (!e)
		return;
	i->status = GT_PLUGIN_PENDING;
	i->error_class = gt_error_class(e);
	i->error = gt_xstrdup(gt_error_text(e));
	gt_error_free(e);
}

static void inactive_add(struct gt_host *h)
{
	struct gt_strv names = { 0 };

	gt_module_list(&gt_config_settings(h->config)->plugin_path, &names);
	for (size_t i = 0; i < names.n; i++)
		if (!gt_slot_by_name(h, names.v[i]))
			gt_slot_add(h, GT_KIND_NONE, names.v[i]);
	gt_strv_done(&names);
}

struct gt_error *gt_host_plugins(const struct gt_init *init,
				 struct gt_error *(*fn)(void *arg, const struct gt_plugin_info *i),
				 void *arg)
{
	struct gt_host *h = init->host;
	struct gt_error *e = NULL;
	struct gt_plugin_info *infos;
	struct slot **slots;
	size_t n = 0;

	pthread_mutex_lock(&h->lock);
	inactive_add(h);
	infos = gt_xcalloc(h->n, sizeof(*infos));
	slots = gt_xcalloc(h->n, sizeof(struct slot *));
	for (size_t i = 0; i < h->n; i++) {
		if (gt_slot_is_far(h->slots[i]))
			continue;
		if (h->slots[i]->is_active)
			gt_error_free(gt_slot_open(h->slots[i])); /* kept in the slot */
		else
			gt_slot_load(h->slots[i]);
		slots[n++] = h->slots[i];
	}
	for (size_t i = 0; i < n; i++)
		info_fill(slots[i], &infos[i]);
	pthread_mutex_unlock(&h->lock);
	for (size_t i = 0; i < n; i++) {
		if (!e && slots[i]->far)
			pending_fill(slots[i], &infos[i]);
		if (!e)
			e = fn(arg, &infos[i]);
		gt_plugin_info_done(&infos[i]);
	}
	free(slots);
	free(infos);
	return e;
}
