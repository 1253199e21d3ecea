/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <oci/document.h>

#include <string.h>

#define OCI_LAYER GT_TYPE_OCI_LAYER
#define OCI_FOREIGN "application/vnd.oci.image.layer.nondistributable."
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

bool gt_type_is_layer(const char *t)
{
	static const char *const families[] = { OCI_LAYER, OCI_FOREIGN "v1.tar",
						GT_TYPE_DOCKER_LAYER, DOCKER_FOREIGN "diff.tar" };

	if (!t)
		return false;
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		if (begins(t, families[i])) {
			const char *rest = t + strlen(families[i]);

			if (!*rest || *rest == '+' || *rest == '.')
				return true;
		}
	}
	return false;
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
