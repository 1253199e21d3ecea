/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's life: holds the root, runs the frontends that serve, and listens to signals. */
#ifndef GANTRY_CMD_DAEMON_H
#define GANTRY_CMD_DAEMON_H

#include <gantry/error.h>

/*
 * Until SIGTERM or SIGINT. 'file' and 'over' are as gantry_start() has them; SIGHUP reads them again, and
 * what may change while the daemon runs does.
 */
GT_MUST_USE struct gt_error *daemon_run(const char *file, const char *over, int argc, char **argv);

#endif
