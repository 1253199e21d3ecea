/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to the shims of tasks, kept as long as they last. Within lib/shim. */
#ifndef GANTRY_LIB_SHIM_TASK_H
#define GANTRY_LIB_SHIM_TASK_H

#include <shim/endpoint.h>
#include <shim/runtime.h>

#include <ttrpc/client.h>

#include <stdatomic.h>

#define GT_SHIM_SERVICE_V2 "containerd.task.v2.Task"
#define GT_SHIM_SERVICE_V3 "containerd.task.v3.Task"

struct gt_shim_task {
	char *key; /* "NS/ID" */
	const char *id; /* within 'key' */
	char *address; /* of the shim */
	const char *_Atomic service;
	struct gt_ttrpc_client *client;
	struct gt_shim_runtime *runtime;
	unsigned refs; /* under the runtime's lock */
	/* One that let a call wait for all its time is not waited for again until something comes from it. */
	_Atomic int64_t silent_until; /* when it is tried again all the same; 0: it is not silent */
	_Atomic uint64_t silent_at; /* gt_ttrpc_client_received() then */
};

/*
 * The connection to a task's shim, made if there is none. NOT_FOUND "task ID not found" if there is no
 * such task; UNAVAILABLE if nobody answers at its address, with '*dead' set if nobody can any more.
 */
GT_MUST_USE struct gt_error *gt_shim_task_get(struct gt_shim_runtime *r, const struct gt_call *call,
					      const char *id, bool *dead, struct gt_shim_task **out);

/* The same for a shim whose bundle is at hand. NOT_FOUND only if the bundle has no address. */
GT_MUST_USE struct gt_error *gt_shim_task_open(struct gt_shim_runtime *r, const struct gt_call *call,
					       const struct gt_bundle *b, bool *dead,
					       struct gt_shim_task **out);
GT_MUST_USE struct gt_error *gt_shim_task_connect(struct gt_shim_runtime *r,
						  const struct gt_call *call,
						  const struct gt_shim_endpoint *at, const char *id,
						  bool *dead, struct gt_shim_task **out);

void gt_shim_task_free(struct gt_shim_task *t); /* lets go of one reference */
GT_DEFINE_AUTOPTR(gt_shim_task)

/* Takes the connection out of those that are kept. */
void gt_shim_task_forget(struct gt_shim_runtime *r, const struct gt_call *call, const char *id);

/* How long a call may take. */
enum gt_shim_patience { GT_SHIM_STATE, GT_SHIM_TASK, GT_SHIM_CHECKPOINT, GT_SHIM_SHUTDOWN };

/*
 * Calls a method of the task service. '*reply' is freed by gt_ttrpc_message_free(); NULL if it is not
 * wanted. A shim that does not answer in time, though the call itself has time left, is UNAVAILABLE; with
 * GT_SHIM_STATE at once while it is known to hang, so that who lists all tasks does not wait for it each time.
 */
GT_MUST_USE struct gt_error *gt_shim_task_call(struct gt_shim_task *t, const struct gt_call *call,
					       enum gt_shim_patience patience, const char *method,
					       const ProtobufCMessage *request,
					       const ProtobufCMessageDescriptor *reply_type,
					       ProtobufCMessage **reply);

/* A call of its own with the call's namespace and cancel, whose deadline is at most 'most' ns away. */
struct gt_call gt_shim_call_within(const struct gt_call *call, int64_t most);

/* Whether an error of a shim says that it does not know the container. */
bool gt_shim_is_unknown_task(const struct gt_error *e);

/* Within lib/shim: what is left of a task goes, whatever it is; 'b' is locked. In wreck.c. */
GT_MUST_USE struct gt_error *gt_shim_wreck_remove(struct gt_shim_runtime *r, struct gt_call *call,
						  struct gt_bundle *b, struct gt_exit *out);

/*
 * Asks a shim without tasks to go and waits for it. True if it has gone, or stays because it holds other
 * tasks; false if it should be ended by force.
 */
bool gt_shim_dismiss(struct gt_shim_runtime *r, const struct gt_call *call, struct gt_shim_task *t,
		     const struct gt_bundle *b);

/*
 * Cleans up under an id if all that is there belongs to nobody: no shim, or one that does not know the
 * task, and nobody at work on it. '*gone' tells whether the id is free now.
 */
GT_MUST_USE struct gt_error *gt_shim_sweep(struct gt_shim_runtime *r, struct gt_call *call,
					   const char *id, bool *gone);

#endif
