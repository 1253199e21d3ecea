/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins as configurations name them: by module, or by containerd's type and the plugin's id. */
#include <config.h>

#include "core/config.h"
#include "core/kind.h"
#include "core/loader.h"
#include "core/slot.h"

#include <string.h>

static const char *slot_id(struct slot *s)
{
	if (s->proxy)
		return s->proxy->name;
	gt_slot_load(s);
	return s->module && s->module->plugin.id ? s->module->plugin.id : "";
}

/* Opens modules only where the name leaves no other way to know. */
bool gt_slot_is_named(struct slot *s, const char *name)
{
	const char *type = gt_kind_facts(s->kind)->type;
	size_t n = strlen(type);

	if (!strcmp(s->name, name))
		return true;
	if (!strchr(name, '.')) /* version 1 of containerd's file has ids alone */
		return !strcmp(slot_id(s), name);
	return !strncmp(name, type, n) && name[n] == '.' && !strcmp(slot_id(s), name + n + 1);
}

struct slot *gt_slot_named(struct gt_host *h, const char *name)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->slots[i]->is_active && gt_slot_is_named(h->slots[i], name))
			return h->slots[i];
	return NULL;
}

void gt_slots_disable(struct gt_host *h)
{
	const struct gt_strv *names = &gt_config_settings(h->config)->disabled_plugins;

	for (size_t i = 0; i < names->n; i++)
		for (size_t k = 0; k < h->n; k++)
			if (h->slots[k]->is_active && gt_slot_is_named(h->slots[k], names->v[i]))
				h->slots[k]->is_active = false;
}

bool gt_plugin_is_disabled(const struct gt_init *init, const char *name)
{
	return gt_strv_has(&gt_config_settings(init->host->config)->disabled_plugins, name);
}
