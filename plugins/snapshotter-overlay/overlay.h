/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GANTRY_SNAPSHOTTER_OVERLAY_H
#define GANTRY_SNAPSHOTTER_OVERLAY_H

#include <gantry/snapshotter.h>

#include <snapdb/store.h>

struct overlay_config {
	char *root;
	bool upperdir_label;
	bool sync_remove;
	struct gt_strv mount_options;
};

struct overlay {
	struct gt_snapshotter base;
	const struct overlay_config *config;
	struct gt_snapstore store;
	bool index_off; /* the kernel knows the option */
	bool userxattr; /* needed in a user namespace */
};

static inline struct overlay *overlay_of(struct gt_snapshotter *s)
{
	return (struct overlay *)s;
}

/*
 * Whether overlayfs works on the store's file system; UNIMPLEMENTED, with the reason, if not. Fills
 * index_off and userxattr. A good answer is kept in the state folder, which a reboot empties.
 */
GT_MUST_USE struct gt_error *overlay_probe(struct overlay *o, const struct gt_init *init);

/* Makes `fs` and, of an active snapshot, `work` in its folder, where they are missing. */
GT_MUST_USE struct gt_error *overlay_fill(struct overlay *o, int folder, enum gt_snapshot_kind kind,
					  const struct gt_labels *labels,
					  const struct gt_snapdb_entry *parent);

/* The mounts that show a snapshot, with its chain known. */
GT_MUST_USE struct gt_error *overlay_mounts_of(struct overlay *o, const struct gt_snapdb_entry *e,
					       struct gt_mounts *out);

struct gt_error *overlay_open(const struct gt_init *init, struct gt_snapshotter **out);
void overlay_close(struct gt_snapshotter *s);
struct gt_error *overlay_stat(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			      struct gt_snapshot_info *out);
struct gt_error *overlay_prepare(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				 const char *parent, const struct gt_labels *labels,
				 struct gt_mounts *out);
struct gt_error *overlay_view(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			      const char *parent, const struct gt_labels *labels,
			      struct gt_mounts *out);
struct gt_error *overlay_mounts(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				struct gt_mounts *out);
struct gt_error *overlay_commit(struct gt_snapshotter *s, struct gt_call *call, const char *name,
				const char *key, const struct gt_commit_options *o);
struct gt_error *overlay_remove(struct gt_snapshotter *s, struct gt_call *call, const char *key);
struct gt_error *overlay_remove_all(struct gt_snapshotter *s, struct gt_call *call,
				     const struct gt_strv *keys, bool *gone);
struct gt_error *overlay_walk(struct gt_snapshotter *s, struct gt_call *call,
			      struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i),
			      void *arg);
struct gt_error *overlay_update(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				const struct gt_labels *labels);
struct gt_error *overlay_usage(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			       struct gt_usage *out);
struct gt_error *overlay_cleanup(struct gt_snapshotter *s, struct gt_call *call);
struct gt_error *overlay_sync(struct gt_snapshotter *s, struct gt_call *call);

#endif
