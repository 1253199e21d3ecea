/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <wire/values.h>

#include <assert.h>
#include <string.h>

#define YEAR_ONE (-62135596800LL)

/* What protobuf-c makes of an entry of any map<string, string> and map<string, Any>. */
struct string_entry {
	ProtobufCMessage base;
	char *key;
	char *value;
};

struct any_entry {
	ProtobufCMessage base;
	char *key;
	Google__Protobuf__Any *value;
};

static_assert(sizeof(struct string_entry) ==
		      sizeof(Containerd__Types__Descriptor__AnnotationsEntry) &&
	      offsetof(struct string_entry, value) ==
		      offsetof(Containerd__Types__Descriptor__AnnotationsEntry, value),
	      "protobuf-c lays map entries out as here");
static_assert(sizeof(struct any_entry) == sizeof(Containerd__Types__Sandbox__ExtensionsEntry) &&
	      offsetof(struct any_entry, value) ==
		      offsetof(Containerd__Types__Sandbox__ExtensionsEntry, value),
	      "protobuf-c lays map entries out as here");

void gt_wire_pack(const ProtobufCMessage *m, struct gt_buf *out)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	char *p = gt_buf_reserve(out, len);

	protobuf_c_message_pack(m, (uint8_t *)p);
	gt_buf_setlen(out, out->len + len);
}

struct gt_error *gt_wire_unpack(const ProtobufCMessageDescriptor *type, const void *data,
				size_t len, ProtobufCMessage **out)
{
	ProtobufCMessage *m = protobuf_c_message_unpack(type, NULL, len, data);

	if (!m)
		return gt_error_new(GT_INVALID_ARGUMENT, "%zu bytes are no message %s", len,
				    type->name);
	*out = m;
	return NULL;
}

void gt_wire_free(ProtobufCMessage *m)
{
	if (m)
		protobuf_c_message_free_unpacked(m, NULL);
}

char *gt_wire_string(const char *s)
{
	return (char *)(s ? s : protobuf_c_empty_string);
}

Google__Protobuf__Timestamp *gt_wire_time(struct gt_arena *a, const struct timespec *t)
{
	Google__Protobuf__Timestamp *m =
		gt_arena_message(a, &google__protobuf__timestamp__descriptor);

	m->seconds = t->tv_sec || t->tv_nsec ? t->tv_sec : YEAR_ONE;
	m->nanos = (int32_t)t->tv_nsec;
	return m;
}

struct timespec gt_wire_time_get(const Google__Protobuf__Timestamp *t)
{
	if (!t || t->seconds <= YEAR_ONE || t->nanos < 0 || t->nanos > 999999999)
		return (struct timespec){ 0 };
	return (struct timespec){ .tv_sec = t->seconds, .tv_nsec = t->nanos };
}

Google__Protobuf__Any *gt_wire_any(struct gt_arena *a, const struct gt_any *any)
{
	Google__Protobuf__Any *m;

	if (!any || !any->type_url)
		return NULL;
	m = gt_arena_message(a, &google__protobuf__any__descriptor);
	m->type_url = any->type_url;
	m->value = (ProtobufCBinaryData){ .data = any->data, .len = any->len };
	return m;
}

void gt_wire_any_get(const Google__Protobuf__Any *m, struct gt_any *out)
{
	if (m)
		gt_any_set(out, m->type_url, m->value.data, m->value.len);
}

void gt_wire_any_pack(const ProtobufCMessage *m, struct gt_any *out)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;

	gt_wire_pack(m, &b);
	gt_any_set(out, m->descriptor->name, b.s, b.len);
}

struct gt_error *gt_wire_any_unpack(const struct gt_any *any,
				    const ProtobufCMessageDescriptor *type, ProtobufCMessage **out)
{
	if (!gt_any_is(any, type->name))
		return gt_error_new(GT_INVALID_ARGUMENT, "value of type \"%s\" where %s belongs",
				    any->type_url ? any->type_url : "", type->name);
	return gt_wire_unpack(type, any->data, any->len, out);
}

/* Where a map of 'm' stands; its entries' type. */
static const ProtobufCMessageDescriptor *map_of(const ProtobufCMessage *m, const char *name,
						size_t **n, void ****entries)
{
	const ProtobufCFieldDescriptor *f =
		protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);

	assert(f && f->label == PROTOBUF_C_LABEL_REPEATED && f->type == PROTOBUF_C_TYPE_MESSAGE);
	*n = (size_t *)((char *)m + f->quantifier_offset);
	*entries = (void ***)((char *)m + f->offset);
	return f->descriptor;
}

void gt_wire_labels(struct gt_arena *a, ProtobufCMessage *m, const char *name,
		    const struct gt_labels *l)
{
	size_t *n;
	void ***entries;
	const ProtobufCMessageDescriptor *type = map_of(m, name, &n, &entries);

	if (!l || !l->n)
		return;
	*n = l->n;
	*entries = gt_arena_alloc(a, l->n * sizeof(**entries));
	for (size_t i = 0; i < l->n; i++) {
		struct string_entry *e = gt_arena_message(a, type);

		e->key = l->v[i].key;
		e->value = l->v[i].value;
		(*entries)[i] = e;
	}
}

void gt_wire_labels_get(const ProtobufCMessage *m, const char *name, struct gt_labels *out)
{
	size_t *n;
	void ***entries;

	map_of(m, name, &n, &entries);
	for (size_t i = 0; i < *n; i++) {
		const struct string_entry *e = (*entries)[i];

		gt_labels_set(out, e->key, e->value);
	}
}

void gt_wire_extensions(struct gt_arena *a, ProtobufCMessage *m, const char *name,
			const struct gt_extension *v, size_t n)
{
	size_t *count;
	void ***entries;
	const ProtobufCMessageDescriptor *type = map_of(m, name, &count, &entries);

	if (!n)
		return;
	*count = n;
	*entries = gt_arena_alloc(a, n * sizeof(**entries));
	for (size_t i = 0; i < n; i++) {
		struct any_entry *e = gt_arena_message(a, type);

		e->key = v[i].name;
		e->value = gt_wire_any(a, &v[i].value);
		(*entries)[i] = e;
	}
}

static int extension_compare(const void *a, const void *b)
{
	const struct gt_extension *x = a, *y = b;

	return strcmp(x->name, y->name);
}

void gt_wire_extensions_get(const ProtobufCMessage *m, const char *name, struct gt_extension **v,
			    size_t *n)
{
	size_t *count, kept = 0;
	void ***entries;
	struct gt_extension *out;

	map_of(m, name, &count, &entries);
	out = gt_xcalloc(*count ? *count : 1, sizeof(*out));
	for (size_t i = 0; i < *count; i++) {
		const struct any_entry *e = (*entries)[i];

		out[i].name = gt_xstrdup(e->key);
		gt_wire_any_get(e->value, &out[i].value);
	}
	qsort(out, *count, sizeof(*out), extension_compare);
	/* Of a key that comes twice one stays. */
	for (size_t i = 0; i < *count; i++) {
		if (kept && !strcmp(out[kept - 1].name, out[i].name)) {
			free(out[i].name);
			gt_any_done(&out[i].value);
		} else {
			out[kept++] = out[i];
		}
	}
	if (!kept) {
		free(out);
		out = NULL;
	}
	*v = out;
	*n = kept;
}

Containerd__Types__Descriptor *gt_wire_descriptor(struct gt_arena *a,
						  const struct gt_descriptor *d)
{
	Containerd__Types__Descriptor *m =
		gt_arena_message(a, &containerd__types__descriptor__descriptor);

	m->media_type = gt_wire_string(d->media_type);
	m->digest = gt_wire_string(d->digest);
	m->size = d->size;
	gt_wire_labels(a, &m->base, "annotations", &d->annotations);
	return m;
}

void gt_wire_descriptor_get(const Containerd__Types__Descriptor *m, struct gt_descriptor *out)
{
	out->media_type = gt_xstrdup(m ? m->media_type : "");
	out->digest = gt_xstrdup(m ? m->digest : "");
	out->size = m ? m->size : 0;
	if (m)
		gt_wire_labels_get(&m->base, "annotations", &out->annotations);
}

Containerd__Types__Mount **gt_wire_mounts(struct gt_arena *a, const struct gt_mounts *mounts,
					  size_t *n)
{
	Containerd__Types__Mount **v = gt_arena_alloc(a, mounts->n * sizeof(*v));

	for (size_t i = 0; i < mounts->n; i++) {
		v[i] = gt_arena_message(a, &containerd__types__mount__descriptor);
		v[i]->type = gt_wire_string(mounts->v[i].type);
		v[i]->source = gt_wire_string(mounts->v[i].source);
		v[i]->target = gt_wire_string(mounts->v[i].target);
		v[i]->n_options = mounts->v[i].options.n;
		v[i]->options = mounts->v[i].options.v;
	}
	*n = mounts->n;
	return v;
}

void gt_wire_mounts_get(Containerd__Types__Mount *const *v, size_t n, struct gt_mounts *out)
{
	for (size_t i = 0; i < n; i++) {
		struct gt_mount *mount =
			gt_mounts_add(out, v[i]->type, v[i]->source, v[i]->target);

		for (size_t j = 0; j < v[i]->n_options; j++)
			gt_strv_add(&mount->options, v[i]->options[j]);
	}
}

Containerd__Types__Platform *gt_wire_platform(struct gt_arena *a, const char *platform)
{
	Containerd__Types__Platform *m = gt_arena_message(a, &containerd__types__platform__descriptor);
	char **const parts[] = { &m->os, &m->architecture, &m->variant };

	for (size_t i = 0; i < 3 && *platform; i++) {
		size_t n = strcspn(platform, "/");
		char *part = gt_arena_alloc(a, n + 1);

		memcpy(part, platform, n);
		*parts[i] = part;
		platform += n + (platform[n] == '/');
	}
	return m;
}

char *gt_wire_platform_get(const Containerd__Types__Platform *m)
{
	if (!m || !*m->os)
		return gt_xstrdup("");
	return gt_strf("%s/%s%s%s", m->os, m->architecture, *m->variant ? "/" : "", m->variant);
}

Google__Protobuf__FieldMask *gt_wire_mask(struct gt_arena *a, const struct gt_strv *mask)
{
	Google__Protobuf__FieldMask *m;

	if (!mask || !mask->n)
		return NULL;
	m = gt_arena_message(a, &google__protobuf__field_mask__descriptor);
	m->n_paths = mask->n;
	m->paths = mask->v;
	return m;
}

void gt_wire_mask_get(const Google__Protobuf__FieldMask *m, struct gt_strv *out)
{
	for (size_t i = 0; m && i < m->n_paths; i++)
		gt_strv_add(out, m->paths[i]);
}
