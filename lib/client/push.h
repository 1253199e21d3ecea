/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts an image into a registry: layers and configurations in parallel, then manifests, the top of it
 * last, so that whoever reads its name there finds all of it.
 */
#ifndef GANTRY_LIB_CLIENT_PUSH_H
#define GANTRY_LIB_CLIENT_PUSH_H

#include <gantry/descriptor.h>
#include <gantry/resolver.h>

#include <client/progress.h>
#include <oci/platform.h>

struct gt_push_image_options {
	struct gt_resolver *resolver;
	const struct gt_registry_options *registry; /* NULL: as configured */
	/*
	 * With one platform the best manifest for it is pushed in the place of an index; with several
	 * the index and those of its manifests that match; with none everything.
	 */
	struct gt_platforms platforms;
	unsigned uploads; /* at the same time; 0: three */
	bool foreign; /* also layers that are not to be handed on */
	struct gt_progress *progress; /* NULL: none */
};

/*
 * Pushes 'target' as 'ref' (a whole reference). What is missing here is found out before anything is
 * sent: NOT_FOUND with platform and digest. Errors are else the resolver's.
 */
GT_MUST_USE struct gt_error *gt_image_push(struct gt_services *s, struct gt_call *call,
					   const char *ref, const struct gt_descriptor *target,
					   const struct gt_push_image_options *o);

/* A single blob or document, with its line of progress; 'ref' as gt_resolver_push() takes it. */
GT_MUST_USE struct gt_error *gt_push_object(struct gt_services *s, struct gt_call *call,
					    const char *ref, const struct gt_descriptor *d,
					    const struct gt_push_image_options *o);

#endif
