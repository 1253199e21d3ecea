/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <oci/document.h>

#include <string.h>

#define OCI_LAYER GT_TYPE_OCI_LAYER
#define OCI_FOREIGN "application/vnd.oci.image.layer.nondistributable."
#define EROFS_LAYER "application/vnd.erofs.layer.v1"
#define DOCKER_FOREIGN "application/vnd.docker.image.rootfs.foreign."

static bool begins(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool gt_type_is_index(const char *t)
{
	return t && (!strcmp(t, GT_TYPE_OCI_INDEX) || !strcmp(t, GT_TYPE_DOCKER_INDEX));
}

bool gt_type_is_manifest(const char *t)
{
	return t && (!strcmp(t, GT_TYPE_OCI_MANIFEST) || !strcmp(t, GT_TYPE_DOCKER_MANIFEST));
}

bool gt_type_is_config(const char *t)
{
	return t && (!strcmp(t, GT_TYPE_OCI_CONFIG) || !strcmp(t, GT_TYPE_DOCKER_CONFIG));
}

/* "FAMILY", "FAMILY+gzip" and the like. */
static bool is_of(const char *t, const char *family)
{
	size_t n = strlen(family);

	return !strncmp(t, family, n) && (!t[n] || t[n] == '+' || t[n] == '.');
}

bool gt_type_is_tar_layer(const char *t)
{
	return t && (is_of(t, OCI_LAYER) || is_of(t, OCI_FOREIGN "v1.tar") ||
		     is_of(t, GT_TYPE_DOCKER_LAYER) || is_of(t, DOCKER_FOREIGN "diff.tar"));
}

bool gt_type_is_layer(const char *t)
{
	return t && (gt_type_is_tar_layer(t) || is_of(t, EROFS_LAYER));
}

bool gt_type_is_foreign(const char *t)
{
	return t && (begins(t, OCI_FOREIGN) || begins(t, DOCKER_FOREIGN));
}

bool gt_type_is_plain_layer(const char *t)
{
	return t && (!strcmp(t, OCI_LAYER) || !strcmp(t, OCI_FOREIGN "v1.tar") ||
		     !strcmp(t, GT_TYPE_DOCKER_LAYER) || !strcmp(t, DOCKER_FOREIGN "diff.tar"));
}
