/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"

#include <gantry/buf.h>

#include <oci/spec.h>

static struct gt_error *run_spec(struct ctr *c)
{
	gt_autoptr(gt_spec) spec = gt_spec_new(c->call.ns, "");
	gt_autofree char *group = gt_strf("/%s", c->call.ns);
	gt_auto(gt_buf) text = GT_BUF_INIT;

	GT_TRY(gt_spec_set_cgroup(spec, group));
	gt_spec_write(spec, 4, &text);
	fprintf(c->out, "%s\n", text.s);
	return NULL;
}

static const struct ctr_command spec = {
	.name = "spec",
	.text = "print the runtime document that containers begin with",
	.run = run_spec,
};

const struct ctr_command ctr_oci = {
	.name = "oci",
	.text = "tools for OCI documents",
	.commands = (const struct ctr_command *const[]){ &spec, NULL },
};
