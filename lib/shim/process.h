/* SPDX-License-Identifier: Apache-2.0 */
/* Ending processes that nobody answers for any more. */
#ifndef GANTRY_LIB_SHIM_PROCESS_H
#define GANTRY_LIB_SHIM_PROCESS_H

#include <shim/bundle.h>

#include <gantry/error.h>

#include <stdbool.h>

/*
 * Kills the shim of a bundle and what it runs there: processes whose working directory is the bundle and
 * whose executable is 'program' or whose arguments name the task (the runtime's program; a shim that is a
 * script). Waits for their end, at most until 'deadline'; DEADLINE_EXCEEDED if one stays.
 */
GT_MUST_USE struct gt_error *gt_shim_processes_kill(const struct gt_bundle *b, const char *program,
						    int64_t deadline);

/*
 * The same where the bundle has been deleted under them. '*any' tells whether there were any.
 */
GT_MUST_USE struct gt_error *gt_shim_processes_kill_lost(const struct gt_bundle *b,
							 int64_t deadline, bool *any);

/* A set of processes by pidfd. */
struct gt_pidfd {
	int fd;
	int pid;
};
struct gt_pidfds {
	struct gt_pidfd *v;
	size_t n, alloc;
};
void gt_pidfds_done(struct gt_pidfds *p);

/* Sends SIGKILL to all. */
void gt_pidfds_kill(struct gt_pidfds *p);

/* Waits until all have ended; DEADLINE_EXCEEDED if one has not by then, which the error names. */
GT_MUST_USE struct gt_error *gt_pidfds_wait(struct gt_pidfds *p, int64_t deadline);

/* Adds a process, unless it is there already or has gone: false. */
bool gt_pidfds_add(struct gt_pidfds *p, int pid);

/* Takes away the one that was added last. */
void gt_pidfds_drop(struct gt_pidfds *p);

#endif
