/* SPDX-License-Identifier: Apache-2.0 */
/* The socket that a shim listens at. */
#ifndef GANTRY_SHIM_SOCKET_H
#define GANTRY_SHIM_SOCKET_H

#include <gantry/error.h>

#define SOCKET_BACKLOG 128
#define SOCKET_DIR_ENV "GANTRY_SHIM_SOCKET_DIR"

/*
 * Listens at 'path', whose folder it makes. '*fd' is -1 where a shim answers there already. What a dead
 * one has left is replaced.
 */
GT_MUST_USE struct gt_error *socket_claim(const char *path, int *fd);

#endif
