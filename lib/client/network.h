/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's network by CNI plugins. What it takes to undo it is on disk before anything is done,
 * and the network namespace stays, mounted on a file, until it is undone: plugins can then clean up
 * what a container whose processes are gone had, and who undoes it need not be who did it.
 */
#ifndef GANTRY_LIB_CLIENT_NETWORK_H
#define GANTRY_LIB_CLIENT_NETWORK_H

#include <gantry/call.h>
#include <gantry/strv.h>

#include <stdbool.h>
#include <sys/types.h>

struct gt_network {
	const char *conf_dir; /* the first configuration in it is the network */
	struct gt_strv plugin_dirs;
	int64_t timeout; /* of each plugin, nanoseconds */
	const char *records; /* folder that lasts; below it one for each namespace */
	const char *handles; /* folder for the namespaces' files; a reboot may empty it */
};

/* Whether there is a network to be in; NOT_FOUND, INVALID_ARGUMENT. */
GT_MUST_USE struct gt_error *gt_network_check(const struct gt_network *n);

/*
 * Brings the network namespace of process 'pid' of container 'id' in. What is left of an earlier
 * container of that id is undone first. On an error nothing is left, or a record that
 * gt_network_down() goes by. FAILED_PRECONDITION for a container in the host's namespace.
 */
GT_MUST_USE struct gt_error *gt_network_up(const struct gt_network *n, const struct gt_call *call,
					   const char *id, pid_t pid);

/* Whether there is something to undo. */
bool gt_network_is_up(const struct gt_network *n, const struct gt_call *call, const char *id);

/*
 * Takes it out again; does nothing for a container that is in no network. An error leaves it to be
 * tried again, unless 'force': then it is logged and what is kept of it deleted.
 */
GT_MUST_USE struct gt_error *gt_network_down(const struct gt_network *n, const struct gt_call *call,
					     const char *id, bool force);

#endif
