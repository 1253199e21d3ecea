/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "options.h"

#include <gantry/file.h>
#include <ttrpc/frame.h>

#include <containerd.runc.v1.pb-c.h>
#include <containerd.runtime.bootstrap.v1.pb-c.h>

#include <jansson.h>
#include <string.h>

#define FILE_MAX 65536

void options_init(struct options *o)
{
	*o = (struct options){
		.shim_cgroup = gt_xstrdup(""),
		.binary_name = gt_xstrdup(""),
		.root = gt_xstrdup(""),
		.criu_image_path = gt_xstrdup(""),
		.criu_work_path = gt_xstrdup(""),
	};
}

void options_done(struct options *o)
{
	free(o->shim_cgroup);
	free(o->binary_name);
	free(o->root);
	free(o->criu_image_path);
	free(o->criu_work_path);
	*o = (struct options){ 0 };
}

static void set(char **field, const char *value)
{
	free(*field);
	*field = gt_xstrdup(value);
}

static bool type_is(const Google__Protobuf__Any *any, const char *type)
{
	const char *slash = strrchr(any->type_url, '/');

	return !strcmp(slash ? slash + 1 : any->type_url, type);
}

struct gt_error *options_from_any(const Google__Protobuf__Any *any, struct options *o)
{
	Containerd__Runc__V1__Options *m;

	if (!any || (!*any->type_url && !any->value.len) ||
	    type_is(any, "runtimeoptions.v1.Options"))
		return NULL;
	if (!type_is(any, "containerd.runc.v1.Options"))
		return gt_error_new(GT_INVALID_ARGUMENT, "unsupported option type \"%s\"",
				    any->type_url);
	m = (Containerd__Runc__V1__Options *)gt_ttrpc_message_unpack(
		&containerd__runc__v1__options__descriptor, any->value.data, any->value.len);
	if (!m)
		return gt_error_new(GT_INVALID_ARGUMENT, "malformed containerd.runc.v1.Options");
	o->no_pivot_root = m->no_pivot_root;
	o->no_new_keyring = m->no_new_keyring;
	o->systemd_cgroup = m->systemd_cgroup;
	o->io_uid = m->io_uid;
	o->io_gid = m->io_gid;
	set(&o->shim_cgroup, m->shim_cgroup);
	set(&o->binary_name, m->binary_name);
	set(&o->root, m->root);
	set(&o->criu_image_path, m->criu_image_path);
	set(&o->criu_work_path, m->criu_work_path);
	gt_ttrpc_message_free(&m->base);
	return NULL;
}

struct gt_error *options_from_bootstrap(const void *data, size_t len, const char *id,
					struct options *o)
{
	Containerd__Runtime__Bootstrap__V1__BootstrapParams *p;
	Google__Protobuf__Any *any;
	struct gt_error *e = NULL;

	if (!len)
		return NULL;
	/* An Any parses as BootstrapParams too, with its type where the id would be. */
	p = (Containerd__Runtime__Bootstrap__V1__BootstrapParams *)gt_ttrpc_message_unpack(
		&containerd__runtime__bootstrap__v1__bootstrap_params__descriptor, data, len);
	if (p && !strcmp(p->instance_id, id)) {
		for (size_t i = 0; i < p->n_extensions && !e; i++)
			if (p->extensions[i]->value &&
			    type_is(p->extensions[i]->value, "containerd.runc.v1.Options"))
				e = options_from_any(p->extensions[i]->value, o);
		gt_ttrpc_message_free(&p->base);
		return e;
	}
	if (p)
		gt_ttrpc_message_free(&p->base);
	any = (Google__Protobuf__Any *)gt_ttrpc_message_unpack(&google__protobuf__any__descriptor,
							       data, len);
	if (!any)
		return gt_error_new(GT_INVALID_ARGUMENT, "malformed options on stdin");
	e = options_from_any(any, o);
	gt_ttrpc_message_free(&any->base);
	return e;
}

struct gt_error *options_store(const struct options *o, int bundle)
{
	json_t *j = json_pack("{s:b,s:b,s:b,s:I,s:I,s:s,s:s,s:s,s:s,s:s}", "no_pivot_root",
			      o->no_pivot_root, "no_new_keyring", o->no_new_keyring,
			      "systemd_cgroup", o->systemd_cgroup, "io_uid", (json_int_t)o->io_uid,
			      "io_gid", (json_int_t)o->io_gid, "shim_cgroup", o->shim_cgroup,
			      "binary_name", o->binary_name, "root", o->root, "criu_image_path",
			      o->criu_image_path, "criu_work_path", o->criu_work_path);
	gt_autofree char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	json_decref(j);
	if (!text)
		return gt_error_new(GT_INVALID_ARGUMENT, "runtime options are no UTF-8");
	GT_TRY(gt_file_write(bundle, "options.json", text, strlen(text), 0600, false));
	return gt_file_write(bundle, "runtime", o->binary_name, strlen(o->binary_name), 0600, false);
}

static void load_string(const json_t *j, const char *key, char **field)
{
	const char *s = json_string_value(json_object_get(j, key));

	if (s)
		set(field, s);
}

struct gt_error *options_load(struct options *o, int bundle)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_auto(gt_buf) name = GT_BUF_INIT;
	json_t *j;

	GT_TRY(gt_error_unless(gt_file_read(bundle, "runtime", FILE_MAX, &name), GT_NOT_FOUND));
	set(&o->binary_name, name.s);
	GT_TRY(gt_error_unless(gt_file_read(bundle, "options.json", FILE_MAX, &text), GT_NOT_FOUND));
	j = json_loadb(text.s, text.len, 0, NULL);
	o->systemd_cgroup = json_is_true(json_object_get(j, "systemd_cgroup"));
	load_string(j, "root", &o->root);
	if (!*o->binary_name)
		load_string(j, "binary_name", &o->binary_name);
	json_decref(j);
	return NULL;
}
