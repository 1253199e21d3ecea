/* SPDX-License-Identifier: Apache-2.0 */
/* Help, in urfave/cli's layout, and the list of commands for shells and for the manual page. */
#ifndef CTR_HELP_H
#define CTR_HELP_H

#include "app.h"

/* 'path' is the full name, "ctr images list". */
void ctr_help(FILE *out, const struct ctr_command *command, const char *path);

/* The names below a group, one a line; nothing for a command that is none. */
void ctr_help_names(FILE *out, const struct ctr_command *command);

/* The manual page's section on commands and global flags, in troff's man macros. */
void ctr_help_manual(FILE *out);

#endif
