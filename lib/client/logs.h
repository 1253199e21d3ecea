/* SPDX-License-Identifier: Apache-2.0 */
/* The output of processes that were left to themselves. */
#ifndef GANTRY_LIB_CLIENT_LOGS_H
#define GANTRY_LIB_CLIENT_LOGS_H

#include <gantry/api-tasks.h>

#include <outlog/outlog.h>

struct gt_logs_options {
	const char *id; /* required: the container */
	const char *exec_id; /* "": its first process */
	struct timespec since; /* both 0: from the oldest line that is kept */
	int64_t tail; /* that many lines at the end, before what comes; -1: all */
	bool follow; /* until the process has ended, or the call does */
	void (*fn)(void *arg, const struct gt_outlog_entry *e);
	void *arg;
};

/*
 * Calls 'fn' for each entry. FAILED_PRECONDITION where the output goes to another place, which the error
 * names.
 */
GT_MUST_USE struct gt_error *gt_logs_read(struct gt_services *s, struct gt_call *call,
					  const struct gt_logs_options *o);

#endif
