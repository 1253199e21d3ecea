/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A main configuration in TOML. It is a library of its own that the core loads when a file's name ends in
 * ".toml": what is behind it is C++, and nobody else should pay for that.
 */
#ifndef GANTRY_LIB_TOML_CONFIG_H
#define GANTRY_LIB_TOML_CONFIG_H

#include <gantry/error.h>

#include <libconfig.h>
#include <stddef.h>

/*
 * Fills 'out', which is initialised, with the settings of the text, each with its line: Gantry's own by their
 * names, a table being a group, and those of containerd's config.toml that mean something here as what they
 * are. 'warn' is told of those that do not. INVALID_ARGUMENT "NAME:LINE: ...".
 */
GT_MUST_USE struct gt_error *gt_toml_config(const char *name, const char *text, size_t len,
					    config_t *out,
					    void (*warn)(void *arg, const char *text), void *arg);

#endif
