/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GANTRY_SNAPSHOTTER_NATIVE_H
#define GANTRY_SNAPSHOTTER_NATIVE_H

#include <gantry/snapshotter.h>

struct native_config {
	char *root;
};

/*
 * Copies what is in the folder 'from', and its own attributes, into the empty folder 'to':
 * contents (shared with the original where the file system can do that), holes, owners, modes,
 * times, extended attributes, links of both kinds, devices. 'links' is an empty folder of the
 * same file system for the time of the copy; what is in it then is garbage.
 */
GT_MUST_USE struct gt_error *native_copy(int from, int to, int links, const struct gt_call *call);

/* Copies the bytes of a regular file of 'size' bytes; holes stay holes. */
GT_MUST_USE struct gt_error *native_copy_data(int from, int to, off_t size);

struct gt_error *native_open(const struct gt_init *init, struct gt_snapshotter **out);
void native_close(struct gt_snapshotter *s);
struct gt_error *native_stat(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			     struct gt_snapshot_info *out);
struct gt_error *native_prepare(struct gt_snapshotter *s, struct gt_call *call, const char *key,
				const char *parent, const struct gt_labels *labels,
				struct gt_mounts *out);
struct gt_error *native_view(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			     const char *parent, const struct gt_labels *labels,
			     struct gt_mounts *out);
struct gt_error *native_mounts(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			       struct gt_mounts *out);
struct gt_error *native_commit(struct gt_snapshotter *s, struct gt_call *call, const char *name,
			       const char *key, const struct gt_commit_options *o);
struct gt_error *native_remove(struct gt_snapshotter *s, struct gt_call *call, const char *key);
struct gt_error *native_remove_all(struct gt_snapshotter *s, struct gt_call *call,
				    const struct gt_strv *keys, bool *gone);
struct gt_error *native_walk(struct gt_snapshotter *s, struct gt_call *call,
			     struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i),
			     void *arg);
struct gt_error *native_update(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			       const struct gt_labels *labels);
struct gt_error *native_usage(struct gt_snapshotter *s, struct gt_call *call, const char *key,
			      struct gt_usage *out);
struct gt_error *native_cleanup(struct gt_snapshotter *s, struct gt_call *call);
struct gt_error *native_sync(struct gt_snapshotter *s, struct gt_call *call);

#endif
