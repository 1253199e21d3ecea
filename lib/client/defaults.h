/* SPDX-License-Identifier: Apache-2.0 */
/* What stands for a snapshotter or a runtime that the caller did not name. */
#ifndef GANTRY_LIB_CLIENT_DEFAULTS_H
#define GANTRY_LIB_CLIENT_DEFAULTS_H

#include <gantry/services.h>

#define GT_RUNTIME_RUNC "io.containerd.runc.v2"

/*
 * A new string: 'asked' unless that is NULL or "", else the namespace's label
 * containerd.io/defaults/snapshotter, else what this host is configured to, else "overlayfs".
 */
GT_MUST_USE struct gt_error *gt_default_snapshotter(struct gt_services *s, struct gt_call *call,
						    const char *asked, char **out);
/* The same with containerd.io/defaults/runtime and GT_RUNTIME_RUNC. */
GT_MUST_USE struct gt_error *gt_default_runtime(struct gt_services *s, struct gt_call *call,
						const char *asked, char **out);

#endif
