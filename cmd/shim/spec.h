/* SPDX-License-Identifier: Apache-2.0 */
/* The few things that the shim wants to know from OCI documents. */
#ifndef GANTRY_SHIM_SPEC_H
#define GANTRY_SHIM_SPEC_H

#include <gantry/buf.h>

struct spec {
	char *group; /* the value of the grouping annotation; NULL: none */
	bool private_pids; /* the container has a PID namespace of its own */
	char *cgroups_path; /* NULL: none */
};

/* From the bundle's config.json. INVALID_ARGUMENT if it is no JSON object. */
GT_MUST_USE struct gt_error *spec_read(int bundle, struct spec *out);
void spec_done(struct spec *s);

/* Adds the process document 'data' with "terminal" set to what the request says. */
GT_MUST_USE struct gt_error *spec_process(const void *data, size_t len, bool terminal,
					  struct gt_buf *out);

#endif
