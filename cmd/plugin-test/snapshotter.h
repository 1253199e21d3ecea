/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the snapshotter suite share. */
#ifndef GANTRY_PLUGIN_TEST_SNAPSHOTTER_H
#define GANTRY_PLUGIN_TEST_SNAPSHOTTER_H

#include "suite.h"

#include <gantry/snapshotter.h>

/* A snapshot that is mounted below 'dir', to be looked at through 'fd'. */
struct snapshot_view {
	char *target;
	int fd; /* -1: not mounted */
};

/* Whether this process may mount. */
bool snapshot_can_mount(const char *dir);
GT_MUST_USE struct gt_error *snapshot_mount(const struct gt_mounts *m, const char *dir,
					    struct snapshot_view *out);
/* Also what is not mounted. */
void snapshot_unmount(struct snapshot_view *v);

/* Prepares 'key' and mounts it. */
GT_MUST_USE struct gt_error *snapshot_prepare(struct gt_snapshotter *s, const char *dir,
					      const char *key, const char *parent,
					      struct snapshot_view *out);
/* Makes a view 'key' and mounts it. */
GT_MUST_USE struct gt_error *snapshot_look(struct gt_snapshotter *s, const char *dir,
					   const char *key, const char *parent,
					   struct snapshot_view *out);
/* Unmounts and commits with no options. */
GT_MUST_USE struct gt_error *snapshot_commit(struct gt_snapshotter *s, struct snapshot_view *v,
					     const char *name, const char *key);
/* Prepares and commits, with nothing in it. */
GT_MUST_USE struct gt_error *snapshot_layer(struct gt_snapshotter *s, const char *name,
					    const char *parent);
/* Removes all snapshots that are there, children first. */
GT_MUST_USE struct gt_error *snapshot_remove_all(struct gt_snapshotter *s);

/* Passes if 'path' is a file with that text; NULL: if there is no such file. */
void snapshot_expect(const struct snapshot_view *v, const char *path, const char *text);
/* Writes a file; a failure is a failed test. */
void snapshot_write(const struct snapshot_view *v, const char *path, const char *text);

/* What is seen of one layer through those above it. Needs mounts. */
void snapshotter_layers(struct gt_snapshotter *s, const char *dir);
/* Several threads, several processes, processes that die. */
void snapshotter_many(struct gt_snapshotter *s, const char *dir);

#endif
