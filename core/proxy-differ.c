/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A diff service as a differ. That service finds blobs in a content store: where the far side has one of its
 * own it is sent what is to be applied, and what it makes is fetched from there. A lease of a call's length
 * keeps both from being collected meanwhile.
 */
#include <config.h>

#include "core/proxy.h"

#include "core/config.h"

#include <gantry/api-blobs.h>
#include <gantry/api-diffs.h>
#include <gantry/api-leases.h>
#include <gantry/buf.h>
#include <gantry/log.h>

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define LABEL_UNCOMPRESSED "containerd.io/uncompressed"
#define LABEL_EXPIRE "containerd.io/gc.expire"
#define CHUNK (1 << 20)
#define SENT_WAIT_NS 20000000

struct differ {
	struct gt_differ base;
	struct proxy p;
};

static struct proxy *proxy_of(struct gt_differ *d)
{
	return &((struct differ *)d)->p;
}

static struct gt_error *differ_open(const struct gt_init *init, struct gt_differ **out)
{
	struct differ *d = gt_xcalloc(1, sizeof(*d));
	struct gt_error *e = proxy_init(init, &d->p);

	if (e)
		free(d);
	else
		*out = &d->base;
	return e;
}

static void differ_close(struct gt_differ *d)
{
	if (!d)
		return;
	proxy_done(proxy_of(d));
	free(d);
}

/* --- a lease over there ------------------------------------------------------------------------ */

struct lease {
	struct gt_services *far;
	struct gt_call *call; /* which has it */
	char *id;
};

/* One that knows no leases has no garbage collection either. */
static struct gt_error *lease_make(struct lease *l, struct gt_services *far, struct gt_call *call,
				   int64_t most)
{
	time_t end = time(NULL) + (time_t)(most / 1000000000) + 60;
	gt_autofree char *id = gt_strf("gantry-layer-%d-%" PRId64, (int)getpid(), gt_now());
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_lease) made = { 0 };
	struct tm tm;
	char text[32];
	struct gt_error *e;

	l->far = far;
	l->call = call;
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&end, &tm));
	gt_labels_set(&labels, LABEL_EXPIRE, text);
	e = gt_leases_create(far, call, id, &labels, &made);
	if (!e) {
		l->id = gt_steal(&id);
		call->lease = l->id;
	}
	return gt_error_unless(e, GT_UNIMPLEMENTED);
}

static void lease_done(struct lease *l)
{
	struct gt_call undo = GT_CALL_INIT; /* also when the call has ended */

	if (!l->id)
		return;
	l->call->lease = NULL;
	undo.ns = l->call->ns;
	undo.deadline = gt_now() + INT64_C(5000000000);
	/* It expires. */
	gt_log_warn_take(gt_error_unless(gt_leases_remove(l->far, &undo, l->id, false), GT_NOT_FOUND),
			 "remove lease %s", l->id);
	free(l->id);
}

/* --- applying ---------------------------------------------------------------------------------- */

static struct gt_error *copy_to_writer(struct gt_call *call, struct gt_reader *r, int64_t from,
				       struct gt_writer *w)
{
	gt_autofree char *buf = gt_xmalloc(CHUNK);

	for (;;) {
		size_t n;

		GT_TRY(gt_call_check(call));
		GT_TRY(gt_reader_pread(r, buf, CHUNK, from, &n));
		if (!n)
			return NULL;
		GT_TRY(gt_writer_write(w, buf, n));
		from += (int64_t)n;
	}
}

/*
 * Another, here or in another process, may be sending the same: what it stores is as good as ours. It may have
 * come to an end since we asked for the ingest, so what counts is that the far side answers.
 */
static bool is_being_sent(struct gt_services *far, struct gt_call *call, const char *ref)
{
	gt_auto(gt_ingest_info) there = { 0 };
	struct gt_error *e = gt_blobs_status(far, call, ref, &there);
	enum gt_class cls = gt_error_class(e);

	gt_error_free(e);
	return cls == GT_OK || cls == GT_NOT_FOUND;
}

/* '*w' stays NULL if the blob has come meanwhile. */
static struct gt_error *ingest_open(struct gt_services *far, struct gt_call *call, const char *ref,
				    const struct gt_descriptor *desc, struct gt_writer **w)
{
	for (;;) {
		struct gt_error *e = gt_blobs_writer(far, call, ref, desc, w);

		if (gt_error_class(e) == GT_ALREADY_EXISTS) {
			gt_error_free(e);
			return NULL;
		}
		if (gt_error_class(e) != GT_UNAVAILABLE || !is_being_sent(far, call, ref))
			return e;
		gt_error_free(e);
		GT_TRY(gt_call_check(call));
		nanosleep(&(struct timespec){ .tv_nsec = SENT_WAIT_NS }, NULL);
	}
}

static struct gt_error *upload(struct gt_services *far, struct gt_call *call,
			       const struct gt_descriptor *desc, struct gt_reader *blob)
{
	gt_autofree char *ref = gt_strf("gantry-layer-%s", desc->digest);
	gt_auto(gt_ingest_info) status = { 0 };
	gt_autoptr(gt_writer) w = NULL;
	struct gt_error *e;

	GT_TRY(ingest_open(far, call, ref, desc, &w));
	if (!w)
		return NULL;
	e = gt_writer_status(w, &status);
	if (!e)
		e = copy_to_writer(call, blob, status.offset, w);
	if (!e)
		e = gt_blobs_commit(far, call, w, gt_reader_length(blob), desc->digest, NULL, NULL);
	return gt_error_unless(e, GT_ALREADY_EXISTS);
}

/* UNIMPLEMENTED: it has no content store to be asked, and so reads the one that it was set up with. */
static struct gt_error *blob_bring(struct gt_services *far, struct gt_call *call,
				   const struct gt_descriptor *desc, struct gt_reader *blob)
{
	gt_auto(gt_blob) there = { 0 };
	struct gt_error *e = gt_blobs_info(far, call, desc->digest, &there);

	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		return upload(far, call, desc, blob);
	}
	/* What is there already is not the lease's yet. */
	if (!e && call->lease)
		e = gt_leases_add(far, call, call->lease, "content", desc->digest);
	return gt_error_unless(e, GT_UNIMPLEMENTED);
}

static struct gt_error *apply_there(struct proxy *p, struct gt_call *call,
				    const struct gt_descriptor *desc, struct gt_reader *blob,
				    const struct gt_mounts *mounts, struct gt_diff_result *out)
{
	gt_auto(lease) lease = { 0 };
	struct gt_descriptor applied = { 0 };

	GT_TRY(lease_make(&lease, p->far, call, p->layer_timeout));
	GT_TRY(gt_error_wrap(blob_bring(p->far, call, desc, blob), "send %s", desc->digest));
	GT_TRY(gt_diffs_apply(p->far, call, desc, mounts, &applied));
	out->media_type = gt_steal(&applied.media_type);
	out->digest = gt_steal(&applied.digest);
	out->size = applied.size;
	gt_descriptor_done(&applied);
	return NULL;
}

static struct gt_error *apply(struct gt_differ *d, struct gt_call *call,
			      const struct gt_descriptor *desc, struct gt_reader *blob,
			      const struct gt_mounts *mounts, struct gt_diff_result *out)
{
	struct proxy *p = proxy_of(d);

	return PROXY_CALL(p, call, call->ns, p->layer_timeout, far,
			  apply_there(p, &far, desc, blob, mounts, out));
}

/* --- making ------------------------------------------------------------------------------------ */

static bool is_compressed(const char *media_type)
{
	const char *end = strrchr(media_type, '+');

	if (!end)
		end = strrchr(media_type, '.');
	return end && (!strcmp(end + 1, "gzip") || !strcmp(end + 1, "zstd"));
}

/* What the blob is when uncompressed. */
static struct gt_error *result_fill(const struct gt_descriptor *made, const struct gt_blob *b,
				    struct gt_diff_result *out)
{
	const char *diff_id = gt_labels_get(&b->labels, LABEL_UNCOMPRESSED);
	bool compressed = is_compressed(made->media_type);

	if (!diff_id && compressed)
		return gt_error_new(GT_INTERNAL,
				    "layer %s has no label " LABEL_UNCOMPRESSED
				    ", so that nobody knows its diff ID",
				    made->digest);
	out->digest = gt_xstrdup(diff_id ? diff_id : made->digest);
	out->media_type = gt_xstrndup(made->media_type, compressed ? strcspn(made->media_type, "+")
								   : strlen(made->media_type));
	out->size = compressed ? 0 : made->size;
	return NULL;
}

static struct gt_error *diff_fetch(struct gt_services *far, struct gt_call *call,
				   const struct gt_descriptor *made, struct gt_writer *w,
				   struct gt_diff_result *out)
{
	gt_autoptr(gt_reader) r = NULL;
	gt_auto(gt_blob) b = { 0 };

	GT_TRY(gt_blobs_info(far, call, made->digest, &b));
	GT_TRY(gt_blobs_reader(far, call, made->digest, &r));
	GT_TRY(copy_to_writer(call, r, 0, w));
	return result_fill(made, &b, out);
}

static struct gt_error *diff_there(struct proxy *p, struct gt_call *call,
				   const struct gt_mounts *lower, const struct gt_mounts *upper,
				   const struct gt_diff_options *o, struct gt_writer *w,
				   struct gt_diff_result *out)
{
	gt_auto(lease) lease = { 0 };
	struct gt_descriptor made = { 0 };
	struct gt_error *e;

	GT_TRY(lease_make(&lease, p->far, call, p->layer_timeout));
	GT_TRY(gt_diffs_diff(p->far, call, lower, upper, o, NULL, NULL, &made));
	e = gt_error_wrap(diff_fetch(p->far, call, &made, w, out), "fetch layer %s", made.digest);
	gt_descriptor_done(&made);
	return e;
}

static struct gt_error *diff(struct gt_differ *d, struct gt_call *call, const struct gt_mounts *lower,
			     const struct gt_mounts *upper, const struct gt_diff_options *o,
			     struct gt_writer *w, struct gt_diff_result *out)
{
	struct proxy *p = proxy_of(d);

	return PROXY_CALL(p, call, call->ns, p->layer_timeout, far,
			  diff_there(p, &far, lower, upper, o, w, out));
}

const struct gt_differ_ops proxy_differ = {
	.size = sizeof(proxy_differ),
	.open = differ_open,
	.close = differ_close,
	.apply = apply,
	.diff = diff,
};
