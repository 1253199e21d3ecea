/* SPDX-License-Identifier: Apache-2.0 */
/* What a status that is no success means, in words and as a class. */
#include <config.h>

#include "errand.h"

#include "url.h"

#include <oci/json.h>

#include <string.h>

#define BODY_MAX (64 * 1024)
#define TEXT_MAX 300 /* bytes of what the far side says that are repeated */
#define ERRORS_MAX 3

char *errand_place(const struct host *h, const struct answer *a)
{
	gt_autofree char *site = a && a->url ? url_site(a->url) : NULL;

	if (!h->authority)
		return gt_strf("%s, where the layer's urls lead", site ? site : "the host");
	if (a && !a->is_elsewhere)
		free(gt_steal(&site));
	if (site)
		return gt_strf("registry %s, redirected to %s", h->authority, site);
	return gt_strf("registry %s", h->authority);
}

/* Bytes from outside: no control characters, not too many. */
static void foreign_add(struct gt_buf *out, const char *s)
{
	size_t n = 0;

	for (; s[n] && n < TEXT_MAX; n++)
		gt_buf_addc(out, (unsigned char)s[n] < ' ' || s[n] == 0x7f ? ' ' : s[n]);
	if (s[n])
		gt_buf_adds(out, "...");
}

static void error_add(struct gt_buf *out, const json_t *item)
{
	const char *code = json_string_value(json_object_get(item, "code"));
	const char *message = json_string_value(json_object_get(item, "message"));

	if (!code && !message)
		return;
	gt_buf_adds(out, out->len ? "; " : "");
	foreign_add(out, code ? code : message);
	if (code && message && *message) {
		gt_buf_adds(out, ": ");
		foreign_add(out, message);
	}
}

/* The list of errors that the specification has, or the one that token servers use. */
static void json_add(struct gt_buf *out, const json_t *j)
{
	const json_t *errors = json_object_get(j, "errors");
	const char *message = json_string_value(json_object_get(j, "error_description"));

	for (size_t i = 0; i < json_array_size(errors) && i < ERRORS_MAX; i++)
		error_add(out, json_array_get(errors, i));
	if (out->len)
		return;
	if (!message)
		message = json_string_value(json_object_get(j, "details"));
	if (!message)
		message = json_string_value(json_object_get(j, "message"));
	if (!message)
		message = json_string_value(json_object_get(j, "error"));
	if (message)
		foreign_add(out, message);
}

/* What the body says, if it says it in JSON; "" if not. */
static void body_read(struct http_exchange *x, struct gt_buf *out)
{
	gt_auto(gt_buf) body = GT_BUF_INIT;
	enum http_failure why;
	json_t *parsed = NULL;
	bool more;

	gt_error_free(http_read_all(x, BODY_MAX, &body, &more, &why)); /* then it says nothing */
	gt_error_free(gt_json_parse("answer", body.s, body.len, BODY_MAX, 16, &parsed));
	if (json_is_object(parsed))
		json_add(out, parsed);
	json_decref(parsed);
}

/* A server may echo what it was sent. */
static void secrets_hide(const struct errand *e, struct gt_buf *b)
{
	for (size_t i = 0; i < e->secrets.n; i++) {
		const char *secret = e->secrets.v[i];
		struct gt_buf out = GT_BUF_INIT;
		const char *s = b->s, *at;

		if (!strstr(s, secret))
			continue;
		while ((at = strstr(s, secret))) {
			gt_buf_add(&out, s, at - s);
			gt_buf_adds(&out, "(not shown)");
			s = at + strlen(secret);
		}
		gt_buf_adds(&out, s);
		gt_buf_done(b);
		*b = out;
	}
}

struct meaning {
	int status;
	enum gt_class cls;
	const char *words;
	const char *hint; /* NULL: none; "%s" is the action */
};

static const struct meaning *meaning_of(int status)
{
	static const struct meaning meanings[] = {
		{ 400, GT_INVALID_ARGUMENT, "Bad Request", NULL },
		{ 401, GT_UNAUTHENTICATED, "Unauthorized",
		  "log in with credentials that may %s, by --user or Docker's config.json" },
		{ 403, GT_PERMISSION_DENIED, "Forbidden", "these credentials, or none, may not %s here" },
		{ 404, GT_NOT_FOUND, "Not Found", NULL },
		{ 405, GT_UNIMPLEMENTED, "Method Not Allowed", NULL },
		{ 408, GT_UNAVAILABLE, "Request Timeout", "try again later" },
		{ 413, GT_RESOURCE_EXHAUSTED, "Content Too Large", NULL },
		{ 416, GT_OUT_OF_RANGE, "Range Not Satisfiable", NULL },
		{ 429, GT_RESOURCE_EXHAUSTED, "Too Many Requests", "log in, or try again later" },
	};
	static const struct meaning server = { 0, GT_UNAVAILABLE, "its own failure", "try again later" };
	static const struct meaning other = { 0, GT_UNKNOWN, "not expected", NULL };

	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++) {
		if (meanings[i].status == status)
			return &meanings[i];
	}
	return status >= 500 ? &server : &other;
}

static void hint_add(struct gt_buf *out, const char *hint, const char *action)
{
	const char *at = strstr(hint, "%s");

	gt_buf_adds(out, " (");
	gt_buf_add(out, hint, at ? (size_t)(at - hint) : strlen(hint));
	if (at) {
		gt_buf_adds(out, action);
		gt_buf_adds(out, at + 2);
	}
	gt_buf_addc(out, ')');
}

struct gt_error *errand_refusal(struct errand *e, const struct host *h, struct answer *a)
{
	int status = http_status(a->x);
	const struct meaning *m = meaning_of(status);
	const char *after = http_header(a->x, "retry-after");
	gt_autofree char *place = errand_place(h, a);
	gt_auto(gt_buf) said = GT_BUF_INIT;
	gt_auto(gt_buf) text = GT_BUF_INIT;

	body_read(a->x, &said);
	secrets_hide(e, &said);
	gt_buf_addf(&text, "%s: status %d, %s", place, status, m->words);
	if (said.len)
		gt_buf_addf(&text, ": %s", said.s);
	if (status == 429 && after && strspn(after, "0123456789") == strlen(after) && strlen(after) < 8)
		gt_buf_addf(&text, " (it asks to wait %s s)", after);
	if (m->hint)
		hint_add(&text, m->hint, e->action);
	answer_done(a);
	return gt_error_new(m->cls, "%s", text.s);
}
