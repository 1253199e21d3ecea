/* SPDX-License-Identifier: Apache-2.0 */
/* The only door to toml++: what is behind it is C++, and no exception comes out. */
#ifndef GANTRY_LIB_TOML_TREE_H
#define GANTRY_LIB_TOML_TREE_H

#include <toml/toml.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Fills 't', which is zero. False: '*line' and '*why' (a new string) say what is wrong where, and 't' holds
 * what gt_toml_free() can free.
 */
bool toml_tree_parse(const char *text, size_t len, struct gt_toml *t, unsigned *line, char **why);

#ifdef __cplusplus
}
#endif

#endif
