/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The snapshots service: the snapshotters' snapshots by namespace, with names and labels kept in the
 * metadata. 'snapshotter' is an id; NULL or "" is the namespace's default, else the configured one.
 * Ops are as in <gantry/snapshotter.h>.
 */
#ifndef GANTRY_API_SNAPSHOTS_H
#define GANTRY_API_SNAPSHOTS_H

#include <gantry/services.h>
#include <gantry/snapshotter.h>

struct gt_snapshots_ops {
	size_t size;
	struct gt_error *(*stat)(struct gt_services *s, struct gt_call *call,
				 const char *snapshotter, const char *key,
				 struct gt_snapshot_info *out);
	/*
	 * With label containerd.io/snapshot.ref=T: ALREADY_EXISTS "target snapshot \"T\"" if the
	 * namespace has a snapshot T, which then belongs to the call's lease.
	 */
	struct gt_error *(*prepare)(struct gt_services *s, struct gt_call *call,
				    const char *snapshotter, const char *key, const char *parent,
				    const struct gt_labels *labels, struct gt_mounts *out);
	struct gt_error *(*view)(struct gt_services *s, struct gt_call *call,
				 const char *snapshotter, const char *key, const char *parent,
				 const struct gt_labels *labels, struct gt_mounts *out);
	struct gt_error *(*mounts)(struct gt_services *s, struct gt_call *call,
				   const char *snapshotter, const char *key, struct gt_mounts *out);
	struct gt_error *(*commit)(struct gt_services *s, struct gt_call *call,
				   const char *snapshotter, const char *name, const char *key,
				   const struct gt_commit_options *o);
	struct gt_error *(*remove)(struct gt_services *s, struct gt_call *call,
				   const char *snapshotter, const char *key);
	struct gt_error *(*list)(struct gt_services *s, struct gt_call *call,
				 const char *snapshotter, const struct gt_strv *filters,
				 struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i),
				 void *arg);
	struct gt_error *(*update)(struct gt_services *s, struct gt_call *call,
				   const char *snapshotter, const char *key,
				   const struct gt_labels *labels, const struct gt_strv *mask,
				   struct gt_snapshot_info *out);
	struct gt_error *(*usage)(struct gt_services *s, struct gt_call *call,
				  const char *snapshotter, const char *key, struct gt_usage *out);
	struct gt_error *(*cleanup)(struct gt_services *s, struct gt_call *call,
				    const char *snapshotter);
	/* One sync for all that was written to this snapshotter's snapshots; then commits may say 'synced'. */
	struct gt_error *(*sync)(struct gt_services *s, struct gt_call *call,
				 const char *snapshotter);
	/* Whether commit takes a parent, so that layers can be applied at the same time. */
	struct gt_error *(*can_rebase)(struct gt_services *s, struct gt_call *call,
				       const char *snapshotter, bool *out);
};

GT_MUST_USE struct gt_error *gt_snapshots_stat(struct gt_services *s, struct gt_call *call,
					       const char *snapshotter, const char *key,
					       struct gt_snapshot_info *out);
GT_MUST_USE struct gt_error *gt_snapshots_prepare(struct gt_services *s, struct gt_call *call,
						  const char *snapshotter, const char *key,
						  const char *parent, const struct gt_labels *labels,
						  struct gt_mounts *out);
GT_MUST_USE struct gt_error *gt_snapshots_view(struct gt_services *s, struct gt_call *call,
					       const char *snapshotter, const char *key,
					       const char *parent, const struct gt_labels *labels,
					       struct gt_mounts *out);
GT_MUST_USE struct gt_error *gt_snapshots_mounts(struct gt_services *s, struct gt_call *call,
						 const char *snapshotter, const char *key,
						 struct gt_mounts *out);
GT_MUST_USE struct gt_error *gt_snapshots_commit(struct gt_services *s, struct gt_call *call,
						 const char *snapshotter, const char *name,
						 const char *key, const struct gt_commit_options *o);
GT_MUST_USE struct gt_error *gt_snapshots_remove(struct gt_services *s, struct gt_call *call,
						 const char *snapshotter, const char *key);
GT_MUST_USE struct gt_error *
gt_snapshots_list(struct gt_services *s, struct gt_call *call, const char *snapshotter,
		  const struct gt_strv *filters,
		  struct gt_error *(*fn)(void *, const struct gt_snapshot_info *), void *arg);
GT_MUST_USE struct gt_error *gt_snapshots_update(struct gt_services *s, struct gt_call *call,
						 const char *snapshotter, const char *key,
						 const struct gt_labels *labels,
						 const struct gt_strv *mask,
						 struct gt_snapshot_info *out);
GT_MUST_USE struct gt_error *gt_snapshots_usage(struct gt_services *s, struct gt_call *call,
						const char *snapshotter, const char *key,
						struct gt_usage *out);
GT_MUST_USE struct gt_error *gt_snapshots_cleanup(struct gt_services *s, struct gt_call *call,
						  const char *snapshotter);
GT_MUST_USE struct gt_error *gt_snapshots_sync(struct gt_services *s, struct gt_call *call,
					       const char *snapshotter);
GT_MUST_USE struct gt_error *gt_snapshots_can_rebase(struct gt_services *s, struct gt_call *call,
						     const char *snapshotter, bool *out);

#endif
