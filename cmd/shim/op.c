/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "task.h"

#include <gantry/call.h>

#include <google/protobuf/empty.pb-c.h>

static void op_ended(struct gt_ttrpc_call *call)
{
	struct op *op = call->keeper;

	op->call = NULL;
}

void op_bind(struct op *op, struct process *p, struct gt_ttrpc_call *call)
{
	op->process = p;
	op->call = call;
	call->keeper = op;
	call->ended = op_ended;
}

void op_answer(struct op *op, const ProtobufCMessage *m)
{
	if (op->call)
		gt_ttrpc_answer(op->call, m);
	op->call = NULL;
}

void answer_empty(struct gt_ttrpc_call *call)
{
	Google__Protobuf__Empty m = GOOGLE__PROTOBUF__EMPTY__INIT;

	gt_ttrpc_answer(call, &m.base);
}

void op_answer_empty(struct op *op)
{
	if (op->call)
		answer_empty(op->call);
	op->call = NULL;
}

void op_answer_error(struct op *op, struct gt_error *e)
{
	if (op->call)
		gt_ttrpc_answer_error_take(op->call, e);
	else
		gt_error_free(e);
	op->call = NULL;
}

int64_t op_time(const struct op *op, int64_t most)
{
	int64_t left;

	if (!op->call || !op->call->deadline)
		return most;
	left = op->call->deadline - gt_now();
	if (left < 1)
		left = 1;
	return left < most ? left : most;
}

struct gt_error *op_run_take(struct op *op, struct gt_strv *argv, int in, int64_t most,
			     void (*done)(struct run *, struct gt_error *))
{
	struct container *c = op->process->container;

	op->run.done = done;
	return run_start_take(c->shim, &op->run, &c->runtime, argv, &(struct run_stdio){ .in = in },
			      c->bundle, op_time(op, most));
}
