/* SPDX-License-Identifier: Apache-2.0 */
/* OCI content descriptor (image-spec, descriptor.md): what a piece of content is, and its address. */
#ifndef GANTRY_DESCRIPTOR_H
#define GANTRY_DESCRIPTOR_H

#include <gantry/strv.h>

#include <stdint.h>

struct gt_descriptor {
	char *media_type;
	char *digest; /* "sha256:" and 64 hex digits, or another registered algorithm */
	int64_t size; /* bytes */
	struct gt_labels annotations;
	struct gt_strv urls; /* foreign layers only */
	char *platform; /* "linux/arm64/v8"; NULL: none given */
	char *artifact_type; /* NULL: none given */
};

void gt_descriptor_copy(struct gt_descriptor *dst, const struct gt_descriptor *src);
void gt_descriptor_done(struct gt_descriptor *d);

#endif
