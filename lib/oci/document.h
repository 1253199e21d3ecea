/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The documents of an image: index, manifest, configuration, and the folder's oci-layout and
 * Docker's manifest.json. They come from strangers: each parser bounds length and depth before it
 * builds anything, checks every type, and refuses a document that can be read as two kinds at once
 * or that is not what it was fetched as. What it does not know it leaves out.
 *
 * Errors: INVALID_ARGUMENT with what is wrong and where; RESOURCE_EXHAUSTED beyond a limit.
 */
#ifndef GANTRY_LIB_OCI_DOCUMENT_H
#define GANTRY_LIB_OCI_DOCUMENT_H

#include <gantry/descriptor.h>
#include <gantry/error.h>

#include <oci/platform.h>

#include <time.h>

#define GT_DOCUMENT_MAX (8 * 1024 * 1024) /* bytes of any one document */
#define GT_DOCUMENT_DEPTH 64 /* arrays and objects inside each other */
#define GT_DOCUMENT_ITEMS 65536 /* entries of one list */

#define GT_TYPE_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define GT_TYPE_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define GT_TYPE_OCI_CONFIG "application/vnd.oci.image.config.v1+json"
#define GT_TYPE_OCI_LAYER "application/vnd.oci.image.layer.v1.tar"
#define GT_TYPE_DOCKER_INDEX "application/vnd.docker.distribution.manifest.list.v2+json"
#define GT_TYPE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define GT_TYPE_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"
#define GT_TYPE_DOCKER_LAYER "application/vnd.docker.image.rootfs.diff.tar"
#define GT_TYPE_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define GT_TYPE_DOCKER_LAYER_ZSTD "application/vnd.docker.image.rootfs.diff.tar.zstd"

bool gt_type_is_index(const char *media_type);
bool gt_type_is_manifest(const char *media_type);
bool gt_type_is_config(const char *media_type);
/* A file system layer of any compression, OCI's or Docker's tar or an EROFS image. */
bool gt_type_is_layer(const char *media_type);
bool gt_type_is_tar_layer(const char *media_type);
/* A layer that is not to be handed on (foreign). */
bool gt_type_is_foreign(const char *media_type);
/* Whether the type says that the layer is not compressed. */
bool gt_type_is_plain_layer(const char *media_type);

struct gt_descriptors {
	struct gt_descriptor *v;
	size_t n;
	size_t alloc;
};
void gt_descriptors_add(struct gt_descriptors *l, const struct gt_descriptor *d);
void gt_descriptors_done(struct gt_descriptors *l);

struct gt_index {
	char *media_type; /* as it stands in the document; NULL: it does not */
	struct gt_descriptors manifests;
	struct gt_labels annotations;
};
/* 'type': what it was fetched as; NULL: whatever it is. */
GT_MUST_USE struct gt_error *gt_index_parse(const void *data, size_t len, const char *type,
					    struct gt_index *out);
void gt_index_done(struct gt_index *i);
/* Docker's or OCI's index of these manifests, as the bytes of a new blob. */
void gt_index_write(const struct gt_index *i, struct gt_buf *out);

struct gt_manifest {
	char *media_type; /* NULL: the document does not say */
	char *artifact_type; /* NULL: none */
	struct gt_descriptor config;
	struct gt_descriptors layers;
	struct gt_descriptor subject; /* its digest is NULL where there is none */
	struct gt_labels annotations;
};
GT_MUST_USE struct gt_error *gt_manifest_parse(const void *data, size_t len, const char *type,
					       struct gt_manifest *out);
void gt_manifest_done(struct gt_manifest *m);
void gt_manifest_write(const struct gt_manifest *m, struct gt_buf *out);

/* The part of an image's configuration that a runtime acts upon. */
struct gt_image_config {
	struct gt_platform platform;
	struct gt_strv diff_ids; /* each a well-formed digest */
	struct gt_strv env;
	struct gt_strv entrypoint;
	struct gt_strv cmd;
	struct gt_strv volumes;
	struct gt_strv exposed_ports;
	struct gt_labels labels; /* as they stand: reserved prefixes are the reader's to drop */
	char *user; /* "" where there is none; so all strings here */
	char *working_dir;
	char *stop_signal;
	char *created; /* RFC 3339 */
	bool args_escaped;
};
GT_MUST_USE struct gt_error *gt_image_config_parse(const void *data, size_t len,
						   struct gt_image_config *out);
void gt_image_config_done(struct gt_image_config *c);

/* One image of Docker's manifest.json. */
struct gt_docker_image {
	char *config; /* names of archive entries */
	struct gt_strv repo_tags;
	struct gt_strv layers;
};
struct gt_docker_images {
	struct gt_docker_image *v;
	size_t n;
	size_t alloc;
};
GT_MUST_USE struct gt_error *gt_docker_images_parse(const void *data, size_t len,
						    struct gt_docker_images *out);
void gt_docker_images_done(struct gt_docker_images *l);

/* The file oci-layout: INVALID_ARGUMENT unless its version begins with "1.". */
GT_MUST_USE struct gt_error *gt_oci_layout_parse(const void *data, size_t len);

#endif
