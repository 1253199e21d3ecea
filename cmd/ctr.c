/* SPDX-License-Identifier: Apache-2.0 */
/* ctr: starts the core in this process and hands over to the command line's frontend. */
#include <config.h>

#include "cmd/start.h"
#include "core/host.h"

#include <gantry/frontend.h>

#include <stdbool.h>
#include <string.h>

/* Only options that stand before the command are ours: run has a --config of its own. */
static const char *options_read(int argc, char **argv, bool *debug)
{
	static const char *const with_value[] = { "-address", "-a", "-timeout", "-connect-timeout",
						  "-namespace", "-n", "-config" };
	const char *file = NULL;

	for (int i = 1; i < argc && argv[i][0] == '-'; i++) {
		const char *name = argv[i] + (argv[i][1] == '-');

		if (!strncmp(name, "-config=", strlen("-config=")))
			file = name + strlen("-config=");
		else if (!strcmp(name, "-debug") || !strcmp(name, "-debug=true"))
			*debug = true;
		for (size_t k = 0; k < sizeof(with_value) / sizeof(with_value[0]); k++) {
			if (strcmp(name, with_value[k]) || i + 1 == argc)
				continue;
			i++;
			if (!strcmp(with_value[k], "-config"))
				file = argv[i];
			break;
		}
	}
	return file;
}

int main(int argc, char **argv)
{
	struct gt_call call = GT_CALL_INIT;
	struct gt_config *config = NULL;
	struct gt_host *host = NULL;
	struct gt_frontend *frontend;
	struct gt_error *e;
	bool debug = false;
	const char *file = options_read(argc, argv, &debug);
	int status = 1;

	e = gantry_start(file, debug ? "log: { level = \"debug\"; };" : NULL, &config);
	if (!e)
		e = gt_host_open(config, false, &host);
	if (!e)
		e = gt_host_frontend(host, "ctr", &frontend);
	if (!e)
		e = gt_frontend_run(frontend, &call, argc, argv, &status);
	if (e)
		status = gantry_fail_take("ctr", e);
	gt_host_close(host);
	gt_config_free(config);
	/* The modules stay: to unload them takes longer than for the process to end. */
	return status;
}
