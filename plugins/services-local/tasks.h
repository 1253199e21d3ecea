/* SPDX-License-Identifier: Apache-2.0 */
/* What the tasks service's files share. */
#ifndef SERVICES_LOCAL_TASKS_H
#define SERVICES_LOCAL_TASKS_H

#include "local.h"

#include <gantry/api-tasks.h>

/* The ops that ask all runtimes. */
GT_MUST_USE struct gt_error *tasks_list(struct gt_services *s, struct gt_call *call,
					struct gt_error *(*fn)(void *arg,
							       const struct gt_task_state *t),
					void *arg);
GT_MUST_USE struct gt_error *tasks_metrics(struct gt_services *s, struct gt_call *call,
					   const struct gt_strv *filters,
					   struct gt_error *(*fn)(void *arg,
								  const struct gt_metric *m),
					   void *arg);

/* The runtime of a container, or of a task whose container's record is gone. */
GT_MUST_USE struct gt_error *tasks_runtime_of(struct gt_services *s, struct gt_call *call,
					      const char *id, struct gt_runtime **out);

GT_MUST_USE struct gt_error *tasks_checkpoint(struct gt_services *s, struct gt_call *call,
					      const char *id, const char *parent,
					      const struct gt_any *options,
					      struct gt_descriptor **out, size_t *n);

/*
 * The content of a checkpoint, in a folder that lasts until it is dropped: a shim reads it when the task is
 * started. That there is none is fine.
 */
GT_MUST_USE struct gt_error *tasks_checkpoint_unpack(struct gt_services *s, struct gt_call *call,
						     const char *id, const struct gt_descriptor *d,
						     char **folder);
GT_MUST_USE struct gt_error *tasks_checkpoint_drop(struct gt_services *s, const struct gt_call *call,
						   const char *id);

#endif
