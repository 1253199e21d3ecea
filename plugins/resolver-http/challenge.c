/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "challenge.h"

#include <gantry/buf.h>

#include <ctype.h>
#include <string.h>

#define SCOPES_MAX 64

void challenge_done(struct challenge *c)
{
	free(c->realm);
	free(c->service);
	gt_strv_done(&c->scopes);
	free(c->error);
	*c = (struct challenge){ 0 };
}

static bool is_token_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *space_skip(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

static const char *token_end(const char *s)
{
	while (is_token_char(*s))
		s++;
	return s;
}

/* A token or a quoted string at 's'; NULL if neither stands there. '*end' is behind it. */
static char *value_take(const char *s, const char **end)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;

	if (*s != '"') {
		*end = token_end(s);
		/* the realm of some registries stands without its quotes */
		while (**end && !strchr(", \t\"", **end))
			++*end;
		return *end == s ? NULL : gt_xstrndup(s, *end - s);
	}
	for (s++; *s && *s != '"'; s++) {
		if (*s == '\\' && s[1])
			s++;
		gt_buf_addc(&b, *s);
	}
	if (*s != '"')
		return NULL;
	*end = s + 1;
	return gt_buf_detach(&b);
}

static void param_take(struct challenge *c, const char *name, size_t len, char *value)
{
	char **to = NULL;

	if (len == 5 && !strncasecmp(name, "realm", 5))
		to = &c->realm;
	else if (len == 7 && !strncasecmp(name, "service", 7))
		to = &c->service;
	else if (len == 5 && !strncasecmp(name, "error", 5))
		to = &c->error;
	else if (len == 5 && !strncasecmp(name, "scope", 5) && !c->scopes.n) {
		struct gt_strv scopes = { 0 };

		gt_strv_split(&scopes, value, ' ');
		for (size_t i = 0; i < scopes.n && c->scopes.n < SCOPES_MAX; i++) {
			if (*scopes.v[i] && !gt_strv_has(&c->scopes, scopes.v[i]))
				gt_strv_add(&c->scopes, scopes.v[i]);
		}
		gt_strv_done(&scopes);
	}
	if (to && !*to) {
		*to = value;
		return;
	}
	free(value);
}

/* Parameters up to the next scheme or the end; NULL: what follows cannot be read. */
static const char *params_take(struct challenge *c, const char *s)
{
	for (;;) {
		const char *name, *end, *eq;
		char *value;

		s = space_skip(s);
		while (*s == ',')
			s = space_skip(s + 1);
		name = s;
		end = token_end(s);
		eq = space_skip(end);
		if (end == name)
			return *s ? NULL : s;
		if (*eq != '=') /* the next scheme */
			return name;
		value = value_take(space_skip(eq + 1), &s);
		if (!value)
			return NULL;
		param_take(c, name, end - name, value);
	}
}

/* The base64 of Negotiate and the like, which is no list of parameters. */
static const char *token68_skip(const char *s)
{
	const char *p = s;

	while (isalnum((unsigned char)*p) || (*p && strchr("-._~+/", *p)))
		p++;
	if (p == s || *p != '=')
		return s;
	while (*p == '=')
		p++;
	p = space_skip(p);
	return *p && *p != ',' ? s : p;
}

void challenge_parse(const char *header, struct challenge *out)
{
	struct challenge best = { 0 };
	const char *s = space_skip(header);

	while (s && *s) {
		const char *end = token_end(s);
		struct challenge c = { 0 };

		if (end == s) {
			s = *s == ',' ? space_skip(s + 1) : NULL;
			continue;
		}
		if (end - s == 6 && !strncasecmp(s, "Bearer", 6))
			c.scheme = CHALLENGE_BEARER;
		else if (end - s == 5 && !strncasecmp(s, "Basic", 5))
			c.scheme = CHALLENGE_BASIC;
		s = params_take(&c, token68_skip(space_skip(end)));
		if (c.scheme == CHALLENGE_BEARER && !c.realm)
			c.scheme = CHALLENGE_NONE;
		if (c.scheme > best.scheme) {
			challenge_done(&best);
			best = c;
		} else {
			challenge_done(&c);
		}
	}
	if (best.scheme && !best.realm)
		best.realm = gt_xstrdup("");
	*out = best;
}
