/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tasks service: runs what the containers service describes. Ops are as in <gantry/runtime.h>, on
 * the runtime that the container's record names.
 */
#ifndef GANTRY_API_TASKS_H
#define GANTRY_API_TASKS_H

#include <gantry/descriptor.h>
#include <gantry/runtime.h>
#include <gantry/services.h>

struct gt_tasks_create {
	size_t size;
	const char *id; /* of the container */
	const struct gt_mounts *rootfs; /* NULL or none: the mounts of the container's snapshot */
	struct gt_stdio stdio;
	const char *checkpoint; /* folder; NULL: none */
	const struct gt_any *options; /* NULL: the container's runtime options */
	/* A checkpoint that lies among the blobs, as an archive; NULL: none, or a folder. */
	const struct gt_descriptor *checkpoint_blob;
};

struct gt_metric {
	char *id;
	struct timespec timestamp;
	struct gt_any data;
};
void gt_metric_done(struct gt_metric *m);

struct gt_tasks_ops {
	size_t size;
	/* NOT_FOUND for the container; ALREADY_EXISTS "task ID". */
	struct gt_error *(*create)(struct gt_services *s, struct gt_call *call,
				   const struct gt_tasks_create *req, uint32_t *pid);
	struct gt_error *(*start)(struct gt_services *s, struct gt_call *call, const char *id,
				  const char *exec_id, uint32_t *pid);
	struct gt_error *(*remove)(struct gt_services *s, struct gt_call *call, const char *id,
				   const char *exec_id, struct gt_exit *out);
	struct gt_error *(*get)(struct gt_services *s, struct gt_call *call, const char *id,
				const char *exec_id, struct gt_task_state *out);
	/* Each task's init. One that does not answer in time is listed as UNKNOWN. */
	struct gt_error *(*list)(struct gt_services *s, struct gt_call *call,
				 struct gt_error *(*fn)(void *arg, const struct gt_task_state *t),
				 void *arg);
	struct gt_error *(*kill)(struct gt_services *s, struct gt_call *call, const char *id,
				 const char *exec_id, uint32_t signal, bool all);
	struct gt_error *(*wait)(struct gt_services *s, struct gt_call *call, const char *id,
				 const char *exec_id, gt_wait_fn *fn, void *arg);
	struct gt_error *(*exec)(struct gt_services *s, struct gt_call *call,
				 const struct gt_exec *req);
	struct gt_error *(*pids)(struct gt_services *s, struct gt_call *call, const char *id,
				 struct gt_processes *out);
	struct gt_error *(*resize)(struct gt_services *s, struct gt_call *call, const char *id,
				   const char *exec_id, uint32_t width, uint32_t height);
	struct gt_error *(*close_io)(struct gt_services *s, struct gt_call *call, const char *id,
				     const char *exec_id);
	struct gt_error *(*pause)(struct gt_services *s, struct gt_call *call, const char *id);
	struct gt_error *(*resume)(struct gt_services *s, struct gt_call *call, const char *id);
	struct gt_error *(*metrics)(struct gt_services *s, struct gt_call *call,
				    const struct gt_strv *filters,
				    struct gt_error *(*fn)(void *arg, const struct gt_metric *m),
				    void *arg);
	struct gt_error *(*update)(struct gt_services *s, struct gt_call *call, const char *id,
				   const struct gt_any *resources,
				   const struct gt_labels *annotations);
	/* Adds descriptors of the checkpoint's blobs to 'out', an array of '*n', the caller's. */
	struct gt_error *(*checkpoint)(struct gt_services *s, struct gt_call *call, const char *id,
				       const char *parent, const struct gt_any *options,
				       struct gt_descriptor **out, size_t *n);
	/* Ends what is left of a task at any cost; for deletion by force. */
	struct gt_error *(*purge)(struct gt_services *s, struct gt_call *call, const char *id,
				  struct gt_exit *out);
	/*
	 * Where the output of a process goes that is left to itself and for which its user has not
	 * chosen a place: for 'out' and 'err' of struct gt_stdio, and to read it there (<outlog/outlog.h>
	 * has the form). A new string. The container need not exist; what is there goes with it.
	 */
	struct gt_error *(*log_uri)(struct gt_services *s, struct gt_call *call, const char *id,
				    const char *exec_id, char **out);
};

GT_MUST_USE struct gt_error *gt_tasks_create(struct gt_services *s, struct gt_call *call,
					     const struct gt_tasks_create *req, uint32_t *pid);
GT_MUST_USE struct gt_error *gt_tasks_start(struct gt_services *s, struct gt_call *call,
					    const char *id, const char *exec_id, uint32_t *pid);
GT_MUST_USE struct gt_error *gt_tasks_remove(struct gt_services *s, struct gt_call *call,
					     const char *id, const char *exec_id,
					     struct gt_exit *out);
GT_MUST_USE struct gt_error *gt_tasks_get(struct gt_services *s, struct gt_call *call,
					  const char *id, const char *exec_id,
					  struct gt_task_state *out);
GT_MUST_USE struct gt_error *gt_tasks_list(struct gt_services *s, struct gt_call *call,
					   struct gt_error *(*fn)(void *,
								  const struct gt_task_state *),
					   void *arg);
GT_MUST_USE struct gt_error *gt_tasks_kill(struct gt_services *s, struct gt_call *call,
					   const char *id, const char *exec_id, uint32_t signal,
					   bool all);
GT_MUST_USE struct gt_error *gt_tasks_wait(struct gt_services *s, struct gt_call *call,
					   const char *id, const char *exec_id, gt_wait_fn *fn,
					   void *arg);
GT_MUST_USE struct gt_error *gt_tasks_exec(struct gt_services *s, struct gt_call *call,
					   const struct gt_exec *req);
GT_MUST_USE struct gt_error *gt_tasks_pids(struct gt_services *s, struct gt_call *call,
					   const char *id, struct gt_processes *out);
GT_MUST_USE struct gt_error *gt_tasks_resize(struct gt_services *s, struct gt_call *call,
					     const char *id, const char *exec_id, uint32_t width,
					     uint32_t height);
GT_MUST_USE struct gt_error *gt_tasks_close_io(struct gt_services *s, struct gt_call *call,
					       const char *id, const char *exec_id);
GT_MUST_USE struct gt_error *gt_tasks_pause(struct gt_services *s, struct gt_call *call,
					    const char *id);
GT_MUST_USE struct gt_error *gt_tasks_resume(struct gt_services *s, struct gt_call *call,
					     const char *id);
GT_MUST_USE struct gt_error *gt_tasks_metrics(struct gt_services *s, struct gt_call *call,
					      const struct gt_strv *filters,
					      struct gt_error *(*fn)(void *,
								     const struct gt_metric *),
					      void *arg);
GT_MUST_USE struct gt_error *gt_tasks_update(struct gt_services *s, struct gt_call *call,
					     const char *id, const struct gt_any *resources,
					     const struct gt_labels *annotations);
GT_MUST_USE struct gt_error *gt_tasks_checkpoint(struct gt_services *s, struct gt_call *call,
						 const char *id, const char *parent,
						 const struct gt_any *options,
						 struct gt_descriptor **out, size_t *n);
GT_MUST_USE struct gt_error *gt_tasks_purge(struct gt_services *s, struct gt_call *call,
					    const char *id, struct gt_exit *out);
GT_MUST_USE struct gt_error *gt_tasks_log_uri(struct gt_services *s, struct gt_call *call,
					      const char *id, const char *exec_id, char **out);

#endif
