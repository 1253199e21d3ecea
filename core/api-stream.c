/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/api-stream.h>

#include "core/op.h"

#include <gantry/call.h>

#include <errno.h>
#include <poll.h>

struct gt_error *gt_stream_publish(struct gt_services *s, struct gt_call *call, const char *topic,
				   const struct gt_any *payload)
{
	GT_TRY(gt_op_check_ns(s->ops->stream && s->ops->stream->publish, s->init,
			    "stream.publish", call));
	return s->ops->stream->publish(s, call, topic, payload);
}

struct gt_error *gt_stream_forward(struct gt_services *s, struct gt_call *call,
				   const struct gt_event *e)
{
	GT_TRY(gt_op_check(s->ops->stream && s->ops->stream->forward, s->init, "stream.forward"));
	return s->ops->stream->forward(s, call, e);
}

struct gt_error *gt_stream_subscribe(struct gt_services *s, struct gt_call *call,
				     const struct gt_strv *filters,
				     void (*fn)(void *, const struct gt_event *), void *arg,
				     struct gt_event_stream **out)
{
	GT_TRY(gt_op_check(s->ops->stream && s->ops->stream->subscribe, s->init,
			 "stream.subscribe"));
	return s->ops->stream->subscribe(s, call, filters, fn, arg, out);
}

struct gt_error *gt_stream_replay(struct gt_services *s, struct gt_call *call,
				  const struct gt_strv *filters, uint64_t after,
				  void (*fn)(void *, const struct gt_event *), void *arg,
				  struct gt_event_stream **out)
{
	GT_TRY(gt_op_check(s->ops->stream && s->ops->stream->replay, s->init, "stream.replay"));
	return s->ops->stream->replay(s, call, filters, after, fn, arg, out);
}

struct gt_error *gt_stream_position(struct gt_services *s, struct gt_call *call, uint64_t *out)
{
	GT_TRY(gt_op_check(s->ops->stream && s->ops->stream->position, s->init, "stream.position"));
	return s->ops->stream->position(s, call, out);
}

struct gt_error *gt_stream_wait(struct gt_services *s, struct gt_call *call,
				struct gt_event_stream *t)
{
	struct pollfd p = { .fd = call->cancel ? gt_cancel_fd(call->cancel) : -1, .events = POLLIN };
	struct gt_error *e;

	if (s->ops->stream->wait)
		return s->ops->stream->wait(s, call, t);
	while (!(e = gt_call_check(call)))
		if (poll(&p, 1, gt_call_left(call, 1000000)) < 0 && errno != EINTR)
			return gt_error_errno(GT_UNKNOWN, errno, "wait for events");
	return e;
}

void gt_stream_unsubscribe(struct gt_services *s, struct gt_event_stream *t)
{
	if (t)
		s->ops->stream->unsubscribe(s, t);
}
