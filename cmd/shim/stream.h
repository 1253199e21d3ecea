/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a process's stdio that the shim carries itself. Between a pipe and a FIFO the kernel
 * moves the pages; elsewhere a few KiB go through a buffer that exists only while something is stuck.
 * Whoever does not read holds up this stream alone.
 */
#ifndef GANTRY_SHIM_STREAM_H
#define GANTRY_SHIM_STREAM_H

#include "shim.h"

#include <outlog/outlog.h>

struct stream {
	struct gt_loop *loop;
	struct gt_watch from; /* its fd is the stream's, -1 when it has ended */
	struct gt_watch to; /* fd -1: what comes is thrown away */
	bool splice;
	bool to_polls; /* 'to' can be full: it is no regular file */
	char *left; /* read and not yet written */
	size_t left_at, left_len;
	struct gt_outlog *log; /* takes what comes in the place of 'to'; NULL: none */
	bool log_err; /* as stderr */
	void (*ended)(struct stream *s, void *arg); /* once, when nothing more will come */
	void *arg;
};

/* Takes both descriptors, which must not block; 'to' may be -1. On error they are closed. */
GT_MUST_USE struct gt_error *stream_start_take(struct stream *s, struct gt_loop *loop, int from,
					       int to, void (*ended)(struct stream *, void *),
					       void *arg);
/* The same into a log, which stays the caller's. */
GT_MUST_USE struct gt_error *stream_log_take(struct stream *s, struct gt_loop *loop, int from,
					     struct gt_outlog *log, bool is_err,
					     void (*ended)(struct stream *, void *), void *arg);
static inline bool stream_is_on(const struct stream *s)
{
	return s->loop != NULL;
}
/* Ends it at once, without a call of 'ended'. Fine if it is not on. */
void stream_stop(struct stream *s);

#endif
