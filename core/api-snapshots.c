/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/api-snapshots.h>

#include "core/op.h"

struct gt_error *gt_snapshots_stat(struct gt_services *s, struct gt_call *call,
				   const char *snapshotter, const char *key,
				   struct gt_snapshot_info *out)
{
	GT_TRY(gt_op_check_ns(s->ops->snapshots && s->ops->snapshots->stat, s->init,
			    "snapshots.stat", call));
	GT_TRY(gt_op_required("snapshot key", key));
	return s->ops->snapshots->stat(s, call, snapshotter, key, out);
}

struct gt_error *gt_snapshots_prepare(struct gt_services *s, struct gt_call *call,
				      const char *snapshotter, const char *key, const char *parent,
				      const struct gt_labels *labels, struct gt_mounts *out)
{
	GT_TRY(gt_op_check_ns(s->ops->snapshots && s->ops->snapshots->prepare, s->init,
			    "snapshots.prepare", call));
	GT_TRY(gt_op_required("snapshot key", key));
	return s->ops->snapshots->prepare(s, call, snapshotter, key, parent, labels, out);
}

struct gt_error *gt_snapshots_view(struct gt_services *s, struct gt_call *call,
				   const char *snapshotter, const char *key, const char *parent,
				   const struct gt_labels *labels, struct gt_mounts *out)
{
	GT_TRY(gt_op_check_ns(s->ops->snapshots && s->ops->snapshots->view, s->init,
			    "snapshots.view", call));
	GT_TRY(gt_op_required("snapshot key", key));
	return s->ops->snapshots->view(s, call, snapshotter, key, parent, labels, out);
}

struct gt_error *gt_snapshots_mounts(struct gt_services *s, struct gt_call *call,
				     const char *snapshotter, const char *key,
				     struct gt_mounts *out)
{
	GT_TRY(gt_op_check_ns(s->ops->snapshots && s->ops->snapshots->mounts, s->init,
			    "snapshots.mounts", call));
	GT_TRY(gt_op_required("snapshot key", key));
	return s->ops->snapshots->mounts(s, call, snapshotter, key, out);
}

struct gt_error *gt_snapshots_commit(struct gt_services *s, struct gt_call *call,
				     const char *snapshotter, const char *name, const char *key,
				     const struct gt_commit_options *o)
{
	GT_TRY(gt_op_check_ns(s->ops->snapshots && s->ops->snapshots->commit, s->init,
			    "snapshots.commit", call));
	GT_TRY(gt_op_required("snapshot key", key));
	GT_TRY(gt_op_required("snapshot name", name));
	return s->ops->snapshots->commit(s, call, snapshotter, name, key, o);
}

struct gt_error *gt_snapshots_remove(struct gt_services *s, struct gt_call *call,
				     const char *snapshotter, const char *key)
{
	GT_TRY(gt_op_check_ns(s->ops->snapshots && s->ops->snapshots->remove, s->init,
			    "snapshots.remove", call));
	GT_TRY(gt_op_required("snapshot key", key));
	return s->ops->snapshots->remove(s, call, snapshotter, key);
}

struct gt_error *gt_snapshots_list(struct gt_services *s, struct gt_call *call,
				   const char *snapshotter, const struct gt_strv *filters,
				   struct gt_error *(*fn)(void *, const struct gt_snapshot_info *),
				   void *arg)
{
	GT_TRY(gt_op_check_ns(s->ops->snapshots && s->ops->snapshots->list, s->init,
			    "snapshots.list", call));
	return s->ops->snapshots->list(s, call, snapshotter, filters, fn, arg);
}

struct gt_error *gt_snapshots_update(struct gt_services *s, struct gt_call *call,
				     const char *snapshotter, const char *key,
				     const struct gt_labels *labels, const struct gt_strv *mask,
				     struct gt_snapshot_info *out)
{
	GT_TRY(gt_op_check_ns(s->ops->snapshots && s->ops->snapshots->update, s->init,
			    "snapshots.update", call));
	GT_TRY(gt_op_required("snapshot key", key));
	return s->ops->snapshots->update(s, call, snapshotter, key, labels, mask, out);
}

struct gt_error *gt_snapshots_usage(struct gt_services *s, struct gt_call *call,
				    const char *snapshotter, const char *key, struct gt_usage *out)
{
	GT_TRY(gt_op_check_ns(s->ops->snapshots && s->ops->snapshots->usage, s->init,
			    "snapshots.usage", call));
	GT_TRY(gt_op_required("snapshot key", key));
	return s->ops->snapshots->usage(s, call, snapshotter, key, out);
}

struct gt_error *gt_snapshots_cleanup(struct gt_services *s, struct gt_call *call,
				      const char *snapshotter)
{
	GT_TRY(gt_op_check_ns(s->ops->snapshots && s->ops->snapshots->cleanup, s->init,
			    "snapshots.cleanup", call));
	return s->ops->snapshots->cleanup(s, call, snapshotter);
}

struct gt_error *gt_snapshots_sync(struct gt_services *s, struct gt_call *call,
				   const char *snapshotter)
{
	GT_TRY(gt_op_check_ns(s->ops->snapshots && s->ops->snapshots->sync, s->init,
			    "snapshots.sync", call));
	return s->ops->snapshots->sync(s, call, snapshotter);
}

struct gt_error *gt_snapshots_can_rebase(struct gt_services *s, struct gt_call *call,
					 const char *snapshotter, bool *out)
{
	GT_TRY(gt_op_check_ns(s->ops->snapshots && s->ops->snapshots->can_rebase, s->init,
			    "snapshots.can_rebase", call));
	return s->ops->snapshots->can_rebase(s, call, snapshotter, out);
}
