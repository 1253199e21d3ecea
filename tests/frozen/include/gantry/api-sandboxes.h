/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox store: records of sandboxes (pods). */
#ifndef GANTRY_API_SANDBOXES_H
#define GANTRY_API_SANDBOXES_H

#include <gantry/api-containers.h>

struct gt_sandbox {
	char *id;
	struct gt_labels labels;
	char *runtime;
	struct gt_any runtime_options;
	struct gt_any spec;
	char *sandboxer;
	struct timespec created_at;
	struct timespec updated_at;
	struct gt_extension *extensions; /* sorted by name */
	size_t n_extensions;
};
void gt_sandbox_done(struct gt_sandbox *b);

struct gt_sandboxes_ops {
	size_t size;
	struct gt_error *(*get)(struct gt_services *s, struct gt_call *call, const char *id,
				struct gt_sandbox *out);
	struct gt_error *(*create)(struct gt_services *s, struct gt_call *call,
				   const struct gt_sandbox *b, struct gt_sandbox *out);
	/* 'mask': labels[.K], extensions[.K], runtime, spec. */
	struct gt_error *(*update)(struct gt_services *s, struct gt_call *call,
				   const struct gt_sandbox *b, const struct gt_strv *mask,
				   struct gt_sandbox *out);
	struct gt_error *(*list)(struct gt_services *s, struct gt_call *call,
				 const struct gt_strv *filters,
				 struct gt_error *(*fn)(void *arg, const struct gt_sandbox *b),
				 void *arg);
	struct gt_error *(*remove)(struct gt_services *s, struct gt_call *call, const char *id);
};

GT_MUST_USE struct gt_error *gt_sandboxes_get(struct gt_services *s, struct gt_call *call,
					      const char *id, struct gt_sandbox *out);
GT_MUST_USE struct gt_error *gt_sandboxes_create(struct gt_services *s, struct gt_call *call,
						 const struct gt_sandbox *b,
						 struct gt_sandbox *out);
GT_MUST_USE struct gt_error *gt_sandboxes_update(struct gt_services *s, struct gt_call *call,
						 const struct gt_sandbox *b,
						 const struct gt_strv *mask,
						 struct gt_sandbox *out);
GT_MUST_USE struct gt_error *
gt_sandboxes_list(struct gt_services *s, struct gt_call *call, const struct gt_strv *filters,
		  struct gt_error *(*fn)(void *, const struct gt_sandbox *), void *arg);
GT_MUST_USE struct gt_error *gt_sandboxes_remove(struct gt_services *s, struct gt_call *call,
						 const char *id);

#endif
