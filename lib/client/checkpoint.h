/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers as images: an index, labelled containerd.io/checkpoint=true, of containerd's blobs for the
 * runtime document, the runtime and its options, the image, what was written to the root file system, and
 * what CRIU made of the processes.
 */
#ifndef GANTRY_LIB_CLIENT_CHECKPOINT_H
#define GANTRY_LIB_CLIENT_CHECKPOINT_H

#include <client/task.h>

struct gt_checkpoint_options {
	const char *id; /* required */
	const char *name; /* of the image; NULL: one is made up */
	bool image; /* names the container's image, too */
	bool rw; /* what was written to the root file system */
	bool task; /* the processes */
	bool exit; /* with 'task': they end */
	const char *image_path; /* with 'task': CRIU's files go there, and no image is made; NULL: it is */
	const char *work_path; /* with 'task': where CRIU works and logs; NULL: in the bundle */
};

/*
 * '*name' is the image's, a new string; NULL where none is made. A task that runs is paused meanwhile.
 * CRIU's failures come as the runtime tells them, with what CRIU logged.
 */
GT_MUST_USE struct gt_error *gt_checkpoint(struct gt_services *s, struct gt_call *call,
					   const struct gt_checkpoint_options *o, char **name);

struct gt_restore_options {
	const char *id; /* of the new container */
	const char *image; /* name of the checkpoint */
	bool rw; /* with what had been written to the root file system */
	bool live; /* the processes go on; else they start anew */
};

/*
 * Makes a container of a checkpoint and starts it, detached, with 't' for its stdio. What the checkpoint
 * says is taken for what any image says: mounts, devices and hooks of its document that reach the host,
 * and labels, are not believed.
 */
GT_MUST_USE struct gt_error *gt_restore(struct gt_services *s, struct gt_call *call,
					const struct gt_restore_options *o,
					const struct gt_task_options *t, uint32_t *status);

#endif
