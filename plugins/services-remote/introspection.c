/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "remote.h"

#include <gantry/api-introspection.h>
#include <gantry/buf.h>

#include "containerd.services.introspection.v1.pb-c.h"
#include "containerd.services.version.v1.pb-c.h"
#include "google/protobuf/empty.pb-c.h"

#include <string.h>

#define V1(name) Containerd__Services__Introspection__V1__##name
#define INIT(name) CONTAINERD__SERVICES__INTROSPECTION__V1__##name##__INIT
#define TYPE(name) containerd__services__introspection__v1__##name##__descriptor
#define SERVICE "containerd.services.introspection.v1.Introspection"

#define PENDING "pending: "

METHOD(plugins_method, SERVICE, "Plugins", TYPE(plugins_response));
METHOD(info_method, SERVICE, "PluginInfo", TYPE(plugin_info_response));
METHOD(server_method, SERVICE, "Server", TYPE(server_response));
METHOD(version_method, "containerd.services.version.v1.Version", "Version",
       containerd__services__version__v1__version_response__descriptor);

static void strings_get(char *const *v, size_t n, struct gt_strv *out)
{
	for (size_t i = 0; i < n; i++)
		gt_strv_add(out, v[i]);
}

/* containerd says "skip" in the text of the error, and Gantry "pending". */
static enum gt_plugin_status status_of(const Google__Rpc__Status *m)
{
	if (!m)
		return GT_PLUGIN_OK;
	if (m->code == GT_UNAVAILABLE && !strncmp(m->message, PENDING, strlen(PENDING)))
		return GT_PLUGIN_PENDING;
	return strstr(m->message, "skip plugin") ? GT_PLUGIN_SKIP : GT_PLUGIN_ERROR;
}

static void plugin_get(const V1(Plugin) *m, struct gt_plugin_info *out)
{
	out->type = gt_xstrdup(m->type);
	out->id = gt_xstrdup(m->id);
	out->doc = gt_xstrdup("");
	strings_get(m->requires, m->n_requires, &out->requires);
	for (size_t i = 0; i < m->n_platforms; i++)
		gt_strv_add_take(&out->platforms, gt_wire_platform_get(m->platforms[i]));
	gt_wire_labels_get(&m->base, "exports", &out->exports);
	strings_get(m->capabilities, m->n_capabilities, &out->capabilities);
	out->status = status_of(m->init_err);
	if (m->init_err) {
		out->error_class = (enum gt_class)m->init_err->code;
		out->error = gt_xstrdup(m->init_err->message +
					(out->status == GT_PLUGIN_PENDING ? strlen(PENDING) : 0));
	}
}

static struct gt_error *plugins(struct gt_services *s, struct gt_call *call,
				const struct gt_strv *filters,
				struct gt_error *(*fn)(void *arg, const struct gt_plugin_info *i),
				void *arg)
{
	V1(PluginsRequest) q = INIT(PLUGINS_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(PluginsResponse) *r;

	REMOTE_STRINGS(q, filters, filters);
	GT_TRY(gt_grpc_call(remote_client(s), call, &plugins_method, &q.base, &m));
	r = (const void *)m;
	for (size_t i = 0; i < r->n_plugins; i++) {
		gt_auto(gt_plugin_info) info = { 0 };

		plugin_get(r->plugins[i], &info);
		GT_TRY(fn(arg, &info));
	}
	return NULL;
}

static struct gt_error *server(struct gt_services *s, struct gt_call *call, struct gt_server_info *out)
{
	const Google__Protobuf__Empty q = GOOGLE__PROTOBUF__EMPTY__INIT;
	remote_autoreply ProtobufCMessage *server = NULL, *version = NULL;
	const Containerd__Services__Version__V1__VersionResponse *v;
	const V1(ServerResponse) *r;

	GT_TRY(gt_grpc_call(remote_client(s), call, &version_method, &q.base, &version));
	GT_TRY(gt_grpc_call(remote_client(s), call, &server_method, &q.base, &server));
	v = (const void *)version;
	r = (const void *)server;
	out->version = gt_xstrdup(v->version);
	out->revision = gt_xstrdup(v->revision);
	out->uuid = gt_xstrdup(r->uuid);
	out->pid = r->pid;
	out->pidns = r->pidns;
	return NULL;
}

static struct gt_error *extra(struct gt_services *s, struct gt_call *call, const char *type,
			      const char *id, const struct gt_any *question, struct gt_any *out)
{
	V1(PluginInfoRequest) q = INIT(PLUGIN_INFO_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };
	const V1(PluginInfoResponse) *r;

	q.type = gt_wire_string(type);
	q.id = gt_wire_string(id);
	q.options = gt_wire_any(&a, question);
	GT_TRY(gt_grpc_call(remote_client(s), call, &info_method, &q.base, &m));
	r = (const void *)m;
	GT_TRY(remote_answered(r->extra, &info_method));
	gt_wire_any_get(r->extra, out);
	return NULL;
}

const struct gt_introspection_ops remote_introspection = {
	.size = sizeof(remote_introspection),
	.plugins = plugins,
	.server = server,
	.extra = extra,
};
