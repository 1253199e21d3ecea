/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of a snapshotter that keeps its snapshots in directories: key, id, kind, parent,
 * labels, times. One LMDB environment, `metadata.mdb` in the snapshotter's root. Any number of
 * processes and threads may use it at once; one process opens a root once. Error classes and
 * rules about kinds, parents and children are those of <gantry/snapshotter.h>.
 *
 * Durability. With GT_DURABILITY_FULL a record is on disk when the function that wrote it
 * answers, with one exception: removing what was never committed. A power cut may bring such a
 * record back, which is as if the removal had not been asked for; the snapshotter must then live
 * with a record whose directory is gone (make it anew: what an active snapshot holds is promised
 * to nobody until it is committed). It saves `run --rm` a flush of the disk. A record never comes
 * to the disk before what 'place' did, if 'place' syncs; a committed snapshot's directory may go
 * once gt_snapdb_remove answered.
 */
#ifndef GANTRY_LIB_SNAPDB_H
#define GANTRY_LIB_SNAPDB_H

#include <gantry/snapshotter.h>

struct gt_snapdb;

GT_MUST_USE struct gt_error *gt_snapdb_open(const char *root, enum gt_durability durability,
					    struct gt_snapdb **out);
void gt_snapdb_close(struct gt_snapdb *db);

struct gt_snapdb_entry {
	uint64_t id; /* the name of its directory */
	struct gt_snapshot_info info;
	bool measured; /* 'usage' is known: see gt_snapdb_set_usage */
	struct gt_usage usage;
	uint64_t *parents; /* ids, nearest first; by gt_snapdb_get and gt_snapdb_create only */
	size_t n_parents;
};
void gt_snapdb_entry_done(struct gt_snapdb_entry *e);

GT_MUST_USE struct gt_error *gt_snapdb_stat(struct gt_snapdb *db, const char *key,
					    struct gt_snapdb_entry *out);
/* The same with the chain of parents. */
GT_MUST_USE struct gt_error *gt_snapdb_get(struct gt_snapdb *db, const char *key,
					   struct gt_snapdb_entry *out);
/* A snapshot that can be a parent, with its chain; INVALID_ARGUMENT if it is not committed. */
GT_MUST_USE struct gt_error *gt_snapdb_get_parent(struct gt_snapdb *db, const char *key,
						  struct gt_snapdb_entry *out);

/*
 * All, by key; no transaction is open while 'fn' runs. What changes meanwhile may be seen or not.
 */
GT_MUST_USE struct gt_error *gt_snapdb_walk(struct gt_snapdb *db,
					    struct gt_error *(*fn)(void *arg,
								   const struct gt_snapdb_entry *e),
					    void *arg);

struct gt_snapdb_create {
	enum gt_snapshot_kind kind; /* active or view */
	const char *key;
	const char *parent; /* NULL or "": none */
	uint64_t parent_id; /* what it had when the directory was made: ABORTED if it is another now
			     */
	const struct gt_labels *labels; /* NULL: none */
	/*
	 * Puts the directory, made before, in its place; runs while nobody else writes. Sets
	 * '*taken' if there is a directory of that id already (left by a crash): the next id is
	 * tried then. May be called again, with another id or the same, after it succeeded.
	 */
	struct gt_error *(*place)(void *arg, uint64_t id, bool *taken);
	void *arg;
};
GT_MUST_USE struct gt_error *gt_snapdb_create(struct gt_snapdb *db,
					      const struct gt_snapdb_create *c,
					      struct gt_snapdb_entry *out);

/*
 * Makes the active 'key' the committed 'name'. 'parent' (NULL or "": the one it has) is one to
 * give it where it has none; FAILED_PRECONDITION if it has another.
 */
GT_MUST_USE struct gt_error *gt_snapdb_commit(struct gt_snapdb *db, const char *name,
					      const char *key, const struct gt_labels *labels,
					      const char *parent);

/* Removes the record of what has no children; '*id' is its directory, which may go now. */
GT_MUST_USE struct gt_error *gt_snapdb_remove(struct gt_snapdb *db, const char *key, uint64_t *id);
/*
 * The same for several in one transaction, in this order. 'ids[i]' is 0 for one that has children or
 * is not there; 'gone[i]' is false for one that has.
 */
GT_MUST_USE struct gt_error *gt_snapdb_remove_all(struct gt_snapdb *db, const struct gt_strv *keys,
						  uint64_t *ids, bool *gone);

GT_MUST_USE struct gt_error *gt_snapdb_update(struct gt_snapdb *db, const char *key,
					      const struct gt_labels *labels);

/*
 * Notes what the committed snapshot 'key' with that id takes. Nothing is lost if this is: not
 * synced.
 */
GT_MUST_USE struct gt_error *gt_snapdb_set_usage(struct gt_snapdb *db, const char *key, uint64_t id,
						 const struct gt_usage *usage);

/* Calls 'fn' with the ids of all records there are now, sorted. Keeps no writer waiting. */
GT_MUST_USE struct gt_error *gt_snapdb_with_ids(
	struct gt_snapdb *db, struct gt_error *(*fn)(void *arg, const uint64_t *ids, size_t n),
	void *arg);

#endif
