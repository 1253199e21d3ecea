/* SPDX-License-Identifier: Apache-2.0 */
/* The namespaces service. Its ops need no namespace in the call. */
#ifndef GANTRY_API_NAMESPACES_H
#define GANTRY_API_NAMESPACES_H

#include <gantry/services.h>

struct gt_namespaces_ops {
	size_t size;
	/* ALREADY_EXISTS "namespace \"X\""; INVALID_ARGUMENT for a name that is no identifier. */
	struct gt_error *(*create)(struct gt_services *s, struct gt_call *call, const char *name,
				   const struct gt_labels *labels);
	/* One that nobody has made yet has no labels; that is no error. The caller gt_labels_done()s them. */
	struct gt_error *(*get)(struct gt_services *s, struct gt_call *call, const char *name,
				struct gt_labels *labels);
	struct gt_error *(*list)(struct gt_services *s, struct gt_call *call,
				 struct gt_error *(*fn)(void *arg, const char *name,
							const struct gt_labels *labels),
				 void *arg);
	/*
	 * Sets the labels in 'labels'; one with an empty value is dropped. 'replace': all others too. Makes
	 * the namespace if nobody has.
	 */
	struct gt_error *(*update)(struct gt_services *s, struct gt_call *call, const char *name,
				   const struct gt_labels *labels, bool replace);
	/* FAILED_PRECONDITION, naming what is in it, unless it is empty. */
	struct gt_error *(*remove)(struct gt_services *s, struct gt_call *call, const char *name);
};

GT_MUST_USE struct gt_error *gt_namespaces_create(struct gt_services *s, struct gt_call *call,
						  const char *name, const struct gt_labels *labels);
GT_MUST_USE struct gt_error *gt_namespaces_get(struct gt_services *s, struct gt_call *call,
					       const char *name, struct gt_labels *labels);
GT_MUST_USE struct gt_error *gt_namespaces_list(struct gt_services *s, struct gt_call *call,
						struct gt_error *(*fn)(void *, const char *,
								       const struct gt_labels *),
						void *arg);
GT_MUST_USE struct gt_error *gt_namespaces_update(struct gt_services *s, struct gt_call *call,
						  const char *name, const struct gt_labels *labels,
						  bool replace);
GT_MUST_USE struct gt_error *gt_namespaces_remove(struct gt_services *s, struct gt_call *call,
						  const char *name);

#endif
