/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes an image of another: layers in another compression, OCI's media types instead of Docker's,
 * fewer platforms. What stays the same is shared; documents keep whatever else stands in them.
 */
#ifndef GANTRY_LIB_CLIENT_CONVERT_H
#define GANTRY_LIB_CLIENT_CONVERT_H

#include <gantry/api-images.h>

#include <oci/platform.h>

enum gt_convert_layers { GT_CONVERT_KEEP, GT_CONVERT_PLAIN, GT_CONVERT_GZIP, GT_CONVERT_ZSTD };

struct gt_convert_options {
	enum gt_convert_layers layers;
	bool oci; /* OCI's media types */
	struct gt_platforms platforms; /* manifests of an index that are kept; none: all */
	unsigned jobs; /* layers at the same time; 0: one a processor */
	const char *worker; /* the program that recodes; NULL: the installed one */
};

/*
 * 'name' is the new image's; a name that is there moves. '*out' (may be NULL) is its record. All that
 * is kept must be here: NOT_FOUND. FAILED_PRECONDITION for a layer that is not what its configuration
 * says. On an error nothing new stays.
 */
GT_MUST_USE struct gt_error *gt_image_convert(struct gt_services *s, struct gt_call *call,
					      const struct gt_image *source, const char *name,
					      const struct gt_convert_options *o,
					      struct gt_image *out);

#endif
