/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon that was killed owes to its subscribers. containerd's shims keep an event until a daemon
 * takes it; here they put it into the journal at once, so the next daemon has to say what was put there
 * while nobody served. Up to which event subscribers were told stands in a file that is mapped: a daemon
 * that dies leaves it as it was. Clients that come back have a while for it (OWED_TIME).
 */
#ifndef GRPC_FRONTEND_EVENTS_OWED_H
#define GRPC_FRONTEND_EVENTS_OWED_H

#include <gantry/services.h>

struct owed;

/* 'dir' is made if it is not there. */
GT_MUST_USE struct gt_error *owed_open(const char *dir, struct owed **out);
void owed_close(struct owed *o); /* NULL is fine */

/*
 * A subscriber has come. '*from': the number of the event that it begins with, if the last daemon owes it
 * some; else 0: with what comes.
 */
GT_MUST_USE struct gt_error *owed_join(struct owed *o, struct gt_services *s, struct gt_call *call,
				       uint64_t *from);
/* It has gone by itself: nothing is owed to it. Not called for those whom this daemon's end cuts off. */
void owed_leave(struct owed *o);
/* Subscribers were told the event of this number. */
void owed_told(struct owed *o, uint64_t sequence);

#endif
