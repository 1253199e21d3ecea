/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "shim-sandboxer.h"

#include <shim/name.h>
#include <shim/runtime.h>
#include <shim/sandbox.h>

#include <gantry/api-tasks.h>
#include <gantry/log.h>

#include <string.h>
#include <unistd.h>

#define SHIM GT_BINDIR "/containerd-shim-gantry-v1"

struct shim_sandboxer {
	struct gt_sandboxer base;
	const struct shim_sandboxer_config *config;
	struct gt_shim_runtime shims;
};

static struct gt_shim_runtime *shims_of(struct gt_sandboxer *s)
{
	return &((struct shim_sandboxer *)s)->shims;
}

static struct gt_error *shim_open(const struct gt_init *init, struct gt_sandboxer **out)
{
	const struct shim_sandboxer_config *c = init->config;
	struct shim_sandboxer *s = gt_xcalloc(1, sizeof(*s));

	s->config = c;
	s->shims.settings = (struct gt_shim_settings){
		.config = &c->shims,
		.state = init->base_state,
		.root = init->base_root,
		.folder = GT_SHIM_SANDBOXES,
		.max_version = 3,
		.debug = gt_log_enabled(GT_LOG_TOPIC, GT_LOG_DEBUG),
		.lazy_work = true,
	};
	gt_shim_runtime_init(&s->shims);
	*out = &s->base;
	return NULL;
}

static void shim_close(struct gt_sandboxer *s)
{
	if (!s)
		return;
	gt_shim_runtime_done(shims_of(s));
	free(s);
}

/* The runtimes whose containers Gantry's own shim runs, as runtime-runc has them. */
static bool is_ours(const char *runtime)
{
	static const char *const ours[] = { "", "io.containerd.runc.v2", "io.containerd.runc.v1",
					    "io.containerd.gantry.v1" };

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (!strcmp(runtime, ours[i]))
			return true;
	return false;
}

static struct gt_error *program_find(const struct shim_sandboxer *s, const char *runtime, char **out)
{
	const char *own = *s->config->shim ? s->config->shim : SHIM;

	if (!is_ours(runtime))
		return gt_shim_program(runtime, &s->config->path, out);
	if (access(own, X_OK) < 0)
		return gt_error_new(GT_NOT_FOUND, "the shim %s is not installed", own);
	*out = gt_xstrdup(own);
	return NULL;
}

static const struct gt_any *any_or_null(const struct gt_any *a)
{
	return a && a->type_url && *a->type_url ? a : NULL;
}

static struct gt_error *create(struct gt_sandboxer *base, struct gt_call *call,
			       const struct gt_sandbox_create *req)
{
	const struct gt_sandbox *record = req->sandbox;
	gt_autofree char *program = NULL;
	struct gt_shim_sandbox_create make = {
		.id = req->id,
		.spec = record ? any_or_null(&record->spec) : NULL,
		.start = record ? any_or_null(&record->runtime_options) : NULL,
		.options = any_or_null(req->options),
		.rootfs = req->rootfs && req->rootfs->n ? req->rootfs : NULL,
		.netns = req->netns && *req->netns ? req->netns : NULL,
		.annotations = req->annotations && req->annotations->n ? req->annotations : NULL,
	};

	GT_TRY(program_find((struct shim_sandboxer *)base,
			    record && record->runtime ? record->runtime : "", &program));
	make.program = program;
	if (!make.options)
		make.options = make.start;
	return gt_shim_sandbox_create(shims_of(base), call, &make);
}

/* Where the tasks of its containers are served, for who is not us. */
static struct gt_error *endpoint(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				 char **address, uint32_t *version)
{
	struct gt_shim_endpoint e = { 0 };

	GT_TRY(gt_shim_sandbox_endpoint(&shims_of(s)->bundles, call->ns, id, &e));
	*address = gt_strf("ttrpc+%s", e.address);
	*version = e.version;
	gt_shim_endpoint_done(&e);
	return NULL;
}

static struct gt_error *start(struct gt_sandboxer *s, struct gt_call *call, const char *id,
			      struct gt_sandbox_instance *out)
{
	struct gt_shim_sandbox_start started = { 0 };
	gt_auto(gt_sandbox_instance) i = { 0 };

	GT_TRY(gt_shim_sandbox_start(shims_of(s), call, id, &started));
	i.id = gt_xstrdup(id);
	i.pid = started.pid;
	i.created_at = started.created_at;
	gt_any_copy(&i.spec, &started.spec);
	gt_shim_sandbox_start_done(&started);
	GT_TRY(endpoint(s, call, id, &i.address, &i.version));
	*out = i;
	i = (struct gt_sandbox_instance){ 0 };
	return NULL;
}

static struct gt_error *stop(struct gt_sandboxer *s, struct gt_call *call, const char *id,
			     uint32_t timeout)
{
	return gt_shim_sandbox_stop(shims_of(s), call, id, timeout);
}

static struct gt_error *wait_for(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				 gt_wait_fn *fn, void *arg)
{
	return gt_shim_sandbox_wait(shims_of(s), call, id, fn, arg);
}

static struct gt_error *status(struct gt_sandboxer *s, struct gt_call *call, const char *id,
			       bool verbose, struct gt_sandbox_state *out)
{
	struct gt_shim_sandbox_status st = { 0 };
	gt_auto(gt_sandbox_state) x = { 0 };

	GT_TRY(gt_shim_sandbox_status(shims_of(s), call, id, verbose, &st));
	x.id = gt_xstrdup(st.id && *st.id ? st.id : id);
	x.pid = st.pid;
	x.state = gt_xstrdup(st.state ? st.state : "");
	gt_labels_copy(&x.info, &st.info);
	x.created_at = st.created_at;
	x.exited_at = st.exited_at;
	gt_any_copy(&x.extra, &st.extra);
	gt_shim_sandbox_status_done(&st);
	GT_TRY(endpoint(s, call, id, &x.address, &x.version));
	*out = x;
	x = (struct gt_sandbox_state){ 0 };
	return NULL;
}

static struct gt_error *shutdown_sandbox(struct gt_sandboxer *s, struct gt_call *call, const char *id)
{
	return gt_shim_sandbox_shutdown(shims_of(s), call, id);
}

static struct gt_error *platform(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				 char **out)
{
	gt_autofree char *os = NULL, *arch = NULL, *variant = NULL;

	GT_TRY(gt_shim_sandbox_platform(shims_of(s), call, id, &os, &arch, &variant));
	*out = gt_strf("%s/%s%s%s", os, arch, *variant ? "/" : "", variant);
	return NULL;
}

static struct gt_error *metrics(struct gt_sandboxer *s, struct gt_call *call, const char *id,
				struct gt_metric *out)
{
	struct timespec at = { 0 };
	struct gt_any data = { 0 };

	GT_TRY(gt_shim_sandbox_metrics(shims_of(s), call, id, &at, &data));
	out->id = gt_xstrdup(id);
	out->timestamp = at;
	out->data = data;
	return NULL;
}

const struct gt_sandboxer_ops shim_sandboxer_ops = {
	.size = sizeof(shim_sandboxer_ops),
	.open = shim_open,
	.close = shim_close,
	.create = create,
	.start = start,
	.stop = stop,
	.wait = wait_for,
	.status = status,
	.shutdown = shutdown_sandbox,
	.platform = platform,
	.metrics = metrics,
};
