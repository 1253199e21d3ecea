/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <cni/cni.h>

#include <gantry/buf.h>

#include <cni/plugin.h>
#include <cni/record.h>
#include <oci/json.h>
#include <string.h>
#include <stdio.h>

/* One operation on all plugins of a network. */
struct operation {
	const struct gt_cni *cni;
	const struct gt_call *call;
	const struct gt_cni_network *network;
	const struct gt_cni_attachment *attachment;
	const char *command; /* "ADD" */
	const char *word; /* for messages: "add" */
};

/* Whether the network's specification is at least that old: "1.0.0" has what "0.4.0" has. */
static bool has(const struct gt_cni_network *n, unsigned major, unsigned minor)
{
	unsigned a = 0, b = 0;

	if (sscanf(n->version, "%u.%u", &a, &b) != 2)
		return false;
	return a > major || (a == major && b >= minor);
}

/* The capability arguments for a plugin that says which it has. */
static json_t *runtime_config(const json_t *plugin, const json_t *given)
{
	json_t *out = json_object();
	const json_t *have = json_object_get(plugin, "capabilities");
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)given, name, value) {
		if (json_is_true(json_object_get(have, name)))
			json_object_set_new(out, name, json_deep_copy(value));
	}
	return out;
}

/* What the specification calls the execution configuration. */
static json_t *config_for(const struct operation *o, const json_t *plugin, const json_t *previous)
{
	json_t *config = json_deep_copy(plugin);
	json_t *runtime = runtime_config(plugin, o->attachment->capabilities);

	json_object_del(config, "capabilities");
	json_object_set_new(config, "cniVersion", json_string(o->network->version));
	json_object_set_new(config, "name", json_string(o->network->name));
	if (json_object_size(runtime))
		json_object_set(config, "runtimeConfig", runtime);
	json_decref(runtime);
	if (previous)
		json_object_set_new(config, "prevResult", json_deep_copy(previous));
	return config;
}

/* A plugin of another version says so, but not always which it would take. */
static struct gt_error *add_versions(const struct operation *o, const char *type,
				     struct gt_error *e)
{
	gt_auto(gt_strv) versions = { 0 };
	gt_auto(gt_buf) list = GT_BUF_INIT;

	if (gt_error_class(e) != GT_FAILED_PRECONDITION)
		return e;
	gt_error_free(gt_cni_versions(o->cni, o->call, type, &versions));
	for (size_t i = 0; i < versions.n; i++)
		gt_buf_addf(&list, "%s%s", i ? " " : "", versions.v[i]);
	if (!list.len)
		return e;
	return gt_error_wrap(e, "network \"%s\" is of CNI version %s, the plugin takes %s",
			     o->network->name, o->network->version, list.s);
}

static struct gt_error *run(const struct operation *o, size_t i, const json_t *previous,
			    json_t **out)
{
	const json_t *plugin = json_array_get(o->network->plugins, i);
	const char *type = json_string_value(json_object_get(plugin, "type"));
	gt_autojson config = config_for(o, plugin, previous);
	struct gt_error *e = gt_cni_plugin_run(o->cni, o->call, type, o->command, o->attachment,
					       config, out);

	return gt_error_wrap(add_versions(o, type, e), "plugin type=\"%s\" name=\"%s\" failed (%s)",
			     type, o->network->name, o->word);
}

static struct gt_error *run_add(const struct operation *o, json_t **result)
{
	gt_autojson last = NULL;

	for (size_t i = 0; i < json_array_size(o->network->plugins); i++) {
		json_t *next = NULL;

		GT_TRY(run(o, i, last, &next));
		if (!next)
			return gt_error_new(GT_DATA_LOSS, "plugin %zu of network \"%s\" printed no result",
					    i, o->network->name);
		json_decref(last);
		last = next;
	}
	*result = json_incref(last);
	return NULL;
}

/*
 * What ADD answered goes along since 0.4.0; plugins of earlier ones do not expect it. Where it did
 * not get to an answer, a plugin that is missing may have been what was wrong, and has nothing to
 * undo.
 */
static struct gt_error *run_del(const struct operation *o, const json_t *result)
{
	for (size_t i = json_array_size(o->network->plugins); i-- > 0;) {
		struct gt_error *e = run(o, i, has(o->network, 0, 4) ? result : NULL, NULL);

		GT_TRY(result ? e : gt_error_unless(e, GT_NOT_FOUND));
	}
	return NULL;
}

static struct gt_error *attachment_check(const struct gt_cni_attachment *a)
{
	for (size_t i = 0; i < a->args.n; i++) {
		if (strpbrk(a->args.v[i].key, ";=") || strchr(a->args.v[i].value, ';'))
			return gt_error_new(GT_INVALID_ARGUMENT, "CNI argument %s=%s holds a ';'",
					    a->args.v[i].key, a->args.v[i].value);
	}
	return NULL;
}

/* Undoes an ADD that went wrong, even where the caller has been told to stop. */
static struct gt_error *take_back(const struct operation *add)
{
	struct operation del = *add;
	struct gt_call call = *add->call;

	call.cancel = NULL;
	call.deadline = 0;
	del.call = &call;
	del.command = "DEL";
	del.word = "delete";
	GT_TRY(run_del(&del, NULL));
	return gt_cni_record_remove(add->cni, add->attachment->container_id,
				    add->attachment->ifname);
}

struct gt_error *gt_cni_add(const struct gt_cni *cni, const struct gt_call *call,
			    const struct gt_cni_network *n, const struct gt_cni_attachment *a,
			    json_t **result)
{
	const struct operation o = { cni, call, n, a, "ADD", "add" };
	gt_autojson got = NULL;
	struct gt_error *e;

	GT_TRY(attachment_check(a));
	GT_TRY(gt_cni_record_write(cni, n, a, NULL));
	e = run_add(&o, &got);
	if (!e)
		e = gt_cni_record_write(cni, n, a, got);
	if (e)
		return gt_error_first(e, take_back(&o));
	if (result)
		*result = json_incref(got);
	return NULL;
}

struct gt_error *gt_cni_netns(const struct gt_cni *cni, const char *container_id,
			      const char *ifname, char **out)
{
	struct gt_cni_record r;

	GT_TRY(gt_cni_record_read(cni, container_id, ifname, &r));
	*out = gt_xstrdup(r.attachment.netns);
	gt_cni_record_done(&r);
	return NULL;
}

struct gt_error *gt_cni_del(const struct gt_cni *cni, const struct gt_call *call,
			    const char *container_id, const char *netns, const char *ifname)
{
	struct gt_cni_record r;
	struct gt_error *e;

	e = gt_cni_record_read(cni, container_id, ifname, &r);
	if (gt_error_class(e) == GT_NOT_FOUND) /* of one that was never finished there may be a part */
		return gt_error_first(e, gt_cni_record_remove(cni, container_id, ifname));
	GT_TRY(e);
	r.attachment.netns = netns;
	e = run_del(&(struct operation){ cni, call, r.network, &r.attachment, "DEL", "delete" },
		    r.result);
	if (!e)
		e = gt_cni_record_remove(cni, container_id, ifname);
	gt_cni_record_done(&r);
	return e;
}

static struct gt_error *run_check(const struct operation *o, const json_t *result)
{
	for (size_t i = 0; i < json_array_size(o->network->plugins); i++)
		GT_TRY(run(o, i, result, NULL));
	return NULL;
}

struct gt_error *gt_cni_check(const struct gt_cni *cni, const struct gt_call *call,
			      const char *container_id, const char *netns, const char *ifname)
{
	struct gt_cni_record r;
	struct gt_error *e = NULL;

	GT_TRY(gt_cni_record_read(cni, container_id, ifname, &r));
	r.attachment.netns = netns;
	if (!r.result)
		e = gt_error_new(GT_FAILED_PRECONDITION, "network of %s has not been set up",
				 container_id);
	else if (!r.network->disable_check && has(r.network, 0, 4))
		e = run_check(&(struct operation){ cni, call, r.network, &r.attachment, "CHECK",
						   "check" },
			      r.result);
	gt_cni_record_done(&r);
	return e;
}

struct gt_error *gt_cni_forget(const struct gt_cni *cni, const char *container_id,
			       const char *ifname)
{
	return gt_cni_record_remove(cni, container_id, ifname);
}

struct gt_error *gt_cni_versions(const struct gt_cni *cni, const struct gt_call *call,
				 const char *type, struct gt_strv *out)
{
	const struct gt_cni_attachment none = { .container_id = "", .netns = "", .ifname = "" };
	gt_autojson config = json_pack("{s:s}", "cniVersion", "1.0.0");
	gt_autojson said = NULL;

	if (!*type || strchr(type, '/'))
		return gt_error_new(GT_INVALID_ARGUMENT, "\"%s\" is no plugin's name", type);
	GT_TRY(gt_error_wrap(gt_cni_plugin_run(cni, call, type, "VERSION", &none, config, &said),
			     "plugin type=\"%s\" failed (version)", type));
	if (!said)
		return NULL;
	return gt_json_strings(type, said, "supportedVersions", 1000, out);
}
