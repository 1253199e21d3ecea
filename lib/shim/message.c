/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <shim/message.h>

#include <gantry/buf.h>

/* Seconds of 0001-01-01, Go's time that is none. */
#define GO_ZERO INT64_C(-62135596800)

void gt_shim_any_message(const struct gt_any *a, Google__Protobuf__Any *m)
{
	google__protobuf__any__init(m);
	m->type_url = gt_shim_string(a->type_url);
	m->value.data = a->data;
	m->value.len = a->len;
}

void gt_shim_any_read(const Google__Protobuf__Any *m, struct gt_any *out)
{
	if (m)
		gt_any_set(out, m->type_url, m->value.data, m->value.len);
	else
		gt_any_done(out);
}

struct timespec gt_shim_time(const Google__Protobuf__Timestamp *t)
{
	if (!t || t->seconds == GO_ZERO)
		return (struct timespec){ 0 };
	return (struct timespec){ .tv_sec = t->seconds, .tv_nsec = t->nanos };
}

Containerd__Types__Mount **gt_shim_mounts_message(const struct gt_mounts *mounts)
{
	Containerd__Types__Mount **v, *m;

	if (!mounts || !mounts->n)
		return NULL;
	/* One block: the pointers, then what they point to. */
	v = gt_xcalloc(mounts->n, sizeof(*v) + sizeof(*m));
	m = (Containerd__Types__Mount *)(v + mounts->n);
	for (size_t i = 0; i < mounts->n; i++) {
		containerd__types__mount__init(&m[i]);
		m[i].type = gt_shim_string(mounts->v[i].type);
		m[i].source = gt_shim_string(mounts->v[i].source);
		m[i].target = gt_shim_string(mounts->v[i].target);
		m[i].options = mounts->v[i].options.v;
		m[i].n_options = mounts->v[i].options.n;
		v[i] = &m[i];
	}
	return v;
}

void gt_shim_mounts_free(Containerd__Types__Mount **v)
{
	free(v);
}
