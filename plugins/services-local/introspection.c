/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "local.h"

#include <filter/filter.h>
#include <gantry/api-introspection.h>
#include <gantry/buf.h>
#include <gantry/file.h>
#include <gantry/runtime.h>
#include <wire/values.h>

#include <containerd.types.pb-c.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define UUID_LEN 36

static const char *joined(const struct gt_strv *l, struct gt_buf *scratch)
{
	for (size_t i = 0; i < l->n; i++)
		gt_buf_addf(scratch, "%s%s", i ? "," : "", l->v[i]);
	return gt_filter_string(scratch->s);
}

static const char *plugin_field(const void *object, const struct gt_strv *path,
				struct gt_buf *scratch)
{
	const struct gt_plugin_info *i = object;

	if (!strcmp(path->v[0], "type"))
		return gt_filter_string(i->type);
	if (!strcmp(path->v[0], "id"))
		return gt_filter_string(i->id);
	if (!strcmp(path->v[0], "platforms"))
		return joined(&i->platforms, scratch);
	if (!strcmp(path->v[0], "capabilities"))
		return joined(&i->capabilities, scratch);
	return NULL;
}

struct visit {
	const struct gt_filter *filter;
	struct gt_error *(*fn)(void *arg, const struct gt_plugin_info *i);
	void *arg;
};

static struct gt_error *visit(void *arg, const struct gt_plugin_info *i)
{
	const struct visit *v = arg;

	return gt_filter_matches(v->filter, plugin_field, i) ? v->fn(v->arg, i) : NULL;
}

static struct gt_error *plugins(struct gt_services *s, struct gt_call *call,
				const struct gt_strv *filters,
				struct gt_error *(*fn)(void *arg, const struct gt_plugin_info *i),
				void *arg)
{
	gt_autoptr(gt_filter) filter = NULL;
	struct visit v = { .fn = fn, .arg = arg };

	(void)call;
	GT_TRY(gt_filter_parse(filters, &filter));
	v.filter = filter;
	return gt_host_plugins(local_of(s)->init, visit, &v);
}

static bool is_uuid(const struct gt_buf *b)
{
	return b->len == UUID_LEN && strspn(b->s, "0123456789abcdefABCDEF-") == UUID_LEN;
}

static struct gt_error *uuid_read(const char *path, struct gt_buf *out)
{
	gt_buf_setlen(out, 0);
	GT_TRY(gt_file_read(AT_FDCWD, path, 4096, out));
	while (out->len && strchr(" \t\r\n", out->s[out->len - 1]))
		gt_buf_setlen(out, out->len - 1);
	return is_uuid(out) ? NULL : gt_error_new(GT_NOT_FOUND, "%s holds no UUID", path);
}

/* A random one, version 4. */
static struct gt_error *uuid_make(struct gt_buf *out)
{
	unsigned char b[16];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return gt_error_errno(GT_UNKNOWN, errno, "make a UUID");
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	gt_buf_setlen(out, 0);
	for (size_t i = 0; i < sizeof(b); i++)
		gt_buf_addf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
	return NULL;
}

/* The server's identity, made once; where containerd has it. */
static struct gt_error *uuid_get(struct local *l, struct gt_call *call, struct gt_buf *out)
{
	gt_autofree char *dir =
		gt_strf("%s/io.containerd.grpc.v1.introspection", l->init->base_root);
	gt_autofree char *path = gt_strf("%s/uuid", dir);
	gt_autofd int alone = -1;
	struct gt_error *e = uuid_read(path, out);

	if (gt_error_class(e) != GT_NOT_FOUND)
		return e;
	gt_error_free(e);
	GT_TRY(local_lock_alone(l, call, "lock", &alone));
	e = uuid_read(path, out); /* somebody may have made it meanwhile */
	if (gt_error_class(e) != GT_NOT_FOUND)
		return e;
	gt_error_free(e);
	GT_TRY(gt_file_mkdirs(dir, 0700));
	GT_TRY(uuid_make(out));
	return gt_file_write(AT_FDCWD, path, out->s, out->len, 0644,
			     l->init->durability == GT_DURABILITY_FULL);
}

static struct gt_error *server(struct gt_services *s, struct gt_call *call,
			       struct gt_server_info *out)
{
	gt_auto(gt_buf) uuid = GT_BUF_INIT;
	struct stat ns = { 0 };

	GT_TRY(uuid_get(local_of(s), call, &uuid));
	if (stat("/proc/self/ns/pid", &ns) < 0)
		ns.st_ino = 0; /* no /proc: not known */
	*out = (struct gt_server_info){
		.version = gt_xstrdup(gt_version()),
		.revision = gt_xstrdup(gt_revision()),
		.uuid = gt_buf_detach(&uuid),
		.pid = (uint64_t)getpid(),
		.pidns = ns.st_ino,
	};
	return NULL;
}

/* --- what plugins say beyond their listing -------------------------------------------------------- */

struct wanted {
	const char *type, *id;
	bool found, works;
};

static struct gt_error *look(void *arg, const struct gt_plugin_info *i)
{
	struct wanted *w = arg;

	if (!strcmp(i->type, w->type) && !strcmp(i->id, w->id) && i->status != GT_PLUGIN_DISABLED) {
		w->found = true;
		w->works = i->status == GT_PLUGIN_OK;
	}
	return NULL;
}

static struct gt_error *runtime_extra(struct local *l, struct gt_call *call,
				      const struct gt_any *question, struct gt_any *out)
{
	gt_autowire ProtobufCMessage *m = NULL;
	const Containerd__Types__RuntimeRequest *r;
	const char *name = "io.containerd.runc.v2";
	gt_auto(gt_any) options = { 0 };
	struct gt_runtime *runtime;

	GT_TRY(gt_wire_any_unpack(question, &containerd__types__runtime_request__descriptor, &m));
	r = (const void *)m;
	if (*r->runtime_path)
		name = r->runtime_path;
	if (r->options)
		gt_wire_any_get(r->options, &options);
	GT_TRY(gt_error_wrap(gt_need_runtime(l->init, name, &runtime), "runtime %s", name));
	return gt_runtime_info(runtime, call, name, r->options ? &options : NULL, out);
}

static struct gt_error *extra(struct gt_services *s, struct gt_call *call, const char *type,
			      const char *id, const struct gt_any *question, struct gt_any *out)
{
	struct wanted w = { .type = type, .id = id };

	if (!strcmp(type, GT_RUNTIMES_TYPE) && !strcmp(id, GT_RUNTIMES_ID))
		return runtime_extra(local_of(s), call, question, out);
	GT_TRY(gt_host_plugins(local_of(s)->init, look, &w));
	if (!w.found)
		return gt_error_new(GT_NOT_FOUND, "plugin %s.%s not found", type, id);
	if (!w.works)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "plugin %s.%s has not been loaded, and has no further information", type,
				    id);
	return gt_error_new(GT_UNIMPLEMENTED, "plugin %s.%s has no further information", type, id);
}

const struct gt_introspection_ops local_introspection = {
	.size = sizeof(local_introspection),
	.plugins = plugins,
	.server = server,
	.extra = extra,
};
