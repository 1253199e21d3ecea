/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind `frontend`: what a user or a program talks to. It needs the services and nothing else.
 */
#ifndef GANTRY_FRONTEND_H
#define GANTRY_FRONTEND_H

#include <gantry/call.h>
#include <gantry/plugin.h>

struct gt_frontend {
	GT_INSTANCE_MEMBERS(frontend)
};

struct gt_frontend_ops {
	size_t size;
	/* Required. '*out' is freed by close. */
	struct gt_error *(*open)(const struct gt_init *init, struct gt_frontend **out);
	/* Required. */
	void (*close)(struct gt_frontend *f);
	/*
	 * Required. Does its work until that is done (a command line) or the call is cancelled (a
	 * server, which then drains and returns NULL). 'argv' is the program's, argv[0] included, and
	 * its exit status goes to '*status'.
	 */
	struct gt_error *(*run)(struct gt_frontend *f, struct gt_call *call, int argc, char **argv,
				int *status);
	/* New members go here, at the end. */
};

GT_MUST_USE struct gt_error *gt_frontend_run(struct gt_frontend *f, struct gt_call *call, int argc,
					     char **argv, int *status);

#endif
