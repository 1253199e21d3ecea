/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "errand.h"

#include <gantry/hash.h>

#include <oci/document.h>
#include <oci/json.h>

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define SCHEMA1 "application/vnd.docker.distribution.manifest.v1+"

/* The media type in front of any parameters, in lower case; "" where there is none. */
static char *content_type(const struct http_exchange *x)
{
	const char *s = http_header(x, "content-type");
	char *type = gt_xstrndup(s ? s : "", s ? strcspn(s, "; \t,") : 0);

	for (char *p = type; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? *p + 32 : *p;
	return type;
}

static bool is_document(const char *type)
{
	return gt_type_is_manifest(type) || gt_type_is_index(type);
}

static struct gt_error *page_error(const struct host *h, const struct answer *a, const char *type)
{
	gt_autofree char *place = errand_place(h, a);

	return gt_error_new(GT_FAILED_PRECONDITION,
			    "%s: answers with %s where a manifest was asked for (is that a registry, or a "
			    "proxy's page?)", place, *type ? type : "no media type");
}

/* What the body itself says it is. */
static char *type_inside(const struct gt_buf *body)
{
	json_t *parsed = NULL;
	char *type = NULL;
	struct gt_error *e = gt_json_parse("manifest", body->s, body->len, GT_RESOLVER_MANIFEST_MAX,
					   GT_DOCUMENT_DEPTH, &parsed);
	gt_autojson j = parsed;

	gt_error_free(e);
	if (!json_is_object(j))
		return NULL;
	gt_error_free(gt_json_string("manifest", j, "mediaType", &type));
	if (type)
		return type;
	if (json_is_array(json_object_get(j, "manifests")))
		return gt_xstrdup(GT_TYPE_OCI_INDEX);
	return json_is_array(json_object_get(j, "layers")) ? gt_xstrdup(GT_TYPE_OCI_MANIFEST) : NULL;
}

static struct gt_error *type_check(const struct host *h, const struct answer *a, const char *type)
{
	gt_autofree char *place = NULL;

	if (is_document(type))
		return NULL;
	place = errand_place(h, a);
	if (!strncmp(type, SCHEMA1, strlen(SCHEMA1)))
		return gt_error_new(GT_UNIMPLEMENTED,
				    "%s: has it as an image of Docker's schema 1, which nobody makes any more "
				    "(push it again with a newer Docker)", place);
	return page_error(h, a, type);
}

static struct gt_error *size_check(const struct host *h, int64_t size)
{
	if (size <= GT_RESOLVER_MANIFEST_MAX)
		return NULL;
	return gt_error_new(GT_RESOURCE_EXHAUSTED,
			    "registry %s: a manifest of %" PRId64 " bytes, where %d are allowed", h->authority,
			    size, GT_RESOLVER_MANIFEST_MAX);
}

/* The digest by which the answer goes: what was asked for, if that had one, else what the header says. */
static struct gt_error *digest_take(struct errand *e, const struct host *h, const struct answer *a,
				    char **out)
{
	const char *said = http_header(a->x, "docker-content-digest");
	gt_autofree char *place = errand_place(h, a);

	if (said)
		GT_TRY(gt_error_wrap(gt_error_reclass(gt_digest_check(said), GT_FAILED_PRECONDITION),
				     "%s: header Docker-Content-Digest", place));
	/* digests of two algorithms do not compare */
	if (said && e->digest && !strncmp(said, e->digest, strcspn(e->digest, ":") + 1) &&
	    strcmp(said, e->digest) != 0)
		return gt_error_new(GT_FAILED_PRECONDITION, "%s: has %s where %s was asked for", place, said,
				    e->digest);
	*out = gt_xstrdup(e->digest ? e->digest : said);
	return NULL;
}

static void accept_add(struct question *q)
{
	gt_strv_add(&q->headers, "Accept: " GT_TYPE_DOCKER_MANIFEST ", " GT_TYPE_DOCKER_INDEX ", "
				 GT_TYPE_OCI_MANIFEST ", " GT_TYPE_OCI_INDEX ", */*");
}

/* Reads the document itself, where its head does not say enough. */
static struct gt_error *by_body(struct errand *e, struct host *h, struct question *q,
				struct gt_descriptor *out)
{
	struct answer a = { 0 };
	gt_auto(gt_buf) body = GT_BUF_INIT;
	gt_autofree char *type = NULL, *digest = NULL, *actual = NULL, *place = NULL;
	enum http_failure why;
	struct gt_error *err;
	bool more = false;

	q->method = "GET";
	GT_TRY(errand_ask_patiently(e, h, q, &a));
	if (http_status(a.x) != 200)
		return errand_refusal(e, h, &a);
	place = errand_place(h, &a);
	type = content_type(a.x);
	err = size_check(h, http_length(a.x));
	if (!err)
		err = digest_take(e, h, &a, &digest);
	if (!err)
		err = http_read_all(a.x, GT_RESOLVER_MANIFEST_MAX, &body, &more, &why);
	if (!err && more)
		err = size_check(h, GT_RESOLVER_MANIFEST_MAX + INT64_C(1));
	if (!err && !is_document(type) && strncmp(type, SCHEMA1, strlen(SCHEMA1)) != 0) {
		char *inside = type_inside(&body);

		if (inside) {
			free(type);
			type = inside;
		}
	}
	if (!err)
		err = type_check(h, &a, type);
	answer_done(&a);
	GT_TRY(err);
	actual = gt_digest_of(body.s, body.len);
	if (digest)
		GT_TRY(gt_error_wrap(gt_digest_verify(digest, body.s, body.len), "%s: manifest", place));
	out->media_type = gt_steal(&type);
	out->digest = gt_steal(digest ? &digest : &actual);
	out->size = body.len;
	return NULL;
}

/* A reference by digest may be a blob's: the same question to the other endpoint. */
static struct gt_error *as_blob(struct errand *e, struct host *h, bool is_last,
				struct gt_descriptor *out)
{
	gt_autofree char *path = gt_strf("/blobs/%s", e->digest);
	struct question q = { .method = "HEAD", .path = path, .is_last = is_last };
	gt_autofree char *digest = NULL, *type = NULL;
	struct answer a = { 0 };
	struct gt_error *err;
	int64_t size;

	GT_TRY(errand_ask_patiently(e, h, &q, &a));
	if (http_status(a.x) != 200)
		return errand_refusal(e, h, &a);
	type = content_type(a.x);
	size = http_length(a.x);
	err = digest_take(e, h, &a, &digest);
	answer_done(&a);
	GT_TRY(err);
	if (size < 0)
		return gt_error_new(GT_FAILED_PRECONDITION, "registry %s: does not say how long %s is",
				    h->authority, e->digest);
	out->media_type = *type ? gt_steal(&type) : gt_xstrdup("application/octet-stream");
	out->digest = gt_steal(&digest);
	out->size = size;
	return NULL;
}

/* By the head of the answer alone, if that tells all. '*is_done' false: it does not. */
static struct gt_error *by_head(struct errand *e, struct host *h, struct question *q, bool *is_done,
				struct gt_descriptor *out)
{
	struct answer a = { 0 };
	gt_autofree char *type = NULL, *digest = NULL;
	struct gt_error *err;
	bool says_digest;
	int64_t size;
	int status;

	*is_done = false;
	GT_TRY(errand_ask_patiently(e, h, q, &a));
	status = http_status(a.x);
	if (status != 200 && status != 405 && status != 501)
		return errand_refusal(e, h, &a);
	type = content_type(a.x);
	size = http_length(a.x);
	says_digest = http_header(a.x, "docker-content-digest");
	err = status == 200 ? digest_take(e, h, &a, &digest) : NULL;
	if (!err && status == 200 && !strcmp(type, "text/html"))
		err = page_error(h, &a, type);
	answer_done(&a);
	GT_TRY(err);
	GT_TRY(size_check(h, size));
	if (status != 200 || !says_digest || size < 0 || !is_document(type))
		return NULL;
	*out = (struct gt_descriptor){ .media_type = gt_steal(&type), .digest = gt_steal(&digest),
				       .size = size };
	*is_done = true;
	return NULL;
}

static struct gt_error *as_document(struct errand *e, struct host *h, bool is_last,
				    struct gt_descriptor *out)
{
	gt_autofree char *path = gt_strf("/manifests/%s", e->digest ? e->digest : e->tag);
	struct question q = { .method = "HEAD", .path = path, .is_last = is_last };
	struct gt_error *err;
	bool is_done;

	accept_add(&q);
	err = by_head(e, h, &q, &is_done, out);
	if (!err && !is_done)
		err = by_body(e, h, &q, out);
	gt_strv_done(&q.headers);
	return err;
}

static struct gt_error *ask_host(struct errand *e, struct host *h, bool is_last,
				 struct gt_descriptor *out)
{
	/* Docker's registry answers with its own failure to the digest of a large blob: little patience */
	struct gt_error *err = as_document(e, h, is_last && !e->digest, out);
	struct gt_error *blob;

	if (!e->digest || (gt_error_class(err) != GT_NOT_FOUND && gt_error_class(err) != GT_UNAVAILABLE))
		return err;
	blob = as_blob(e, h, is_last, out);
	if (blob && is_last && gt_error_class(err) == GT_UNAVAILABLE && gt_error_class(blob) == GT_NOT_FOUND) {
		gt_error_free(blob);
		gt_error_free(err);
		return as_document(e, h, true, out);
	}
	if (blob)
		return gt_error_first(err, blob);
	gt_error_free(err);
	return NULL;
}

struct gt_error *http_resolve(struct gt_resolver *r, struct gt_call *call, const char *ref,
			      const struct gt_registry_options *o, struct gt_resolved *out)
{
	gt_autoptr(errand) e = NULL;
	struct gt_error *missing = NULL, *failed = NULL;

	GT_TRY(gt_error_wrap(errand_new((struct http_resolver *)r, call, ref, o, HOST_RESOLVE, &e),
			     "resolve %s", ref));
	if (!e->tag && !e->digest)
		return gt_error_new(GT_INVALID_ARGUMENT, "resolve %s: object required (a tag or a digest)",
				    ref);
	for (size_t i = 0; i < e->hosts.n; i++) {
		struct host *h = &e->hosts.v[i];
		struct gt_descriptor desc = { 0 };
		struct gt_error *err = ask_host(e, h, i + 1 == e->hosts.n, &desc);

		if (!err) {
			gt_error_free(missing);
			gt_error_free(failed);
			*out = (struct gt_resolved){ .name = gt_xstrdup(ref),
						     .host = gt_xstrdup(h->authority), .desc = desc };
			return NULL;
		}
		if (gt_error_class(err) == GT_NOT_FOUND)
			missing = gt_error_first(missing, err);
		else
			failed = gt_error_first(failed, err);
		err = gt_call_check(call);
		if (err) {
			gt_error_free(missing);
			gt_error_free(failed);
			return gt_error_wrap(err, "resolve %s", ref);
		}
	}
	return gt_error_wrap(gt_error_first(failed, missing), "resolve %s", ref);
}
