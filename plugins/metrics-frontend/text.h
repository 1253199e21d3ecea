/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus' text format, version 0.0.4: samples may come in any order, and those of one name stand together
 * in the text.
 */
#ifndef METRICS_FRONTEND_TEXT_H
#define METRICS_FRONTEND_TEXT_H

#include <gantry/buf.h>
#include <gantry/samples.h>

struct metrics_family {
	char *name, *help;
	enum gt_sample_type type;
	struct gt_buf lines;
};

struct metrics_text { /* all zero: empty */
	struct metrics_family *v; /* sorted by name */
	size_t n, alloc;
};

/* A gt_sample_fn; 'arg' is the text. */
void metrics_text_add(void *arg, const struct gt_sample *s);
void metrics_text_print(const struct metrics_text *t, struct gt_buf *out);
void metrics_text_done(struct metrics_text *t);

#endif
