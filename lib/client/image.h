/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an image consists of, read from the content service. Documents are parsed strictly, each
 * blob is fetched by digest and read as the media type that its parent says.
 */
#ifndef GANTRY_LIB_CLIENT_IMAGE_H
#define GANTRY_LIB_CLIENT_IMAGE_H

#include <gantry/api-blobs.h>
#include <gantry/api-images.h>

#include <oci/document.h>
#include <oci/platform.h>

/* An image for one platform. */
struct gt_image_view {
	struct gt_descriptor manifest; /* its platform is set where the index says one */
	struct gt_manifest document;
	struct gt_image_config config;
	struct gt_strv chain_ids; /* one a layer, lowest first */
};
void gt_image_view_done(struct gt_image_view *v);

/* The chain ID of the whole image; "" for one without layers. Belongs to 'v'. */
const char *gt_image_view_chain_id(const struct gt_image_view *v);

/*
 * Gives an image its name, whatever has that by now: creates it, or updates what 'mask' names (NULL: all).
 * Others may take the name away or give it meanwhile. 'out' may be NULL.
 */
GT_MUST_USE struct gt_error *gt_image_set(struct gt_services *s, struct gt_call *call,
					  const struct gt_image *image, const struct gt_strv *mask,
					  struct gt_image *out);
/* Others may go on doing so; a daemon that contradicts itself is not asked for ever. */
#define GT_IMAGE_SET_TRIES 100

/*
 * The descriptor of the manifest that resolve would take: neither it nor what it names need be here,
 * the indexes above it must.
 */
GT_MUST_USE struct gt_error *gt_image_find_manifest(struct gt_services *s, struct gt_call *call,
						    const struct gt_descriptor *target,
						    const struct gt_platforms *platforms,
						    struct gt_descriptor *out);

/*
 * Finds the manifest behind 'target' (a manifest, or an index of any depth up to 8) that suits
 * 'platforms' best, and reads it and its configuration. NOT_FOUND "no match for platform in
 * manifest DIGEST" or "content DIGEST"; INVALID_ARGUMENT if the number of layers and diff IDs
 * differ.
 */
GT_MUST_USE struct gt_error *gt_image_resolve(struct gt_services *s, struct gt_call *call,
					      const struct gt_descriptor *target,
					      const struct gt_platforms *platforms,
					      struct gt_image_view *out);

/*
 * Adds the image's platforms, sorted, each once; those that are not there in full are among them. '*all'
 * (may be NULL) is false if a document that would have told of more is not there.
 */
GT_MUST_USE struct gt_error *gt_image_platforms(struct gt_services *s, struct gt_call *call,
						const struct gt_descriptor *target,
						struct gt_strv *out, bool *all);

/*
 * Bytes of the index, if it is one, and of manifest, configuration and layers for the best platform.
 * NOT_FOUND as resolve.
 */
GT_MUST_USE struct gt_error *gt_image_size(struct gt_services *s, struct gt_call *call,
					   const struct gt_descriptor *target,
					   const struct gt_platforms *platforms, int64_t *out);

/*
 * Which of the blobs that an image's manifest for the best platform names are there: as containerd
 * has it, the manifest itself is not counted.
 */
struct gt_image_status {
	bool available; /* manifest and configuration can be read, so that the rest is known */
	size_t required;
	size_t present;
	int64_t required_size;
	int64_t present_size;
	struct gt_strv missing; /* digests */
};
void gt_image_status_done(struct gt_image_status *st);
GT_MUST_USE struct gt_error *gt_image_check(struct gt_services *s, struct gt_call *call,
					    const struct gt_descriptor *target,
					    const struct gt_platforms *platforms,
					    struct gt_image_status *out);

/*
 * Whether a snapshot of the image's chain ID is there; 'snapshotter' as in
 * <gantry/api-snapshots.h>.
 */
GT_MUST_USE struct gt_error *gt_image_unpacked(struct gt_services *s, struct gt_call *call,
					       const struct gt_image_view *v,
					       const char *snapshotter, bool *out);

/*
 * Adds the containerd.io/gc.ref.content.* labels that keep a document's children, numbered as
 * containerd does: of a manifest its config and layers, of an index its manifests (those alone for
 * which 'keep' says yes; NULL: all).
 */
void gt_image_manifest_labels(const struct gt_manifest *m, struct gt_labels *out);
void gt_image_index_labels(const struct gt_index *i,
			   bool (*keep)(void *arg, const struct gt_descriptor *d), void *arg,
			   struct gt_labels *out);

/* Reads a whole document of the content service; RESOURCE_EXHAUSTED beyond GT_DOCUMENT_MAX. */
GT_MUST_USE struct gt_error *gt_image_read(struct gt_services *s, struct gt_call *call,
					   const struct gt_descriptor *desc, char **out,
					   size_t *len);
/* The same, parsed as what 'd' says it is. */
GT_MUST_USE struct gt_error *gt_image_read_index(struct gt_services *s, struct gt_call *call,
						 const struct gt_descriptor *d,
						 struct gt_index *out);
GT_MUST_USE struct gt_error *gt_image_read_manifest(struct gt_services *s, struct gt_call *call,
						    const struct gt_descriptor *d,
						    struct gt_manifest *out);
GT_MUST_USE struct gt_error *gt_image_read_config(struct gt_services *s, struct gt_call *call,
						  const struct gt_descriptor *d,
						  struct gt_image_config *out);

#endif
