/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process by a name that no other process ever has: "BOOT/PIDNS/PID/START", from the kernel's boot id,
 * the inode of its pid namespace, its pid there and its start in ticks.
 */
#ifndef GANTRY_LIB_PROC_IDENTITY_H
#define GANTRY_LIB_PROC_IDENTITY_H

#include <stdbool.h>

/* This process's, a new string; NULL where /proc does not say. */
char *gt_process_identity(void);
/* Whether that process has ended for sure: false where it cannot be known from here. */
bool gt_process_is_gone(const char *identity);
/* Whether that process runs, seen from here: false where it cannot be known. */
bool gt_process_is_alive(const char *identity);

#endif
