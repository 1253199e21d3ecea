/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "local.h"

#include <gantry/api-activations.h>

const struct gt_activations_ops local_activations = {
	.size = sizeof(local_activations),
};
