/* SPDX-License-Identifier: Apache-2.0 */
/* The content service: blobs with labels, by namespace, over one content store. */
#ifndef GANTRY_API_BLOBS_H
#define GANTRY_API_BLOBS_H

#include <gantry/content.h>
#include <gantry/descriptor.h>
#include <gantry/services.h>

#define GT_NOTE_MAX 4096

struct gt_blob {
	struct gt_blob_info info;
	struct gt_labels labels;
};
void gt_blob_done(struct gt_blob *b);


struct gt_blobs_ops {
	size_t size;
	/* NOT_FOUND "content DIGEST". The caller gt_blob_done()s '*out'. */
	struct gt_error *(*info)(struct gt_services *s, struct gt_call *call, const char *digest,
				 struct gt_blob *out);
	/* 'mask': paths as in containerd's field masks ("labels", "labels.KEY"; a key with an empty
	 * value goes); NULL or empty: replaces all labels. '*out' (may be NULL) is the new state. */
	struct gt_error *(*update)(struct gt_services *s, struct gt_call *call, const char *digest,
				   const struct gt_labels *labels, const struct gt_strv *mask,
				   struct gt_blob *out);
	struct gt_error *(*list)(struct gt_services *s, struct gt_call *call,
				 const struct gt_strv *filters,
				 struct gt_error *(*fn)(void *arg, const struct gt_blob *b),
				 void *arg);
	/* Forgets the namespace's record; the bytes go with the last namespace's (gc). */
	struct gt_error *(*remove)(struct gt_services *s, struct gt_call *call, const char *digest);
	struct gt_error *(*reader)(struct gt_services *s, struct gt_call *call, const char *digest,
				   struct gt_reader **out);
	/*
	 * Opens or resumes the namespace's ingest 'ref'. 'desc' may be NULL or lack size and digest.
	 * ALREADY_EXISTS "content DIGEST" if the namespace has the blob. Commit goes through
	 * gt_blobs_commit, not through the writer.
	 */
	struct gt_error *(*writer)(struct gt_services *s, struct gt_call *call, const char *ref,
				   const struct gt_descriptor *desc, struct gt_writer **out);
	/* Commits a writer of this service: the blob, then its record with 'labels' (may be NULL). */
	struct gt_error *(*commit)(struct gt_services *s, struct gt_call *call, struct gt_writer *w,
				   int64_t size, const char *expected,
				   const struct gt_labels *labels, char **digest);
	struct gt_error *(*status)(struct gt_services *s, struct gt_call *call, const char *ref,
				   struct gt_ingest_info *out);
	struct gt_error *(*list_ingests)(struct gt_services *s, struct gt_call *call,
					 const struct gt_strv *filters,
					 struct gt_error *(*fn)(void *arg,
								const struct gt_ingest_info *i),
					 void *arg);
	struct gt_error *(*abort)(struct gt_services *s, struct gt_call *call, const char *ref);
	/*
	 * Optional, both. What somebody noted of a blob: a text that follows from its bytes, so that they
	 * need not be read again. It goes with the namespace's record of the blob. NOT_FOUND: there is none.
	 * '*out' is a new string.
	 */
	struct gt_error *(*note)(struct gt_services *s, struct gt_call *call, const char *digest,
				 char **out);
	/*
	 * 'notes' has one for each of 'digests', in the place of an earlier one; what the namespace has
	 * no record of is passed by. At most GT_NOTE_MAX bytes each: INVALID_ARGUMENT.
	 */
	struct gt_error *(*set_notes)(struct gt_services *s, struct gt_call *call,
				      const struct gt_strv *digests, const struct gt_strv *notes);
};



GT_MUST_USE struct gt_error *gt_blobs_info(struct gt_services *s, struct gt_call *call,
					   const char *digest, struct gt_blob *out);
GT_MUST_USE struct gt_error *gt_blobs_update(struct gt_services *s, struct gt_call *call,
					     const char *digest, const struct gt_labels *labels,
					     const struct gt_strv *mask, struct gt_blob *out);
GT_MUST_USE struct gt_error *gt_blobs_list(struct gt_services *s, struct gt_call *call,
					   const struct gt_strv *filters,
					   struct gt_error *(*fn)(void *, const struct gt_blob *),
					   void *arg);
GT_MUST_USE struct gt_error *gt_blobs_remove(struct gt_services *s, struct gt_call *call,
					     const char *digest);
GT_MUST_USE struct gt_error *gt_blobs_reader(struct gt_services *s, struct gt_call *call,
					     const char *digest, struct gt_reader **out);
GT_MUST_USE struct gt_error *gt_blobs_writer(struct gt_services *s, struct gt_call *call,
					     const char *ref, const struct gt_descriptor *desc,
					     struct gt_writer **out);
GT_MUST_USE struct gt_error *gt_blobs_commit(struct gt_services *s, struct gt_call *call,
					     struct gt_writer *w, int64_t size, const char *expected,
					     const struct gt_labels *labels, char **digest);
GT_MUST_USE struct gt_error *gt_blobs_status(struct gt_services *s, struct gt_call *call,
					     const char *ref, struct gt_ingest_info *out);
GT_MUST_USE struct gt_error *
gt_blobs_list_ingests(struct gt_services *s, struct gt_call *call, const struct gt_strv *filters,
		      struct gt_error *(*fn)(void *, const struct gt_ingest_info *), void *arg);
GT_MUST_USE struct gt_error *gt_blobs_abort(struct gt_services *s, struct gt_call *call,
					    const char *ref);
GT_MUST_USE struct gt_error *gt_blobs_note(struct gt_services *s, struct gt_call *call,
					   const char *digest, char **out);
GT_MUST_USE struct gt_error *gt_blobs_set_notes(struct gt_services *s, struct gt_call *call,
						const struct gt_strv *digests,
						const struct gt_strv *notes);

#endif
