/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox controller service: makes and ends sandboxes, by the controllers that are active. Ops are
 * as in <gantry/sandboxer.h>. 'sandboxer' is a controller's id; NULL or "" is the one that the sandbox's
 * record names, else the first that is active. No controller of that name: NOT_FOUND.
 */
#ifndef GANTRY_API_CONTROLLERS_H
#define GANTRY_API_CONTROLLERS_H

#include <gantry/api-tasks.h>
#include <gantry/sandboxer.h>
#include <gantry/services.h>

struct gt_controllers_ops {
	size_t size;
	/*
	 * What the request leaves out is taken from the store's record, if there is one, which stays as
	 * it is. Publishes /sandboxes/create.
	 */
	struct gt_error *(*create)(struct gt_services *s, struct gt_call *call,
				   const char *sandboxer, const struct gt_sandbox_create *req);
	/* Publishes /sandboxes/start. */
	struct gt_error *(*start)(struct gt_services *s, struct gt_call *call,
				  const char *sandboxer, const char *id,
				  struct gt_sandbox_instance *out);
	struct gt_error *(*stop)(struct gt_services *s, struct gt_call *call, const char *sandboxer,
				 const char *id, uint32_t timeout);
	/* Publishes /sandboxes/exit when it has ended. */
	struct gt_error *(*wait)(struct gt_services *s, struct gt_call *call, const char *sandboxer,
				 const char *id, gt_wait_fn *fn, void *arg);
	struct gt_error *(*status)(struct gt_services *s, struct gt_call *call,
				   const char *sandboxer, const char *id, bool verbose,
				   struct gt_sandbox_state *out);
	struct gt_error *(*shutdown)(struct gt_services *s, struct gt_call *call,
				     const char *sandboxer, const char *id);
	struct gt_error *(*platform)(struct gt_services *s, struct gt_call *call,
				     const char *sandboxer, const char *id, char **out);
	struct gt_error *(*metrics)(struct gt_services *s, struct gt_call *call,
				    const char *sandboxer, const char *id, struct gt_metric *out);
	struct gt_error *(*update)(struct gt_services *s, struct gt_call *call,
				   const char *sandboxer, const char *id,
				   const struct gt_sandbox *sandbox, const struct gt_strv *fields);
	/* New members go here, at the end. */
};

GT_MUST_USE struct gt_error *gt_controllers_create(struct gt_services *s, struct gt_call *call,
						   const char *sandboxer,
						   const struct gt_sandbox_create *req);
GT_MUST_USE struct gt_error *gt_controllers_start(struct gt_services *s, struct gt_call *call,
						  const char *sandboxer, const char *id,
						  struct gt_sandbox_instance *out);
GT_MUST_USE struct gt_error *gt_controllers_stop(struct gt_services *s, struct gt_call *call,
						 const char *sandboxer, const char *id,
						 uint32_t timeout);
GT_MUST_USE struct gt_error *gt_controllers_wait(struct gt_services *s, struct gt_call *call,
						 const char *sandboxer, const char *id,
						 gt_wait_fn *fn, void *arg);
GT_MUST_USE struct gt_error *gt_controllers_status(struct gt_services *s, struct gt_call *call,
						   const char *sandboxer, const char *id,
						   bool verbose, struct gt_sandbox_state *out);
GT_MUST_USE struct gt_error *gt_controllers_shutdown(struct gt_services *s, struct gt_call *call,
						     const char *sandboxer, const char *id);
GT_MUST_USE struct gt_error *gt_controllers_platform(struct gt_services *s, struct gt_call *call,
						     const char *sandboxer, const char *id,
						     char **out);
GT_MUST_USE struct gt_error *gt_controllers_metrics(struct gt_services *s, struct gt_call *call,
						    const char *sandboxer, const char *id,
						    struct gt_metric *out);
GT_MUST_USE struct gt_error *gt_controllers_update(struct gt_services *s, struct gt_call *call,
						   const char *sandboxer, const char *id,
						   const struct gt_sandbox *sandbox,
						   const struct gt_strv *fields);

#endif
