/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "table.h"

#include <gantry/api-introspection.h>

#include <string.h>

static struct gt_error *run_version(struct ctr *c)
{
	gt_auto(gt_server_info) server = { 0 };
	struct gt_services *s;

	if (ctr_n_args(c)) {
		gt_autofree char *args = ctr_join(&c->level->args, " ");

		return ctr_usage_error("extra arguments: [%s]", args);
	}
	fprintf(c->out, "Client:\n  Version:  %s\n  Revision: %s\n  Compiler: %s\n\n", gt_version(),
		gt_revision(), __VERSION__);
	GT_TRY(ctr_services(c, &s));
	GT_TRY(gt_introspection_server(s, &c->call, &server));
	fprintf(c->out, "Server:\n  Version:  %s\n  Revision: %s\n  UUID: %s\n", server.version,
		server.revision, server.uuid);
	fflush(c->out);
	if (strcmp(server.version, gt_version()))
		fprintf(c->err, "WARNING: version mismatch\n");
	if (strcmp(server.revision, gt_revision()))
		fprintf(c->err, "WARNING: revision mismatch\n");
	return NULL;
}

const struct ctr_command ctr_version = {
	.name = "version",
	.text = "print the versions of this program and of the services",
	.run = run_version,
};

static struct gt_error *run_info(struct ctr *c)
{
	gt_auto(gt_server_info) server = { 0 };
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	GT_TRY(gt_introspection_server(s, &c->call, &server));
	ctr_json_print(c->out,
		       json_pack("{s:{s:o, s:I, s:I, s:[]}}", "server", "uuid",
				 ctr_json_text(server.uuid), "pid", (json_int_t)server.pid, "pidns",
				 (json_int_t)server.pidns, "deprecations"),
		       4);
	return NULL;
}

const struct ctr_command ctr_info = {
	.name = "info",
	.text = "print what the services say of themselves, as JSON",
	.run = run_info,
};
