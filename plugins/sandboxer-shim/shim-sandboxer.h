/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GANTRY_PLUGIN_SANDBOXER_SHIM_H
#define GANTRY_PLUGIN_SANDBOXER_SHIM_H

#include <shim/settings.h>

#include <gantry/sandboxer.h>

struct shim_sandboxer_config {
	struct gt_shim_config shims; /* first */
	char *shim;
	struct gt_strv path;
};

extern const struct gt_sandboxer_ops shim_sandboxer_ops;

#endif
