/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind `runtime`: runs containers as tasks. A task is named by the call's namespace and the container's
 * id; its processes by an exec id, where "" is the first one ("init"). Semantics, states and error
 * texts are those of containerd's task API (shim v2). What a runtime answers comes from the shim and
 * the kernel at that moment, never from a record.
 *
 * A runtime belongs to many processes at once: tasks outlive who made them, and each op must work on
 * tasks that another process made. Every op has a deadline of its own where the call has none, and a
 * task that hangs holds up only calls about itself.
 *
 * Errors of every op: NOT_FOUND "task ID not found" / "process does not exist EXEC"; UNAVAILABLE if the
 * shim does not answer; the shim's own class and text otherwise. Any thread.
 */
#ifndef GANTRY_RUNTIME_H
#define GANTRY_RUNTIME_H

#include <gantry/any.h>
#include <gantry/call.h>
#include <gantry/mount.h>
#include <gantry/plugin.h>

#include <time.h>

struct gt_runtime {
	GT_INSTANCE_MEMBERS(runtime)
};

/* containerd.v1.types.Status */
enum gt_task_status {
	GT_TASK_UNKNOWN = 0,
	GT_TASK_CREATED = 1,
	GT_TASK_RUNNING = 2,
	GT_TASK_STOPPED = 3,
	GT_TASK_PAUSED = 4,
	GT_TASK_PAUSING = 5,
};
const char *gt_task_status_name(enum gt_task_status s); /* "RUNNING" */

/* Where a process's stdio goes: FIFOs, or "binary://", "file://" URLs; NULL or "": /dev/null. */
struct gt_stdio {
	const char *in;
	const char *out;
	const char *err;
	bool terminal;
};

struct gt_task_create {
	size_t size;
	const char *id;
	const struct gt_any *spec; /* OCI runtime document, JSON */
	const struct gt_mounts *rootfs; /* mounted in order on the bundle's rootfs; none: spec's root */
	struct gt_stdio stdio;
	const char *checkpoint; /* folder of an image to restore from; NULL: none */
	const char *runtime; /* name as asked for: "io.containerd.runc.v2", or an absolute path */
	const struct gt_any *runtime_options; /* of the container; NULL: none */
	const struct gt_any *options; /* of this task; NULL: none */
	const char *sandbox; /* id of the sandbox it belongs to; NULL: none */
};

struct gt_exec {
	size_t size;
	const char *id;
	const char *exec_id;
	const struct gt_any *spec; /* OCI process document, JSON */
	struct gt_stdio stdio;
};

struct gt_exit {
	uint32_t pid;
	uint32_t status; /* exit code, or 128 + signal; 255: nobody knows */
	struct timespec at; /* both 0: it has not ended */
};

struct gt_task_state {
	char *id;
	char *exec_id; /* "" for init */
	char *bundle; /* "" where it has none */
	uint32_t pid;
	enum gt_task_status status;
	char *in, *out, *err;
	bool terminal;
	uint32_t exit_status;
	struct timespec exited_at;
};
void gt_task_state_done(struct gt_task_state *s);

struct gt_process_info {
	uint32_t pid;
	struct gt_any info; /* containerd.runc.v1.ProcessDetails, or nothing */
};
struct gt_processes {
	struct gt_process_info *v;
	size_t n;
	size_t alloc;
};
void gt_processes_done(struct gt_processes *p);

/* Called once, from any thread, with an error (which it takes) or with how the process ended. */
typedef void gt_wait_fn(void *arg, struct gt_error *e, const struct gt_exit *exit);

struct gt_runtime_ops {
	size_t size;
	/* Required. Connects to nothing yet. '*out' is freed by close. */
	struct gt_error *(*open)(const struct gt_init *init, struct gt_runtime **out);
	/* Required. Leaves every task running. */
	void (*close)(struct gt_runtime *r);
	/* Required. ALREADY_EXISTS "task ID". On error nothing of the task is left. '*pid' is init's. */
	struct gt_error *(*create)(struct gt_runtime *r, struct gt_call *call,
				   const struct gt_task_create *req, uint32_t *pid);
	/* Required. */
	struct gt_error *(*start)(struct gt_runtime *r, struct gt_call *call, const char *id,
				  const char *exec_id, uint32_t *pid);
	/*
	 * Required. Deletes a created or stopped task and all that it held, or one ended exec. Also
	 * works on what a dead shim left behind.
	 */
	struct gt_error *(*remove)(struct gt_runtime *r, struct gt_call *call, const char *id,
				   const char *exec_id, struct gt_exit *out);
	/* Required. The caller gt_task_state_done()s '*out'. */
	struct gt_error *(*state)(struct gt_runtime *r, struct gt_call *call, const char *id,
				  const char *exec_id, struct gt_task_state *out);
	/* Required. 'all' applies to init only. */
	struct gt_error *(*kill)(struct gt_runtime *r, struct gt_call *call, const char *id,
				 const char *exec_id, uint32_t signal, bool all);
	/*
	 * Required. Arranges for 'fn' to be called when the process ends (at once if it has), or when
	 * the task or the call's cancel ends the wait. Does not block: parks no thread.
	 */
	struct gt_error *(*wait)(struct gt_runtime *r, struct gt_call *call, const char *id,
				 const char *exec_id, gt_wait_fn *fn, void *arg);
	/*
	 * Required. Calls 'fn' for the id of each task of the call's namespace, or of all namespaces
	 * where it has none.
	 */
	struct gt_error *(*walk)(struct gt_runtime *r, struct gt_call *call,
				 struct gt_error *(*fn)(void *arg, const char *ns, const char *id),
				 void *arg);
	/* Optional, as all that follow; absent: UNIMPLEMENTED. */
	struct gt_error *(*exec)(struct gt_runtime *r, struct gt_call *call,
				 const struct gt_exec *req);
	struct gt_error *(*pids)(struct gt_runtime *r, struct gt_call *call, const char *id,
				 struct gt_processes *out);
	struct gt_error *(*resize)(struct gt_runtime *r, struct gt_call *call, const char *id,
				   const char *exec_id, uint32_t width, uint32_t height);
	struct gt_error *(*close_io)(struct gt_runtime *r, struct gt_call *call, const char *id,
				     const char *exec_id);
	struct gt_error *(*pause)(struct gt_runtime *r, struct gt_call *call, const char *id);
	struct gt_error *(*resume)(struct gt_runtime *r, struct gt_call *call, const char *id);
	/* io.containerd.cgroups.v1.Metrics or .v2.Metrics. */
	struct gt_error *(*stats)(struct gt_runtime *r, struct gt_call *call, const char *id,
				  struct gt_any *out);
	/* 'resources': OCI LinuxResources, JSON. */
	struct gt_error *(*update)(struct gt_runtime *r, struct gt_call *call, const char *id,
				   const struct gt_any *resources, const struct gt_labels *annotations);
	struct gt_error *(*checkpoint)(struct gt_runtime *r, struct gt_call *call, const char *id,
				       const char *path, const struct gt_any *options);
	/* Ends what is left of a task whose shim is dead or wedged, at any cost, within seconds. */
	struct gt_error *(*purge)(struct gt_runtime *r, struct gt_call *call, const char *id,
				  struct gt_exit *out);
	/*
	 * Optional. What a runtime, by a name that the plugin provides, says of itself: a
	 * containerd.types.RuntimeInfo. 'options' as for a container; NULL: none. No namespace.
	 */
	struct gt_error *(*info)(struct gt_runtime *r, struct gt_call *call, const char *runtime,
				 const struct gt_any *options, struct gt_any *out);
	/* New members go here, at the end. */
};

GT_MUST_USE struct gt_error *gt_runtime_info(struct gt_runtime *r, struct gt_call *call,
					     const char *runtime, const struct gt_any *options,
					     struct gt_any *out);
GT_MUST_USE struct gt_error *gt_runtime_create(struct gt_runtime *r, struct gt_call *call,
					       const struct gt_task_create *req, uint32_t *pid);
GT_MUST_USE struct gt_error *gt_runtime_start(struct gt_runtime *r, struct gt_call *call,
					      const char *id, const char *exec_id, uint32_t *pid);
GT_MUST_USE struct gt_error *gt_runtime_remove(struct gt_runtime *r, struct gt_call *call,
					       const char *id, const char *exec_id,
					       struct gt_exit *out);
GT_MUST_USE struct gt_error *gt_runtime_state(struct gt_runtime *r, struct gt_call *call,
					      const char *id, const char *exec_id,
					      struct gt_task_state *out);
GT_MUST_USE struct gt_error *gt_runtime_kill(struct gt_runtime *r, struct gt_call *call,
					     const char *id, const char *exec_id, uint32_t signal,
					     bool all);
GT_MUST_USE struct gt_error *gt_runtime_wait(struct gt_runtime *r, struct gt_call *call,
					     const char *id, const char *exec_id, gt_wait_fn *fn,
					     void *arg);
GT_MUST_USE struct gt_error *
gt_runtime_walk(struct gt_runtime *r, struct gt_call *call,
		struct gt_error *(*fn)(void *, const char *ns, const char *id), void *arg);
GT_MUST_USE struct gt_error *gt_runtime_exec(struct gt_runtime *r, struct gt_call *call,
					     const struct gt_exec *req);
GT_MUST_USE struct gt_error *gt_runtime_pids(struct gt_runtime *r, struct gt_call *call,
					     const char *id, struct gt_processes *out);
GT_MUST_USE struct gt_error *gt_runtime_resize(struct gt_runtime *r, struct gt_call *call,
					       const char *id, const char *exec_id, uint32_t width,
					       uint32_t height);
GT_MUST_USE struct gt_error *gt_runtime_close_io(struct gt_runtime *r, struct gt_call *call,
						 const char *id, const char *exec_id);
GT_MUST_USE struct gt_error *gt_runtime_pause(struct gt_runtime *r, struct gt_call *call,
					      const char *id);
GT_MUST_USE struct gt_error *gt_runtime_resume(struct gt_runtime *r, struct gt_call *call,
					       const char *id);
GT_MUST_USE struct gt_error *gt_runtime_stats(struct gt_runtime *r, struct gt_call *call,
					      const char *id, struct gt_any *out);
GT_MUST_USE struct gt_error *gt_runtime_update(struct gt_runtime *r, struct gt_call *call,
					       const char *id, const struct gt_any *resources,
					       const struct gt_labels *annotations);
GT_MUST_USE struct gt_error *gt_runtime_checkpoint(struct gt_runtime *r, struct gt_call *call,
						   const char *id, const char *path,
						   const struct gt_any *options);
GT_MUST_USE struct gt_error *gt_runtime_purge(struct gt_runtime *r, struct gt_call *call,
					      const char *id, struct gt_exit *out);

#endif
