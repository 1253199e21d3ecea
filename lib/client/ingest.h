/* SPDX-License-Identifier: Apache-2.0 */
/* Opening an ingest that somebody else may be writing. Within lib/client. */
#ifndef GANTRY_LIB_CLIENT_INGEST_H
#define GANTRY_LIB_CLIENT_INGEST_H

#include <gantry/api-blobs.h>

#include <client/progress.h>

/*
 * As gt_blobs_writer(), but while another thread or process has the ingest it waits and sees what
 * comes of it: ALREADY_EXISTS if that made the blob. 'line' of 'progress' (NULL: none) says so.
 */
GT_MUST_USE struct gt_error *gt_ingest_open(struct gt_services *s, struct gt_call *call,
					    const char *ref, const struct gt_descriptor *desc,
					    struct gt_progress *progress, size_t line,
					    struct gt_writer **out);

/* The same for who has all the bytes: what an earlier attempt has left is dropped. */
GT_MUST_USE struct gt_error *gt_ingest_open_empty(struct gt_services *s, struct gt_call *call,
						  const char *ref, const struct gt_descriptor *desc,
						  struct gt_writer **out);

#endif
