/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include <gantry/api-introspection.h>

#include "containerd.services.introspection.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#include <stdio.h>
#include <string.h>

#define V1(name) Containerd__Services__Introspection__V1__##name

GRPC_KEEPS(gt_any)
GRPC_KEEPS(gt_server_info)

/* What the API has no word for goes into the text: containerd does so with "skip plugin". */
static char *status_text(struct gt_arena *a, const struct gt_plugin_info *i)
{
	const char *name = gt_plugin_status_name(i->status);
	const char *why = i->error ? i->error : "";
	size_t size = strlen(name) + strlen(why) + 3;
	char *text;

	if (i->status != GT_PLUGIN_PENDING)
		return gt_wire_string(i->error ? i->error : name);
	text = gt_arena_alloc(a, size);
	snprintf(text, size, "%s: %s", name, why);
	return text;
}

static V1(Plugin) *plugin_wire(struct gt_arena *a, const struct gt_plugin_info *i)
{
	V1(Plugin) *m =
		gt_arena_message(a, &containerd__services__introspection__v1__plugin__descriptor);

	m->type = gt_wire_string(i->type);
	m->id = gt_wire_string(i->id);
	m->requires = i->requires.v;
	m->n_requires = i->requires.n;
	m->platforms = gt_arena_alloc(a, (i->platforms.n + 1) * sizeof(*m->platforms));
	for (size_t k = 0; k < i->platforms.n; k++)
		m->platforms[m->n_platforms++] = gt_wire_platform(a, i->platforms.v[k]);
	gt_wire_labels(a, &m->base, "exports", &i->exports);
	m->capabilities = i->capabilities.v;
	m->n_capabilities = i->capabilities.n;
	if (i->status != GT_PLUGIN_OK) {
		m->init_err = gt_arena_message(a, &google__rpc__status__descriptor);
		m->init_err->code = i->error_class ? i->error_class : GT_UNKNOWN;
		m->init_err->message = status_text(a, i);
	}
	return m;
}

/* What lies in the plugins' folder and is not active is no plugin of this daemon. */
static struct gt_error *add(void *arg, const struct gt_plugin_info *i)
{
	gt_auto(gt_arena) a = { 0 };

	if (i->status == GT_PLUGIN_DISABLED)
		return NULL;
	return gt_grpc_unary_add(arg, 1, &plugin_wire(&a, i)->base);
}

static struct gt_error *plugins(struct gt_grpc_unary *u)
{
	const V1(PluginsRequest) *r = u->request;
	struct gt_strv filters = grpc_strings(r->filters, r->n_filters);

	return gt_introspection_plugins(SERVICES(u), u->call, &filters, add, u);
}

static struct gt_error *server(struct gt_grpc_unary *u)
{
	V1(ServerResponse) *m = u->reply;
	struct gt_server_info *i = keep_gt_server_info(u);

	GT_TRY(gt_introspection_server(SERVICES(u), u->call, i));
	m->uuid = gt_wire_string(i->uuid);
	m->pid = i->pid;
	m->pidns = i->pidns;
	return NULL;
}

struct wanted {
	struct gt_grpc_unary *u;
	const char *type, *id; /* NULL: any */
	bool found;
};

/* Clients ask one plugin for what they want to know of runtimes; its name has changed. */
static bool is_runtimes(const V1(PluginInfoRequest) *r)
{
	return (!strcmp(r->type, GT_RUNTIMES_TYPE) && !strcmp(r->id, GT_RUNTIMES_ID)) ||
	       (!strcmp(r->type, "io.containerd.shim.v1") && !strcmp(r->id, "manager"));
}

static struct gt_error *look(void *arg, const struct gt_plugin_info *i)
{
	struct wanted *w = arg;
	const V1(PluginInfoRequest) *r = w->u->request;
	gt_auto(gt_arena) a = { 0 };

	V1(Plugin) *m;

	if (w->found || strcmp(i->type, w->type) != 0 || (w->id && strcmp(i->id, w->id) != 0))
		return NULL;
	w->found = true;
	m = plugin_wire(&a, i);
	m->type = r->type;
	m->id = r->id;
	return gt_grpc_unary_add(w->u, 1, &m->base);
}

static struct gt_error *plugin_info(struct gt_grpc_unary *u)
{
	const V1(PluginInfoRequest) *r = u->request;
	V1(PluginInfoResponse) *m = u->reply;
	bool runtimes = is_runtimes(r);
	struct wanted w = {
		.u = u,
		.type = runtimes ? GT_RUNTIMES_TYPE : r->type,
		.id = runtimes ? NULL : r->id,
	};

	GT_TRY(gt_introspection_plugins(SERVICES(u), u->call, NULL, look, &w));
	if (!w.found)
		return gt_error_new(GT_NOT_FOUND, "plugin %s.%s not found", r->type, r->id);
	if (r->options) {
		struct gt_any *question = keep_gt_any(u), *answer = keep_gt_any(u);

		gt_wire_any_get(r->options, question);
		GT_TRY(gt_introspection_extra(SERVICES(u), u->call, w.type,
					      runtimes ? GT_RUNTIMES_ID : r->id, question, answer));
		m->extra = gt_wire_any(&u->arena, answer);
	}
	return NULL;
}

#define TYPE(name) containerd__services__introspection__v1__##name##__descriptor
const struct gt_grpc_method grpc_introspection[] = {
	GT_GRPC_UNARY("Plugins", TYPE(plugins_request), TYPE(plugins_response), plugins, 0),
	GT_GRPC_UNARY("PluginInfo", TYPE(plugin_info_request), TYPE(plugin_info_response), plugin_info,
		      0),
	GT_GRPC_UNARY("Server", google__protobuf__empty__descriptor, TYPE(server_response), server, 0),
	{ 0 }
};
