/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, in Go's style: "-flag value", "--flag=value", switches without a value. */
#ifndef GANTRY_SHIM_ARGS_H
#define GANTRY_SHIM_ARGS_H

#include <gantry/error.h>

#include <stdbool.h>

struct shim_args {
	bool debug;
	bool version;
	bool info;
	const char *ns;
	const char *id;
	const char *socket;
	const char *debug_socket;
	const char *bundle;
	const char *address; /* of the daemon's gRPC socket */
	const char *publish_binary;
	char *action; /* "start", "delete", or NULL: serve */
};

/* INVALID_ARGUMENT names what it does not know. The strings are argv's. */
GT_MUST_USE struct gt_error *shim_args_parse(int argc, char **argv, struct shim_args *out);

#endif
