/* SPDX-License-Identifier: Apache-2.0 */
/* Index, manifest, image configuration, Docker's manifest.json and oci-layout, from the same bytes. */
#include <config.h>

#include "fuzz/fuzz.h"

#include <oci/document.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gt_index index;
	struct gt_manifest manifest;
	struct gt_image_config config;
	struct gt_docker_images images;
	struct gt_error *e = gt_index_parse(data, size, NULL, &index);

	if (!e)
		gt_index_done(&index);
	gt_error_free(e);
	e = gt_manifest_parse(data, size, NULL, &manifest);
	if (!e)
		gt_manifest_done(&manifest);
	gt_error_free(e);
	e = gt_image_config_parse(data, size, &config);
	if (!e)
		gt_image_config_done(&config);
	gt_error_free(e);
	e = gt_docker_images_parse(data, size, &images);
	if (!e)
		gt_docker_images_done(&images);
	gt_error_free(e);
	gt_error_free(gt_oci_layout_parse(data, size));
	return 0;
}
