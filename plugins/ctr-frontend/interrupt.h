/* SPDX-License-Identifier: Apache-2.0 */
/* Ctrl-C: cancels the call, so that the command cleans up; a second one ends the program at once. */
#ifndef CTR_INTERRUPT_H
#define CTR_INTERRUPT_H

#include <gantry/call.h>

/* SIGINT, SIGTERM and SIGHUP set 'cancel' from now on. */
void ctr_interrupt_begin(struct gt_cancel *cancel);
/* Back to how signals were treated before. Returns the signal that came; 0: none. */
int ctr_interrupt_end(void);

#endif
