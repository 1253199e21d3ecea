/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up what the worker does not need before it looks at foreign bytes. In this order: root,
 * privileges, threads, system calls.
 */
#ifndef GANTRY_LIB_ARCHIVE_CONFINE_H
#define GANTRY_LIB_ARCHIVE_CONFINE_H

#include <gantry/error.h>

#include <stdint.h>

enum layer_job {
	LAYER_READS, /* nothing but its descriptors */
	LAYER_WALKS, /* reads trees below its descriptors */
	LAYER_WRITES, /* and changes them */
};

/* Makes the folder 'fd' this process's root and working directory. */
GT_MUST_USE struct gt_error *layer_confine_root(int fd);

/*
 * Leaves the capabilities that the job needs (of those there are), limits memory to 'memory' bytes, and
 * makes gaining privileges impossible.
 */
GT_MUST_USE struct gt_error *layer_confine_privileges(enum layer_job job, int64_t memory);

/* Leaves the system calls that the job needs, in all threads: others fail with ENOSYS. */
GT_MUST_USE struct gt_error *layer_confine_calls(enum layer_job job);

#endif
