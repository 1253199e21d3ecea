/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a layer's entries into a target folder, one by one. For the worker only. */
#ifndef GANTRY_LIB_ARCHIVE_EXTRACT_H
#define GANTRY_LIB_ARCHIVE_EXTRACT_H

#include <archive/attributes.h>
#include <archive/reader.h>
#include <archive/seen.h>
#include <archive/tree.h>


struct layer_extract_options {
	int root;
	const int *below; /* roots of the layers below, topmost first */
	size_t n_below;
	bool alone; /* they are not known: FAILED_PRECONDITION where one of their folders is needed */
	/*
	 * What hides a folder's lower entries: "trusted.overlay.opaque" or "user.overlay.opaque" where
	 * the target is overlayfs' upperdir. NULL: the target is the merged tree, and whiteouts delete.
	 */
	const char *opaque;
	bool userns; /* devices cannot be made: they are left out */
	int64_t max_size; /* of one file; 0: none */
	void (*warn)(void *arg, const char *text);
	void *arg;
};

struct layer_extract {
	struct layer_extract_options o;
	struct layer_tree tree;
	struct layer_seen seen;
	struct gt_buf name, link; /* of the current entry */
	bool plain_modes; /* what create and mkdir set is what was asked for: no default ACLs here */
	int64_t entries;
};

void layer_extract_init(struct layer_extract *x, const struct layer_extract_options *o);
/* Sets the last folders' times. */
void layer_extract_done(struct layer_extract *x);

/* Writes one entry, with its content from 'r'. */
GT_MUST_USE struct gt_error *layer_extract_entry(struct layer_extract *x, struct layer_reader *r,
						 struct archive_entry *entry);

/* The parts, for extract.c: the current folder is the tree's top, 'base' a name in it. */
GT_MUST_USE struct gt_error *layer_extract_whiteout(struct layer_extract *x,
						    const struct layer_attributes *at,
						    const char *hidden);
GT_MUST_USE struct gt_error *layer_extract_opaque(struct layer_extract *x);
GT_MUST_USE struct gt_error *layer_extract_file(struct layer_extract *x, struct layer_reader *r,
						struct archive_entry *entry,
						const struct layer_attributes *at, const char *base);
/*
 * After making 'base' ended with 'err': deletes what stands there at the first attempt, so that a second
 * can be made, else returns the error, of doing 'what'.
 */
GT_MUST_USE struct gt_error *layer_extract_make_room(struct layer_extract *x, const char *base,
						     int err, int attempt, const char *what);
/* Extended attributes of the entry for the descriptor, or (fd -1) for 'base' itself. */
GT_MUST_USE struct gt_error *layer_extract_xattrs(struct layer_extract *x,
						  struct archive_entry *entry, int fd,
						  const char *base);

#endif
