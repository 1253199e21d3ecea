/* SPDX-License-Identifier: Apache-2.0 */
/* A stream connection to a socket in the file system (or an abstract one), checked and non-blocking. */
#ifndef GANTRY_LIB_TTRPC_CONNECT_H
#define GANTRY_LIB_TTRPC_CONNECT_H

#include <gantry/error.h>

/* As gt_ttrpc_connect(), which says what the arguments and errors are. */
GT_MUST_USE struct gt_error *gt_ttrpc_socket(const char *address, int timeout, int *out);

#endif
