/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind `frontend`: what a user or a program talks to, or what acts by itself on what the services show. It
 * needs the services and nothing else.
 */
#ifndef GANTRY_FRONTEND_H
#define GANTRY_FRONTEND_H

#include <gantry/call.h>
#include <gantry/plugin.h>

/* Among the capabilities of frontends that a daemon runs. */
#define GT_FRONTEND_DAEMON "daemon"
/* ... that serve events of the past to who asks for them. */
#define GT_FRONTEND_REPLAYS "replays-events"

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

/*
 * For a frontend that serves, once it does: where others reach the services of this process. A program that
 * finds the root held learns it from there; NULL: not by this frontend. The service manager is told that the
 * daemon is ready when all its frontends have said so.
 */
GT_MUST_USE struct gt_error *gt_frontend_announce(const struct gt_init *init, const char *address);

/*
 * How often, in nanoseconds, a frontend that serves must call gt_frontend_alive() from the thread that
 * others depend on, or the service manager ends the process; 0: never.
 */
int64_t gt_frontend_alive_every(const struct gt_init *init);
void gt_frontend_alive(const struct gt_init *init);

GT_MUST_USE struct gt_error *gt_frontend_run(struct gt_frontend *f, struct gt_call *call, int argc,
					     char **argv, int *status);

#endif
