/* SPDX-License-Identifier: Apache-2.0 */
/* Copying and freeing of the SDK's plain values. */
#include <config.h>

#include <gantry/any.h>

#include <gantry/buf.h>
#include <gantry/descriptor.h>
#include <gantry/mount.h>

#include <string.h>

void gt_any_set(struct gt_any *a, const char *type_url, const void *data, size_t len)
{
	struct gt_any fresh = {
		.type_url = gt_xstrdup(type_url),
		.data = len ? gt_xmemdup(data, len) : NULL,
		.len = len,
	};

	gt_any_done(a);
	*a = fresh;
}

void gt_any_copy(struct gt_any *dst, const struct gt_any *src)
{
	gt_any_set(dst, src->type_url, src->data, src->len);
}

void gt_any_done(struct gt_any *a)
{
	free(a->type_url);
	free(a->data);
	*a = (struct gt_any){ 0 };
}

bool gt_any_is(const struct gt_any *a, const char *type)
{
	const char *slash;

	if (!a->type_url)
		return false;
	if (!strcmp(a->type_url, type))
		return true;
	slash = strrchr(a->type_url, '/');
	return slash && !strcmp(slash + 1, type);
}

void gt_descriptor_copy(struct gt_descriptor *dst, const struct gt_descriptor *src)
{
	struct gt_descriptor d = {
		.media_type = gt_xstrdup(src->media_type),
		.digest = gt_xstrdup(src->digest),
		.size = src->size,
		.platform = gt_xstrdup(src->platform),
		.artifact_type = gt_xstrdup(src->artifact_type),
	};

	gt_labels_copy(&d.annotations, &src->annotations);
	gt_strv_addv(&d.urls, &src->urls);
	*dst = d;
}

void gt_descriptor_done(struct gt_descriptor *d)
{
	free(d->media_type);
	free(d->digest);
	free(d->platform);
	free(d->artifact_type);
	gt_labels_done(&d->annotations);
	gt_strv_done(&d->urls);
	*d = (struct gt_descriptor){ 0 };
}

struct gt_mount *gt_mounts_add(struct gt_mounts *m, const char *type, const char *source,
			       const char *target)
{
	GT_GROW(m->v, m->n, m->alloc);
	m->v[m->n] = (struct gt_mount){
		.type = gt_xstrdup(type),
		.source = gt_xstrdup(source),
		.target = gt_xstrdup(target ? target : ""),
	};
	return &m->v[m->n++];
}

void gt_mounts_done(struct gt_mounts *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].type);
		free(m->v[i].source);
		free(m->v[i].target);
		gt_strv_done(&m->v[i].options);
	}
	free(m->v);
	*m = (struct gt_mounts){ 0 };
}
