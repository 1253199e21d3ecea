/* SPDX-License-Identifier: Apache-2.0 */
/* containerd-shim-gantry-v1: containerd's shim protocol, version 2, around any OCI runtime program. */
#include <config.h>

#include "action.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Descriptors 0 to 2 must be taken: what is opened later must not become one of them. */
static void standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* What the daemon has let slip is nothing for us and our children. */
static void strangers_close(const struct shim_args *args)
{
	bool inherits = !args->action && !(args->socket && *args->socket);

	close_range(inherits ? 4 : 3, ~0U, 0);
}

static struct gt_error *dispatch(const struct shim_args *args, int *status)
{
	if (args->version)
		return action_version();
	if (args->info)
		return action_info();
	if (!args->ns || !*args->ns)
		return gt_error_new(GT_INVALID_ARGUMENT, "shim namespace cannot be empty");
	if (!args->id || !*args->id)
		return gt_error_new(GT_INVALID_ARGUMENT, "shim id cannot be empty");
	if (!args->action)
		return action_serve(args, status);
	if (!strcmp(args->action, "start"))
		return action_start(args);
	return action_delete(args);
}

int main(int argc, char **argv)
{
	struct shim_args args = { 0 };
	struct gt_error *e;
	int status = 0;

	standard_descriptors();
	e = shim_args_parse(argc, argv, &args);
	if (!e) {
		strangers_close(&args);
		e = dispatch(&args, &status);
	}
	if (e) {
		fprintf(stderr, "%s: %s\n", SHIM_NAME, gt_error_text(e));
		gt_error_free(e);
		return 1;
	}
	return status;
}
