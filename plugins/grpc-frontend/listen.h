/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets of the frontend. */
#ifndef GRPC_FRONTEND_LISTEN_H
#define GRPC_FRONTEND_LISTEN_H

#include <gantry/error.h>

#include <stdint.h>

struct frontend;
struct ttrpc_events;

/*
 * A listening socket at 'path', in the place of what a daemon before left there; ALREADY_EXISTS if
 * somebody listens on it, or it is no socket. Mode 0600, or 0660 where a group may use it.
 */
GT_MUST_USE struct gt_error *grpc_listen(const char *path, int64_t uid, int64_t gid, int *out);

/* ttrpc.c: the events service for shims, in a thread of its own. */
GT_MUST_USE struct gt_error *grpc_ttrpc_start(struct frontend *f, const char *address,
					      struct ttrpc_events **out);
void grpc_ttrpc_stop(struct ttrpc_events *t); /* NULL is fine */

#endif
