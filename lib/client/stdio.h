/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FIFOs for one process, and the thread that copies between them and the user's. Within lib/client.
 */
#ifndef GANTRY_LIB_CLIENT_STDIO_H
#define GANTRY_LIB_CLIENT_STDIO_H

#include <gantry/runtime.h>

struct gt_copier;

/*
 * Makes a folder below 'base' with the FIFOs "NAME-stdin", .. and opens our ends. 'in', 'out',
 * 'err': the user's, -1: that FIFO is not made; with 'terminal' there is no stderr. Also sweeps
 * 'base'.
 */
GT_MUST_USE struct gt_error *gt_copier_open(const char *base, const char *name, int in, int out,
					    int err, bool terminal, struct gt_copier **out_copier);
/* What to create the process with; belongs to 'c'. */
const struct gt_stdio *gt_copier_stdio(const struct gt_copier *c);
/* Begins to copy: once the process is created. */
GT_MUST_USE struct gt_error *gt_copier_start(struct gt_copier *c);
/* Becomes readable when the user's stdin has ended and all of it has been written: then CloseIO. */
int gt_copier_eof_fd(const struct gt_copier *c);
/* Lets go of our end of stdin: after CloseIO. */
void gt_copier_close_in(struct gt_copier *c);
/*
 * Waits until all output has been copied. To be called when the process is deleted: whoever still
 * holds the FIFOs then has 2 s of silence.
 */
void gt_copier_drain(struct gt_copier *c);
/*
 * The same for a process that is left to itself, with nothing of the user's at the other ends: stdin's
 * FIFO, and the others with 'outputs'. Only to be left, or freed.
 */
GT_MUST_USE struct gt_error *gt_copier_for_others(const char *base, const char *name, bool outputs,
						  bool terminal, struct gt_copier **out);
/*
 * The same with FIFOs that are there already, as a process's state names them; what is none, or has
 * nobody at its other end, is left out. They stay.
 */
GT_MUST_USE struct gt_error *gt_copier_attach(const struct gt_stdio *fifos, int in, int out, int err,
					      struct gt_copier **out_copier);
/* Frees 'c' and leaves its FIFOs to others. NULL is fine. */
void gt_copier_leave(struct gt_copier *c);
/* Clears away what clients that were killed left below 'base'. */
void gt_fifos_sweep(const char *base);
/* Removes what was left: the FIFO of that path and its folder, if that was the last in it. */
void gt_fifo_forget(const char *path);
/* Stops at once, and removes the FIFOs. NULL is fine. */
void gt_copier_free(struct gt_copier *c);
GT_DEFINE_AUTOPTR(gt_copier)

#endif
