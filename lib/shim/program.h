/* SPDX-License-Identifier: Apache-2.0 */
/* Running a shim's program: to start a shim for a bundle, and to clean up after one that died. */
#ifndef GANTRY_LIB_SHIM_PROGRAM_H
#define GANTRY_LIB_SHIM_PROGRAM_H

#include <shim/bundle.h>
#include <shim/endpoint.h>
#include <shim/settings.h>

#include <gantry/runtime.h>

/* What shims are told of the daemon: an address by which they name their sockets; it need not exist. */
char *gt_shim_program_address(const struct gt_shim_settings *s);

/* Whether that is Gantry's own shim, by its name. */
bool gt_shim_program_is_ours(const char *path);

/* 'options' goes to its stdin; NULL or without a value: nothing does. The error carries what it printed. */
GT_MUST_USE struct gt_error *gt_shim_program_start(const struct gt_shim_settings *s,
						   const struct gt_bundle *b,
						   const struct gt_call *call, const char *program,
						   const struct gt_any *options,
						   struct gt_shim_endpoint *out);

/* Runs the runtime's forced deletion and unmounts the rootfs, even where nothing is left. */
GT_MUST_USE struct gt_error *gt_shim_program_delete(const struct gt_shim_settings *s,
						    const struct gt_bundle *b,
						    const struct gt_call *call,
						    const char *program, struct gt_exit *out);

#endif
