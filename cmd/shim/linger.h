/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output of a process that is gone, in a FIFO that nobody has opened to read yet. The FIFO's bytes live
 * as long as somebody has it open: we do, for a while.
 */
#ifndef GANTRY_SHIM_LINGER_H
#define GANTRY_SHIM_LINGER_H

#include "shim.h"

/* Whether somebody has it open to read: of a write end of a FIFO. */
bool linger_has_reader(int fd);

/* Takes the write end of a FIFO that we ourselves do not have open for reading any more. */
void linger_take(struct shim *shim, int fd);

/* Closes it now. */
void linger_end(struct linger *l);

#endif
