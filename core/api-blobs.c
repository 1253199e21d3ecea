/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/api-blobs.h>

#include "core/op.h"

#include <gantry/buf.h>

#include <string.h>

void gt_blob_done(struct gt_blob *b)
{
	gt_blob_info_done(&b->info);
	gt_labels_done(&b->labels);
}

struct gt_error *gt_blobs_info(struct gt_services *s, struct gt_call *call, const char *digest,
			       struct gt_blob *out)
{
	GT_TRY(gt_op_check_ns(s->ops->blobs && s->ops->blobs->info, s->init, "blobs.info", call));
	GT_TRY(gt_digest_check(digest));
	return s->ops->blobs->info(s, call, digest, out);
}

struct gt_error *gt_blobs_update(struct gt_services *s, struct gt_call *call, const char *digest,
				 const struct gt_labels *labels, const struct gt_strv *mask,
				 struct gt_blob *out)
{
	GT_TRY(gt_op_check_ns(s->ops->blobs && s->ops->blobs->update, s->init,
			    "blobs.update", call));
	GT_TRY(gt_digest_check(digest));
	return s->ops->blobs->update(s, call, digest, labels, mask, out);
}

struct gt_error *gt_blobs_list(struct gt_services *s, struct gt_call *call,
			       const struct gt_strv *filters,
			       struct gt_error *(*fn)(void *, const struct gt_blob *), void *arg)
{
	GT_TRY(gt_op_check_ns(s->ops->blobs && s->ops->blobs->list, s->init, "blobs.list", call));
	return s->ops->blobs->list(s, call, filters, fn, arg);
}

struct gt_error *gt_blobs_remove(struct gt_services *s, struct gt_call *call, const char *digest)
{
	GT_TRY(gt_op_check_ns(s->ops->blobs && s->ops->blobs->remove, s->init,
			    "blobs.remove", call));
	GT_TRY(gt_digest_check(digest));
	return s->ops->blobs->remove(s, call, digest);
}

struct gt_error *gt_blobs_reader(struct gt_services *s, struct gt_call *call, const char *digest,
				 struct gt_reader **out)
{
	GT_TRY(gt_op_check_ns(s->ops->blobs && s->ops->blobs->reader, s->init,
			    "blobs.reader", call));
	GT_TRY(gt_digest_check(digest));
	return s->ops->blobs->reader(s, call, digest, out);
}

struct gt_error *gt_blobs_writer(struct gt_services *s, struct gt_call *call, const char *ref,
				 const struct gt_descriptor *desc, struct gt_writer **out)
{
	GT_TRY(gt_op_check_ns(s->ops->blobs && s->ops->blobs->writer, s->init,
			    "blobs.writer", call));
	GT_TRY(gt_op_required("ingest reference", ref));
	return s->ops->blobs->writer(s, call, ref, desc, out);
}

struct gt_error *gt_blobs_commit(struct gt_services *s, struct gt_call *call, struct gt_writer *w,
				 int64_t size, const char *expected, const struct gt_labels *labels,
				 char **digest)
{
	GT_TRY(gt_op_check_ns(s->ops->blobs && s->ops->blobs->commit, s->init,
			    "blobs.commit", call));
	return s->ops->blobs->commit(s, call, w, size, expected, labels, digest);
}

struct gt_error *gt_blobs_status(struct gt_services *s, struct gt_call *call, const char *ref,
				 struct gt_ingest_info *out)
{
	GT_TRY(gt_op_check_ns(s->ops->blobs && s->ops->blobs->status, s->init,
			    "blobs.status", call));
	GT_TRY(gt_op_required("ingest reference", ref));
	return s->ops->blobs->status(s, call, ref, out);
}

struct gt_error *gt_blobs_list_ingests(struct gt_services *s, struct gt_call *call,
				       const struct gt_strv *filters,
				       struct gt_error *(*fn)(void *, const struct gt_ingest_info *),
				       void *arg)
{
	GT_TRY(gt_op_check_ns(s->ops->blobs && s->ops->blobs->list_ingests, s->init,
			    "blobs.list_ingests", call));
	return s->ops->blobs->list_ingests(s, call, filters, fn, arg);
}

struct gt_error *gt_blobs_abort(struct gt_services *s, struct gt_call *call, const char *ref)
{
	GT_TRY(gt_op_check_ns(s->ops->blobs && s->ops->blobs->abort, s->init, "blobs.abort", call));
	GT_TRY(gt_op_required("ingest reference", ref));
	return s->ops->blobs->abort(s, call, ref);
}

struct gt_error *gt_blobs_note(struct gt_services *s, struct gt_call *call, const char *digest,
			       char **out)
{
	GT_TRY(gt_op_check_ns(s->ops->blobs && s->ops->blobs->note, s->init, "blobs.note", call));
	GT_TRY(gt_digest_check(digest));
	return s->ops->blobs->note(s, call, digest, out);
}

struct gt_error *gt_blobs_set_notes(struct gt_services *s, struct gt_call *call,
				    const struct gt_strv *digests, const struct gt_strv *notes)
{
	GT_TRY(gt_op_check_ns(s->ops->blobs && s->ops->blobs->set_notes, s->init,
			    "blobs.set_notes", call));
	if (digests->n != notes->n)
		return gt_error_new(GT_INVALID_ARGUMENT, "%zu notes of %zu blobs", notes->n,
				    digests->n);
	for (size_t i = 0; i < notes->n; i++) {
		GT_TRY(gt_digest_check(digests->v[i]));
		if (strlen(notes->v[i]) > GT_NOTE_MAX)
			return gt_error_new(GT_INVALID_ARGUMENT, "a note of %zu bytes, over %d",
					    strlen(notes->v[i]), GT_NOTE_MAX);
	}
	return s->ops->blobs->set_notes(s, call, digests, notes);
}
