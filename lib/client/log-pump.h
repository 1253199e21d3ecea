/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that shows what goes to a log to a user who has attached. Within lib/client. */
#ifndef GANTRY_LIB_CLIENT_LOG_PUMP_H
#define GANTRY_LIB_CLIENT_LOG_PUMP_H

#include <gantry/error.h>

struct gt_log_pump;

/*
 * Writes to 'out' and 'err' (-1: dropped) what nobody who was attached has seen yet, as far as a FIFO
 * would have kept it (64 KiB), and what comes. Where it got to is kept in a file beside the log.
 */
GT_MUST_USE struct gt_error *gt_log_pump_open(const char *uri, int out, int err,
					      struct gt_log_pump **p);
/* The process is deleted: ends when all has been written. */
void gt_log_pump_drain(struct gt_log_pump *p);
/* Stops at once. NULL is fine. */
void gt_log_pump_free(struct gt_log_pump *p);

#endif
