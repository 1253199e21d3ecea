/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All ops of kind `runtime` for runtimes whose tasks are held by shim v2 programs. A plugin embeds
 * struct gt_shim_runtime first, fills 'settings' before gt_shim_runtime_init(), names these functions in
 * its ops table, and writes a create of its own, which says which program to run with which options.
 */
#ifndef GANTRY_LIB_SHIM_RUNTIME_H
#define GANTRY_LIB_SHIM_RUNTIME_H

#include <shim/bundle.h>
#include <shim/settings.h>

#include <gantry/runtime.h>

#include <pthread.h>

struct gt_shim_runtime {
	struct gt_runtime base;
	struct gt_shim_settings settings;
	/*
	 * Deletes what the runtime's program still knows of a container, if anything, after the shim's
	 * program has had its turn. 'b' may be one that has been deleted: its fd is -1. NULL: nothing can be
	 * done.
	 */
	struct gt_error *(*force)(struct gt_shim_runtime *r, struct gt_call *call,
				  const struct gt_bundle *b);
	struct gt_bundles bundles;
	struct gt_ttrpc_engine *engine;
	pthread_mutex_t lock; /* of 'tasks' */
	void *tasks; /* the connections that there are, a tree by namespace and id */
};

void gt_shim_runtime_init(struct gt_shim_runtime *r);
/* Ends all connections; waits that are under way complete with UNAVAILABLE. */
void gt_shim_runtime_done(struct gt_shim_runtime *r);

/*
 * Creates a task with that shim. 'start' goes to the program's stdin, 'options' into the create request;
 * either may be NULL. What a dead process left under the id is cleaned up first.
 */
GT_MUST_USE struct gt_error *gt_shim_runtime_create(struct gt_shim_runtime *r, struct gt_call *call,
						    const struct gt_task_create *req,
						    const char *program, const struct gt_any *start,
						    const struct gt_any *options, uint32_t *pid);

/* Ops as of <gantry/runtime.h>. */
struct gt_error *gt_shim_runtime_start(struct gt_runtime *r, struct gt_call *call, const char *id,
				       const char *exec_id, uint32_t *pid);
struct gt_error *gt_shim_runtime_remove(struct gt_runtime *r, struct gt_call *call, const char *id,
					const char *exec_id, struct gt_exit *out);
struct gt_error *gt_shim_runtime_state(struct gt_runtime *r, struct gt_call *call, const char *id,
				       const char *exec_id, struct gt_task_state *out);
struct gt_error *gt_shim_runtime_kill(struct gt_runtime *r, struct gt_call *call, const char *id,
				      const char *exec_id, uint32_t signal, bool all);
struct gt_error *gt_shim_runtime_wait(struct gt_runtime *r, struct gt_call *call, const char *id,
				      const char *exec_id, gt_wait_fn *fn, void *arg);
struct gt_error *gt_shim_runtime_walk(struct gt_runtime *r, struct gt_call *call,
				      struct gt_error *(*fn)(void *arg, const char *ns,
							     const char *id),
				      void *arg);
struct gt_error *gt_shim_runtime_exec(struct gt_runtime *r, struct gt_call *call,
				      const struct gt_exec *req);
struct gt_error *gt_shim_runtime_pids(struct gt_runtime *r, struct gt_call *call, const char *id,
				      struct gt_processes *out);
struct gt_error *gt_shim_runtime_resize(struct gt_runtime *r, struct gt_call *call, const char *id,
					const char *exec_id, uint32_t width, uint32_t height);
struct gt_error *gt_shim_runtime_close_io(struct gt_runtime *r, struct gt_call *call, const char *id,
					  const char *exec_id);
struct gt_error *gt_shim_runtime_pause(struct gt_runtime *r, struct gt_call *call, const char *id);
struct gt_error *gt_shim_runtime_resume(struct gt_runtime *r, struct gt_call *call, const char *id);
struct gt_error *gt_shim_runtime_stats(struct gt_runtime *r, struct gt_call *call, const char *id,
				       struct gt_any *out);
struct gt_error *gt_shim_runtime_update(struct gt_runtime *r, struct gt_call *call, const char *id,
					const struct gt_any *resources,
					const struct gt_labels *annotations);
struct gt_error *gt_shim_runtime_checkpoint(struct gt_runtime *r, struct gt_call *call,
					    const char *id, const char *path,
					    const struct gt_any *options);
struct gt_error *gt_shim_runtime_purge(struct gt_runtime *r, struct gt_call *call, const char *id,
				       struct gt_exit *out);

/* What the shim 'program' says of itself; as the op info of runtimes. */
struct gt_error *gt_shim_info(struct gt_call *call, const char *program, const struct gt_any *options,
			      struct gt_any *out);

/* For an ops table: all but open, close, create and info. */
#define GT_SHIM_RUNTIME_OPS                                                                       \
	.start = gt_shim_runtime_start, .remove = gt_shim_runtime_remove,                          \
	.state = gt_shim_runtime_state, .kill = gt_shim_runtime_kill,                              \
	.wait = gt_shim_runtime_wait, .walk = gt_shim_runtime_walk,                                \
	.exec = gt_shim_runtime_exec, .pids = gt_shim_runtime_pids,                                \
	.resize = gt_shim_runtime_resize, .close_io = gt_shim_runtime_close_io,                    \
	.pause = gt_shim_runtime_pause, .resume = gt_shim_runtime_resume,                          \
	.stats = gt_shim_runtime_stats, .update = gt_shim_runtime_update,                          \
	.checkpoint = gt_shim_runtime_checkpoint, .purge = gt_shim_runtime_purge

#endif
