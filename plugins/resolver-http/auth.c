/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "auth.h"

#include "challenge.h"
#include "credentials.h"
#include "url.h"

#include <oci/json.h>

#include <curl/curl.h>
#include <pthread.h>
#include <string.h>

#define KEPT_MAX 512 /* entries; the oldest goes */
#define TOKEN_MAX (1024 * 1024) /* bytes of a token server's answer */
#define TOKEN_SECONDS 60 /* where the server does not say */
#define BASIC_SECONDS 300 /* for which a helper's answer is believed */
#define SECOND INT64_C(1000000000)

/* What a host wanted to see of somebody; with a scope, also the answer to it. */
struct kept {
	char *key;
	struct challenge challenge; /* scopes left out */
	char *value; /* of Authorization; NULL: only the challenge is known */
	int64_t until;
};

struct auth {
	pthread_mutex_t lock;
	struct kept *v;
	size_t n, alloc;
};

struct auth *auth_new(void)
{
	struct auth *a = gt_xcalloc(1, sizeof(*a));

	pthread_mutex_init(&a->lock, NULL);
	return a;
}

/* Freed memory should not be where tokens are found. */
static void secret_free(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

static void kept_done(struct kept *k)
{
	secret_free(k->key);
	challenge_done(&k->challenge);
	secret_free(k->value);
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++)
		kept_done(&a->v[i]);
	free(a->v);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static void challenge_copy(struct challenge *dst, const struct challenge *src)
{
	*dst = (struct challenge){ .scheme = src->scheme, .realm = gt_xstrdup(src->realm),
				   .service = gt_xstrdup(src->service) };
}

static bool kept_get(struct auth *a, const char *key, struct challenge *challenge, char **value)
{
	bool found = false;

	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->n && !found; i++) {
		if (strcmp(a->v[i].key, key) != 0 || (a->v[i].until && a->v[i].until < gt_now()))
			continue;
		found = true;
		if (challenge)
			challenge_copy(challenge, &a->v[i].challenge);
		if (value)
			*value = gt_xstrdup(a->v[i].value);
	}
	pthread_mutex_unlock(&a->lock);
	return found;
}

/* In the place of what was kept under that key; without challenge and value: forgets it. */
static void kept_set(struct auth *a, const char *key, const struct challenge *challenge,
		     const char *value, int64_t until)
{
	size_t i = 0;

	pthread_mutex_lock(&a->lock);
	while (i < a->n && strcmp(a->v[i].key, key) != 0)
		i++;
	if (i == a->n && a->n == KEPT_MAX)
		i = 0;
	if (i < a->n) {
		kept_done(&a->v[i]);
		memmove(a->v + i, a->v + i + 1, (--a->n - i) * sizeof(*a->v));
	}
	if (challenge || value) {
		GT_GROW(a->v, a->n, a->alloc);
		a->v[a->n] = (struct kept){ .key = gt_xstrdup(key), .value = gt_xstrdup(value),
					    .until = until };
		if (challenge)
			challenge_copy(&a->v[a->n].challenge, challenge);
		a->n++;
	}
	pthread_mutex_unlock(&a->lock);
}

/* Whom the request speaks for: a token got for one is not for another. */
static void who_add(const struct errand *e, struct gt_buf *key)
{
	if (e->user)
		gt_buf_addf(key, "\nuser %s\n%s", e->user, e->password);
	else if (e->identity_token)
		gt_buf_addf(key, "\ntoken %s", e->identity_token);
}

static char *challenge_key(const struct errand *e, const struct host *h)
{
	gt_autofree char *site = url_site(h->base);
	struct gt_buf key = GT_BUF_INIT;

	gt_buf_adds(&key, site);
	who_add(e, &key);
	return gt_buf_detach(&key);
}

static char *token_key(const struct errand *e, const struct host *h, const struct challenge *c,
		       const struct gt_strv *scopes)
{
	gt_autofree char *site = url_site(h->base);
	struct gt_strv sorted = { 0 };
	struct gt_buf key = GT_BUF_INIT;

	gt_strv_addv(&sorted, scopes);
	gt_strv_sort(&sorted);
	gt_buf_addf(&key, "%s\n%d %s\n%s", site, c->scheme, c->realm, c->service ? c->service : "");
	who_add(e, &key);
	for (size_t i = 0; c->scheme == CHALLENGE_BEARER && i < sorted.n; i++)
		gt_buf_addf(&key, "\n%s", sorted.v[i]);
	gt_strv_done(&sorted);
	return gt_buf_detach(&key);
}

/*
 * What is given on the command line is for the reference's host and for the mirrors that the machine's
 * owner has set up for it, but not for one that would get it in plain text over the network.
 */
static bool may_have_given(const struct host *h)
{
	return h->is_own || (!strncmp(h->base, "https:", 6) && !h->may_be_http) ||
	       url_is_loopback(h->base);
}

static struct gt_error *credentials_get(struct errand *e, const struct host *h,
					struct credentials *out)
{
	const struct resolver_config *c = e->r->config;
	gt_autofree char *file = NULL;

	if (e->user || e->identity_token) {
		if (may_have_given(h)) {
			out->user = gt_xstrdup(e->user);
			out->password = gt_xstrdup(e->password);
			out->identity_token = gt_xstrdup(e->identity_token);
		}
	} else if (c->use_docker_config) {
		file = credentials_file(c->docker_config);
		if (file)
			GT_TRY(credentials_find(e->call, file,
						strcmp(h->authority, "registry-1.docker.io")
							? h->authority : "docker.io",
						c->helper_timeout, out));
	}
	errand_secret_add(e, out->password);
	errand_secret_add(e, out->identity_token);
	return NULL;
}

static void form_add(struct gt_buf *form, const char *name, const char *value)
{
	char *escaped = value ? curl_easy_escape(NULL, value, 0) : NULL;

	if (escaped)
		gt_buf_addf(form, "%s%s=%s", form->len ? "&" : "", name, escaped);
	curl_free(escaped);
}

static void scopes_add(struct gt_buf *form, const struct gt_strv *scopes)
{
	gt_auto(gt_buf) all = GT_BUF_INIT;

	for (size_t i = 0; i < scopes->n; i++)
		gt_buf_addf(&all, "%s%s", i ? " " : "", scopes->v[i]);
	form_add(form, "scope", all.s);
}

struct gt_error *auth_token_parse(const char *text, size_t len, char **token, int64_t *seconds)
{
	json_t *parsed = NULL;
	struct gt_error *e = gt_json_parse("token", text, len, TOKEN_MAX, 16, &parsed);
	gt_autojson j = parsed;
	gt_autofree char *value = NULL;

	*seconds = TOKEN_SECONDS;
	if (e || !json_is_object(j)) { /* its words may quote the token */
		gt_error_free(e);
		return gt_error_new(GT_FAILED_PRECONDITION, "its answer is no JSON object");
	}
	GT_TRY(gt_json_string("token", j, "token", &value));
	if (!value || !*value) {
		free(gt_steal(&value));
		GT_TRY(gt_json_string("token", j, "access_token", &value));
	}
	GT_TRY(gt_json_int("token", j, "expires_in", seconds));
	if (!value || !*value)
		return gt_error_new(GT_FAILED_PRECONDITION, "its answer has no token");
	for (const char *p = value; *p; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return gt_error_new(GT_FAILED_PRECONDITION, "its token is none");
	}
	if (*seconds < TOKEN_SECONDS)
		*seconds = TOKEN_SECONDS;
	if (*seconds > 86400)
		*seconds = 86400;
	*token = gt_steal(&value);
	return NULL;
}

struct token_request {
	struct errand *e;
	const struct host *h;
	const struct challenge *challenge;
	const struct gt_strv *scopes;
	const struct credentials *credentials;
	const char *site; /* of the token server, for messages */
};

static struct gt_error *token_send(const struct token_request *t, const char *method,
				   const char *url, const struct gt_strv *private, const char *body,
				   struct answer *out)
{
	struct errand *e = t->e;
	struct gt_strv open = { 0 };
	struct http_ask a = {
		.method = method, .url = url, .body = body, .body_len = body ? strlen(body) : 0,
		.limits = errand_limits(e, t->h), .watch = errand_watch(e),
		.agent = e->r->config->user_agent, .tls = &t->h->tls,
		/* the client's certificate is for the registry alone */
		.skip_client_cert = !url_is_same_site(t->site, t->h->base),
	};
	enum http_failure why;
	struct gt_error *err;

	gt_strv_add(&open, "Accept: application/json");
	if (body)
		gt_strv_add(&open, "Content-Type: application/x-www-form-urlencoded");
	err = errand_follow(e, &a, &open, private, out, &why);
	gt_strv_done(&open);
	return err;
}

static struct gt_error *token_read(struct errand *e, struct answer *a, char **token, int64_t *seconds)
{
	gt_auto(gt_buf) body = GT_BUF_INIT;
	enum http_failure why;
	struct gt_error *err;
	bool more;

	err = http_read_all(a->x, TOKEN_MAX, &body, &more, &why);
	answer_done(a);
	GT_TRY(err);
	if (more)
		return gt_error_new(GT_FAILED_PRECONDITION, "its answer is longer than %d bytes", TOKEN_MAX);
	GT_TRY(auth_token_parse(body.s, body.len, token, seconds));
	errand_secret_add(e, *token);
	explicit_bzero(body.s, body.len);
	return NULL;
}

/* OAuth2's way. '*is_unknown': the server does not know it. */
static struct gt_error *token_post(const struct token_request *t, bool *is_unknown, struct answer *out)
{
	const struct credentials *c = t->credentials;
	gt_auto(gt_buf) form = GT_BUF_INIT;
	struct gt_error *err;
	int status;

	if (c->identity_token) {
		form_add(&form, "grant_type", "refresh_token");
		form_add(&form, "refresh_token", c->identity_token);
	} else {
		form_add(&form, "grant_type", "password");
		form_add(&form, "username", c->user);
		form_add(&form, "password", c->password);
	}
	form_add(&form, "service", t->challenge->service);
	form_add(&form, "client_id", "gantry");
	scopes_add(&form, t->scopes);
	err = token_send(t, "POST", t->challenge->realm, &(struct gt_strv){ 0 }, form.s, out);
	explicit_bzero(form.s, form.len);
	GT_TRY(err);
	status = http_status(out->x);
	*is_unknown = status == 400 || status == 401 || status == 404 || status == 405 || status == 501;
	return NULL;
}

static struct gt_error *token_get(const struct token_request *t, struct answer *out)
{
	const struct credentials *c = t->credentials;
	const char *realm = t->challenge->realm;
	struct gt_strv private = { 0 };
	gt_auto(gt_buf) query = GT_BUF_INIT;
	gt_autofree char *url = NULL;
	struct gt_error *err;

	form_add(&query, "service", t->challenge->service);
	for (size_t i = 0; i < t->scopes->n; i++)
		form_add(&query, "scope", t->scopes->v[i]);
	if (c->user) {
		gt_autofree char *basic = credentials_encode(c->user, c->password);

		form_add(&query, "account", c->user);
		errand_secret_add(t->e, basic);
		gt_strv_addf(&private, "Authorization: Basic %s", basic);
	}
	url = gt_strf("%s%s%s", realm, !query.len ? "" : strchr(realm, '?') ? "&" : "?", query.s);
	err = token_send(t, "GET", url, &private, NULL, out);
	gt_strv_done(&private);
	return err;
}

static struct gt_error *token_ask(const struct token_request *t, char **token, int64_t *seconds)
{
	const struct credentials *c = t->credentials;
	struct answer a = { 0 };
	bool is_unknown = true;
	struct gt_error *err;
	int status;

	if (c->user || c->identity_token)
		GT_TRY(token_post(t, &is_unknown, &a));
	if (is_unknown && !c->identity_token) {
		answer_done(&a);
		GT_TRY(token_get(t, &a));
	}
	status = http_status(a.x);
	if (status == 200)
		return token_read(t->e, &a, token, seconds);
	err = errand_refusal(t->e, t->h, &a);
	/* who is wrong here is the user's name or password */
	if (status == 400 || status == 403 || status == 404)
		err = gt_error_reclass(err, GT_UNAUTHENTICATED);
	return err;
}

/* The realm is the far side's word: it gets no password in plain text, and is a URL at all. */
static struct gt_error *realm_check(const struct host *h, const struct challenge *c, char **site)
{
	gt_autofree char *realm = url_join(c->realm, "");
	gt_autofree char *s = realm ? url_site(realm) : NULL;

	if (!realm)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "registry %s: its token server's address is no URL", h->authority);
	if (!strncmp(h->base, "https:", 6) && strncmp(s, "https:", 6) != 0 && !h->may_be_http &&
	    !url_is_loopback(s))
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "registry %s: its token server %s speaks plain http: nothing is sent there",
				    h->authority, s);
	*site = gt_steal(&s);
	return NULL;
}

static struct gt_error *bearer_get(struct errand *e, const struct host *h, const struct challenge *c,
				   const struct gt_strv *scopes, char **value, int64_t *seconds)
{
	struct credentials credentials = { 0 };
	gt_autofree char *site = NULL;
	gt_autofree char *token = NULL;
	struct token_request t = { .e = e, .h = h, .challenge = c, .scopes = scopes,
				   .credentials = &credentials };
	struct gt_error *err;

	GT_TRY(realm_check(h, c, &site));
	t.site = site;
	err = credentials_get(e, h, &credentials);
	if (!err)
		err = gt_error_wrap(token_ask(&t, &token, seconds), "token server %s", site);
	credentials_done(&credentials);
	GT_TRY(err);
	*value = gt_strf("Bearer %s", token);
	return NULL;
}

static struct gt_error *basic_get(struct errand *e, const struct host *h, char **value)
{
	struct credentials c = { 0 };
	struct gt_error *err = credentials_get(e, h, &c);

	if (!err && c.user) {
		gt_autofree char *basic = credentials_encode(c.user, c.password);

		errand_secret_add(e, basic);
		*value = gt_strf("Basic %s", basic);
	}
	credentials_done(&c);
	return err;
}

/* Gets what answers the challenge and keeps it; '*out' NULL: there is nothing to answer with. */
static struct gt_error *value_get(struct errand *e, const struct host *h, const struct challenge *c,
				  const struct gt_strv *scopes, const char *key, char **out)
{
	gt_autofree char *value = NULL;
	int64_t seconds = BASIC_SECONDS;

	if (c->scheme == CHALLENGE_BEARER)
		GT_TRY(bearer_get(e, h, c, scopes, &value, &seconds));
	else
		GT_TRY(basic_get(e, h, &value));
	if (value)
		kept_set(e->r->auth, key, NULL, value, gt_now() + seconds * 9 / 10 * SECOND);
	*out = gt_steal(&value);
	return NULL;
}

struct gt_error *auth_known(struct errand *e, const struct host *h, char **out)
{
	gt_autofree char *site_key = challenge_key(e, h);
	gt_autofree char *key = NULL;
	struct challenge c = { 0 };
	struct gt_error *err = NULL;

	*out = NULL;
	if (!kept_get(e->r->auth, site_key, &c, NULL))
		return NULL;
	key = token_key(e, h, &c, &e->scopes);
	if (!kept_get(e->r->auth, key, NULL, out))
		err = value_get(e, h, &c, &e->scopes, key, out);
	challenge_done(&c);
	if (!err && *out && strchr(*out, ' '))
		errand_secret_add(e, strchr(*out, ' ') + 1);
	return err;
}

/* Whether one of them grants what 'wanted' does: "repository:x:pull,push" has "repository:x:pull". */
static bool scopes_cover(const struct gt_strv *scopes, const char *wanted)
{
	const char *actions = strrchr(wanted, ':');
	size_t name = actions ? actions + 1 - wanted : 0;

	for (size_t i = 0; i < scopes->n; i++) {
		struct gt_strv have = { 0 }, want = { 0 };
		bool covers = name && !strncmp(scopes->v[i], wanted, name);

		if (!strcmp(scopes->v[i], wanted))
			return true;
		if (!covers)
			continue;
		gt_strv_split(&have, scopes->v[i] + name, ',');
		gt_strv_split(&want, wanted + name, ',');
		for (size_t k = 0; k < want.n; k++)
			covers &= gt_strv_has(&have, want.v[k]);
		gt_strv_done(&have);
		gt_strv_done(&want);
		if (covers)
			return true;
	}
	return false;
}

struct gt_error *auth_answer(struct errand *e, const struct host *h, const char *challenge, char **out)
{
	gt_autofree char *site_key = challenge_key(e, h);
	gt_autofree char *key = NULL;
	struct challenge c = { 0 };
	struct gt_error *err;

	*out = NULL;
	if (challenge)
		challenge_parse(challenge, &c);
	if (!c.scheme)
		return NULL;
	/* what the registry asks for counts too: it knows best what the request takes */
	for (size_t i = 0; i < c.scopes.n; i++) {
		if (!scopes_cover(&e->scopes, c.scopes.v[i]))
			gt_strv_add(&e->scopes, c.scopes.v[i]);
	}
	key = token_key(e, h, &c, &e->scopes);
	kept_set(e->r->auth, key, NULL, NULL, 0);
	kept_set(e->r->auth, site_key, &c, NULL, 0);
	err = value_get(e, h, &c, &e->scopes, key, out);
	challenge_done(&c);
	return err;
}
