/* SPDX-License-Identifier: Apache-2.0 */
/* What containers use, one form for cgroup v1 and v2. */
#ifndef CTR_USAGE_H
#define CTR_USAGE_H

#include "app.h"

#include <gantry/any.h>

#include <stdint.h>

struct ctr_usage {
	uint64_t cpu_ns;
	uint64_t memory, memory_limit; /* bytes; limit 0: none */
	uint64_t pids;
	uint64_t read, written; /* bytes */
};

/* From io.containerd.cgroups.v1.Metrics or .v2.Metrics. */
GT_MUST_USE struct gt_error *ctr_usage_read(const struct gt_any *metrics, struct ctr_usage *out);

#endif
