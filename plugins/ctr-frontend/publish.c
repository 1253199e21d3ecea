/* SPDX-License-Identifier: Apache-2.0 */
/* What shims of others run as `DAEMON --address SOCKET publish`: gantryd hands it over to here. */
#include <config.h>

#include "commands.h"

#include <gantry/api-stream.h>
#include <gantry/buf.h>
#include <wire/values.h>

#include "google/protobuf/any.pb-c.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* As much as a message of the API may have; and how long a shim may take to write it. */
#define EVENT_MAX (16 * 1024 * 1024)
#define EVENT_NS INT64_C(10000000000)

static struct gt_error *event_read(const struct gt_call *call, struct gt_buf *out)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	ssize_t n = 1;

	while (n) {
		GT_TRY(gt_call_check(call));
		if (poll(&p, 1, gt_call_left(call, 1000)) < 1)
			continue;
		gt_buf_reserve(out, 65536);
		n = read(STDIN_FILENO, out->s + out->len, 65536);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return gt_error_errno(GT_UNKNOWN, errno, "read the event");
		if (n > 0)
			gt_buf_setlen(out, out->len + (size_t)n);
		if (out->len > EVENT_MAX)
			return gt_error_new(GT_RESOURCE_EXHAUSTED,
					    "the event has more than %d bytes", EVENT_MAX);
		n = n < 0 ? 1 : n;
	}
	return NULL;
}

static struct gt_error *run_publish(struct ctr *c)
{
	const char *topic = ctr_string(c, "topic"), *ns = ctr_string(c, "namespace");
	gt_autowire ProtobufCMessage *m = NULL;
	gt_auto(gt_buf) bytes = GT_BUF_INIT;
	gt_auto(gt_any) payload = { 0 };
	struct gt_call call = c->call;
	struct gt_services *s;

	if (!*topic)
		return ctr_usage_error("--topic is required");
	if (*ns)
		call.ns = ns;
	if (!call.deadline)
		call.deadline = gt_now() + EVENT_NS;
	GT_TRY(event_read(&call, &bytes));
	GT_TRY(gt_error_wrap(gt_wire_unpack(&google__protobuf__any__descriptor, bytes.s, bytes.len, &m),
			     "the event of topic %s", topic));
	gt_wire_any_get((const Google__Protobuf__Any *)m, &payload);
	if (!payload.type_url || !*payload.type_url)
		return gt_error_new(GT_INVALID_ARGUMENT, "the event of topic %s has no type", topic);
	GT_TRY(ctr_services(c, &s));
	return gt_stream_publish(s, &call, topic, &payload);
}

static const struct ctr_flag publish_flags[] = {
	{ .name = "topic", .type = CTR_STRING, .text = "what the event is about: \"/tasks/exit\"" },
	{ .name = "namespace", .type = CTR_STRING, .text = "where it happened" },
	{ 0 },
};

const struct ctr_command ctr_publish = {
	.name = "publish",
	.text = "publish an event: an Any, as protobuf has it, on standard input",
	.args = "[flags]",
	.flags = (const struct ctr_flag *const[]){ publish_flags, NULL },
	.run = run_publish,
};
