/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a process: parks no thread. */
#include <config.h>

#include "remote.h"

#include <gantry/buf.h>

#include "containerd.services.tasks.v1.pb-c.h"

#define V1(name) Containerd__Services__Tasks__V1__##name
#define INIT(name) CONTAINERD__SERVICES__TASKS__V1__##name##__INIT

METHOD(wait_method, "containerd.services.tasks.v1.Tasks", "Wait",
       containerd__services__tasks__v1__wait_response__descriptor);

struct waiting {
	struct gt_grpc_stream *stream;
	gt_wait_fn *fn;
	void *arg;
	struct gt_exit exit;
	bool has_exit;
};

static void wait_message(void *arg, ProtobufCMessage *m)
{
	struct waiting *w = arg;
	const V1(WaitResponse) *r = (const void *)m;

	w->exit.status = r->exit_status;
	w->exit.at = gt_wire_time_get(r->exited_at);
	w->has_exit = true;
	gt_grpc_message_free(m);
}

static void wait_end(void *arg, struct gt_error *e)
{
	struct waiting *w = arg;

	if (!e && !w->has_exit)
		e = gt_error_new(GT_INTERNAL, "%s: the answer is empty", wait_method.path);
	w->fn(w->arg, e, e ? NULL : &w->exit);
	gt_grpc_stream_free(w->stream);
	free(w);
}

static const struct gt_grpc_stream_ops wait_ops = { .message = wait_message, .end = wait_end };

struct gt_error *remote_wait(struct gt_services *s, struct gt_call *call, const char *id,
			     const char *exec_id, gt_wait_fn *fn, void *arg)
{
	V1(WaitRequest) q = INIT(WAIT_REQUEST);
	struct waiting *w = gt_xcalloc(1, sizeof(*w));
	struct gt_error *e;

	w->fn = fn;
	w->arg = arg;
	q.container_id = gt_wire_string(id);
	q.exec_id = gt_wire_string(exec_id);
	e = gt_grpc_call_async(remote_client(s), call, &wait_method, &q.base, &wait_ops, w,
			       &w->stream);
	if (e)
		free(w);
	return e;
}
