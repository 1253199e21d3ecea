/* SPDX-License-Identifier: Apache-2.0 */
/* The ttrpc socket of the frontend. */
#ifndef GRPC_FRONTEND_TTRPC_H
#define GRPC_FRONTEND_TTRPC_H

#include <gantry/error.h>

struct frontend;
struct ttrpc_events;

/* ttrpc.c: the events service for shims, in a thread of its own. */
GT_MUST_USE struct gt_error *grpc_ttrpc_start(struct frontend *f, const char *address,
					      struct ttrpc_events **out);
void grpc_ttrpc_stop(struct ttrpc_events *t); /* NULL is fine */

#endif
