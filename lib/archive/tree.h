/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folders of the target tree, open. Paths are walked one name at a time and no link is followed by
 * the kernel; links are resolved here, with the target as root, as a container would see them. Folders
 * stay open for the entries to come, which need not stand in any order, up to a number; then all are
 * closed. A folder that was disturbed gets its times back when it is closed, so that nothing has to be
 * remembered for the end.
 */
#ifndef GANTRY_LIB_ARCHIVE_TREE_H
#define GANTRY_LIB_ARCHIVE_TREE_H

#include <archive/seen.h>
#include <gantry/buf.h>

#include <sys/stat.h>

struct layer_folder {
	struct layer_folder *parent; /* NULL: the root */
	struct layer_folder *next; /* with the same slot of the table */
	int fd;
	uint64_t hash; /* of its path, as the set of what was seen has it */
	bool setgid; /* what is made in it gets its group */
	bool seen; /* is in that set */
	bool dirty; /* its times have been disturbed */
	struct timespec times[2];
	size_t len;
	char path[]; /* from the root, without links; "" is the root */
};

struct layer_tree {
	struct layer_folder *root, *top; /* 'top': the current one */
	struct layer_folder **table; /* by path */
	size_t n, max; /* folders that are open, and may be */
	bool stale; /* a folder is gone: all are closed before the next is entered */
	const char *opaque; /* overlayfs' attribute; NULL: this is a merged tree */
	const int *below; /* roots of the layers below, topmost first */
	size_t n_below;
	bool alone; /* a folder that this layer leaves out is an error */
	struct layer_seen *seen; /* what this layer wrote */
};

/* All that is handed over stays the caller's. */
void layer_tree_init(struct layer_tree *t, int root, const char *opaque, const int *below,
		     size_t n_below, struct layer_seen *seen);
void layer_tree_done(struct layer_tree *t);

/*
 * Makes the folder 'path' (lexically clean, relative) the current one, making what is missing: 0755, or
 * with the attributes it has in a layer below. INVALID_ARGUMENT if something on the way is no folder.
 */
GT_MUST_USE struct gt_error *layer_tree_enter(struct layer_tree *t, const char *path, size_t len);

/* Keeps the folder 'name' of the current one open, with the times that it shall have in the end. */
void layer_tree_keep(struct layer_tree *t, const char *name, int fd, const struct stat *st);

/*
 * Opens the folder 'path' without making anything, for the targets of hard links. '*fd' may be the
 * tree's own, then '*own' is false. NOT_FOUND.
 */
GT_MUST_USE struct gt_error *layer_tree_lookup(struct layer_tree *t, const char *path, size_t len,
					       int *fd, bool *own);

/* Deletes 'name' in 'dir', whatever it is. */
GT_MUST_USE struct gt_error *layer_tree_remove(struct layer_tree *t, int dir, const char *name);

/* 'name' in the current folder, and the folders down to it, are of this layer. */
void layer_tree_mark(struct layer_tree *t, const char *name);

/* The class for an errno of working on the tree. */
enum gt_class layer_tree_class(int err);

#endif
