/* SPDX-License-Identifier: Apache-2.0 */
/* NVIDIA's processors in a container. Within lib/client. */
#ifndef GANTRY_LIB_CLIENT_GPU_H
#define GANTRY_LIB_CLIENT_GPU_H

#include <oci/spec.h>

/*
 * Has nvidia-container-cli, looked up in PATH, bring the devices 'ids' ("0", "1") and the driver's
 * files in before the process starts. 'hook' is this program, which `oci hook` makes fill in what
 * the runtime says of the container. NOT_FOUND where the tool is not installed.
 */
GT_MUST_USE struct gt_error *gt_gpu_add(struct gt_spec *s, const char *hook,
					const struct gt_strv *ids);

#endif
