/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lease for the time of one use case: what is made under it is not collected before something
 * else keeps it. Should this process die, it expires after a day.
 */
#ifndef GANTRY_LIB_CLIENT_LEASE_H
#define GANTRY_LIB_CLIENT_LEASE_H

#include <gantry/api-leases.h>

struct gt_lease_scope {
	struct gt_services *s;
	struct gt_call call; /* the caller's, with the lease; use this one */
	char *id; /* NULL: the caller's call had a lease already */
	bool sync; /* what it alone has kept shall be gone once done has answered */
};

/* Makes a lease unless the call has one. '*out' must not move. */
GT_MUST_USE struct gt_error *gt_lease_scope_open(struct gt_services *s, const struct gt_call *call,
						 struct gt_lease_scope *out);
/*
 * Removes it, cancelled or not; one that cannot be removed is left to expire. Fine on a zeroed one.
 */
void gt_lease_scope_done(struct gt_lease_scope *l);
/* Leaves it to expire, so that what was begun can be gone on with for a day. */
void gt_lease_scope_keep(struct gt_lease_scope *l);

/*
 * "N-RANDOM", as containerd's clients name leases and extracts: nanoseconds and three random bytes.
 */
char *gt_unique_name(void);

/* "2026-01-02T03:04:05Z" for the time 'seconds' from now. */
char *gt_rfc3339_in(long seconds);

#endif
