/* SPDX-License-Identifier: Apache-2.0 */
/* The socket by which the runtime program hands over a terminal's master. */
#ifndef GANTRY_SHIM_CONSOLE_H
#define GANTRY_SHIM_CONSOLE_H

#include <gantry/error.h>

struct console {
	char *dir; /* temporary; NULL: none made */
	char *path; /* of the socket */
	int fd;
};
#define CONSOLE_INIT { .fd = -1 }

GT_MUST_USE struct gt_error *console_open(struct console *c);
/* Once the program has ended, so that what it sent is there: never waits. '*master' does not block. */
GT_MUST_USE struct gt_error *console_receive(struct console *c, int *master);
void console_close(struct console *c);

#endif
