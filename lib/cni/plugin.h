/* SPDX-License-Identifier: Apache-2.0 */
/* Running one CNI plugin. Within lib/cni. */
#ifndef GANTRY_LIB_CNI_PLUGIN_H
#define GANTRY_LIB_CNI_PLUGIN_H

#include <cni/cni.h>
#include <gantry/buf.h>

/*
 * Runs 'type' for 'command' ("ADD", "DEL", "CHECK", "VERSION") with 'config' on stdin, and waits for
 * its end: at most the settings' time-out and the call's. '*out' (may be NULL) is what it printed,
 * an object, or NULL where it printed nothing. What goes wrong is said in the plugin's own words;
 * NOT_FOUND where none of the folders has it; INVALID_ARGUMENT where it did not like configuration
 * or environment; UNAVAILABLE where trying again may help.
 */
GT_MUST_USE struct gt_error *gt_cni_plugin_run(const struct gt_cni *cni, const struct gt_call *call,
					       const char *type, const char *command,
					       const struct gt_cni_attachment *a,
					       const json_t *config, json_t **out);

/* The same for what one printed that has ended with 'status', as wait() has it. */
GT_MUST_USE struct gt_error *gt_cni_plugin_answer(const struct gt_buf *said, int status,
						  json_t **out);

#endif
