/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/snapshotter.h>

#include "core/op.h"

#include <gantry/buf.h>

#include <string.h>

const char *gt_snapshot_kind_name(enum gt_snapshot_kind kind)
{
	switch (kind) {
	case GT_SNAPSHOT_VIEW:
		return "View";
	case GT_SNAPSHOT_ACTIVE:
		return "Active";
	case GT_SNAPSHOT_COMMITTED:
		return "Committed";
	}
	return "Unknown";
}

void gt_snapshot_info_copy(struct gt_snapshot_info *dst, const struct gt_snapshot_info *src)
{
	struct gt_snapshot_info i = {
		.kind = src->kind,
		.key = gt_xstrdup(src->key),
		.parent = gt_xstrdup(src->parent),
		.created_at = src->created_at,
		.updated_at = src->updated_at,
	};

	gt_labels_copy(&i.labels, &src->labels);
	*dst = i;
}

void gt_snapshot_info_done(struct gt_snapshot_info *i)
{
	free(i->key);
	free(i->parent);
	gt_labels_done(&i->labels);
	*i = (struct gt_snapshot_info){ 0 };
}

static struct gt_error *key_check(const char *key)
{
	GT_TRY(gt_op_required("snapshot key", key));
	if (strlen(key) > GT_SNAPSHOT_KEY_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "snapshot key \"%.40s...\" is longer than %d bytes", key,
				    GT_SNAPSHOT_KEY_MAX);
	return NULL;
}

struct gt_error *gt_snapshotter_stat(struct gt_snapshotter *s, struct gt_call *call,
				     const char *key, struct gt_snapshot_info *out)
{
	GT_TRY(key_check(key));
	return GT_OP(snapshotter, s, stat, call, key, out);
}

struct gt_error *gt_snapshotter_prepare(struct gt_snapshotter *s, struct gt_call *call,
					const char *key, const char *parent,
					const struct gt_labels *labels, struct gt_mounts *out)
{
	GT_TRY(key_check(key));
	return GT_OP(snapshotter, s, prepare, call, key, parent ? parent : "", labels, out);
}

struct gt_error *gt_snapshotter_view(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				     const char *parent, const struct gt_labels *labels,
				     struct gt_mounts *out)
{
	GT_TRY(key_check(key));
	return GT_OP(snapshotter, s, view, call, key, parent ? parent : "", labels, out);
}

struct gt_error *gt_snapshotter_mounts(struct gt_snapshotter *s, struct gt_call *call,
				       const char *key, struct gt_mounts *out)
{
	GT_TRY(key_check(key));
	return GT_OP(snapshotter, s, mounts, call, key, out);
}

struct gt_error *gt_snapshotter_commit(struct gt_snapshotter *s, struct gt_call *call,
				       const char *name, const char *key,
				       const struct gt_commit_options *o)
{
	GT_TRY(key_check(name));
	GT_TRY(key_check(key));
	if (o && o->parent && !s->ops->can_rebase)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "snapshotter %s cannot give a snapshot another parent at commit",
				    s->init->id);
	return GT_OP(snapshotter, s, commit, call, name, key, o);
}

struct gt_error *gt_snapshotter_remove(struct gt_snapshotter *s, struct gt_call *call,
				       const char *key)
{
	GT_TRY(key_check(key));
	return GT_OP(snapshotter, s, remove, call, key);
}

struct gt_error *gt_snapshotter_remove_all(struct gt_snapshotter *s, struct gt_call *call,
					   const struct gt_strv *keys, bool *gone)
{
	for (size_t i = 0; i < keys->n; i++)
		GT_TRY(key_check(keys->v[i]));
	if (s->ops->remove_all)
		return GT_OP(snapshotter, s, remove_all, call, keys, gone);
	for (size_t i = 0; i < keys->n; i++) {
		struct gt_error *e = GT_OP(snapshotter, s, remove, call, keys->v[i]);

		gone[i] = gt_error_class(e) != GT_FAILED_PRECONDITION;
		GT_TRY(gt_error_unless(gt_error_unless(e, GT_FAILED_PRECONDITION), GT_NOT_FOUND));
	}
	return NULL;
}

struct gt_error *gt_snapshotter_walk(struct gt_snapshotter *s, struct gt_call *call,
				     struct gt_error *(*fn)(void *, const struct gt_snapshot_info *),
				     void *arg)
{
	return GT_OP(snapshotter, s, walk, call, fn, arg);
}

struct gt_error *gt_snapshotter_update(struct gt_snapshotter *s, struct gt_call *call,
				       const char *key, const struct gt_labels *labels)
{
	GT_TRY(key_check(key));
	GT_TRY(gt_op_check(s->ops->update, s->init, "update"));
	return GT_OP(snapshotter, s, update, call, key, labels);
}

struct gt_error *gt_snapshotter_usage(struct gt_snapshotter *s, struct gt_call *call,
				      const char *key, struct gt_usage *out)
{
	GT_TRY(key_check(key));
	GT_TRY(gt_op_check(s->ops->usage, s->init, "usage"));
	return GT_OP(snapshotter, s, usage, call, key, out);
}

struct gt_error *gt_snapshotter_cleanup(struct gt_snapshotter *s, struct gt_call *call)
{
	return s->ops->cleanup ? GT_OP(snapshotter, s, cleanup, call) : NULL;
}

struct gt_error *gt_snapshotter_sync(struct gt_snapshotter *s, struct gt_call *call)
{
	GT_TRY(gt_op_check(s->ops->sync, s->init, "sync"));
	return GT_OP(snapshotter, s, sync, call);
}

bool gt_snapshotter_can_rebase(const struct gt_snapshotter *s)
{
	return s->ops->can_rebase;
}
