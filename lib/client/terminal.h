/* SPDX-License-Identifier: Apache-2.0 */
/* The user's terminal while a process has it. Within lib/client. */
#ifndef GANTRY_LIB_CLIENT_TERMINAL_H
#define GANTRY_LIB_CLIENT_TERMINAL_H

#include <gantry/error.h>

#include <stdint.h>

struct gt_terminal;

/* Sets it raw. INVALID_ARGUMENT if 'fd' is no terminal. */
GT_MUST_USE struct gt_error *gt_terminal_open(int fd, struct gt_terminal **out);
/* 0 by 0 where it has none. */
void gt_terminal_size(const struct gt_terminal *t, uint32_t *width, uint32_t *height);
/* As it was before. NULL is fine. */
void gt_terminal_free(struct gt_terminal *t);
GT_DEFINE_AUTOPTR(gt_terminal)

#endif
