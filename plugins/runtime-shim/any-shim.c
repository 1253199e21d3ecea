/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "any-shim.h"

#include <shim/name.h>
#include <shim/runc-options.h>
#include <shim/runtime.h>

#include <gantry/log.h>

#include <string.h>

/* Not containerd's, which is runtime-runc's: each of the two finds its own tasks there. */
#define FOLDER "io.containerd.runtime.v2.shim"

struct any_shim {
	struct gt_shim_runtime shims;
	const struct any_shim_config *config;
	char *runc_root;
	struct gt_shim_runc_defaults defaults;
};

static struct any_shim *any_shim_of(struct gt_runtime *r)
{
	return (struct any_shim *)r;
}

/* What other shims run can be ended by their own programs only. */
static struct gt_error *force(struct gt_shim_runtime *shims, struct gt_call *call,
			      const struct gt_bundle *b)
{
	if (b->fd >= 0 && faccessat(b->fd, "options.json", F_OK, 0) < 0)
		return NULL;
	return gt_shim_runc_force(b, call, &((struct any_shim *)shims)->defaults);
}

struct gt_error *any_shim_open(const struct gt_init *init, struct gt_runtime **out)
{
	const struct any_shim_config *c = init->config;
	struct any_shim *r = gt_xcalloc(1, sizeof(*r));

	r->config = c;
	r->runc_root = *c->runc_root ? gt_xstrdup(c->runc_root)
				     : gt_strf("%s/runc", init->base_state);
	r->defaults = (struct gt_shim_runc_defaults){ .binary = "runc", .root = r->runc_root };
	r->shims.force = force;
	r->shims.settings = (struct gt_shim_settings){
		.config = &c->shims,
		.state = init->base_state,
		.root = init->base_root,
		.folder = FOLDER,
		.debug = gt_log_enabled(GT_LOG_TOPIC, GT_LOG_DEBUG),
	};
	gt_shim_runtime_init(&r->shims);
	*out = &r->shims.base;
	return NULL;
}

void any_shim_close(struct gt_runtime *base)
{
	struct any_shim *r = any_shim_of(base);

	if (!r)
		return;
	gt_shim_runtime_done(&r->shims);
	free(r->runc_root);
	free(r);
}

static bool takes_runc_options(const char *program)
{
	const char *name = strrchr(program, '/') + 1;

	return !strncmp(name, "containerd-shim-runc-", 21) ||
	       !strncmp(name, "containerd-shim-gantry-", 23);
}

/*
 * Options are between the container and its shim. Only that the tasks of one configuration are kept apart
 * from another's, and from a containerd's, is seen to here, where it can be.
 */
static struct gt_error *make_options(const struct any_shim *r, const struct gt_task_create *req,
				     const char *program, struct gt_any *out)
{
	const struct gt_any *given = gt_shim_options_given(req);

	if (takes_runc_options(program) && gt_shim_options_are_runc(given))
		return gt_shim_runc_options(given, &r->defaults, out);
	if (given)
		gt_any_copy(out, given);
	return NULL;
}

struct gt_error *any_shim_create(struct gt_runtime *base, struct gt_call *call,
				 const struct gt_task_create *req, uint32_t *pid)
{
	struct any_shim *r = any_shim_of(base);
	gt_autofree char *program = NULL;
	gt_auto(gt_any) options = { 0 };

	GT_TRY(gt_shim_program(req->runtime ? req->runtime : "", &r->config->path, &program));
	GT_TRY(make_options(r, req, program, &options));
	return gt_shim_runtime_create(&r->shims, call, req, program, &options, &options, pid);
}

struct gt_error *any_shim_info(struct gt_runtime *base, struct gt_call *call, const char *runtime,
			       const struct gt_any *options, struct gt_any *out)
{
	gt_autofree char *program = NULL;

	GT_TRY(gt_shim_program(runtime, &any_shim_of(base)->config->path, &program));
	return gt_shim_info(call, program, options, out);
}
