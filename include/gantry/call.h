/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context of one request, handed from the frontend down to the driver. There is no other: no
 * thread-locals, no globals. A call belongs to who made it and outlives what it is handed to.
 */
#ifndef GANTRY_CALL_H
#define GANTRY_CALL_H

#include <gantry/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Says that a request is not wanted any more. Set once, from any thread; seen by poll on the fd. */
struct gt_cancel;
struct gt_cancel *gt_cancel_new(void);
void gt_cancel_set(struct gt_cancel *c); /* async-signal-safe */
bool gt_cancel_is_set(const struct gt_cancel *c);
int gt_cancel_fd(const struct gt_cancel *c); /* becomes readable when set, and stays so */
void gt_cancel_free(struct gt_cancel *c);

struct gt_call {
	size_t size; /* sizeof(struct gt_call), as its maker was compiled */
	const char *ns; /* namespace; NULL: none given */
	const char *lease; /* lease id that what is made belongs to; NULL: none */
	int64_t deadline; /* CLOCK_MONOTONIC, nanoseconds; 0: none */
	struct gt_cancel *cancel; /* NULL: cannot be cancelled */
	/*
	 * SOURCE_DATE_EPOCH of reproducible-builds.org: the date of what is made, in the place of now.
	 * Use gt_call_epoch(): its maker may not know of it. New members go behind it.
	 */
	const struct timespec *source_date_epoch;
};

#define GT_CALL_INIT { .size = sizeof(struct gt_call) }

/* CANCELED or DEADLINE_EXCEEDED if the call has ended, else NULL. Loops over foreign bytes ask it. */
GT_MUST_USE struct gt_error *gt_call_check(const struct gt_call *call);

/* FAILED_PRECONDITION if no namespace is given, INVALID_ARGUMENT if it is not a valid one. */
GT_MUST_USE struct gt_error *gt_call_namespace(const struct gt_call *call);

/* NULL: none. It belongs to who made the call. */
static inline const struct timespec *gt_call_epoch(const struct gt_call *call)
{
	return call->size > offsetof(struct gt_call, source_date_epoch) ? call->source_date_epoch :
									  NULL;
}

/* Milliseconds left, at least 0 and at most 'most'; 'most' where the call has no deadline. */
int gt_call_left(const struct gt_call *call, int most);

/* containerd's identifier rule (namespaces, container, lease, sandbox and exec ids); 'what' names it. */
GT_MUST_USE struct gt_error *gt_identifier_check(const char *what, const char *id);

/* Now, CLOCK_MONOTONIC, nanoseconds. */
int64_t gt_now(void);

#endif
