/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for the end of a process or a sandbox: parks no thread. */
#include <config.h>

#include "remote.h"

#include <gantry/buf.h>

struct waiting {
	const struct remote_wait_kind *kind;
	struct gt_grpc_stream *stream;
	gt_wait_fn *fn;
	void *arg;
	struct gt_exit exit;
	bool has_exit;
};

static void wait_message(void *arg, ProtobufCMessage *m)
{
	struct waiting *w = arg;

	w->kind->read(m, &w->exit);
	w->has_exit = true;
	gt_grpc_message_free(m);
}

static void wait_end(void *arg, struct gt_error *e)
{
	struct waiting *w = arg;

	if (!e && !w->has_exit)
		e = gt_error_new(GT_INTERNAL, "%s: the answer is empty", w->kind->method.path);
	w->fn(w->arg, e, e ? NULL : &w->exit);
	gt_grpc_stream_free(w->stream);
	free(w);
}

static const struct gt_grpc_stream_ops wait_ops = { .message = wait_message, .end = wait_end };

struct gt_error *remote_wait(struct gt_services *s, struct gt_call *call,
			     const struct remote_wait_kind *kind, const ProtobufCMessage *request,
			     gt_wait_fn *fn, void *arg)
{
	struct waiting *w = gt_xcalloc(1, sizeof(*w));
	struct gt_error *e;

	w->kind = kind;
	w->fn = fn;
	w->arg = arg;
	e = gt_grpc_call_async(remote_client(s), call, &kind->method, request, &wait_ops, w,
			       &w->stream);
	if (e)
		free(w);
	return e;
}
