/* SPDX-License-Identifier: Apache-2.0 */
/* Layers: blobs of the content service into mounts and back, by the first differ that knows the type. */
#include <config.h>

#include "local.h"

#include <gantry/api-blobs.h>
#include <gantry/api-diffs.h>
#include <gantry/buf.h>
#include <gantry/log.h>

#include <inttypes.h>

#define DEFAULT_TYPE "application/vnd.oci.image.layer.v1.tar+gzip"
#define LABEL_UNCOMPRESSED "containerd.io/uncompressed"

/*
 * Asks one differ after the other until one does not say UNIMPLEMENTED. One that cannot be opened is
 * passed over, and its reason told if no other does it.
 */
static struct gt_error *each_differ(struct local *l,
				    struct gt_error *(*ask)(struct gt_differ *d, void *arg),
				    void *arg, const char *media_type)
{
	gt_auto(gt_strv) ids = { 0 };
	struct gt_error *why = NULL;

	gt_need_ids(l->init, GT_DIFFER, &ids);
	for (size_t i = 0; i < ids.n; i++) {
		struct gt_differ *d;
		struct gt_error *e = gt_need_differ(l->init, ids.v[i], &d);

		if (!e) {
			e = ask(d, arg);
			if (gt_error_class(e) != GT_UNIMPLEMENTED) {
				gt_error_free(why);
				return e;
			}
		}
		why = gt_error_first(why, e);
	}
	if (why)
		return why;
	return gt_error_new(GT_UNIMPLEMENTED, "no differ is active for media type \"%s\"",
			    media_type);
}

struct application {
	struct gt_call *call;
	const struct gt_descriptor *desc;
	struct gt_reader *blob;
	const struct gt_mounts *mounts;
	struct gt_diff_result result;
};

static struct gt_error *ask_apply(struct gt_differ *d, void *arg)
{
	struct application *a = arg;

	return gt_differ_apply(d, a->call, a->desc, a->blob, a->mounts, &a->result);
}

static struct gt_error *apply(struct gt_services *s, struct gt_call *call,
			      const struct gt_descriptor *desc, const struct gt_mounts *mounts,
			      struct gt_descriptor *applied)
{
	gt_autoptr(gt_reader) blob = NULL;
	struct application a = { .call = call, .desc = desc, .mounts = mounts };

	GT_TRY(local_blobs.reader(s, call, desc->digest ? desc->digest : "", &blob));
	a.blob = blob;
	GT_TRY(each_differ(local_of(s), ask_apply, &a, desc->media_type ? desc->media_type : ""));
	*applied = (struct gt_descriptor){
		.media_type = a.result.media_type,
		.digest = a.result.digest,
		.size = a.result.size,
	};
	return NULL;
}

struct difference {
	struct gt_call *call;
	const struct gt_mounts *lower;
	const struct gt_mounts *upper;
	const struct gt_diff_options *o;
	struct gt_writer *w;
	struct gt_diff_result result;
};

static struct gt_error *ask_diff(struct gt_differ *d, void *arg)
{
	struct difference *x = arg;

	/* What another one wrote before it gave up, or a process that died, does not count. */
	GT_TRY(gt_writer_truncate(x->w, 0));
	return gt_differ_diff(d, x->call, x->lower, x->upper, x->o, x->w, &x->result);
}

/* The blob's labels: those given, and what its bytes are when uncompressed. */
static void diff_labels(struct gt_labels *out, const struct gt_labels *given, const char *diff_id)
{
	gt_labels_copy(out, given);
	gt_labels_set(out, LABEL_UNCOMPRESSED, diff_id);
}

/* A blob that is there already gets the labels of this one added. */
static struct gt_error *add_labels(struct gt_services *s, struct gt_call *call,
				   const char *digest, const struct gt_labels *labels)
{
	gt_auto(gt_strv) mask = { 0 };

	for (size_t i = 0; i < labels->n; i++)
		gt_strv_addf(&mask, "labels.%s", labels->v[i].key);
	return local_blobs.update(s, call, digest, labels, &mask, NULL);
}

static struct gt_error *diff_commit(struct gt_services *s, struct difference *x,
				    const struct gt_labels *given, struct gt_descriptor *out)
{
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_ingest_info) status = { 0 };
	gt_autofree char *digest = NULL;
	struct gt_error *e;

	diff_labels(&labels, given, x->result.digest);
	GT_TRY(gt_writer_status(x->w, &status));
	GT_TRY(gt_writer_digest(x->w, &digest));
	e = local_blobs.commit(s, x->call, x->w, status.offset, digest, &labels, NULL);
	if (gt_error_class(e) == GT_ALREADY_EXISTS) {
		gt_error_free(e);
		e = add_labels(s, x->call, digest, &labels);
	}
	GT_TRY(e);
	*out = (struct gt_descriptor){
		.media_type = gt_xstrdup(x->o && x->o->media_type ? x->o->media_type :
								    DEFAULT_TYPE),
		.digest = gt_steal(&digest),
		.size = status.offset,
	};
	return NULL;
}

static struct gt_error *diff(struct gt_services *s, struct gt_call *call,
			     const struct gt_mounts *lower, const struct gt_mounts *upper,
			     const struct gt_diff_options *o, const char *ref,
			     const struct gt_labels *labels, struct gt_descriptor *out)
{
	gt_autofree char *made =
		ref && *ref ? gt_xstrdup(ref) : gt_strf("diff-%" PRIu64, local_sequence(local_of(s)));
	gt_autoptr(gt_writer) w = NULL;
	struct difference x = { .call = call, .lower = lower, .upper = upper, .o = o };
	struct gt_error *e;

	GT_TRY(local_blobs.writer(s, call, made, NULL, &w));
	x.w = w;
	e = each_differ(local_of(s), ask_diff, &x,
			o && o->media_type ? o->media_type : DEFAULT_TYPE);
	if (!e)
		e = diff_commit(s, &x, labels, out);
	gt_diff_result_done(&x.result);
	if (e) {
		struct gt_call undo = *call;

		/* Also when the call has ended. */
		undo.deadline = 0;
		undo.cancel = NULL;
		gt_writer_free(gt_steal(&w));
		gt_log_warn_take(gt_error_unless(local_blobs.abort(s, &undo, made), GT_NOT_FOUND),
				 "drop ingest %s", made);
	}
	return e;
}

const struct gt_diffs_ops local_diffs = {
	.size = sizeof(local_diffs),
	.apply = apply,
	.diff = diff,
};
