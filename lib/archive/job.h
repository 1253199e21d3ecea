/* SPDX-License-Identifier: Apache-2.0 */
/* Running the layer worker and reading its answers. */
#ifndef GANTRY_LIB_ARCHIVE_JOB_H
#define GANTRY_LIB_ARCHIVE_JOB_H

#include <archive/frame.h>
#include <gantry/call.h>
#include <gantry/strv.h>
#include <proc/proc.h>

struct gt_layer_job {
	struct gt_proc proc;
	int result; /* nonblocking */
	struct gt_buf in; /* read and not yet taken apart */
	size_t used; /* of 'in' */
	bool ended; /* the last frame has come */
	/*
	 * For a blob that is no file: the near end of its socket (the job's), which next() feeds when
	 * it takes more, by 'feed': that writes what it can and sets '*end' after the last byte.
	 */
	int feed_fd;
	struct gt_error *(*feed)(void *arg, int fd, bool *end);
	void *feed_arg;
};

struct gt_layer_frame {
	enum gt_frame_type type;
	struct gt_frame_body body; /* lives until the next one is read */
};

struct gt_layer_result {
	int64_t size; /* uncompressed */
	int64_t consumed; /* bytes of the blob */
	int64_t entries;
	char *digest; /* uncompressed; "" for a list */
};
void gt_layer_result_done(struct gt_layer_result *r);

/*
 * Starts 'worker' (NULL: the installed one) with 'args' (the mode first) and the descriptors 'fds',
 * which become GT_LAYER_BLOB and following in the worker; -1 leaves a number out. The thread that
 * starts it is the one that ends it.
 */
GT_MUST_USE struct gt_error *gt_layer_job_start(struct gt_layer_job *j, const char *worker,
						const struct gt_strv *args, const int *fds,
						size_t n_fds);

/*
 * The next frame; an error that the worker reports is this function's, and so is its death. The last
 * is GT_FRAME_DONE.
 */
GT_MUST_USE struct gt_error *gt_layer_job_next(struct gt_layer_job *j, const struct gt_call *call,
					       struct gt_layer_frame *out);

/* Takes a GT_FRAME_DONE apart. */
GT_MUST_USE struct gt_error *gt_layer_job_result(struct gt_layer_frame *f,
						 struct gt_layer_result *out);

/* Ends the worker if it has not ended itself. */
void gt_layer_job_done(struct gt_layer_job *j);

#endif
