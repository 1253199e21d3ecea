/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GANTRY_LIB_TOML_PLUGINS_H
#define GANTRY_LIB_TOML_PLUGINS_H

/* What stands here for one of containerd's plugins: a module, or the same name where there is none. */
const char *toml_plugin_required(const char *theirs);

/* By which name it is disabled here; NULL if it is a part of what cannot do without it. */
const char *toml_plugin_disabled(const char *theirs);

#endif
