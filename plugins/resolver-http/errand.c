/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "errand.h"

#include "auth.h"
#include "sites.h"
#include "url.h"

#include <oci/reference.h>

#include <ctype.h>
#include <curl/curl.h>
#include <poll.h>
#include <string.h>
#include <strings.h>

#define REDIRECTS_MAX 10
#define CHALLENGES_MAX 2 /* a token that was kept may have run out, the next one is new */
#define PROBE_NS (INT64_C(5) * 1000000000) /* for TLS with what may speak plain http */
#define BACKOFF_MAX_NS (INT64_C(20) * 1000000000)

static struct gt_error *bad_reference(const char *ref, const char *why)
{
	gt_auto(gt_buf) q = GT_BUF_INIT;

	gt_buf_addq(&q, ref);
	return gt_error_new(GT_INVALID_ARGUMENT, "reference %s: %s", q.s, why);
}

static bool is_authority(const char *s)
{
	if (!isalnum((unsigned char)*s) && *s != '[')
		return false;
	for (; *s; s++) {
		if (!isalnum((unsigned char)*s) && !strchr(".-_:[]", *s))
			return false;
	}
	return true;
}

/* Letters that go into a URL as they are; "." and ".." would lead elsewhere. */
static bool is_repository(const char *s)
{
	for (;;) {
		size_t len = strcspn(s, "/");

		if (!len || len > 255 || (len == 1 && *s == '.') || (len == 2 && !strncmp(s, "..", 2)))
			return false;
		for (size_t i = 0; i < len; i++) {
			if (!isalnum((unsigned char)s[i]) && !strchr("._~-", s[i]))
				return false;
		}
		if (!s[len])
			return true;
		s += len + 1;
	}
}

static bool is_tag(const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '_' && (!i || !strchr(".-", s[i])))
			return false;
	}
	return len && len <= 128;
}

static struct gt_error *reference_take(struct errand *e, const char *ref)
{
	struct gt_reference r;
	const char *slash, *digest;

	GT_TRY(gt_reference_parse(ref, &r));
	slash = strchr(r.locator, '/');
	e->name = gt_xstrndup(r.locator, slash - r.locator);
	e->repository = gt_xstrdup(slash + 1);
	e->tag = gt_reference_tag(&r);
	digest = gt_reference_digest(&r);
	e->digest = gt_xstrdup(digest);
	gt_reference_done(&r);
	if (!is_authority(e->name))
		return bad_reference(ref, "no name of a host in front");
	if (!is_repository(e->repository))
		return bad_reference(ref, "no name of a repository");
	if (e->tag && !is_tag(e->tag))
		return bad_reference(ref, "no tag behind the ':'");
	return e->digest ? gt_error_wrap(gt_digest_check(e->digest), "reference") : NULL;
}

/* Whoever cannot do it goes; whoever was not there a moment ago comes last. */
static void hosts_choose(struct errand *e, unsigned capability)
{
	struct hosts all = e->hosts, down = { 0 };

	e->hosts = (struct hosts){ 0 };
	for (size_t i = 0; i < all.n; i++) {
		gt_autofree char *site = url_site(all.v[i].base);
		struct hosts *to = sites_is_down(e->r->sites, site) ? &down : &e->hosts;

		if (!(all.v[i].capabilities & capability))
			continue;
		GT_GROW(to->v, to->n, to->alloc);
		to->v[to->n++] = all.v[i];
		all.v[i] = (struct host){ .tls = HTTP_TLS_INIT };
	}
	for (size_t i = 0; i < down.n; i++) {
		GT_GROW(e->hosts.v, e->hosts.n, e->hosts.alloc);
		e->hosts.v[e->hosts.n++] = down.v[i];
	}
	free(down.v);
	hosts_done(&all);
}

struct gt_error *errand_new(struct http_resolver *r, struct gt_call *call, const char *ref,
			    const struct gt_registry_options *o, unsigned capability,
			    struct errand **out)
{
	gt_autoptr(errand) e = gt_xcalloc(1, sizeof(*e));

	e->r = r;
	e->call = call;
	e->action = capability == HOST_PUSH ? "push" : "pull";
	GT_TRY(reference_take(e, ref));
	e->user = gt_xstrdup(o->user);
	e->password = o->user ? gt_xstrdup(o->password ? o->password : "") : NULL;
	e->identity_token = gt_xstrdup(o->identity_token);
	errand_secret_add(e, e->password);
	errand_secret_add(e, e->identity_token);
	e->watch = (struct http_watch){ .dump = o->http_dump, .trace = o->http_trace,
					.line = o->line, .line_arg = o->line_arg };
	GT_TRY(hosts_find(o->hosts_dir ? o->hosts_dir : r->config->hosts_dir, e->name, o, &e->hosts));
	hosts_choose(e, capability);
	if (!e->hosts.n)
		return gt_error_new(GT_UNIMPLEMENTED, "no host of %s can %s, says its hosts.toml", e->name,
				    capability == HOST_RESOLVE ? "resolve" : e->action);
	gt_strv_addf(&e->scopes, "repository:%s:%s", e->repository,
		     capability == HOST_PUSH ? "pull,push" : "pull");
	*out = gt_steal(&e);
	return NULL;
}

void errand_free(struct errand *e)
{
	if (!e)
		return;
	free(e->name);
	free(e->repository);
	free(e->tag);
	free(e->digest);
	hosts_done(&e->hosts);
	gt_strv_done(&e->scopes);
	free(e->user);
	free(e->password);
	free(e->identity_token);
	gt_strv_done(&e->secrets);
	free(e);
}

void errand_secret_add(struct errand *e, const char *s)
{
	if (s && strlen(s) >= 4 && !gt_strv_has(&e->secrets, s))
		gt_strv_add(&e->secrets, s);
}

struct http_limits errand_limits(const struct errand *e, const struct host *h)
{
	const struct resolver_config *c = e->r->config;
	struct http_limits l = {
		.connect = h && h->dial_timeout ? h->dial_timeout : c->connect_timeout,
		.response = c->response_timeout,
		.slow = c->low_speed_time,
		.slow_bytes = (int64_t)c->low_speed_limit * (c->low_speed_time / 1000000000),
	};

	if (!l.slow_bytes)
		l.slow_bytes = 1;
	return l;
}

const struct http_watch *errand_watch(const struct errand *e)
{
	return e->watch.dump || e->watch.trace ? &e->watch : NULL;
}

void answer_done(struct answer *a)
{
	http_end(a->x);
	free(a->url);
	*a = (struct answer){ 0 };
}

static bool is_redirect(int status, const char *method)
{
	bool is_read = !strcmp(method, "GET") || !strcmp(method, "HEAD");

	return status == 307 || status == 308 ||
	       (is_read && (status == 301 || status == 302 || status == 303));
}

/* Where the answer sends us; the error says why we do not go there. */
static struct gt_error *redirect_take(const char *from, const struct http_exchange *x, char **out)
{
	const char *location = http_header(x, "location");
	gt_autofree char *to = location ? url_join(from, location) : NULL;
	gt_autofree char *site = to ? url_site(to) : NULL;

	if (!to)
		return gt_error_new(GT_FAILED_PRECONDITION, "redirects with status %d to no URL",
				    http_status(x));
	if (!strncmp(from, "https:", 6) && strncmp(to, "https:", 6) != 0)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "redirects from https to plain http (%s), which is not followed", site);
	*out = gt_steal(&to);
	return NULL;
}

struct gt_error *errand_follow(struct errand *e, const struct http_ask *a,
			       const struct gt_strv *headers, const struct gt_strv *private,
			       struct answer *out, enum http_failure *why)
{
	gt_autofree char *url = gt_xstrdup(a->url);
	bool is_elsewhere = false;

	for (int i = 0; i <= REDIRECTS_MAX; i++) {
		struct http_ask ask = *a;
		struct gt_strv all = { 0 };
		http_autoend x = NULL;
		struct gt_error *err;
		char *to = NULL;

		gt_strv_addv(&all, headers);
		is_elsewhere |= !url_is_same_site(a->url, url);
		if (!is_elsewhere)
			gt_strv_addv(&all, private);
		ask.url = url;
		ask.headers = &all;
		ask.skip_client_cert |= is_elsewhere;
		err = http_begin(e->r->pool, e->call, &ask, &x, why);
		gt_strv_done(&all);
		if (err && is_elsewhere) {
			gt_autofree char *site = url_site(url);

			return gt_error_wrap(err, "redirected to %s", site);
		}
		GT_TRY(err);
		if (!is_redirect(http_status(x), a->method)) {
			*out = (struct answer){ .x = gt_steal(&x), .url = gt_steal(&url),
						.is_elsewhere = is_elsewhere };
			return NULL;
		}
		*why = HTTP_FINAL;
		GT_TRY(redirect_take(url, x, &to));
		free(url);
		url = to;
	}
	*why = HTTP_FINAL;
	return gt_error_new(GT_FAILED_PRECONDITION, "redirects more than %d times", REDIRECTS_MAX);
}

/* The host's base, by plain http if that is known to be what it speaks. */
static char *base_of(struct errand *e, const struct host *h)
{
	gt_autofree char *site = url_site(h->base);

	if (h->may_be_http && sites_is_plain(e->r->sites, site))
		return gt_strf("http%s", h->base + strlen("https"));
	return gt_xstrdup(h->base);
}

static char *question_url(struct errand *e, const struct host *h, const char *base,
			  const struct question *q)
{
	if (q->is_foreign)
		return url_join(q->url, "");
	if (q->url) {
		gt_autofree char *repository = gt_strf("%s/%s/", base, e->repository);

		return url_join(repository, q->url);
	}
	/* a mirror is told whose content is wanted */
	return gt_strf("%s/%s%s%s%s", base, e->repository, q->path,
		       h->is_own ? "" : strchr(q->path, '?') ? "&ns=" : "?ns=", h->is_own ? "" : e->name);
}

static struct gt_error *ask_with(struct errand *e, struct host *h, const char *base,
				 const struct question *q, const char *authorization,
				 struct answer *out, enum http_failure *why)
{
	gt_autofree char *url = question_url(e, h, base, q);
	struct gt_strv private = { 0 };
	struct http_ask a = {
		.method = q->method, .url = url, .body = q->body, .body_len = q->body_len,
		.source = q->source, .source_off = q->source_off, .source_len = q->source_len,
		.sent = q->sent, .sent_arg = q->sent_arg, .limits = errand_limits(e, h),
		.watch = errand_watch(e), .agent = e->r->config->user_agent, .tls = &h->tls,
		.http2 = e->r->config->http2,
	};
	bool is_ours = url && !q->is_foreign && url_is_same_site(base, url);
	struct gt_error *err;

	*why = HTTP_FINAL;
	if (!url)
		return gt_error_new(GT_FAILED_PRECONDITION, "answers with a URL that is none");
	if (!strncmp(base, "https:", 6) && strncmp(url, "https:", 6) != 0 && !q->is_foreign)
		return gt_error_new(GT_FAILED_PRECONDITION, "leads from https to plain http");
	if (is_ours) {
		gt_strv_addv(&private, &h->headers);
		if (authorization)
			gt_strv_addf(&private, "Authorization: %s", authorization);
	} else {
		a.skip_client_cert = true;
	}
	if (q->response_timeout)
		a.limits.response = q->response_timeout;
	if (h->may_be_http && a.limits.connect > PROBE_NS)
		a.limits.connect = PROBE_NS;
	err = errand_follow(e, &a, &q->headers, &private, out, why);
	gt_strv_done(&private);
	if (!err && !is_ours)
		out->is_elsewhere = true;
	return err;
}

static bool may_fall_back(struct errand *e, const struct host *h, const char *base,
			  enum http_failure why)
{
	gt_autofree char *site = url_site(h->base);

	if (why != HTTP_NO_TLS || !h->may_be_http || strncmp(base, "https:", 6) != 0)
		return false;
	sites_set_plain(e->r->sites, site);
	return true;
}

struct gt_error *errand_ask(struct errand *e, struct host *h, const struct question *q,
			    struct answer *out, enum http_failure *why)
{
	gt_autofree char *base = base_of(e, h);
	gt_autofree char *authorization = NULL;
	unsigned challenges = 0;

	*why = HTTP_FINAL;
	if (!q->is_foreign)
		GT_TRY(auth_known(e, h, &authorization));
	for (;;) {
		struct gt_error *err = ask_with(e, h, base, q, authorization, out, why);

		if (err && may_fall_back(e, h, base, *why)) {
			gt_error_free(err);
			free(base);
			base = base_of(e, h);
			continue;
		}
		GT_TRY(err);
		/* only the host itself is told who we are, whoever asks */
		if (http_status(out->x) != 401 || out->is_elsewhere || challenges++ == CHALLENGES_MAX)
			return NULL;
		free(gt_steal(&authorization));
		err = auth_answer(e, h, http_header(out->x, "www-authenticate"), &authorization);
		if (!err && !authorization)
			return NULL; /* nothing to say to that: the 401 stands */
		answer_done(out);
		*why = gt_error_class(err) == GT_UNAVAILABLE ? HTTP_BROKEN : HTTP_FINAL;
		GT_TRY(err);
	}
}

struct gt_error *errand_pause(struct errand *e, unsigned n, int64_t at_least)
{
	int64_t wait = e->r->config->retry_delay << (n < 16 ? n : 16);
	int64_t until;

	if (wait > BACKOFF_MAX_NS || wait < 0)
		wait = BACKOFF_MAX_NS;
	/* not all that were turned away at once come back at once */
	wait += wait * (gt_now() / 1000 % 256) / 1024;
	until = gt_now() + (wait > at_least ? wait : at_least);
	for (;;) {
		struct pollfd cancel = { .fd = -1, .events = POLLIN };
		int64_t left = until - gt_now();

		GT_TRY(gt_call_check(e->call));
		if (left <= 0)
			return NULL;
		if (e->call->cancel)
			cancel.fd = gt_cancel_fd(e->call->cancel);
		left = left / 1000000 + 1;
		poll(&cancel, 1, gt_call_left(e->call, left > 1000 ? 1000 : (int)left));
	}
}

static bool is_passing(int status)
{
	return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
	       status == 504;
}

/* Nanoseconds that the answer asks to wait; 0: it does not say. */
static int64_t retry_after(const struct http_exchange *x)
{
	const char *s = http_header(x, "retry-after");
	char *end;
	long long v;

	if (!s)
		return 0;
	v = strtoll(s, &end, 10);
	if (*end || end == s) {
		time_t t = curl_getdate(s, NULL);

		v = t < 0 ? 0 : t - time(NULL);
	}
	return v <= 0 ? 0 : v > 86400 ? INT64_C(86400000000000) : v * INT64_C(1000000000);
}

struct gt_error *errand_ask_patiently(struct errand *e, struct host *h, const struct question *q,
				      struct answer *out)
{
	const struct resolver_config *c = e->r->config;
	unsigned most = q->is_last ? (unsigned)c->retries : c->retries > 0;
	gt_autofree char *site = url_site(h->base);

	for (unsigned n = 0;; n++) {
		enum http_failure why = HTTP_FINAL;
		struct gt_error *err = errand_ask(e, h, q, out, &why);
		int64_t wait = 0;

		if (!err && !is_passing(http_status(out->x))) {
			sites_set_down(e->r->sites, site, false);
			return NULL;
		}
		if (!err) {
			why = HTTP_BROKEN;
			wait = retry_after(out->x);
			err = errand_refusal(e, h, out);
		} else {
			const struct answer foreign = { .url = (char *)q->url };
			gt_autofree char *place = errand_place(h, q->is_foreign ? &foreign : NULL);

			err = gt_error_wrap(err, "%s", place);
		}
		if (why == HTTP_NO_CONNECTION && !q->is_foreign) {
			sites_set_down(e->r->sites, site, true);
			if (!q->is_last)
				return err;
		}
		if (why == HTTP_FINAL || n >= most || wait > c->max_retry_after)
			return err;
		gt_error_free(err);
		GT_TRY(errand_pause(e, n, wait));
	}
}
