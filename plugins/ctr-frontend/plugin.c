/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "app.h"

#include <gantry/buf.h>
#include <gantry/frontend.h>

static const struct gt_option ctr_options[] = {
	GT_OPT_PATH(struct ctr_config, worker, "",
		    "The program that reads image archives, confined; empty: the gantry-layer that was "
		    "installed with this plugin."),
	GT_OPT_PATH(struct ctr_config, cni_conf_dir, "/etc/cni/net.d",
		    "Where networks are configured: `run --cni` takes the first file by name."),
	GT_OPT_LIST(struct ctr_config, cni_bin_dirs, "[/opt/cni/bin, /usr/lib/cni]",
		    "Folders with CNI's plugins, searched in this order."),
	GT_OPT_LIST(struct ctr_config, cdi_dirs, "[/etc/cdi, /var/run/cdi]",
		    "Folders with the files of CDI, by which `--device VENDOR/CLASS=NAME` finds a "
		    "device; the later ones go before."),
	GT_OPT_DURATION(struct ctr_config, cni_timeout, "60s",
			"How long one CNI plugin may take before it is killed."),
	{ 0 },
};

struct ctr_frontend {
	struct gt_frontend base;
	const struct gt_init *init;
};

static struct gt_error *ctr_open(const struct gt_init *init, struct gt_frontend **out)
{
	struct ctr_frontend *f = gt_xcalloc(1, sizeof(*f));

	f->init = init;
	*out = &f->base;
	return NULL;
}

static void ctr_close(struct gt_frontend *base)
{
	free(base);
}

static struct gt_error *ctr_run_op(struct gt_frontend *base, struct gt_call *call, int argc,
				   char **argv, int *status)
{
	struct ctr_frontend *f = (struct ctr_frontend *)base;

	*status = ctr_main(f->init, call, stdout, stderr, argc, argv);
	return NULL;
}

static const struct gt_frontend_ops ctr_ops = {
	.size = sizeof(ctr_ops),
	.open = ctr_open,
	.close = ctr_close,
	.run = ctr_run_op,
};

GT_PLUGIN(ctr_frontend) = {
	GT_PLUGIN_HEADER,
	.kind = GT_FRONTEND,
	.id = "ctr",
	.doc = "The command line ctr, with containerd's commands, flags and output.",
	/* optional, so that help and mistakes do not open a store; commands ask for it themselves */
	.needs =
		(const struct gt_need[]){
			{ .kind = GT_SERVICES, .flags = GT_NEED_OPTIONAL },
			{ .kind = GT_RESOLVER, .flags = GT_NEED_OPTIONAL },
			{ 0 },
		},
	.options = ctr_options,
	.config_size = sizeof(struct ctr_config),
	.ops.frontend = &ctr_ops,
};
