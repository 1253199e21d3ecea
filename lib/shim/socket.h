/* SPDX-License-Identifier: Apache-2.0 */
/* Where shims listen: one socket a container or group, found by a rule that all sides know. */
#ifndef GANTRY_LIB_SHIM_SOCKET_H
#define GANTRY_LIB_SHIM_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#define GT_SHIM_SOCKET_DIR "/run/containerd/s"

/* The path below 'dir'; 'name' is the group or the container. Never NULL. */
char *gt_shim_socket_path(const char *dir, const char *grpc_address, const char *ns,
			  const char *name);

/*
 * The address of a socket at 'path' in 'folder'. What does not fit is reached through the folder's
 * descriptor, so that may not be closed before the address is used. False if it does not fit even so.
 */
bool gt_shim_socket_address(const char *path, int folder, struct sockaddr_un *out);

/* Whether somebody listens there, or it cannot be known. Never blocks. */
bool gt_shim_socket_answers(const struct sockaddr_un *addr);

/* One who works on sockets of a folder at a time; who was stopped in the middle holds up others for 2 s. */
void gt_shim_socket_lock(int folder);

/* Removes what a dead shim has left at 'address' ("unix://..."); nothing where one answers. */
void gt_shim_socket_release(const char *address);

#endif
