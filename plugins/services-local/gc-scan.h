/* SPDX-License-Identifier: Apache-2.0 */
/* From records to the graph of what refers to what. */
#ifndef SERVICES_LOCAL_GC_SCAN_H
#define SERVICES_LOCAL_GC_SCAN_H

#include "gc-graph.h"

#include <time.h>

/* "usedat<DURATION|KEY" on a blob or an image: it keeps the snapshot KEY if that was used so lately. */
struct scan_condition {
	uint32_t from;
	uint32_t snapshot;
	bool older; /* '>' */
	int64_t age; /* nanoseconds */
	char *why; /* the label */
};

struct scan_used {
	uint32_t snapshot;
	struct timespec at;
};

struct scan {
	struct graph graph;
	struct timespec now;
	/*
	 * Leases whose process is gone are as good as expired, and ingests that no lease has as
	 * well: for who cleans up before their time comes.
	 */
	bool hurry;
	struct timespec expires; /* out: the first time at which something expires; all 0: none */
	struct scan_condition *conditions;
	size_t n_conditions, alloc_conditions, done_conditions;
	struct scan_used *used;
	size_t n_used, alloc_used;
};
#define SCAN_INIT { .graph = GRAPH_INIT }
void scan_done(struct scan *s);

/* Reads all records, of namespace 'ns' alone where that is not NULL. */
GT_MUST_USE struct gt_error *scan_all(struct gt_txn *t, struct scan *s, const char *ns);
/* Reads one record, as it stands now, and takes it as in use; fine if it is gone. 'scan' is one. */
GT_MUST_USE struct gt_error *scan_noted(void *scan, struct gt_txn *t, struct gt_slice key);

/* RFC 3339; false if it is not. */
bool scan_time_parse(const char *text, struct timespec *out);
/* Whether the process is gone that made the lease with these labels; false where they do not say. */
bool scan_maker_is_gone(const struct gt_labels *labels);

#endif
