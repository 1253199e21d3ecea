/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The garbage collection: containerd's rules, beside writers of this and of other processes.
 *
 *  1. "z r" is stored (gc-journal.h has the argument why that suffices), and the lock of the file
 *     "collection" taken: one collection at a time among all processes.
 *  2. A view: all records become a graph (gc-scan.h), the graph is marked. Blocks nobody.
 *  3. The sweep: transactions of at most SWEEP_NS and one commit each, with a pause between them in
 *     which other processes get their turn. Each reads what was noted meanwhile before it removes.
 *  4. After each such transaction the bytes go, for no record says any more that they are there: a
 *     blob's file under the alone lock of its digest, when no namespace has a record and no ingest
 *     expects it; a snapshot in its snapshotter, children first. What is locked is passed by. The
 *     drivers have the file system store what they delete in small parts: see local_remove().
 *  5. Where asked for, or where something hints at it, the drivers are searched for what no record
 *     knows: a process died between the object and its record, or between 3. and 4.
 *
 * A process that dies leaves a store in which each record's bytes are there, at any moment: records go
 * before bytes. What is left over has no record, and "z r" says that a search is due.
 *
 * When it runs: at once for remove ops with 'sync'; by the scheduler in a daemon; with no daemon when a
 * command that deletes asks for it at its end (GT_COLLECT_IF_DUE), with a deadline. `ctr run` never does.
 */
#ifndef SERVICES_LOCAL_COLLECTION_H
#define SERVICES_LOCAL_COLLECTION_H

#include "gc-journal.h"
#include "gc-scan.h"
#include "local.h"

#include <gantry/api-system.h>

struct collection {
	struct local *l;
	struct gt_call *call; /* of who asked: its end stops the sweep between two transactions */
	unsigned bits;
	struct scan scan;
	struct journal journal;
	uint32_t *victims; /* nodes, in the order in which they go */
	size_t n_victims, alloc_victims;
	bool search;
	bool missed; /* something could not be deleted now: the next one searches */
	struct gt_collected *out;
};

/* Within this process and among all: '*out' says what went. */
GT_MUST_USE struct gt_error *collect(struct local *l, struct gt_call *call, unsigned bits,
				     struct gt_collected *out);

/* gc-sweep.c */
GT_MUST_USE struct gt_error *sweep(struct collection *c);
/* gc-search.c */
GT_MUST_USE struct gt_error *search_drivers(struct collection *c);

/* A key's parts as strings: "s NS SN KEY" has 4. They live as long as 'copy', which the caller frees. */
#define KEY_PARTS 5
size_t key_split(struct gt_slice key, char **copy, const char *parts[KEY_PARTS]);

/* Further ops of the service: gc-report.c, scheduler.c */
GT_MUST_USE struct gt_error *space_usage(struct gt_services *s, struct gt_call *call,
					 struct gt_error *(*fn)(void *arg, const struct gt_space *u),
					 void *arg);
GT_MUST_USE struct gt_error *kept_explain(struct gt_services *s, struct gt_call *call,
					  const char *ref,
					  struct gt_error *(*fn)(void *arg,
								 const struct gt_kept *k),
					  void *arg, bool *kept);
GT_MUST_USE struct gt_error *schedule_begin(struct gt_services *s);

#endif
