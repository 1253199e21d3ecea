/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "runc.h"

#include <shim/runc-options.h>
#include <shim/runtime.h>

#include <gantry/log.h>

#include <unistd.h>

#define SHIM GT_BINDIR "/containerd-shim-gantry-v1"

struct runc {
	struct gt_shim_runtime shims;
	const struct runc_config *config;
	char *root;
	struct gt_shim_runc_defaults defaults;
};

static struct runc *runc_of(struct gt_runtime *r)
{
	return (struct runc *)r;
}

static struct gt_error *force(struct gt_shim_runtime *shims, struct gt_call *call,
			      const struct gt_bundle *b)
{
	return gt_shim_runc_force(b, call, &((struct runc *)shims)->defaults);
}

struct gt_error *runc_open(const struct gt_init *init, struct gt_runtime **out)
{
	const struct runc_config *c = init->config;
	struct runc *r = gt_xcalloc(1, sizeof(*r));

	r->config = c;
	r->root = *c->root ? gt_xstrdup(c->root) : gt_strf("%s/runc", init->base_state);
	r->defaults = (struct gt_shim_runc_defaults){
		.binary = c->runtime,
		.root = r->root,
		.systemd_cgroup = c->systemd_cgroup,
	};
	r->shims.force = force;
	r->shims.settings = (struct gt_shim_settings){
		.config = &c->shims,
		.state = init->base_state,
		.root = init->base_root,
		.debug = gt_log_enabled(GT_LOG_TOPIC, GT_LOG_DEBUG),
		.lazy_work = true, /* only checkpoint and restore write there */
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

static struct gt_error *find_shim(const struct runc *r, const char **path)
{
	*path = *r->config->shim ? r->config->shim : SHIM;
	if (access(*path, X_OK) < 0)
		return gt_error_new(GT_NOT_FOUND, "the shim %s is not installed", *path);
	return NULL;
}

/* The container's, with the configuration where they are silent. */
static struct gt_error *make_options(const struct runc *r, const struct gt_task_create *req,
				     struct gt_any *out)
{
	const struct gt_any *given = gt_shim_options_given(req);

	if (gt_shim_options_are_runc(given))
		return gt_shim_runc_options(given, &r->defaults, out);
	return gt_error_new(GT_INVALID_ARGUMENT,
			    "runtime options of type %s, where containerd.runc.v1.Options are "
			    "understood",
			    given->type_url);
}

struct gt_error *runc_create(struct gt_runtime *base, struct gt_call *call,
			     const struct gt_task_create *req, uint32_t *pid)
{
	struct runc *r = runc_of(base);
	gt_auto(gt_any) options = { 0 };
	const char *program;

	GT_TRY(find_shim(r, &program));
	GT_TRY(make_options(r, req, &options));
	return gt_shim_runtime_create(&r->shims, call, req, program, &options, &options, pid);
}

struct gt_error *runc_info(struct gt_runtime *base, struct gt_call *call, const char *runtime,
			   const struct gt_any *options, struct gt_any *out)
{
	const char *shim;

	(void)runtime; /* all of its names are one shim's */
	GT_TRY(find_shim((struct runc *)base, &shim));
	return gt_shim_info(call, shim, options, out);
}
