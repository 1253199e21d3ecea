/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "message.h"

#include "format.h"

#include <google/protobuf/timestamp.pb-c.h>

#include <inttypes.h>
#include <string.h>

#define DEPTH_MAX 32 /* the parser has bounded the input before */

static json_t *message(const ProtobufCMessage *m, int depth);

static json_t *scalar(const ProtobufCFieldDescriptor *f, const void *p, int depth, bool *zero)
{
	*zero = false;
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		*zero = !*(const int32_t *)p;
		return json_integer(*(const int32_t *)p);
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		*zero = !*(const uint32_t *)p;
		return json_integer(*(const uint32_t *)p);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		*zero = !*(const int64_t *)p;
		return json_integer(*(const int64_t *)p);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64: {
		uint64_t v = *(const uint64_t *)p;

		*zero = !v;
		/* JSON's integers here are signed */
		return v > INT64_MAX ? json_real((double)v) : json_integer((json_int_t)v);
	}
	case PROTOBUF_C_TYPE_FLOAT:
		*zero = !(*(const float *)p < 0 || *(const float *)p > 0);
		return json_real(*(const float *)p);
	case PROTOBUF_C_TYPE_DOUBLE:
		*zero = !(*(const double *)p < 0 || *(const double *)p > 0);
		return json_real(*(const double *)p);
	case PROTOBUF_C_TYPE_BOOL:
		*zero = !*(const protobuf_c_boolean *)p;
		return json_boolean(*(const protobuf_c_boolean *)p);
	case PROTOBUF_C_TYPE_STRING: {
		const char *s = *(char *const *)p;

		*zero = !s || !*s;
		return ctr_json_text(s);
	}
	case PROTOBUF_C_TYPE_BYTES: {
		const ProtobufCBinaryData *b = p;
		gt_autofree char *text = ctr_base64(b->data, b->len);

		*zero = !b->len;
		return json_string(text);
	}
	case PROTOBUF_C_TYPE_MESSAGE: {
		const ProtobufCMessage *m = *(ProtobufCMessage *const *)p;

		*zero = !m;
		return m ? message(m, depth + 1) : json_null();
	}
	}
	*zero = true;
	return json_null();
}

static size_t element_size(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 4;
	}
}

/* The entries of a map are messages of two fields under a name of the compiler's. */
static bool is_map(const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;

	return f->type == PROTOBUF_C_TYPE_MESSAGE && d && d->n_fields == 2 &&
	       !strcmp(d->fields[0].name, "key") && d->fields[0].type == PROTOBUF_C_TYPE_STRING &&
	       !strcmp(d->fields[1].name, "value");
}

static json_t *map(const ProtobufCMessage *const *entries, size_t n, int depth)
{
	json_t *o = json_object();
	bool zero;

	for (size_t i = 0; i < n; i++) {
		const ProtobufCFieldDescriptor *f = entries[i]->descriptor->fields;
		const char *base = (const char *)entries[i];
		json_t *key = ctr_json_text(*(char *const *)(base + f[0].offset));

		json_object_set_new(o, json_string_value(key) ? json_string_value(key) : "",
				    scalar(&f[1], base + f[1].offset, depth, &zero));
		json_decref(key);
	}
	return o;
}

static json_t *repeated(const ProtobufCFieldDescriptor *f, const char *base, int depth, bool *zero)
{
	size_t n = *(const size_t *)(base + f->quantifier_offset);
	const char *items = *(char *const *)(base + f->offset);
	bool ignored;
	json_t *v;

	*zero = !n;
	if (is_map(f))
		return map((const ProtobufCMessage *const *)items, n, depth);
	v = json_array();
	for (size_t k = 0; k < n; k++)
		json_array_append_new(v, scalar(f, items + k * element_size(f), depth, &ignored));
	return v;
}

/* As Go's time.Time becomes JSON. */
static json_t *timestamp(const ProtobufCMessage *m)
{
	const Google__Protobuf__Timestamp *t = (const Google__Protobuf__Timestamp *)m;
	gt_autofree char *text = ctr_time_utc((struct timespec){ .tv_sec = t->seconds,
								 .tv_nsec = t->nanos });

	return json_string(text);
}

static json_t *message(const ProtobufCMessage *m, int depth)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;
	json_t *o;

	if (d == &google__protobuf__timestamp__descriptor)
		return timestamp(m);
	o = json_object();
	if (depth > DEPTH_MAX)
		return o;
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		const char *base = (const char *)m;
		bool zero;
		json_t *v;

		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			v = repeated(f, base, depth, &zero);
		else
			v = scalar(f, base + f->offset, depth, &zero);
		if (zero)
			json_decref(v);
		else
			json_object_set_new(o, f->name, v);
	}
	return o;
}

json_t *ctr_message_json(const ProtobufCMessage *m)
{
	return message(m, 0);
}

static void add_number(struct gt_buf *b, const ProtobufCFieldDescriptor *f, const void *p)
{
	bool zero;
	json_t *v;

	if (f->type == PROTOBUF_C_TYPE_UINT64 || f->type == PROTOBUF_C_TYPE_FIXED64) {
		gt_buf_addf(b, "%" PRIu64, *(const uint64_t *)p);
		return;
	}
	v = scalar(f, p, 0, &zero);
	if (json_is_integer(v))
		gt_buf_addf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else
		gt_buf_addf(b, "%g", json_number_value(v));
	json_decref(v);
}

char *ctr_message_number(const ProtobufCMessage *m, const char *path)
{
	struct gt_buf b = GT_BUF_INIT;

	for (;;) {
		size_t len = strcspn(path, ".");
		gt_autofree char *name = gt_xstrndup(path, len);
		const ProtobufCFieldDescriptor *f =
			protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);
		const char *p = f ? (const char *)m + f->offset : NULL;

		if (!p)
			break;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			size_t n = *(const size_t *)((const char *)m + f->quantifier_offset);
			const char *items = *(char *const *)p;

			gt_buf_addc(&b, '[');
			for (size_t i = 0; i < n; i++) {
				if (i)
					gt_buf_addc(&b, ' ');
				add_number(&b, f, items + i * element_size(f));
			}
			gt_buf_addc(&b, ']');
			break;
		}
		if (f->type != PROTOBUF_C_TYPE_MESSAGE) {
			add_number(&b, f, p);
			break;
		}
		m = *(ProtobufCMessage *const *)p;
		if (!m || !path[len])
			break;
		path += len + 1;
	}
	if (!b.len)
		gt_buf_adds(&b, "0");
	return gt_buf_detach(&b);
}
