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

static struct gt_error *slot_reload(struct gt_host *h, struct slot *s, const struct gt_config *newer)
{
	const struct gt_option *options = s->module->options;
	gt_autofree char *values = gt_xcalloc(1, s->module->plugin.config_size + 1);
	struct gt_error *e = gt_config_plugin(newer, s->name, options, values);

	for (const struct gt_option *o = options; !e && o->name; o++)
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
