/* SPDX-License-Identifier: Apache-2.0 */
/* Where a shim is reached, as it prints it on start and as it stands in its bundle. */
#ifndef GANTRY_LIB_SHIM_ENDPOINT_H
#define GANTRY_LIB_SHIM_ENDPOINT_H

#include <gantry/error.h>

#include <stddef.h>

struct gt_shim_endpoint {
	char *address;
	unsigned version; /* of the task service: 2 or 3 */
};
void gt_shim_endpoint_done(struct gt_shim_endpoint *e);

/*
 * Reads what a shim printed, whatever bytes they are: an address alone, JSON, or a BootstrapResult.
 * UNIMPLEMENTED for a version or protocol that is not spoken here, else INVALID_ARGUMENT.
 */
GT_MUST_USE struct gt_error *gt_shim_endpoint_parse(const void *data, size_t len,
						    struct gt_shim_endpoint *out);

/* From the bundle 'dirfd': bootstrap.json, else the file `address`. NOT_FOUND if there is neither. */
GT_MUST_USE struct gt_error *gt_shim_endpoint_load(int dirfd, struct gt_shim_endpoint *out);

/* Into the bundle, unless the shim has put the same there itself. */
GT_MUST_USE struct gt_error *gt_shim_endpoint_save(int dirfd, const struct gt_shim_endpoint *e);

#endif
