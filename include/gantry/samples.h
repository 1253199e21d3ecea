/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is measured in this process. Who has figures registers a source; a frontend that shows them asks all
 * sources. The core's own are the calls of each plugin's operations.
 */
#ifndef GANTRY_SAMPLES_H
#define GANTRY_SAMPLES_H

#include <gantry/plugin.h>

enum gt_sample_type {
	GT_SAMPLE_GAUGE,
	GT_SAMPLE_COUNTER, /* only rises */
};

/* All strings are borrowed for the call of the callback. */
struct gt_sample {
	const char *name; /* "grpc_server_started_total": letters, digits, '_' */
	const char *help; /* one line */
	enum gt_sample_type type;
	const char *const *labels; /* name, value, name, value, ..., NULL; NULL: none */
	double value;
};

typedef void gt_sample_fn(void *arg, const struct gt_sample *s);

struct gt_sample_source;

/*
 * 'collect' calls 'fn' for each of its samples, from any thread, one at a time; it must not block on what
 * others do. Those of one name may come in any order.
 */
struct gt_sample_source *gt_samples_add(const struct gt_init *init,
					void (*collect)(void *arg, gt_sample_fn *fn, void *fn_arg),
					void *arg);
/* After this returns 'collect' is not called any more. NULL is fine. */
void gt_samples_remove(struct gt_sample_source *s);

void gt_samples_collect(const struct gt_init *init, gt_sample_fn *fn, void *arg);

#endif
