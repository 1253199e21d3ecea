/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of objects in the metadata store. Each service describes its kind of record once; getting,
 * creating, changing, listing and removing are the same for all. One operation is one transaction.
 */
#ifndef SERVICES_LOCAL_RECORDS_H
#define SERVICES_LOCAL_RECORDS_H

#include "keys.h"
#include "local.h"

#include <filter/filter.h>
#include <wire/arena.h>

#include "records.pb-c.h"

struct record_kind {
	char key; /* KEY_IMAGE */
	const char *what; /* "image", as errors name it */
	bool quoted; /* whether errors quote the name */
	bool in_namespace; /* whether NOT_FOUND names the namespace */
	size_t size; /* of the object's struct; all zero is an empty one */
	const ProtobufCMessageDescriptor *message;
	ProtobufCMessage *(*encode)(struct gt_arena *a, const void *object);
	bool (*decode)(const ProtobufCMessage *m, void *object); /* into an empty one; false: broken */
	void (*done)(void *object); /* leaves an empty one */
	gt_filter_lookup *field;
};

/* Which record: kind, namespace and name are borrowed. */
struct record {
	const struct record_kind *kind;
	const char *ns;
	const char *name;
	struct gt_buf key;
};
#define RECORD_INIT { .key = GT_BUF_INIT }

/*
 * Names a record of the call's namespace; 'scope' (may be NULL) stands between namespace and name.
 * FAILED_PRECONDITION without a namespace, INVALID_ARGUMENT for an empty or too long name.
 */
GT_MUST_USE struct gt_error *record_name(struct record *r, const struct record_kind *kind,
					 const struct gt_call *call, const char *scope,
					 const char *name);
void record_done(struct record *r);
/* "image "NAME"" */
GT_MUST_USE struct gt_error *record_error(const struct record *r, enum gt_class cls);

/* DATA_LOSS for a value that is no such record. '*object' is empty before, and the caller's to clear. */
GT_MUST_USE struct gt_error *record_decode(const struct record_kind *kind, struct gt_slice value,
					   void *object);

/* Within a transaction. '*object' is empty before, and the caller's to clear. */
GT_MUST_USE struct gt_error *record_get(struct gt_txn *t, const struct record *r, void *object);
GT_MUST_USE struct gt_error *record_exists(struct gt_txn *t, const struct record *r, bool *out);
GT_MUST_USE struct gt_error *record_put(struct gt_txn *t, const struct record *r,
					const void *object);
/* Put, if it is not there (ALREADY_EXISTS else), and its namespace with it. */
GT_MUST_USE struct gt_error *record_add(struct gt_txn *t, const struct record *r,
					const void *object);
GT_MUST_USE struct gt_error *record_remove(struct gt_txn *t, const struct record *r);
/* Whether any key begins so. */
GT_MUST_USE struct gt_error *prefix_used(struct gt_txn *t, const struct gt_buf *prefix, bool *out);
/* Removes all that begins so. */
GT_MUST_USE struct gt_error *prefix_remove(struct gt_txn *t, const struct gt_buf *prefix);

/* The metadata store, with a transaction around 'fn', as gt_metadata_update and _view have it. */
GT_MUST_USE struct gt_error *local_update(struct local *l, struct gt_call *call,
					  struct gt_error *(*fn)(struct gt_txn *, void *),
					  void *arg);
GT_MUST_USE struct gt_error *local_view(struct local *l, struct gt_call *call,
					struct gt_error *(*fn)(struct gt_txn *, void *), void *arg);

/* NOT_FOUND. */
GT_MUST_USE struct gt_error *records_get(struct local *l, struct gt_call *call,
					 const struct record *r, void *object);
/*
 * ALREADY_EXISTS. What is made belongs to the call's lease, listed there as 'type' (NULL: it does not).
 */
GT_MUST_USE struct gt_error *records_create(struct local *l, struct gt_call *call,
					    const struct record *r, const void *object,
					    const char *type);
/*
 * Changes a record by 'change', which may be called again with another object and must depend on its
 * arguments alone. '*object' (empty before) is what it became. NOT_FOUND.
 */
GT_MUST_USE struct gt_error *
records_change(struct local *l, struct gt_call *call, const struct record *r,
	       struct gt_error *(*change)(void *object, const void *arg), const void *arg,
	       void *object);
/* NOT_FOUND. */
GT_MUST_USE struct gt_error *records_remove(struct local *l, struct gt_call *call,
					    const struct record *r);
/*
 * Calls 'fn', outside of any transaction, for each object whose key begins with 'prefix' and that the
 * filters match, in the order of keys.
 */
GT_MUST_USE struct gt_error *records_list(struct local *l, struct gt_call *call,
					  const struct record_kind *kind,
					  const struct gt_buf *prefix,
					  const struct gt_strv *filters,
					  struct gt_error *(*fn)(void *arg, const void *object),
					  void *arg);
/* The same for all of a kind in the call's namespace. */
GT_MUST_USE struct gt_error *records_list_all(struct local *l, struct gt_call *call,
					      const struct record_kind *kind,
					      const struct gt_strv *filters,
					      struct gt_error *(*fn)(void *arg, const void *object),
					      void *arg);

#endif
