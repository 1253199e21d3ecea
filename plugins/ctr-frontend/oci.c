/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"

#include <gantry/buf.h>

#include <oci/platform.h>
#include <oci/spec.h>

static struct gt_error *run_spec(struct ctr *c)
{
	const char *platform = ctr_string(c, "platform");
	gt_autofree char *group = gt_strf("/%s", c->call.ns);
	gt_auto(gt_platform) p = { 0 };
	gt_autoptr(gt_spec) spec = NULL;
	gt_auto(gt_buf) text = GT_BUF_INIT;

	if (*platform)
		GT_TRY(gt_platform_parse(platform, &p));
	spec = gt_spec_new_foreign(*platform ? p.os : "linux");
	if (!spec) {
		spec = gt_spec_new(c->call.ns, "");
		GT_TRY(gt_spec_set_cgroup(spec, group));
	}
	gt_spec_write(spec, 4, &text);
	fprintf(c->out, "%s\n", text.s);
	return NULL;
}

static const struct ctr_flag spec_flags[] = {
	{ .name = "platform",
	  .type = CTR_STRING,
	  .text = "for that platform: OS, or OS/ARCH" },
	{ 0 },
};

static const struct ctr_command spec = {
	.name = "spec",
	.text = "print the runtime document that containers begin with",
	.flags = (const struct ctr_flag *const[]){ spec_flags, NULL },
	.run = run_spec,
};

const struct ctr_command ctr_oci = {
	.name = "oci",
	.text = "tools for OCI documents",
	.commands = (const struct ctr_command *const[]){ &ctr_oci_hook, &spec, NULL },
};
