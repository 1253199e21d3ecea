/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes images to an archive as containerd does: an OCI layout as tar, with Docker's manifest.json,
 * entries sorted by name and each there once, so that the same images give the same bytes.
 */
#ifndef GANTRY_LIB_CLIENT_EXPORT_H
#define GANTRY_LIB_CLIENT_EXPORT_H

#include <gantry/api-images.h>

#include <oci/platform.h>

struct gt_export_options {
	/* Which of an index's manifests are wanted, best first: all that match must be whole. */
	struct gt_platforms platforms;
	/*
	 * Every platform that is here in full. The others are left out, and 'left_out' is told;
	 * 'platforms' then only says which manifest stands in manifest.json.
	 */
	bool all_platforms;
	bool skip_manifest_json;
	bool skip_non_distributable; /* leaves out layers that are not to be handed on */
	/* A manifest (by its descriptor in the index) that is not here, and why. NULL: not called. */
	void (*left_out)(void *arg, const struct gt_image *image,
			 const struct gt_descriptor *manifest, const struct gt_error *why);
	void *arg;
};

/*
 * Writes 'images' to 'fd', from its position on. What is missing is found out before anything is
 * written: NOT_FOUND with the image, the platform and the blob. FAILED_PRECONDITION for a blob that
 * is not what it is called: the archive is then broken off.
 */
GT_MUST_USE struct gt_error *gt_image_export(struct gt_services *s, struct gt_call *call,
					     const struct gt_image *images, size_t n, int fd,
					     const struct gt_export_options *o);

#endif
