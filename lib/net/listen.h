/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GANTRY_LIB_NET_LISTEN_H
#define GANTRY_LIB_NET_LISTEN_H

#include <gantry/error.h>

#include <stdint.h>

/*
 * A listening socket at 'path', in the place of what a process before left there; ALREADY_EXISTS if
 * somebody listens on it, or it is no socket. Mode 0600, or 0660 where a group may use it.
 */
GT_MUST_USE struct gt_error *gt_listen_unix(const char *path, int64_t uid, int64_t gid, int *out);

/* The same at "127.0.0.1:1338", "[::1]:1338" or ":1338", which is all addresses. No names. */
GT_MUST_USE struct gt_error *gt_listen_tcp(const char *address, int *out);

#endif
