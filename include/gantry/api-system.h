/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store's owner asks of it as a whole: the garbage collection, what takes the space, and why
 * something is kept. Its ops need no namespace unless they say so. No service of containerd's API: a
 * remote may lack it.
 */
#ifndef GANTRY_API_SYSTEM_H
#define GANTRY_API_SYSTEM_H

#include <gantry/services.h>

enum gt_collect_bits {
	/*
	 * Do nothing unless something was deleted, or has expired, since the last one; not more often
	 * than pauses of the scheduler's length allow; nor where another process is at it already.
	 */
	GT_COLLECT_IF_DUE = 1,
	/* Search the drivers, too, for what no record knows: what died processes left. */
	GT_COLLECT_SEARCH = 2,
	/*
	 * Leases whose maker is a process that is gone count as expired, and so do ingests that
	 * nobody writes and no lease keeps.
	 */
	GT_COLLECT_HURRY = 4,
	/* Measure snapshots before they go, for 'freed'. */
	GT_COLLECT_MEASURE = 8,
};

struct gt_collected {
	bool ran; /* false: it was not due */
	uint64_t images, leases, ingests, blobs, snapshots; /* records that went */
	uint64_t orphans; /* things without record that went */
	int64_t freed; /* bytes of blobs, ingests and (if measured) snapshots */
	int64_t took; /* nanoseconds */
	int64_t longest; /* of its write transactions, nanoseconds */
};

/* What takes space. Strings are borrowed for the call of the callback. */
struct gt_space {
	const char *type; /* "content", "ingests", "snapshots/SNAPSHOTTER" */
	const char *ns; /* "": all namespaces, each thing on the disk counted once */
	const char *owner; /* "image NAME", "container ID" and so on; "": nothing keeps it; "several" */
	uint64_t count;
	int64_t size; /* bytes */
};

/* A step of a chain that keeps something: from what, why, to what. */
struct gt_kept {
	size_t chain; /* number of the chain, from 0 */
	const char *from; /* "image docker.io/library/busybox:latest" */
	const char *why; /* "target", a label's key, .. ; of a chain without steps what makes it a root */
	const char *to; /* NULL: 'from' is what was asked for, and kept for its own sake */
};

struct gt_system_ops {
	size_t size;
	/* Answers when what can go is gone. Other processes' writes go on meanwhile. */
	struct gt_error *(*collect)(struct gt_services *s, struct gt_call *call, unsigned bits,
				    struct gt_collected *out);
	/* By type, namespace and owner, in this order; then the sums of each type, with ns "". */
	struct gt_error *(*usage)(struct gt_services *s, struct gt_call *call,
				  struct gt_error *(*fn)(void *arg, const struct gt_space *u),
				  void *arg);
	/*
	 * Of each root that keeps 'ref' in the call's namespace a shortest chain. 'ref' is an image's
	 * name, a digest, a snapshot's key, an ingest's ref, a lease's or a container's id; what has
	 * several meanings is looked for in each. NOT_FOUND. '*kept' is false where nothing keeps it.
	 */
	struct gt_error *(*explain)(struct gt_services *s, struct gt_call *call, const char *ref,
				    struct gt_error *(*fn)(void *arg, const struct gt_kept *k),
				    void *arg, bool *kept);
	/*
	 * Collects from now on in the background, as the plugin's options say; for a daemon. Ends
	 * with the instance. Once only: ALREADY_EXISTS.
	 */
	struct gt_error *(*schedule)(struct gt_services *s);
	/* New members go here, at the end. */
};

GT_MUST_USE struct gt_error *gt_system_collect(struct gt_services *s, struct gt_call *call,
					       unsigned bits, struct gt_collected *out);
GT_MUST_USE struct gt_error *gt_system_usage(struct gt_services *s, struct gt_call *call,
					     struct gt_error *(*fn)(void *, const struct gt_space *),
					     void *arg);
GT_MUST_USE struct gt_error *gt_system_explain(struct gt_services *s, struct gt_call *call,
					       const char *ref,
					       struct gt_error *(*fn)(void *,
								      const struct gt_kept *),
					       void *arg, bool *kept);
GT_MUST_USE struct gt_error *gt_system_schedule(struct gt_services *s);

#endif
