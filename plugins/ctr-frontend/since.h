/* SPDX-License-Identifier: Apache-2.0 */
/* Moments as --since takes them. */
#ifndef CTR_SINCE_H
#define CTR_SINCE_H

#include <gantry/error.h>

#include <stdbool.h>
#include <time.h>

/*
 * "10m" (that long ago), "2026-01-02T15:04:05Z" with or without a fraction and any offset, or
 * "2026-01-02" (UTC). An error that says so for anything else.
 */
GT_MUST_USE struct gt_error *ctr_since_parse(const char *s, struct timespec *out);

/* Whether 'a' lies before 'b'. */
static inline bool ctr_is_before(struct timespec a, struct timespec b)
{
	return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

#endif
