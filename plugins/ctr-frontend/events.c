/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "message.h"
#include "numbers.h"
#include "since.h"

#include <gantry/api-stream.h>
#include <wire/objects.h>

#include <inttypes.h>

struct watcher {
	struct ctr *c;
	struct timespec since; /* both 0: from the beginning */
	bool json, numbered;
};

/* The payload's message; what is none of containerd's as it is. */
static json_t *payload_json(const struct gt_any *payload)
{
	gt_autowire ProtobufCMessage *m = payload ? gt_wire_event_message(payload) : NULL;
	gt_autofree char *value = NULL;

	if (m)
		return ctr_message_json(m);
	if (!payload || !payload->type_url)
		return json_object();
	value = ctr_base64(payload->data, payload->len);
	return json_pack("{s:o, s:s}", "type_url", ctr_json_text(payload->type_url), "value", value);
}

static void print(void *arg, const struct gt_event *e)
{
	const struct watcher *w = arg;
	FILE *out = w->c->out;
	json_t *event;
	char *text;

	if (ctr_is_before(e->timestamp, w->since))
		return;
	event = payload_json(e->payload);
	if (w->json) {
		gt_autofree char *when = ctr_time_utc(e->timestamp);

		event = json_pack("{s:I, s:s, s:o, s:o, s:o}", "sequence",
				  (json_int_t)e->sequence, "timestamp", when, "namespace",
				  ctr_json_text(e->ns), "topic", ctr_json_text(e->topic), "event",
				  event);
	}
	text = json_dumps(event, JSON_COMPACT);
	if (w->json) {
		fprintf(out, "%s\n", text);
	} else {
		gt_autofree char *when = ctr_time_go(e->timestamp);

		if (w->numbered)
			fprintf(out, "%" PRIu64 " ", e->sequence);
		fprintf(out, "%s %s %s %s\n", when, e->ns, e->topic, text);
	}
	free(text);
	json_decref(event);
	if (fflush(out) && w->c->call.cancel)
		gt_cancel_set(w->c->call.cancel); /* nobody reads it */
}

/* Until interrupted, or the command's time is over, or the daemon is gone for good. */
static struct gt_error *wait_for_end(struct ctr *c, struct gt_services *s, struct gt_event_stream *t)
{
	struct gt_error *e = gt_stream_wait(s, &c->call, t);

	if (gt_error_class(e) == GT_CANCELED)
		c->status = 1; /* the program's end tells which signal it was */
	return gt_error_unless(e, GT_CANCELED);
}

static struct gt_error *run_events(struct ctr *c)
{
	const char *since = ctr_string(c, "since");
	struct watcher w = { .c = c, .json = ctr_bool(c, "json"), .numbered = ctr_bool(c, "sequence") };
	struct gt_event_stream *stream;
	struct gt_services *s;
	uint64_t after = 0;
	struct gt_error *e;

	if (*since && ctr_parse_uint(since, &after) != CTR_NUMBER_OK)
		GT_TRY(ctr_since_parse(since, &w.since));
	if (ctr_bool(c, "no-follow") && !*since)
		return ctr_usage_error("--no-follow needs --since");
	GT_TRY(ctr_services(c, &s));
	if (*since)
		e = gt_stream_replay(s, &c->call, &c->level->args, after, print, &w, &stream);
	else
		e = gt_stream_subscribe(s, &c->call, &c->level->args, print, &w, &stream);
	GT_TRY(e);
	if (!ctr_bool(c, "no-follow"))
		e = wait_for_end(c, s, stream);
	gt_stream_unsubscribe(s, stream);
	return e;
}

static const struct ctr_flag events_flags[] = {
	{ .name = "since",
	  .type = CTR_STRING,
	  .text = "begin with what is kept from `MOMENT` on: \"10m\" ago, a time "
		  "(\"2026-01-02T15:04:05Z\"), or a sequence number, whose event was the last seen" },
	{ .name = "no-follow", .type = CTR_BOOL, .text = "end after what --since asks for" },
	{ .name = "sequence",
	  .type = CTR_BOOL,
	  .text = "print each event's sequence number before it" },
	{ .name = "json", .type = CTR_BOOL, .text = "print a JSON object a line" },
	{ 0 },
};

const struct ctr_command ctr_events = {
	.name = "events",
	.aliases = "event",
	.text = "show what happens on this machine, as it happens",
	.args = "[flags] [<filter>, ...]",
	.more = "Shows what other processes and the shims do, in all namespaces. Sequence numbers rise by\n"
		"one from event to event; where filters leave none out, a gap is a loss.",
	.flags = (const struct ctr_flag *const[]){ events_flags, NULL },
	.run = run_events,
};
