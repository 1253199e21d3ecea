/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a transfer is, on standard output: bars on a terminal, drawn again every 100 ms; elsewhere
 * a line for each thing that has ended; nothing with --quiet.
 */
#ifndef CTR_PROGRESS_H
#define CTR_PROGRESS_H

#include "app.h"

#include <client/progress.h>

extern const struct ctr_flag ctr_progress_flag[]; /* --quiet */

struct ctr_progress;

/* '*out' NULL with --quiet: then nothing is shown. */
GT_MUST_USE struct gt_error *ctr_progress_begin(struct ctr *c, struct ctr_progress **out);
/* What the transfer writes to; NULL for NULL. */
struct gt_progress *ctr_progress_board(struct ctr_progress *p);
/* Shows how it ended, once; 'sum': with a last line of time and bytes. */
void ctr_progress_end(struct ctr_progress *p, bool sum);
void ctr_progress_free(struct ctr_progress *p);
GT_DEFINE_AUTOPTR(ctr_progress)

#endif
