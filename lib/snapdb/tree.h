/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking a file tree that somebody else filled: never through a link, never onto another file
 * system, to any depth with two descriptors and no recursion.
 */
#ifndef GANTRY_LIB_SNAPDB_TREE_H
#define GANTRY_LIB_SNAPDB_TREE_H

#include <gantry/snapshotter.h>

#include <sys/stat.h>

struct gt_tree_visitor {
	/* Something that is no folder. 'st' is NULL if 'no_stat'. */
	struct gt_error *(*file)(void *arg, int dirfd, const char *name, const struct stat *st);
	/* Optional: asked first of each folder. '*skip' true: it is not gone into. */
	struct gt_error *(*folder)(void *arg, int dirfd, const char *name, bool *skip);
	/* Optional: going into the folder 'fd'. */
	struct gt_error *(*enter)(void *arg, int fd, const char *name, const struct stat *st);
	/* Optional: back in the parent 'dirfd'; 'st' is as enter saw it. */
	struct gt_error *(*leave)(void *arg, int dirfd, const char *name, const struct stat *st);
	bool no_stat; /* file needs none: it saves a system call each */
};

/*
 * Visits all below the folder 'fd', but not itself. What vanishes meanwhile is left out; ABORTED
 * if a folder is moved elsewhere while the walk is in it. A visitor's error ends it.
 */
GT_MUST_USE struct gt_error *gt_tree_walk(int fd, const struct gt_tree_visitor *v, void *arg);

/* What the tree takes on disk, the folder itself included and hard links counted once. */
GT_MUST_USE struct gt_error *gt_tree_usage(int fd, const struct gt_call *call,
					   struct gt_usage *out);

/*
 * Deletes the tree 'name' in 'dirfd'; fine if it is not there. DEADLINE_EXCEEDED once gt_now() is
 * past 'deadline' (0: none), with the tree partly gone.
 */
GT_MUST_USE struct gt_error *gt_tree_delete(int dirfd, const char *name, int64_t deadline);

#endif
