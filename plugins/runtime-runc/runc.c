/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "runc.h"

#include <proc/proc.h>
#include <shim/message.h>
#include <shim/name.h>
#include <shim/runtime.h>
#include <ttrpc/frame.h>

#include <gantry/file.h>
#include <gantry/log.h>

#include <containerd.runc.v1.pb-c.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/wait.h>

#define OPTIONS_TYPE "containerd.runc.v1.Options"
#define SHIM GT_BINDIR "/containerd-shim-gantry-v1"

struct runc {
	struct gt_shim_runtime shims;
	const struct runc_config *config;
	char *root;
};

static struct runc *runc_of(struct gt_runtime *r)
{
	return (struct runc *)r;
}

/* Runs `delete --force` as the shim would: from the options that it left in the bundle. */
static struct gt_error *force(struct gt_shim_runtime *shims, struct gt_call *call,
			      const struct gt_bundle *b)
{
	struct runc *r = (struct runc *)shims;
	gt_auto(gt_buf) text = GT_BUF_INIT, output = GT_BUF_INIT;
	gt_autoptr(gt_error) none = gt_file_read(b->fd, "options.json", 65536, &text);
	json_t *doc = none ? NULL : json_loadb(text.s, text.len, 0, NULL);
	const char *program = json_string_value(json_object_get(doc, "binary_name"));
	const char *root = json_string_value(json_object_get(doc, "root"));
	gt_autofree char *folder = gt_strf("%s/%s", root && *root ? root : r->root, b->ns);
	gt_autofree char *state = gt_strf("%s/%s", folder, b->id);
	const char *argv[] = { program && *program ? program : r->config->runtime,
			       "--root", folder, "delete", "--force", b->id, NULL };
	struct gt_proc_spec spec = { .argv = argv };
	int status = 0;
	struct gt_error *e;

	e = gt_proc_run(&spec, call, NULL, 0, 4096, &output, &status);
	if (!e && (!WIFEXITED(status) || WEXITSTATUS(status)))
		e = gt_error_new(GT_UNKNOWN, "%s delete: %s", argv[0], output.s);
	json_decref(doc);
	/* Its processes have been ended by now: what it knows of them is worth nothing. */
	return gt_error_first(e, gt_file_remove_tree(AT_FDCWD, state));
}

struct gt_error *runc_open(const struct gt_init *init, struct gt_runtime **out)
{
	const struct runc_config *c = init->config;
	struct runc *r = gt_xcalloc(1, sizeof(*r));

	r->config = c;
	r->root = *c->root ? gt_xstrdup(c->root) : gt_strf("%s/runc", init->base_state);
	r->shims.force = force;
	r->shims.settings = (struct gt_shim_settings){
		.state = init->base_state,
		.root = init->base_root,
		.events_address = c->events_address,
		.debug = gt_log_enabled(GT_LOG_TOPIC, GT_LOG_DEBUG),
		.lazy_work = true, /* only checkpoint and restore write there */
		.start_timeout = c->start_timeout,
		.connect_timeout = c->connect_timeout,
		.state_timeout = c->state_timeout,
		.task_timeout = c->task_timeout,
		.checkpoint_timeout = c->checkpoint_timeout,
		.shutdown_timeout = c->shutdown_timeout,
		.cleanup_timeout = c->cleanup_timeout,
	};
	gt_shim_runtime_init(&r->shims);
	*out = &r->shims.base;
	return NULL;
}

void runc_close(struct gt_runtime *base)
{
	struct runc *r = runc_of(base);

	if (!r)
		return;
	gt_shim_runtime_done(&r->shims);
	free(r->root);
	free(r);
}

/* Names stand for the configured shim; a path for itself. */
static struct gt_error *find_program(const struct runc *r, const char *name, char **path)
{
	const char *shim = *r->config->shim ? r->config->shim : SHIM;

	if (name && *name == '/')
		return gt_shim_program(name, path);
	if (access(shim, X_OK) < 0)
		return gt_error_new(GT_NOT_FOUND, "the shim %s is not installed", shim);
	*path = gt_xstrdup(shim);
	return NULL;
}

static void pack_options(const ProtobufCMessage *m, struct gt_any *out)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	gt_autofree uint8_t *data = gt_xmalloc(len + 1);

	protobuf_c_message_pack(m, data);
	gt_any_set(out, OPTIONS_TYPE, data, len);
}

/*
 * The options for the shim: the task's own or else the container's, with the configuration in the places
 * that they leave empty. A foreign shim gets options of a type of its own as they are.
 */
static struct gt_error *make_options(const struct runc *r, const struct gt_task_create *req,
				     struct gt_any *out)
{
	Containerd__Runc__V1__Options fresh = CONTAINERD__RUNC__V1__OPTIONS__INIT, *o = &fresh;
	const struct gt_any *given = req->options && req->options->type_url &&
						     req->options->len
					     ? req->options
					     : req->runtime_options;
	ProtobufCMessage *m = NULL;

	if (given && given->type_url && *given->type_url && !gt_any_is(given, OPTIONS_TYPE)) {
		if (!req->runtime || *req->runtime != '/')
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "runtime options of type %s, where %s are understood",
					    given->type_url, OPTIONS_TYPE);
		gt_any_copy(out, given);
		return NULL;
	}
	if (given && given->len) {
		m = gt_ttrpc_message_unpack(&containerd__runc__v1__options__descriptor, given->data,
					    given->len);
		if (!m)
			return gt_error_new(GT_INVALID_ARGUMENT, "malformed %s", OPTIONS_TYPE);
		o = (Containerd__Runc__V1__Options *)m;
	}
	/* Packed from a copy that borrows: the original is freed as it was allocated. */
	fresh = *o;
	if (!*fresh.binary_name)
		fresh.binary_name = r->config->runtime;
	if (!*fresh.root)
		fresh.root = r->root;
	fresh.systemd_cgroup = fresh.systemd_cgroup || r->config->systemd_cgroup;
	pack_options(&fresh.base, out);
	if (m)
		gt_ttrpc_message_free(m);
	return NULL;
}

struct gt_error *runc_create(struct gt_runtime *base, struct gt_call *call,
			     const struct gt_task_create *req, uint32_t *pid)
{
	struct runc *r = runc_of(base);
	gt_autofree char *program = NULL;
	gt_auto(gt_any) options = { 0 };

	GT_TRY(find_program(r, req->runtime, &program));
	GT_TRY(make_options(r, req, &options));
	return gt_shim_runtime_create(&r->shims, call, req, program, &options, &options, pid);
}
