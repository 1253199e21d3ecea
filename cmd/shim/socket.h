/* SPDX-License-Identifier: Apache-2.0 */
/* Where a shim listens: one socket a container or group, found by a rule that both sides know. */
#ifndef GANTRY_SHIM_SOCKET_H
#define GANTRY_SHIM_SOCKET_H

#include <gantry/error.h>

#define SOCKET_DIR_DEFAULT "/run/containerd/s"
#define SOCKET_BACKLOG 128
#define SOCKET_DIR_ENV "GANTRY_SHIM_SOCKET_DIR"

/* The path below 'dir'; 'name' is the group or the container. Never NULL. */
char *socket_path(const char *dir, const char *grpc_address, const char *ns, const char *name);

/*
 * Listens at 'path', whose folder it makes. '*fd' is -1 where a shim answers there already. What a dead
 * one has left is replaced.
 */
GT_MUST_USE struct gt_error *socket_claim(const char *path, int *fd);

/* Removes what a dead shim has left at 'address' ("unix://..."); nothing where one answers. */
void socket_release(const char *address);

#endif
