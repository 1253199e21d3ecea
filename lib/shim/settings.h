/* SPDX-License-Identifier: Apache-2.0 */
/* What a runtime plugin tells lib/shim about how its shims are to be run. */
#ifndef GANTRY_LIB_SHIM_SETTINGS_H
#define GANTRY_LIB_SHIM_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

/* Strings and numbers are the plugin's and live as long as its instance. Times are nanoseconds. */
struct gt_shim_settings {
	const char *state, *root; /* of the configuration, not the plugin's own */
	const char *events_address; /* the daemon's ttrpc socket; "" without a daemon */
	bool debug; /* shims log all that they can */
	bool lazy_work; /* work folders are made when a checkpoint needs one, not with each bundle */
	int64_t start_timeout; /* until the shim's program has printed its address */
	int64_t connect_timeout;
	int64_t state_timeout; /* for what a shim answers from memory */
	int64_t task_timeout; /* for what runs the runtime's program: create, start, exec, kill ... */
	int64_t checkpoint_timeout;
	int64_t shutdown_timeout; /* until a shim without tasks has gone */
	int64_t cleanup_timeout; /* for the shim's program to clean up after a dead shim */
};

#endif
