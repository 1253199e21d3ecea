/* SPDX-License-Identifier: Apache-2.0 */
/* The differ "walking": its options, and how it finds the folders that mounts stand for. */
#ifndef GANTRY_DIFFER_ARCHIVE_H
#define GANTRY_DIFFER_ARCHIVE_H

#include <archive/blob.h>
#include <gantry/differ.h>

#include <stdatomic.h>

struct archive_config {
	char *worker;
	uint64_t max_layer_size;
	int64_t max_entries;
	int64_t max_ratio;
	uint64_t zstd_window;
	bool read_ahead;
};

struct archive_differ {
	struct gt_differ base;
	const struct archive_config *config;
	atomic_int applies; /* layers in work */
};

/* A folder that mounts show, open, and what it took to get there. */
struct archive_target {
	int fd; /* -1: none */
	char *temp; /* mounted here; NULL: nothing was */
	int temp_fd; /* of the folder below the mount; its lock says that somebody uses it */
};

#define ARCHIVE_TARGET_INIT { .fd = -1, .temp_fd = -1 }

/* Mounts on a new folder below the plugin's state folder. */
GT_MUST_USE struct gt_error *archive_target_mount(const struct gt_init *init,
						  const struct gt_mounts *m,
						  struct archive_target *out);
GT_MUST_USE struct gt_error *archive_target_open(const char *path, struct archive_target *out);
void archive_target_done(struct archive_target *t);

/* Unmounts and removes what processes that died have left. */
void archive_target_sweep(const struct gt_init *init);

/* An overlay mount taken apart. */
struct archive_overlay {
	char *upper; /* NULL: none */
	struct gt_strv lower; /* topmost first */
	bool userxattr;
	bool plain; /* nothing in its options changes what the files look like */
};

/* False: 'm' is no single overlay mount at the root. */
bool archive_overlay_get(const struct gt_mounts *m, struct archive_overlay *out);
void archive_overlay_done(struct archive_overlay *o);

/* The folder of a single writable or (want_write false) any bind mount; NULL: it is none. */
const char *archive_bind_source(const struct gt_mounts *m, bool want_write);

/* Whether this process lives in a user namespace of its own. */
bool archive_in_userns(void);

struct gt_error *archive_apply(struct gt_differ *d, struct gt_call *call,
			       const struct gt_descriptor *desc, struct gt_reader *blob,
			       const struct gt_mounts *mounts, struct gt_diff_result *out);
struct gt_error *archive_diff(struct gt_differ *d, struct gt_call *call,
			      const struct gt_mounts *lower, const struct gt_mounts *upper,
			      const struct gt_diff_options *o, struct gt_writer *w,
			      struct gt_diff_result *out);

#define ARCHIVE_LAYER "application/vnd.oci.image.layer.v1.tar"

#endif
