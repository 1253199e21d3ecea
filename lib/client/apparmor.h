/* SPDX-License-Identifier: Apache-2.0 */
/* AppArmor's default profile for containers. Within lib/client. */
#ifndef GANTRY_LIB_CLIENT_APPARMOR_H
#define GANTRY_LIB_CLIENT_APPARMOR_H

#include <gantry/call.h>

/*
 * Has the kernel know the default profile by that name: loads it with apparmor_parser unless it is
 * loaded already. UNAVAILABLE where the kernel has no AppArmor, NOT_FOUND without apparmor_parser.
 */
GT_MUST_USE struct gt_error *gt_apparmor_load_default(const struct gt_call *call, const char *name);

/* The profile's text. A new string. */
char *gt_apparmor_default(const char *name);

#endif
