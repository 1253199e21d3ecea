/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories of snapshots, `snapshots/ID` in the snapshotter's root, made and deleted so
 * that a crash at any moment leaves either a snapshot or something that is known to be garbage:
 *
 *   new-*   being made. Its maker holds a lock on it (flock), which ends with the process:
 *           without one it is garbage.
 *   ID      of the record with that id; without a record, garbage.
 *   rm-*    being deleted.
 */
#ifndef GANTRY_LIB_SNAPDB_FOLDERS_H
#define GANTRY_LIB_SNAPDB_FOLDERS_H

#include "snapdb.h"

struct gt_folders {
	int fd; /* of snapshots/ */
	char *path;
};

/* Opens ROOT/snapshots; makes it, 0700, and the root above it where they are missing. */
GT_MUST_USE struct gt_error *gt_folders_open(const char *root, struct gt_folders *out);
void gt_folders_close(struct gt_folders *f);

/* One that is not in its place yet, or was just put there. */
struct gt_folder {
	struct gt_folders *in;
	int fd;	     /* holds the lock */
	char *name;  /* within 'in' */
	bool synced; /* gt_folder_place puts the name on disk too */
};

GT_MUST_USE struct gt_error *gt_folder_new(struct gt_folders *f, mode_t mode,
					   struct gt_folder *out);
/* As gt_snapdb_create wants it; 'arg' is the struct gt_folder. */
GT_MUST_USE struct gt_error *gt_folder_place(void *arg, uint64_t id, bool *taken);
/* It is in its place for good: lets go of it. */
void gt_folder_keep(struct gt_folder *d);
/* It is not wanted after all: deletes it, as well as that goes. Fine after keep. */
void gt_folder_drop(struct gt_folder *d);

/*
 * Deletes the directory of a snapshot whose record is gone. 'patience' (nanoseconds, 0: no end)
 * is how long that may take; what is left then is renamed so that the next one who has time goes
 * on with it.
 */
GT_MUST_USE struct gt_error *gt_folders_remove(struct gt_folders *f, uint64_t id, int64_t patience);

/* Deletes it to the end, and nothing else: for many in a row. */
GT_MUST_USE struct gt_error *gt_folders_delete(struct gt_folders *f, uint64_t id);

/* Deletes all garbage. */
GT_MUST_USE struct gt_error *gt_folders_cleanup(struct gt_folders *f, struct gt_snapdb *db,
						const struct gt_call *call);

#endif
