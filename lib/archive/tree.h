/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in the target tree the worker is: a stack of open folders from the root down. Paths are walked
 * one name at a time and no link is followed by the kernel; links are resolved here, with the target as
 * root, as a container would see them. A folder that was disturbed gets its times back when it is left.
 */
#ifndef GANTRY_LIB_ARCHIVE_TREE_H
#define GANTRY_LIB_ARCHIVE_TREE_H

#include <archive/seen.h>
#include <gantry/buf.h>

#include <sys/stat.h>

struct layer_folder {
	int fd;
	uint64_t hash; /* of its resolved path */
	size_t path_len; /* of 'resolved' */
	bool setgid; /* what is made in it gets its group */
	bool seen; /* is in the set */
	bool dirty; /* its times have been disturbed */
	struct timespec times[2];
};

struct layer_tree {
	struct layer_folder *stack; /* [0] is the root */
	size_t depth, alloc;
	struct gt_buf path; /* lexical path that the top stands for */
	struct gt_buf resolved; /* where it really is; may differ where links were on the way */
	bool straight; /* no link was: each name of 'path' is one level */
	bool stale; /* the next path is walked from the root, whatever it is */
	const int *below; /* roots of the layers below, topmost first */
	size_t n_below;
	struct layer_seen *seen; /* what this layer wrote */
};

/* 'root', 'below' and 'seen' stay the caller's. */
void layer_tree_init(struct layer_tree *t, int root, const int *below, size_t n_below,
		     struct layer_seen *seen);
void layer_tree_done(struct layer_tree *t);

/* The folder on top. Lives until the stack moves. */
struct layer_folder *layer_tree_top(struct layer_tree *t);

/*
 * Goes to the folder 'path' (lexically clean, relative), making what is missing: 0755, or with the
 * attributes it has in a layer below. INVALID_ARGUMENT if something on the way is no folder.
 */
GT_MUST_USE struct gt_error *layer_tree_enter(struct layer_tree *t, const char *path, size_t len);

/* Goes down into the folder 'name', whose descriptor it takes. 'st' tells its mode and times. */
void layer_tree_push_take(struct layer_tree *t, const char *name, int fd, const struct stat *st);

/*
 * The folder 'path' without moving or making anything, for the targets of hard links. '*fd' may be the
 * top's own, else it is the caller's. NOT_FOUND.
 */
GT_MUST_USE struct gt_error *layer_tree_lookup(struct layer_tree *t, const char *path, size_t len,
					       int *fd);

/* Something that had been there was replaced: a path that went through a link is walked anew. */
void layer_tree_changed(struct layer_tree *t);

/* 'name' in the top folder, and the folders down to it, are of this layer. */
void layer_tree_mark(struct layer_tree *t, const char *name);

/* The class for an errno of working on the tree. */
enum gt_class layer_tree_class(int err);

#endif
