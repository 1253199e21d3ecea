/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's sink: where lines go and which are written. Set at start; later, by one thread, only levels
 * may change.
 */
#ifndef GANTRY_CORE_LOG_H
#define GANTRY_CORE_LOG_H

#include <gantry/log.h>
#include <gantry/strv.h>

struct gt_log_setup {
	int fd; /* not closed */
	bool json; /* else "time=... level=... msg=..." */
	enum gt_log_level level;
	const struct gt_strv *topics; /* "topic=level", for topics with a level of their own; copied */
};

/* INVALID_ARGUMENT for a topic entry that is not "topic=level". */
GT_MUST_USE struct gt_error *gt_log_set(const struct gt_log_setup *setup);

/* INVALID_ARGUMENT unless 'name' is one of trace, debug, info, warn, error. */
GT_MUST_USE struct gt_error *gt_log_level_parse(const char *name, enum gt_log_level *out);

#endif
