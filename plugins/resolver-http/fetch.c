/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "errand.h"

#include "url.h"

#include <oci/document.h>

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define URLS_MAX 16 /* of a foreign layer that are tried */
#define GAIN (64 * 1024) /* bytes that make a broken stream worth going on with */

/* Where the content may be had. */
struct source {
	struct host *host;
	char *url; /* of a foreign layer; NULL: by path */
	char *path;
};

struct fetch_reader {
	struct gt_reader base;
	struct errand *e;
	char *ref, *digest, *media_type;
	int64_t size; /* -1: not known yet */
	struct source *sources;
	size_t n, alloc;
	size_t at; /* the source that is read */
	struct answer answer; /* x NULL: no stream is open */
	int64_t pos; /* of the stream */
	unsigned breaks; /* without a gain between them */
	int64_t broke_at;
	struct host foreign; /* stands for the hosts of `urls`: without anything of ours */
};

static struct gt_error *wrap(const struct fetch_reader *f, struct gt_error *e)
{
	return gt_error_wrap(e, "fetch %s/%s@%s", f->e->name, f->e->repository, f->digest);
}

/* Where the stream comes from, for messages. */
static char *place_of(const struct fetch_reader *f)
{
	const struct source *s = &f->sources[f->at];
	const struct answer foreign = { .url = s->url };

	return errand_place(s->host, f->answer.x ? &f->answer : s->url ? &foreign : NULL);
}

/* "bytes 100-199/200": begins where it was asked to, and belongs to content of the right size. */
static struct gt_error *range_check(struct fetch_reader *f, int64_t off)
{
	gt_autofree char *place = place_of(f);
	int64_t first, total;

	if (!http_content_range(f->answer.x, &first, &total) || first != off)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "%s: answers with another range than was asked for", place);
	if (total >= 0 && f->size < 0)
		f->size = total;
	if (total >= 0 && total != f->size)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "%s: has %" PRId64 " bytes, where the descriptor says %" PRId64, place,
				    total, f->size);
	return NULL;
}

static struct gt_error *head_check(struct fetch_reader *f, int64_t off)
{
	struct http_exchange *x = f->answer.x;
	const char *type = http_header(x, "content-type");
	const char *digest = http_header(x, "docker-content-digest");
	int64_t length = http_length(x);
	gt_autofree char *place = place_of(f);

	if (type && !strncasecmp(type, "text/html", 9) && strncasecmp(f->media_type, "text/html", 9) != 0)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "%s: answers with an HTML page where %s was asked for (is that a registry, "
				    "or a proxy's page?)", place, f->media_type);
	if (digest && !strncmp(digest, f->digest, strcspn(f->digest, ":") + 1) &&
	    strcmp(digest, f->digest) != 0)
		return gt_error_new(GT_FAILED_PRECONDITION, "%s: has %.140s where %s was asked for", place,
				    digest, f->digest);
	if (http_status(x) == 206)
		return range_check(f, off);
	if (length < 0)
		return NULL;
	if (f->size < 0)
		f->size = length;
	if (length != f->size)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "%s: has %" PRId64 " bytes, where the descriptor says %" PRId64, place,
				    length, f->size);
	return NULL;
}

/* Drops what comes before 'off', from a host that does not know of ranges. */
static struct gt_error *skip_to(struct fetch_reader *f, int64_t off, enum http_failure *why)
{
	gt_autofree char *block = gt_xmalloc(GAIN);

	while (f->pos < off) {
		size_t len = off - f->pos < GAIN ? off - f->pos : GAIN, n;

		GT_TRY(http_read(f->answer.x, block, len, &n, why));
		if (!n)
			return gt_error_new(GT_DATA_LOSS, "the body ended early");
		f->pos += n;
	}
	return NULL;
}

/* Asks the current source for all from 'off'. */
static struct gt_error *source_open(struct fetch_reader *f, int64_t off, enum http_failure *why)
{
	const struct source *s = &f->sources[f->at];
	struct question q = { .method = "GET", .path = s->path, .url = s->url,
			      .is_foreign = s->url != NULL, .is_last = f->at + 1 == f->n };
	struct gt_error *err;
	int status;

	*why = HTTP_FINAL;
	gt_strv_addf(&q.headers, "Accept: %s, */*", f->media_type);
	if (off)
		gt_strv_addf(&q.headers, "Range: bytes=%" PRId64 "-", off);
	err = errand_ask_patiently(f->e, s->host, &q, &f->answer);
	gt_strv_done(&q.headers);
	GT_TRY(err);
	status = http_status(f->answer.x);
	if (status != 200 && status != 206)
		return errand_refusal(f->e, s->host, &f->answer);
	GT_TRY(head_check(f, off));
	f->pos = status == 206 ? off : 0;
	return skip_to(f, off, why);
}

/* Opens a stream at 'off' at the first source, from the current one on, that has it. */
static struct gt_error *stream_open(struct fetch_reader *f, int64_t off)
{
	struct gt_error *missing = NULL, *failed = NULL;

	while (f->at < f->n) {
		enum http_failure why;
		struct gt_error *err = source_open(f, off, &why);

		if (!err) {
			gt_error_free(missing);
			gt_error_free(failed);
			return NULL;
		}
		answer_done(&f->answer);
		if (gt_error_class(err) == GT_CANCELED || gt_error_class(err) == GT_DEADLINE_EXCEEDED) {
			gt_error_free(missing);
			gt_error_free(failed);
			return err;
		}
		if (gt_error_class(err) == GT_NOT_FOUND)
			missing = gt_error_first(missing, err);
		else
			failed = gt_error_first(failed, err);
		f->at++;
		f->breaks = 0;
	}
	f->at = 0; /* for whoever reads again */
	return gt_error_first(failed, missing);
}

/*
 * The stream broke at f->pos: decides whether it is worth going on, and where. Takes 'e', and returns
 * it if not.
 */
static struct gt_error *broken_take(struct fetch_reader *f, struct gt_error *e)
{
	const struct resolver_config *c = f->e->r->config;
	gt_autofree char *place = place_of(f);
	bool is_last = f->at + 1 == f->n;

	e = gt_error_wrap(e, "%s: at byte %" PRId64, place, f->pos);
	answer_done(&f->answer);
	if (f->pos - f->broke_at >= GAIN)
		f->breaks = 0;
	f->broke_at = f->pos;
	if (f->breaks++ >= c->retries) {
		if (is_last)
			return e;
		f->at++;
		f->breaks = 0;
	}
	gt_error_free(e);
	return errand_pause(f->e, f->breaks ? f->breaks - 1 : 0, 0);
}

/* Nothing may follow the last byte. */
static struct gt_error *end_check(struct fetch_reader *f)
{
	gt_autofree char *place = place_of(f);
	enum http_failure why;
	struct gt_error *e;
	char more;
	size_t n;

	e = http_read(f->answer.x, &more, 1, &n, &why);
	answer_done(&f->answer);
	gt_error_free(e); /* all that was wanted is here */
	if (!e && n)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "%s: has more than the %" PRId64 " bytes of the descriptor", place, f->size);
	return NULL;
}

static struct gt_error *stream_read(struct fetch_reader *f, void *buf, size_t len, size_t *out)
{
	enum http_failure why = HTTP_FINAL;
	struct gt_error *e;

	for (;;) {
		if (!f->answer.x)
			GT_TRY(stream_open(f, f->pos));
		e = http_read(f->answer.x, buf, len, out, &why);
		if (!e && *out) {
			f->pos += *out;
			return f->pos == f->size ? end_check(f) : NULL;
		}
		if (!e && f->size < 0) {
			f->size = f->pos;
			answer_done(&f->answer);
			return NULL;
		}
		if (e && why == HTTP_FINAL)
			return e;
		if (!e)
			e = gt_error_new(GT_DATA_LOSS, "the body ends, where the descriptor says %" PRId64
					 " bytes", f->size);
		GT_TRY(broken_take(f, e));
	}
}

static struct gt_error *reader_pread(struct gt_reader *base, void *buf, size_t len, int64_t off,
				     size_t *out)
{
	struct fetch_reader *f = (struct fetch_reader *)base;
	struct gt_error *e;

	*out = 0;
	if (!len || (f->size >= 0 && off >= f->size))
		return NULL;
	if (f->size >= 0 && (int64_t)len > f->size - off)
		len = f->size - off;
	if (off != f->pos) {
		answer_done(&f->answer);
		f->pos = f->broke_at = off;
		f->breaks = 0;
	}
	e = gt_call_check(f->e->call);
	if (!e)
		e = stream_read(f, buf, len, out);
	if (e)
		answer_done(&f->answer);
	return wrap(f, e);
}

static int64_t reader_length(struct gt_reader *base)
{
	return ((struct fetch_reader *)base)->size;
}

static void reader_close(struct gt_reader *base)
{
	struct fetch_reader *f = (struct fetch_reader *)base;

	answer_done(&f->answer);
	for (size_t i = 0; i < f->n; i++) {
		free(f->sources[i].url);
		free(f->sources[i].path);
	}
	free(f->sources);
	errand_free(f->e);
	free(f->ref);
	free(f->digest);
	free(f->media_type);
	host_done(&f->foreign);
	free(f);
}

static void source_add(struct fetch_reader *f, struct host *h, const char *url, char *path)
{
	GT_GROW(f->sources, f->n, f->alloc);
	f->sources[f->n++] = (struct source){ .host = h, .url = gt_xstrdup(url), .path = path };
}

static void sources_fill(struct fetch_reader *f, const struct gt_descriptor *desc)
{
	bool is_document = gt_type_is_manifest(desc->media_type) || gt_type_is_index(desc->media_type);

	for (size_t i = 0; i < desc->urls.n && i < URLS_MAX; i++) {
		gt_autofree char *url = url_join(desc->urls.v[i], "");

		if (url)
			source_add(f, &f->foreign, url, NULL);
	}
	for (size_t i = 0; i < f->e->hosts.n; i++) {
		struct host *h = &f->e->hosts.v[i];

		if (is_document)
			source_add(f, h, NULL, gt_strf("/manifests/%s", desc->digest));
		source_add(f, h, NULL, gt_strf("/blobs/%s", desc->digest));
	}
}

struct gt_error *http_fetch(struct gt_resolver *r, struct gt_call *call, const char *ref,
			    const struct gt_descriptor *desc, const struct gt_registry_options *o,
			    struct gt_reader **out)
{
	static const struct gt_reader_ops ops = {
		.size = sizeof(ops), .pread = reader_pread, .length = reader_length,
		.close = reader_close,
	};
	struct fetch_reader *f;
	struct gt_error *err;
	struct errand *e;

	GT_TRY(gt_error_wrap(errand_new((struct http_resolver *)r, call, ref, o, HOST_PULL, &e),
			     "fetch %s", ref));
	f = gt_xcalloc(1, sizeof(*f));
	f->base.ops = &ops;
	f->e = e;
	f->ref = gt_xstrdup(ref);
	f->digest = gt_xstrdup(desc->digest);
	f->media_type = gt_xstrdup(desc->media_type);
	f->size = desc->size < 0 ? -1 : desc->size;
	f->foreign = (struct host){ .base = gt_xstrdup("https://"), .tls = HTTP_TLS_INIT };
	err = hosts_options_apply(&f->foreign, o);
	if (err) {
		reader_close(&f->base);
		return err;
	}
	sources_fill(f, desc);
	*out = &f->base;
	return NULL;
}
