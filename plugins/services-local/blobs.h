/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs and ingests. The bytes of a blob are one file for all namespaces; each has a record of its own,
 * and the file goes when no record, and no ingest that expects it, is left.
 */
#ifndef SERVICES_LOCAL_BLOBS_H
#define SERVICES_LOCAL_BLOBS_H

#include "records.h"

#include <gantry/api-blobs.h>
#include <gantry/api-system.h>

extern const struct record_kind blob_kind; /* struct gt_blob */

struct ingest {
	char *ref;
	char *backend; /* the content store's ref */
	char *expected; /* digest; "": not known */
	int64_t total;
	struct timespec expire_at; /* not set: a lease keeps it */
};
void ingest_done(struct ingest *i);
extern const struct record_kind ingest_kind;

/* Whether the namespace may take the bytes of 'digest' that another one brought. */
GT_MUST_USE struct gt_error *blob_shareable(struct local *l, struct gt_call *call,
					    const char *digest, bool *out);

/*
 * Deletes the bytes of those blobs that no namespace has and no ingest expects. What is in the making
 * just now is passed by, and '*missed' set. Adds to 'out' what was freed.
 */
GT_MUST_USE struct gt_error *blobs_delete(struct local *l, struct gt_call *call,
					  const struct gt_strv *digests, struct gt_collected *out,
					  bool *missed);
/* The same for one, after its record went: trouble is logged, and left to the next collection. */
void blob_sweep(struct local *l, struct gt_call *call, const char *digest);

/* notes.c */
GT_MUST_USE struct gt_error *blob_note(struct gt_services *s, struct gt_call *call,
				       const char *digest, char **out);
GT_MUST_USE struct gt_error *blob_set_notes(struct gt_services *s, struct gt_call *call,
					    const struct gt_strv *digests,
					    const struct gt_strv *notes);
/* With the record of the blob. */
GT_MUST_USE struct gt_error *note_drop(struct gt_txn *t, const char *ns, const char *digest);

/* Adds the content store's refs of a namespace's ingests to 'out'; drops the ingests of such. */
GT_MUST_USE struct gt_error *ingest_backends(struct gt_txn *t, const char *ns,
					     struct gt_strv *out);
void ingest_drop_backends(struct local *l, struct gt_call *call, const struct gt_strv *backends);

/* The ops of the content service that are about ingests. */
GT_MUST_USE struct gt_error *ingest_writer(struct gt_services *s, struct gt_call *call,
					   const char *ref, const struct gt_descriptor *desc,
					   struct gt_writer **out);
GT_MUST_USE struct gt_error *ingest_commit(struct gt_services *s, struct gt_call *call,
					   struct gt_writer *w, int64_t size, const char *expected,
					   const struct gt_labels *labels, char **digest);
GT_MUST_USE struct gt_error *ingest_status(struct gt_services *s, struct gt_call *call,
					   const char *ref, struct gt_ingest_info *out);
GT_MUST_USE struct gt_error *
ingest_list(struct gt_services *s, struct gt_call *call, const struct gt_strv *filters,
	    struct gt_error *(*fn)(void *arg, const struct gt_ingest_info *i), void *arg);
GT_MUST_USE struct gt_error *ingest_abort(struct gt_services *s, struct gt_call *call,
					  const char *ref);

#endif
