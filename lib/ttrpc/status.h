/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors as containerd's RPC statuses, for both transports: the text of a status ends in the words for
 * its class, "x: not found"; an error of ours has the class beside the text, and not in it.
 */
#ifndef GANTRY_LIB_TTRPC_STATUS_H
#define GANTRY_LIB_TTRPC_STATUS_H

#include <gantry/error.h>

/* The error's text as a status has it. A new string. */
char *gt_status_text(const struct gt_error *e);

/* A status as an error; a code that is no class is UNKNOWN. */
GT_MUST_USE struct gt_error *gt_status_error(int code, const char *text);

#endif
