/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings an image from a registry: its documents, then layers in parallel, which are unpacked while
 * others still come. The image gets its name when all of it is here and unpacked. On an error
 * nothing of it stays, unless the caller's call ended: then a lease keeps for a day what has come,
 * as it does where this process is killed, and the next pull goes on from there.
 */
#ifndef GANTRY_LIB_CLIENT_PULL_H
#define GANTRY_LIB_CLIENT_PULL_H

#include <gantry/api-images.h>
#include <gantry/resolver.h>

#include <client/image.h>
#include <client/progress.h>

#define GT_TRANSFERS_DEFAULT 3 /* layers at the same time */

enum gt_pull_metadata {
	GT_PULL_WANTED, /* manifests and configs of the wanted platforms, with their layers */
	GT_PULL_ALL_METADATA, /* .. and those of all others, without layers */
	GT_PULL_METADATA_ONLY, /* of the wanted ones, without layers */
};

enum gt_pull_step {
	GT_PULL_FETCHED, /* all blobs are here, once */
	GT_PULL_UNPACKING, /* of 'view', maybe before all is fetched */
	GT_PULL_UNPACKED,
};

struct gt_pull_options {
	struct gt_resolver *resolver;
	const struct gt_registry_options *registry; /* NULL: as configured */
	struct gt_strv platforms; /* the best manifest for each; none: for the host */
	bool all_platforms;
	enum gt_pull_metadata metadata;
	unsigned downloads; /* at the same time; 0: GT_TRANSFERS_DEFAULT */
	bool unpack;
	const char *snapshotter; /* NULL: the default */
	unsigned jobs; /* layers unpacked at the same time; 0: one a processor */
	const struct gt_labels *labels; /* for the image; NULL: none */
	struct gt_progress *progress; /* NULL: none */
	/* Called in the pulling thread; 'view' NULL with FETCHED. Ends the pull by an error. */
	struct gt_error *(*step)(void *arg, enum gt_pull_step step, const char *platform,
				 const struct gt_image_view *view);
	void *arg;
};

/*
 * 'ref' is a whole reference and the image's name. A name that is there moves to the new image and
 * keeps its labels. '*out' (may be NULL) is the record. Errors are the resolver's, and
 * INVALID_ARGUMENT for documents that are not what they were fetched as; FAILED_PRECONDITION for
 * bytes that are not what they are called.
 */
GT_MUST_USE struct gt_error *gt_image_pull(struct gt_services *s, struct gt_call *call,
					   const char *ref, const struct gt_pull_options *o,
					   struct gt_image *out);

#endif
