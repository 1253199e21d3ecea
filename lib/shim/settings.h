/* SPDX-License-Identifier: Apache-2.0 */
/* What a runtime plugin tells lib/shim about how its shims are to be run. */
#ifndef GANTRY_LIB_SHIM_SETTINGS_H
#define GANTRY_LIB_SHIM_SETTINGS_H

#include <gantry/option.h>
#include <gantry/plugin.h>

/* What each such plugin lets its user set: the first member of its configuration. */
struct gt_shim_config {
	char *events_address;
	int64_t start_timeout;
	int64_t connect_timeout;
	int64_t state_timeout;
	int64_t task_timeout;
	int64_t checkpoint_timeout;
	int64_t shutdown_timeout;
	int64_t cleanup_timeout;
};

/* For the plugin's table of options. */
#define GT_SHIM_OPTIONS                                                                           \
	GT_OPT_PATH(struct gt_shim_config, events_address, "",                                     \
		    "The socket to which shims send their events; empty: Gantry's own write them " \
		    "to the journal in the configuration's state, others send them to gantryd's "  \
		    "gantry.sock.ttrpc there."),                                                   \
	GT_OPT_DURATION(struct gt_shim_config, start_timeout, "10s",                               \
			"How long a shim may take until it can be called.", GT_LIVE),                       \
	GT_OPT_DURATION(struct gt_shim_config, connect_timeout, "5s",                              \
			"How long a shim may take to accept a connection.", GT_LIVE),                       \
	GT_OPT_DURATION(struct gt_shim_config, state_timeout, "2s",                                \
			"How long a shim may take to tell what it knows.", GT_LIVE),                        \
	GT_OPT_DURATION(struct gt_shim_config, task_timeout, "2m",                                 \
			"How long a call may take that runs the runtime program, where the "       \
			"caller sets no limit.", GT_LIVE),                                                  \
	GT_OPT_DURATION(struct gt_shim_config, checkpoint_timeout, "10m",                          \
			"The same for checkpoint and restore.", GT_LIVE),                                   \
	GT_OPT_DURATION(struct gt_shim_config, shutdown_timeout, "3s",                             \
			"How long a shim without tasks may take to end.", GT_LIVE),                         \
	GT_OPT_DURATION(struct gt_shim_config, cleanup_timeout, "4s",                              \
			"How long the shim's program may take to clean up after a dead shim.", GT_LIVE)

/* Strings and numbers are the plugin's and live as long as its instance. Times are nanoseconds. */
struct gt_shim_settings {
	const struct gt_shim_config *config;
	const char *state, *root; /* of the configuration, not the plugin's own */
	const char *folder; /* of the bundles, below each of them; NULL: containerd's */
	unsigned max_version; /* of the task service that a shim may offer; 0: 2 */
	bool debug; /* shims log all that they can */
	bool lazy_work; /* work folders are made when a checkpoint needs one, not with each bundle */
};

#endif
