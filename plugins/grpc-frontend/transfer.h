/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the transfer service share. */
#ifndef GRPC_FRONTEND_TRANSFER_H
#define GRPC_FRONTEND_TRANSFER_H

#include "frontend.h"
#include "streaming.h"

#include <client/progress.h>
#include <oci/platform.h>

#include "containerd.types.transfer.pb-c.h"

#include <pthread.h>

#define TRANSFER(name) Containerd__Types__Transfer__##name

struct transfer {
	struct frontend *f;
	struct gt_call *call;
	struct stream *progress; /* NULL: nobody wants to know */
	struct gt_progress *board;
	pthread_t teller;
	_Atomic bool is_over;
};

/* transfer-progress.c: tells a line of its own, and what moves on the board until it is stopped. */
void transfer_tell(struct transfer *t, const char *event, const char *name);
GT_MUST_USE struct gt_error *transfer_teller_start(struct transfer *t);
void transfer_teller_stop(struct transfer *t);

/*
 * transfer-bytes.c: a descriptor whose far end is a stream of bytes. In: it is read from, and the
 * client's bytes come. Out: it is written to. Closed by transfer_bytes_end(), which waits until all of it
 * has been passed on, or gives up where 'e' says that the transfer has failed; returns 'e', or what went
 * wrong underway.
 */
struct transfer_bytes;
GT_MUST_USE struct gt_error *transfer_bytes_in(struct transfer *t, const char *stream,
					       struct transfer_bytes **out, int *fd);
GT_MUST_USE struct gt_error *transfer_bytes_out(struct transfer *t, const char *stream,
						struct transfer_bytes **out, int *fd);
GT_MUST_USE struct gt_error *transfer_bytes_end(struct transfer_bytes *b, struct gt_error *e);

/* transfer-registry.c */
GT_MUST_USE struct gt_error *transfer_pull(struct transfer *t, const TRANSFER(OCIRegistry) *from,
					   const TRANSFER(ImageStore) *to);
GT_MUST_USE struct gt_error *transfer_push(struct transfer *t, const TRANSFER(ImageStore) *from,
					   const TRANSFER(OCIRegistry) *to);

/* "linux/arm64/v8", a new string. */
char *transfer_platform(const Containerd__Types__Platform *m);
GT_MUST_USE struct gt_error *transfer_platforms(Containerd__Types__Platform *const *v, size_t n,
						struct gt_platforms *out);

#endif
