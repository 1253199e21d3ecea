/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots. A snapshotter's own name for one is "NS/SEQ/KEY"; SEQ is a number that the snapshot keeps
 * when it is committed under another key. Prepare and commit go to the snapshotter first and to the
 * record then, removal the other way round. What a process that died between the two left is:
 *
 *	a snapshot without record: nobody sees it; cleanup deletes it;
 *	a commit whose record is still the active one: trying it again, or cleanup, ends it.
 */
#ifndef SERVICES_LOCAL_SNAPSHOTS_H
#define SERVICES_LOCAL_SNAPSHOTS_H

#include "records.h"

#include <gantry/api-snapshots.h>
#include <gantry/api-system.h>

struct snapshot {
	struct gt_snapshot_info info;
	char *backend; /* the snapshotter's key */
	uint64_t seq;
};
void snapshot_done(struct snapshot *s);
extern const struct record_kind snapshot_kind;

/* Whose snapshots an op is about. */
struct place {
	struct local *l;
	struct gt_call *call;
	struct gt_snapshotter *sn;
	const char *name; /* of the snapshotter, as records have it */
};

GT_MUST_USE struct gt_error *place_find(struct gt_services *s, struct gt_call *call,
					const char *snapshotter, struct place *out);
GT_MUST_USE struct gt_error *place_record(const struct place *p, const char *key,
					  struct record *out);
/* Those labels that a snapshotter gets to see. */
void labels_for_backend(struct gt_labels *dst, const struct gt_labels *src);

/*
 * The lock of a snapshot, by the snapshotter's name for it: shared while it is made or committed, from
 * before the snapshotter is asked until the record is stored; alone for who ends or undoes what a
 * process that died left of the two.
 */
GT_MUST_USE struct gt_error *snapshot_lock_share(struct local *l, struct gt_call *call,
						 const char *backend, struct name_lock *lock);
GT_MUST_USE struct gt_error *snapshot_lock_try(struct local *l, const char *backend,
					       struct name_lock *lock, bool *got);

/* Makes 'made' the record of what 'active' was; 'object' is the new one, 'was' the old one. */
struct snapshot_commit {
	const struct place *p;
	const struct record *active;
	const struct record *made;
	const struct snapshot *was;
	const struct snapshot *object;
	const char *parent; /* key, "" for none */
	bool existed; /* out: 'made' was there, and 'active' is gone */
};
GT_MUST_USE struct gt_error *snapshot_commit_record(struct gt_txn *t, void *commit);

/*
 * A snapshot in the making: 'p' and 'r' say which. After begin its snapshotter has it, and nobody else sees
 * it; its record is for a transaction of the caller's. Then either tell, or undo.
 */
struct snapshot_creation {
	const struct place *p;
	const struct record *r;
	const char *target; /* NULL: none asked for */
	struct snapshot object;
	bool target_exists;
	char *backend_parent;
	char *lease_type;
	struct name_lock lock; /* of the snapshot in the making */
};
#define SNAPSHOT_CREATION_INIT { .lock = NAME_LOCK_INIT }
void snapshot_creation_done(struct snapshot_creation *c);
GT_MUST_USE struct gt_error *snapshot_creation_begin(struct snapshot_creation *c,
						     enum gt_snapshot_kind kind, const char *parent,
						     const struct gt_labels *labels,
						     struct gt_mounts *out);
GT_MUST_USE struct gt_error *snapshot_creation_record(struct gt_txn *t, void *creation);
void snapshot_creation_undo(struct snapshot_creation *c);
void snapshot_creation_tell(const struct snapshot_creation *c);

/* Removes a record and where it stands as a child. FAILED_PRECONDITION while it has children. */
struct snapshot_removal {
	const struct place *p;
	const struct record *r;
	bool collected; /* by the collection, which need not be told that something was deleted */
	struct snapshot object; /* out: what it was */
};
GT_MUST_USE struct gt_error *snapshot_remove_record(struct gt_txn *t, void *removal);
/* What follows when that has been committed: the snapshotter's part, and the event. */
void snapshot_removed(struct snapshot_removal *removal, const char *key);

/*
 * Deletes snapshots from their snapshotter that had a record each, in this order; one that has one again,
 * or is being committed, is passed by, and '*missed' set. 'measure': adds what they took to 'out'.
 */
GT_MUST_USE struct gt_error *snapshots_delete(struct local *l, struct gt_call *call,
					      struct gt_snapshotter *sn,
					      const struct gt_strv *backends, bool measure,
					      struct gt_collected *out, bool *missed);
/* As the op cleanup; counts into 'out' what had no record. */
GT_MUST_USE struct gt_error *snapshots_search(struct local *l, struct gt_call *call,
					      const char *snapshotter, struct gt_collected *out);

/* Ops that look at snapshots or change what is known of them. */
GT_MUST_USE struct gt_error *snapshots_stat(struct gt_services *s, struct gt_call *call,
					    const char *snapshotter, const char *key,
					    struct gt_snapshot_info *out);
GT_MUST_USE struct gt_error *snapshots_mounts(struct gt_services *s, struct gt_call *call,
					      const char *snapshotter, const char *key,
					      struct gt_mounts *out);
GT_MUST_USE struct gt_error *
snapshots_list(struct gt_services *s, struct gt_call *call, const char *snapshotter,
	       const struct gt_strv *filters,
	       struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i), void *arg);
GT_MUST_USE struct gt_error *snapshots_update(struct gt_services *s, struct gt_call *call,
					      const char *snapshotter, const char *key,
					      const struct gt_labels *labels,
					      const struct gt_strv *mask,
					      struct gt_snapshot_info *out);
GT_MUST_USE struct gt_error *snapshots_usage(struct gt_services *s, struct gt_call *call,
					     const char *snapshotter, const char *key,
					     struct gt_usage *out);
GT_MUST_USE struct gt_error *snapshots_sync(struct gt_services *s, struct gt_call *call,
					    const char *snapshotter);
GT_MUST_USE struct gt_error *snapshots_can_rebase(struct gt_services *s, struct gt_call *call,
						  const char *snapshotter, bool *out);
/* Ends or undoes what processes that died left, then the snapshotter's own cleanup. */
GT_MUST_USE struct gt_error *snapshots_cleanup(struct gt_services *s, struct gt_call *call,
					       const char *snapshotter);

#endif
