/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kind `snapshotter`: file trees in layers. A snapshot is active (being written), a view (read-only)
 * or committed (may be a parent). Keys are any non-empty strings up to GT_SNAPSHOT_KEY_MAX bytes, or
 * fewer where a service behind a socket keeps them (INVALID_ARGUMENT then); the
 * snapshot service hands them down as "NS/SEQ/KEY". An active or view key and a committed name share
 * one space of names. Semantics are containerd's (docs: snapshots.Snapshotter).
 *
 * Errors of every op: INVALID_ARGUMENT, NOT_FOUND "snapshot KEY", ALREADY_EXISTS, FAILED_PRECONDITION
 * as said below; RESOURCE_EXHAUSTED for a full disk. Ops may block on the disk; any thread.
 */
#ifndef GANTRY_SNAPSHOTTER_H
#define GANTRY_SNAPSHOTTER_H

#include <gantry/call.h>
#include <gantry/mount.h>
#include <gantry/plugin.h>

#include <time.h>

#define GT_SNAPSHOT_KEY_MAX 440

/*
 * Label, of any value, on a prepare without parent: the snapshot will hold a layer that is applied
 * before those below it are there, and gets its parent at commit. A snapshotter that can_rebase answers
 * with mounts for a differ alone, in which deletions of what is below can be stored: for overlayfs a
 * single mount of type "overlay" with upperdir= and no lowerdir=.
 */
#define GT_LABEL_ALONE "containerd.io/snapshot/gantry.alone"

struct gt_snapshotter {
	GT_INSTANCE_MEMBERS(snapshotter)
};

enum gt_snapshot_kind { GT_SNAPSHOT_VIEW = 1, GT_SNAPSHOT_ACTIVE = 2, GT_SNAPSHOT_COMMITTED = 3 };

struct gt_snapshot_info {
	enum gt_snapshot_kind kind;
	char *key;
	char *parent; /* "" where it has none */
	struct gt_labels labels;
	struct timespec created_at;
	struct timespec updated_at;
};
void gt_snapshot_info_copy(struct gt_snapshot_info *dst, const struct gt_snapshot_info *src);
void gt_snapshot_info_done(struct gt_snapshot_info *i);

struct gt_usage {
	int64_t inodes;
	int64_t size; /* bytes allocated on disk */
};

struct gt_commit_options {
	size_t size;
	const struct gt_labels *labels; /* NULL: none */
	/*
	 * The parent that the committed snapshot shall have, where it was prepared with none: layers
	 * can so be applied at the same time. NULL: the one it was prepared with. A snapshotter that
	 * cannot (see can_rebase) answers FAILED_PRECONDITION.
	 */
	const char *parent;
	/* The caller has called sync after the last write: commit need not. */
	bool synced;
};

struct gt_snapshotter_ops {
	size_t size;
	/* Required. '*out' is freed by close. 'init' and its config outlive it. */
	struct gt_error *(*open)(const struct gt_init *init, struct gt_snapshotter **out);
	/* Required. */
	void (*close)(struct gt_snapshotter *s);
	/* Required. NOT_FOUND. The caller gt_snapshot_info_done()s '*out'. */
	struct gt_error *(*stat)(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				 struct gt_snapshot_info *out);
	/*
	 * Required. Starts a snapshot to be written, on top of the committed snapshot 'parent' ("" or
	 * NULL: empty), and adds to 'out' the mounts that show it. ALREADY_EXISTS if 'key' is taken;
	 * NOT_FOUND if the parent is not there; INVALID_ARGUMENT "parent P is not committed".
	 */
	struct gt_error *(*prepare)(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				    const char *parent, const struct gt_labels *labels,
				    struct gt_mounts *out);
	/* Required. As prepare, but the mounts are read-only and it can never be committed. */
	struct gt_error *(*view)(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				 const char *parent, const struct gt_labels *labels,
				 struct gt_mounts *out);
	/* Required. The mounts of an active snapshot or view once more. FAILED_PRECONDITION if committed. */
	struct gt_error *(*mounts)(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				   struct gt_mounts *out);
	/*
	 * Required. Turns the active snapshot 'key' into the committed 'name'; 'key' is free
	 * afterwards. FAILED_PRECONDITION if 'key' is not active, ALREADY_EXISTS if 'name' is taken.
	 * With full durability its files are on disk when it answers. 'o' may be NULL.
	 */
	struct gt_error *(*commit)(struct gt_snapshotter *s, struct gt_call *call, const char *name,
				   const char *key, const struct gt_commit_options *o);
	/*
	 * Required. Removes a snapshot that has no children: FAILED_PRECONDITION "snapshot KEY has
	 * children" else. Its directory may go later (cleanup), but never its record.
	 */
	struct gt_error *(*remove)(struct gt_snapshotter *s, struct gt_call *call, const char *key);
	/* Required. Calls 'fn' for each; ends at fn's first error and returns it. fn may call other ops. */
	struct gt_error *(*walk)(struct gt_snapshotter *s, struct gt_call *call,
				 struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i),
				 void *arg);
	/* Optional; absent: UNIMPLEMENTED. Replaces the labels and sets updated_at. */
	struct gt_error *(*update)(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				   const struct gt_labels *labels);
	/* Optional; absent: UNIMPLEMENTED. Without the parents. May walk the disk: never under a lock. */
	struct gt_error *(*usage)(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				  struct gt_usage *out);
	/* Optional; absent: nothing is left over. Deletes what removed or broken snapshots left behind. */
	struct gt_error *(*cleanup)(struct gt_snapshotter *s, struct gt_call *call);
	/*
	 * Optional; absent: commit does it for each. One sync for all that has been written so far to
	 * any snapshot; commits with 'synced' may follow. Without effect at fast durability.
	 */
	struct gt_error *(*sync)(struct gt_snapshotter *s, struct gt_call *call);
	/* Whether commit takes a parent. */
	bool can_rebase;
	/*
	 * Optional; absent: the host removes one by one. Removes several, in this order, in as few
	 * steps as it can: for a collection. 'gone' has an element for each: false if it has
	 * children, true if it is removed or was not there. Files may go later (cleanup).
	 */
	struct gt_error *(*remove_all)(struct gt_snapshotter *s, struct gt_call *call,
				       const struct gt_strv *keys, bool *gone);
	/* New members go here, at the end. */
};

GT_MUST_USE struct gt_error *gt_snapshotter_stat(struct gt_snapshotter *s, struct gt_call *call,
						 const char *key, struct gt_snapshot_info *out);
GT_MUST_USE struct gt_error *gt_snapshotter_prepare(struct gt_snapshotter *s, struct gt_call *call,
						    const char *key, const char *parent,
						    const struct gt_labels *labels,
						    struct gt_mounts *out);
GT_MUST_USE struct gt_error *gt_snapshotter_view(struct gt_snapshotter *s, struct gt_call *call,
						 const char *key, const char *parent,
						 const struct gt_labels *labels,
						 struct gt_mounts *out);
GT_MUST_USE struct gt_error *gt_snapshotter_mounts(struct gt_snapshotter *s, struct gt_call *call,
						   const char *key, struct gt_mounts *out);
GT_MUST_USE struct gt_error *gt_snapshotter_commit(struct gt_snapshotter *s, struct gt_call *call,
						   const char *name, const char *key,
						   const struct gt_commit_options *o);
GT_MUST_USE struct gt_error *gt_snapshotter_remove(struct gt_snapshotter *s, struct gt_call *call,
						   const char *key);
GT_MUST_USE struct gt_error *gt_snapshotter_remove_all(struct gt_snapshotter *s,
						       struct gt_call *call,
						       const struct gt_strv *keys, bool *gone);
GT_MUST_USE struct gt_error *
gt_snapshotter_walk(struct gt_snapshotter *s, struct gt_call *call,
		    struct gt_error *(*fn)(void *, const struct gt_snapshot_info *), void *arg);
GT_MUST_USE struct gt_error *gt_snapshotter_update(struct gt_snapshotter *s, struct gt_call *call,
						   const char *key, const struct gt_labels *labels);
GT_MUST_USE struct gt_error *gt_snapshotter_usage(struct gt_snapshotter *s, struct gt_call *call,
						  const char *key, struct gt_usage *out);
GT_MUST_USE struct gt_error *gt_snapshotter_cleanup(struct gt_snapshotter *s, struct gt_call *call);
GT_MUST_USE struct gt_error *gt_snapshotter_sync(struct gt_snapshotter *s, struct gt_call *call);
bool gt_snapshotter_can_rebase(const struct gt_snapshotter *s);

const char *gt_snapshot_kind_name(enum gt_snapshot_kind kind); /* "Active" */

#endif
