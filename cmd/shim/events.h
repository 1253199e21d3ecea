/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events on their way out: in order, to the daemon's ttrpc socket, or appended to a journal where there
 * is no daemon. Never blocks; what cannot be delivered is kept for a while and then dropped.
 */
#ifndef GANTRY_SHIM_EVENTS_H
#define GANTRY_SHIM_EVENTS_H

#include "shim.h"

/*
 * 'address': the daemon's ttrpc socket, "" or NULL: none. 'journal': of lib/journal, its records
 * containerd.types.Envelope; "" or NULL: none.
 */
struct events *events_new(struct gt_loop *loop, const char *ns, const char *address,
			  const char *journal);
void events_free(struct events *ev);

/* 'message': one of containerd.events.Task*. */
void events_publish(struct events *ev, const ProtobufCMessage *message);

/* Whether nothing waits for delivery. */
bool events_is_empty(const struct events *ev);

#endif
