/* SPDX-License-Identifier: Apache-2.0 */
/* Options for a runtime, as containerd's clients send them. Within lib/client. */
#ifndef GANTRY_LIB_CLIENT_RUNTIME_OPTIONS_H
#define GANTRY_LIB_CLIENT_RUNTIME_OPTIONS_H

#include <gantry/any.h>

#include <client/container.h>

/*
 * What 'o' asks of 'runtime': containerd.runc.v1.Options for runc's family,
 * runtimeoptions.v1.Options for others that were given a file; '*out' stays empty for those that
 * were not. INVALID_ARGUMENT for runc's settings with another runtime.
 */
GT_MUST_USE struct gt_error *gt_runtime_options(const struct gt_container_options *o,
						const char *runtime, struct gt_any *out);

/* A container's options with no_pivot_root set besides, for one task. */
GT_MUST_USE struct gt_error *gt_runtime_options_no_pivot(const struct gt_any *of_container,
							 struct gt_any *out);

#endif
