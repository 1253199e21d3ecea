/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <wire/objects.h>

#include "containerd.events.pb-c.h"

#include <inttypes.h>
#include <string.h>

static const ProtobufCMessageDescriptor *const event_types[] = {
	&containerd__events__container_create__descriptor,
	&containerd__events__container_delete__descriptor,
	&containerd__events__container_update__descriptor,
	&containerd__events__content_create__descriptor,
	&containerd__events__content_delete__descriptor,
	&containerd__events__namespace_create__descriptor,
	&containerd__events__namespace_delete__descriptor,
	&containerd__events__namespace_update__descriptor,
	&containerd__events__sandbox_create__descriptor,
	&containerd__events__sandbox_exit__descriptor,
	&containerd__events__sandbox_start__descriptor,
	&containerd__events__snapshot_commit__descriptor,
	&containerd__events__snapshot_prepare__descriptor,
	&containerd__events__snapshot_remove__descriptor,
	&containerd__events__task_checkpointed__descriptor,
	&containerd__events__task_create__descriptor,
	&containerd__events__task_delete__descriptor,
	&containerd__events__task_exec_added__descriptor,
	&containerd__events__task_exec_started__descriptor,
	&containerd__events__task_exit__descriptor,
	&containerd__events__task_oom__descriptor,
	&containerd__events__task_paused__descriptor,
	&containerd__events__task_resumed__descriptor,
	&containerd__events__task_start__descriptor,
	&containerd__services__images__v1__image_create__descriptor,
	&containerd__services__images__v1__image_delete__descriptor,
	&containerd__services__images__v1__image_update__descriptor,
};

Containerd__Types__Envelope *gt_wire_envelope(struct gt_arena *a, const struct gt_event *e)
{
	Containerd__Types__Envelope *m =
		gt_arena_message(a, &containerd__types__envelope__descriptor);

	m->timestamp = gt_wire_time(a, &e->timestamp);
	m->namespace_ = gt_wire_string(e->ns);
	m->topic = gt_wire_string(e->topic);
	m->event = gt_wire_any(a, e->payload);
	m->sequence = e->sequence;
	return m;
}

void gt_wire_envelope_get(const Containerd__Types__Envelope *m, struct gt_event *out,
			  struct gt_any *payload)
{
	*payload = (struct gt_any){ 0 };
	if (m->event)
		gt_wire_any_get(m->event, payload);
	*out = (struct gt_event){
		.timestamp = gt_wire_time_get(m->timestamp),
		.ns = m->namespace_,
		.topic = m->topic,
		.payload = payload,
		.sequence = m->sequence,
	};
}

ProtobufCMessage *gt_wire_event_message(const struct gt_any *payload)
{
	for (size_t i = 0; i < sizeof(event_types) / sizeof(event_types[0]); i++) {
		gt_autoptr(gt_error) e = NULL;
		ProtobufCMessage *m;

		if (!gt_any_is(payload, event_types[i]->name))
			continue;
		e = gt_wire_any_unpack(payload, event_types[i], &m);
		return e ? NULL : m;
	}
	return NULL;
}

/* Whether 'm', whose fields begin at path[i], has a value for it; puts it in 'out'. */
static bool message_field(const ProtobufCMessage *m, const struct gt_strv *path, size_t i,
			  struct gt_buf *out)
{
	const ProtobufCFieldDescriptor *f =
		i < path->n ? protobuf_c_message_descriptor_get_field_by_name(m->descriptor,
									      path->v[i]) :
			      NULL;
	const void *value;

	if (!f)
		return false;
	value = (const char *)m + f->offset;
	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		gt_auto(gt_labels) labels = { 0 };
		gt_auto(gt_buf) key = GT_BUF_INIT;
		const char *found;

		if (strcmp(f->name, "labels"))
			return false;
		for (size_t j = i + 1; j < path->n; j++)
			gt_buf_addf(&key, "%s%s", j > i + 1 ? "." : "", path->v[j]);
		gt_wire_labels_get(m, f->name, &labels);
		found = gt_labels_get(&labels, key.s);
		gt_buf_adds(out, found ? found : "");
		return found != NULL;
	}
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		gt_buf_adds(out, *(char *const *)value);
		return out->len > 0;
	case PROTOBUF_C_TYPE_UINT32:
		gt_buf_addf(out, "%" PRIu32, *(const uint32_t *)value);
		return true;
	case PROTOBUF_C_TYPE_INT64:
		gt_buf_addf(out, "%" PRId64, *(const int64_t *)value);
		return true;
	case PROTOBUF_C_TYPE_BOOL:
		gt_buf_adds(out, *(const protobuf_c_boolean *)value ? "true" : "false");
		return true;
	case PROTOBUF_C_TYPE_MESSAGE:
		m = *(ProtobufCMessage *const *)value;
		return m && message_field(m, path, i + 1, out);
	default:
		return false;
	}
}

static bool payload_field(const struct gt_any *payload, const struct gt_strv *path,
			  struct gt_buf *out)
{
	gt_autowire ProtobufCMessage *m = gt_wire_event_message(payload);

	return m && message_field(m, path, 1, out);
}

const char *gt_wire_event_field(const void *event, const struct gt_strv *path,
				struct gt_buf *scratch)
{
	const struct gt_event *e = event;
	const char *value = NULL;

	if (!strcmp(path->v[0], "topic"))
		value = e->topic;
	else if (!strcmp(path->v[0], "namespace"))
		value = e->ns;
	else if (!strcmp(path->v[0], "event") && e->payload &&
		 payload_field(e->payload, path, scratch))
		return scratch->s;
	return value && *value ? value : NULL;
}
