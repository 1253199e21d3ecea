/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtime programs guard themselves against the containers that they enter (CVE-2019-5736): crun and runc
 * copy themselves to a sealed file in memory and run once more from there, at each call. Who runs them
 * from such a file to begin with spares them that. One copy serves the calls of a second or so, which is
 * most of a short container's life; nothing stays.
 */
#ifndef GANTRY_SHIM_SEALED_H
#define GANTRY_SHIM_SEALED_H

#include "shim.h"

/*
 * The path of a sealed copy of the program at 'path', good until control returns to the loop. NULL: it is
 * not one that would copy itself, or too large for that to be worth while, or there can be no copy.
 */
char *sealed_path(struct shim *shim, const char *path);

/* Lets go of the copy, if there is one. */
void sealed_drop(struct shim *shim);

#endif
