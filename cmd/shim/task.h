/* SPDX-License-Identifier: Apache-2.0 */
/* The task API's methods. Each takes its call and answers it, now or later. */
#ifndef GANTRY_SHIM_TASK_H
#define GANTRY_SHIM_TASK_H

#include "container.h"

#define SECOND_NS INT64_C(1000000000)
/* How long a call of the runtime program may take where the caller sets no nearer end. */
#define LONG_TIMEOUT (120 * SECOND_NS)
#define SHORT_TIMEOUT (30 * SECOND_NS)
#define CHECKPOINT_TIMEOUT (600 * SECOND_NS)

/* An operation under way: embedded first in what the operation needs. */
struct op {
	struct run run; /* first */
	struct process *process;
	struct gt_ttrpc_call *call; /* NULL: the caller is gone */
};

/* Binds 'call' to 'op': the operation goes on when the caller does not wait for it any more. */
void op_bind(struct op *op, struct process *p, struct gt_ttrpc_call *call);
/* Answer if somebody still waits; the operation is not bound any more. */
void op_answer(struct op *op, const ProtobufCMessage *m);
void op_answer_empty(struct op *op);
/* Takes 'e'. */
void op_answer_error(struct op *op, struct gt_error *e);
/* Nanoseconds for one child: what the caller leaves, at most 'most'. */
int64_t op_time(const struct op *op, int64_t most);
/* A call of the runtime whose output makes the error text. Takes 'argv'. */
GT_MUST_USE struct gt_error *op_run_take(struct op *op, struct gt_strv *argv, int in, int64_t most,
					 void (*done)(struct run *, struct gt_error *));

void answer_empty(struct gt_ttrpc_call *call);

void task_create(struct shim *shim, struct gt_ttrpc_call *call);
void task_start(struct process *p, struct gt_ttrpc_call *call);
void task_exec_start(struct process *p, struct gt_ttrpc_call *call);
void task_exec(struct container *c, struct gt_ttrpc_call *call);
void task_delete(struct process *p, struct gt_ttrpc_call *call);
void task_kill(struct process *p, struct gt_ttrpc_call *call);
void task_pause(struct process *p, struct gt_ttrpc_call *call);
void task_resume(struct process *p, struct gt_ttrpc_call *call);
void task_update(struct process *p, struct gt_ttrpc_call *call);
void task_checkpoint(struct process *p, struct gt_ttrpc_call *call);
void task_state(struct process *p, struct gt_ttrpc_call *call);
void task_wait(struct process *p, struct gt_ttrpc_call *call);
void task_pids(struct container *c, struct gt_ttrpc_call *call);
void task_stats(struct container *c, struct gt_ttrpc_call *call);

/* As Go's daemon expects it: the year 1 where there is none. */
Google__Protobuf__Timestamp task_stamp(const struct timespec *t);
void task_wait_answer(const struct process *p, struct gt_ttrpc_call *call);

/* Sends a signal to init, or to 'all' that is in the container: nobody waits for it. */
void task_signal(struct container *c, uint32_t signal, bool all);

#endif
