/* SPDX-License-Identifier: Apache-2.0 */
/* Which program a runtime's name stands for, by containerd's rule. */
#ifndef GANTRY_LIB_SHIM_NAME_H
#define GANTRY_LIB_SHIM_NAME_H

#include <gantry/error.h>
#include <gantry/strv.h>

/*
 * "io.containerd.runc.v2" is containerd-shim-runc-v2; an absolute path stands for itself. '*path' is
 * absolute: found in 'first' (NULL: none), PATH, beside our own program or in the folder that programs
 * install to; never in the working directory. INVALID_ARGUMENT for a name that is neither; NOT_FOUND if
 * it is not installed.
 */
GT_MUST_USE struct gt_error *gt_shim_program(const char *runtime, const struct gt_strv *first,
					     char **path);

/* The program's bare name alone: INVALID_ARGUMENT for a name that has none. */
GT_MUST_USE struct gt_error *gt_shim_program_name(const char *runtime, char **name);

#endif
