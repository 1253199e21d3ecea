/* SPDX-License-Identifier: Apache-2.0 */
/* Making a layer of the difference between two trees. For the worker only. */
#ifndef GANTRY_LIB_ARCHIVE_DIFF_H
#define GANTRY_LIB_ARCHIVE_DIFF_H

#include <archive/layer.h>
#include <archive/output.h>

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

/* A folder that is being compared, and those above it. */
struct diff_level {
	struct diff_level *up;
	int lower, upper; /* 'lower' -1: there is none */
	int guide; /* holds all names that differ; -1: any may */
	struct stat st; /* of the upper */
	size_t path_len; /* of diff.path, this folder's own name included */
	bool written;
};

/* The first name that an inode with several was written under, or the names it was left out under. */
struct diff_inode {
	dev_t dev;
	ino_t ino;
	char *written; /* NULL: not yet */
	char **left_out;
	size_t n, alloc;
};

struct diff {
	const struct layer_job_options *o;
	struct layer_output *out;
	struct archive *a;
	struct archive_entry *entry;
	struct gt_error *error; /* of the output, while libarchive passes on a failure of its own */
	struct gt_buf path; /* of the current entry */
	struct diff_inode *inodes; /* a table by hash, or NULL */
	size_t n_inodes, inodes_size;
	char *block, *block2; /* for contents */
};

#define DIFF_BLOCK (128 * 1024)

/* Adds the entry at diff.path, the file 'name' of the level's upper, and its folders above. */
GT_MUST_USE struct gt_error *diff_write(struct diff *d, struct diff_level *l, const char *name,
					const struct stat *st);
/* The same file is in both; if it has other names, they may be written. */
GT_MUST_USE struct gt_error *diff_leave_out(struct diff *d, const struct stat *st);
/* Says that 'name' of the lower is gone. */
GT_MUST_USE struct gt_error *diff_write_whiteout(struct diff *d, struct diff_level *l,
						 const char *name);
/* Whether the lower's 'name' and the upper's are the same. */
GT_MUST_USE struct gt_error *diff_compare(struct diff *d, struct diff_level *l, const char *name,
					  const struct stat *lower, const struct stat *upper,
					  bool *same);
void diff_inodes_done(struct diff *d);

#endif
