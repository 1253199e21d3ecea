/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "errand.h"

#include "url.h"

#include <oci/document.h>

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define MOUNTS_MAX 3 /* repositories that are tried as the source of a mount */
#define PIECE (16 * 1024 * 1024) /* where a registry takes nothing larger at once */
#define REPORT_NS (INT64_C(100) * 1000000)

struct push {
	struct errand *e;
	struct host *h;
	const struct gt_descriptor *desc;
	struct gt_reader *blob;
	const struct gt_push_options *options;
	char *location; /* of the upload that is under way; NULL: none */
	int64_t done; /* bytes that the registry has */
	int64_t piece; /* 0: the whole rest at once */
	int64_t min_piece; /* what the registry wants at least, but for the last */
	int64_t reported_at;
};

static struct gt_error *unexpected(struct push *p, struct answer *a, const char *what)
{
	return gt_error_wrap(errand_refusal(p->e, p->h, a), "%s", what);
}

/* One that has nothing to say of the host's: it says itself what to do. */
static struct gt_error *ask(struct push *p, struct question *q, struct answer *out)
{
	q->is_last = true;
	return errand_ask_patiently(p->e, p->h, q, out);
}

/* --- what is there already -------------------------------------------------- */

static bool is_document(const struct gt_descriptor *d)
{
	return gt_type_is_manifest(d->media_type) || gt_type_is_index(d->media_type);
}

/* The tag that a manifest gets; NULL: none. */
static const char *tag_of(const struct errand *e, const struct gt_descriptor *d)
{
	return e->tag && (!e->digest || !strcmp(e->digest, d->digest)) ? e->tag : NULL;
}

static char *path_of(const struct errand *e, const struct gt_descriptor *d)
{
	const char *tag = tag_of(e, d);

	if (!is_document(d))
		return gt_strf("/blobs/%s", d->digest);
	return gt_strf("/manifests/%s", tag ? tag : d->digest);
}

static struct gt_error *is_there(struct push *p, const char *path, bool *out)
{
	struct question q = { .method = "HEAD", .path = path };
	struct answer a = { 0 };
	struct gt_error *err;
	const char *digest;
	int status;

	if (is_document(p->desc))
		gt_strv_addf(&q.headers, "Accept: %s, */*", p->desc->media_type);
	err = ask(p, &q, &a);
	gt_strv_done(&q.headers);
	GT_TRY(err);
	status = http_status(a.x);
	digest = http_header(a.x, "docker-content-digest");
	/* a tag may stand for something else, and what does not say so may too */
	*out = status == 200 && (!is_document(p->desc) || (digest && !strcmp(digest, p->desc->digest)));
	if (status == 200 || status == 404 || status == 405) {
		answer_done(&a);
		return NULL;
	}
	return unexpected(p, &a, "look for it");
}

/* --- manifests -------------------------------------------------------------- */

/* What the registry says it has taken. */
static struct gt_error *digest_check(const struct push *p, const struct answer *a)
{
	const char *digest = http_header(a->x, "docker-content-digest");

	if (!digest || !strcmp(digest, p->desc->digest) ||
	    strncmp(digest, p->desc->digest, strcspn(digest, ":") + 1) != 0)
		return NULL;
	return gt_error_new(GT_FAILED_PRECONDITION, "registry %s: stored it as %.140s", p->h->authority,
			    digest);
}

static struct gt_error *manifest_put(struct push *p, const char *path)
{
	struct question q = { .method = "PUT", .path = path };
	gt_autofree char *body = NULL;
	struct answer a = { 0 };
	struct gt_error *err;
	size_t len;

	GT_TRY(gt_reader_all(p->blob, GT_DOCUMENT_MAX, &body, &len));
	q.body = body;
	q.body_len = len;
	gt_strv_addf(&q.headers, "Content-Type: %s", p->desc->media_type);
	err = ask(p, &q, &a);
	gt_strv_done(&q.headers);
	GT_TRY(err);
	if (http_status(a.x) != 201 && http_status(a.x) != 200 && http_status(a.x) != 202)
		return unexpected(p, &a, "put manifest");
	err = digest_check(p, &a);
	answer_done(&a);
	return err;
}

/* --- blobs -------------------------------------------------------------------- */

static void report(struct push *p, int64_t done, bool always)
{
	int64_t now = gt_now();

	if (!p->options->progress || (!always && now - p->reported_at < REPORT_NS))
		return;
	p->reported_at = now;
	p->options->progress(p->options->progress_arg, done);
}

static void on_sent(void *arg, int64_t bytes)
{
	struct push *p = arg;

	report(p, p->done + bytes, false);
}

/* Where the upload goes on, by an answer of 202 or 204. */
static struct gt_error *location_take(struct push *p, const struct answer *a)
{
	const char *location = http_header(a->x, "location");
	char *url = location ? url_join(a->url, location) : NULL;

	if (!url)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "registry %s: begins an upload, but does not say where (Location)",
				    p->h->authority);
	free(p->location);
	p->location = url;
	return NULL;
}

/* "0-1023" or "bytes=0-1023": how many bytes the registry has; -1: it does not say. */
static int64_t range_end(const struct answer *a)
{
	const char *s = http_header(a->x, "range");
	long long last;
	char *end;

	if (!s)
		return -1;
	if (!strncmp(s, "bytes", 5))
		s += 5 + strspn(s + 5, "= ");
	if (strncmp(s, "0-", 2) != 0 || !isdigit((unsigned char)s[2]))
		return -1;
	last = strtoll(s + 2, &end, 10);
	/* "0-0" is said of nothing and of one byte alike */
	return *end || last < 0 || last >= INT64_MAX - 1 ? -1 : last ? last + 1 : 0;
}

static void min_piece_take(struct push *p, const struct answer *a)
{
	const char *s = http_header(a->x, "oci-chunk-min-length");
	long long v = s && isdigit((unsigned char)*s) ? strtoll(s, NULL, 10) : 0;

	p->min_piece = v > 0 && v < INT64_C(1) << 40 ? v : 0;
	if (p->piece && p->piece < p->min_piece)
		p->piece = p->min_piece;
}

static bool is_token_plain(const char *s)
{
	for (; *s; s++) {
		if (!isalnum((unsigned char)*s) && !strchr("._~-/", *s))
			return false;
	}
	return true;
}

/* Begins an upload; with 'from', the registry may take the blob from there instead. */
static struct gt_error *upload_begin(struct push *p, const char *from, bool *mounted)
{
	gt_autofree char *path = from ? gt_strf("/blobs/uploads/?mount=%s&from=%s", p->desc->digest, from)
				      : gt_xstrdup("/blobs/uploads/");
	struct question q = { .method = "POST", .path = path };
	struct answer a = { 0 };
	struct gt_error *err;
	int status;

	*mounted = false;
	GT_TRY(ask(p, &q, &a));
	status = http_status(a.x);
	if (status == 201 && from) {
		*mounted = true;
		answer_done(&a);
		return NULL;
	}
	/* it need not know of mounts, nor let us read there */
	if (from && status >= 400 && status < 500) {
		answer_done(&a);
		return NULL;
	}
	if (status != 202)
		return unexpected(p, &a, "begin upload");
	err = location_take(p, &a);
	min_piece_take(p, &a);
	answer_done(&a);
	p->done = 0;
	return err;
}

/* The token must let us read the repository that is mounted from. */
static struct gt_error *mount_try(struct push *p, const char *from, bool *mounted)
{
	struct gt_strv plain = { 0 };
	struct gt_error *err;

	*mounted = false;
	if (!is_token_plain(from) || !strcmp(from, p->e->repository))
		return NULL;
	gt_strv_addv(&plain, &p->e->scopes);
	gt_strv_addf(&p->e->scopes, "repository:%s:pull", from);
	err = upload_begin(p, from, mounted);
	/* a token server that refuses the pair may grant the one */
	if (gt_error_class(err) == GT_UNAUTHENTICATED || gt_error_class(err) == GT_PERMISSION_DENIED) {
		gt_error_free(err);
		err = NULL;
	}
	gt_strv_done(&p->e->scopes);
	p->e->scopes = plain;
	return err;
}

/* How far the registry has come with the upload; '*gone': it does not know it any more. */
static struct gt_error *upload_look(struct push *p, bool *gone)
{
	struct question q = { .method = "GET", .url = p->location };
	struct answer a = { 0 };
	int64_t have;
	int status;

	GT_TRY(ask(p, &q, &a));
	status = http_status(a.x);
	have = range_end(&a);
	*gone = (status != 204 && status != 202) || have < p->done || have > p->desc->size;
	if (!*gone && http_header(a.x, "location"))
		gt_error_free(location_take(p, &a)); /* the one that is known goes on */
	if (!*gone)
		p->done = have;
	answer_done(&a);
	return NULL;
}

static char *with_digest(const struct push *p)
{
	return gt_strf("%s%cdigest=%s", p->location, strchr(p->location, '?') ? '&' : '?', p->desc->digest);
}

/* Sends bytes to where the upload is: the next piece, or with 'is_last' all that is left, and its digest. */
static struct gt_error *piece_send(struct push *p, bool is_last, int64_t len, struct answer *a,
				   enum http_failure *why)
{
	gt_autofree char *url = is_last ? with_digest(p) : gt_xstrdup(p->location);
	struct question q = { .method = is_last ? "PUT" : "PATCH", .url = url, .is_last = true,
			      .source = len ? p->blob : NULL, .source_off = p->done, .source_len = len,
			      .sent = on_sent, .sent_arg = p };
	struct gt_error *err;

	if (is_last)
		q.response_timeout = p->e->r->config->upload_timeout;
	gt_strv_add(&q.headers, "Content-Type: application/octet-stream");
	if (len && (p->done || !is_last))
		gt_strv_addf(&q.headers, "Content-Range: %" PRId64 "-%" PRId64, p->done, p->done + len - 1);
	err = errand_ask(p->e, p->h, &q, a, why);
	gt_strv_done(&q.headers);
	return err;
}

/* A piece was taken: where the next one goes. */
static struct gt_error *piece_done(struct push *p, const struct answer *a, int64_t len)
{
	int64_t have = range_end(a);

	GT_TRY(location_take(p, a));
	if (have >= 0 && (have < p->done || have > p->done + len))
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "registry %s: says it has %" PRId64 " bytes after %" PRId64 " were sent",
				    p->h->authority, have, p->done + len);
	p->done = have >= 0 && (have || len > 1) ? have : p->done + len;
	report(p, p->done, true);
	return NULL;
}

static bool is_passing(int status)
{
	return status == 408 || status == 429 || (status >= 500 && status != 501);
}

/*
 * One request of an upload. '*again': it failed in a way that another may not, and 'p' says where to go
 * on. '*done': the registry has confirmed the blob.
 */
static struct gt_error *upload_step(struct push *p, bool *done, bool *again)
{
	int64_t left = p->desc->size - p->done;
	int64_t piece = p->piece && p->piece < left ? p->piece : left;
	bool is_last = piece == left;
	enum http_failure why;
	struct answer a = { 0 };
	struct gt_error *err;
	int status;

	*done = *again = false;
	err = piece_send(p, is_last, piece, &a, &why);
	if (err) {
		*again = why != HTTP_FINAL;
		return gt_error_wrap(err, "registry %s", p->h->authority);
	}
	status = http_status(a.x);
	if (is_last && (status == 201 || status == 204)) {
		*done = true;
		err = digest_check(p, &a);
		answer_done(&a);
		return err;
	}
	if (!is_last && (status == 202 || status == 204)) {
		err = piece_done(p, &a, piece);
		answer_done(&a);
		return err;
	}
	if (status == 413 && !p->piece && left > PIECE) {
		p->piece = p->min_piece > PIECE ? p->min_piece : PIECE;
		*again = true;
	}
	/* 404 and 416: it has lost the upload, or another end of it */
	*again |= is_passing(status) || status == 404 || status == 416;
	if (status == 400) /* the digest, or the size, is not that of the bytes */
		return gt_error_reclass(unexpected(p, &a, "upload"), GT_FAILED_PRECONDITION);
	return unexpected(p, &a, is_last ? "upload" : "upload a piece");
}

/* After a failure: asks where the upload stands, and begins anew if that is nowhere. */
static struct gt_error *upload_resume(struct push *p)
{
	bool gone = true, mounted;

	if (p->location)
		GT_TRY(upload_look(p, &gone));
	if (!gone)
		return NULL;
	free(gt_steal(&p->location));
	return upload_begin(p, NULL, &mounted);
}

static struct gt_error *upload(struct push *p)
{
	unsigned failures = 0;

	for (;;) {
		int64_t before = p->done;
		bool done, again;
		struct gt_error *err = upload_step(p, &done, &again);

		if (!err && done) {
			report(p, p->desc->size, true);
			return NULL;
		}
		if (p->done > before)
			failures = 0;
		if (!err)
			continue;
		if (!again || failures++ >= (unsigned)p->e->r->config->retries)
			return err;
		gt_error_free(err);
		GT_TRY(errand_pause(p->e, failures - 1, 0));
		GT_TRY(upload_resume(p));
	}
}

static struct gt_error *blob_push(struct push *p, enum gt_push_end *out)
{
	const struct gt_strv *from = p->options->from;
	bool mounted = false;

	for (size_t i = 0; from && i < from->n && i < MOUNTS_MAX && !p->location && !mounted; i++)
		GT_TRY(mount_try(p, from->v[i], &mounted));
	*out = mounted ? GT_PUSH_MOUNTED : GT_PUSH_SENT;
	if (mounted)
		return NULL;
	if (!p->location)
		GT_TRY(upload_begin(p, NULL, &mounted));
	return upload(p);
}

static struct gt_error *content_push(struct push *p, enum gt_push_end *out)
{
	gt_autofree char *path = path_of(p->e, p->desc);
	bool there;

	GT_TRY(is_there(p, path, &there));
	*out = there ? GT_PUSH_EXISTED : GT_PUSH_SENT;
	if (there)
		return NULL;
	return is_document(p->desc) ? manifest_put(p, path) : blob_push(p, out);
}

/* One host takes it: mirrors that can be pushed to come first, as hosts.toml has them. */
struct gt_error *http_push(struct gt_resolver *r, struct gt_call *call, const char *ref,
			   const struct gt_descriptor *desc, struct gt_reader *blob,
			   const struct gt_registry_options *o, const struct gt_push_options *options,
			   enum gt_push_end *out)
{
	const struct resolver_config *c = ((struct http_resolver *)r)->config;
	struct push p = { .desc = desc, .blob = blob, .options = options, .piece = c->chunk_size };
	gt_autoptr(errand) e = NULL;
	struct gt_error *err;

	GT_TRY(gt_error_wrap(errand_new((struct http_resolver *)r, call, ref, o, HOST_PUSH, &e),
			     "push to %s", ref));
	p.e = e;
	p.h = &e->hosts.v[0];
	err = content_push(&p, out);
	free(p.location);
	return gt_error_wrap(err, "push %s to %s/%s", desc->digest, e->name, e->repository);
}
