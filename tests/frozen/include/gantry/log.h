/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log. A library or a plugin returns errors; whoever handles one logs it, once. The topic comes
 * from the build (-DGT_LOG_TOPIC="snapshotter-overlay"). May be called from any thread; never blocks
 * on anything but the write to the sink.
 */
#ifndef GANTRY_LOG_H
#define GANTRY_LOG_H

#include <gantry/error.h>

#include <stdbool.h>

enum gt_log_level { GT_LOG_TRACE, GT_LOG_DEBUG, GT_LOG_INFO, GT_LOG_WARN, GT_LOG_ERROR };

/* Whether a line of that level and topic would be written. */
bool gt_log_enabled(const char *topic, enum gt_log_level level);

void gt_log_write(const char *topic, enum gt_log_level level, const char *fmt, ...)
	GT_PRINTF(3, 4);

/* The same with the error as a field of its own; does not take 'e'. */
void gt_log_write_error(const char *topic, enum gt_log_level level, const struct gt_error *e,
			const char *fmt, ...) GT_PRINTF(4, 5);

#ifndef GT_LOG_TOPIC
#define GT_LOG_TOPIC "plugin"
#endif

#define gt_log_at(level, ...)                                                                     \
	do {                                                                                       \
		if (gt_log_enabled(GT_LOG_TOPIC, level))                                           \
			gt_log_write(GT_LOG_TOPIC, level, __VA_ARGS__);                            \
	} while (0)
#define gt_log_trace(...) gt_log_at(GT_LOG_TRACE, __VA_ARGS__)
#define gt_log_debug(...) gt_log_at(GT_LOG_DEBUG, __VA_ARGS__)
#define gt_log_info(...) gt_log_at(GT_LOG_INFO, __VA_ARGS__)
#define gt_log_warn(...) gt_log_at(GT_LOG_WARN, __VA_ARGS__)
#define gt_log_error(...) gt_log_at(GT_LOG_ERROR, __VA_ARGS__)

/* Logs 'e' with its whole chain and frees it; NULL logs nothing. For errors that end here. */
#define gt_log_warn_take(e, ...)                                                                  \
	do {                                                                                       \
		struct gt_error *gt_log_e = (e);                                                   \
		if (gt_log_e)                                                                      \
			gt_log_write_error(GT_LOG_TOPIC, GT_LOG_WARN, gt_log_e, __VA_ARGS__);      \
		gt_error_free(gt_log_e);                                                           \
	} while (0)

/* At most one line in ten seconds for each place that says it. */
#define gt_log_warn_limited(...)                                                                  \
	do {                                                                                       \
		static _Atomic long long gt_log_next;                                              \
		if (gt_log_allowed(&gt_log_next))                                                  \
			gt_log_warn(__VA_ARGS__);                                                  \
	} while (0)
bool gt_log_allowed(_Atomic long long *next);

#endif
