/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "credentials.h"

#include <oci/json.h>
#include <proc/proc.h>

#include <gantry/file.h>

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#define CONFIG_MAX (1024 * 1024)
#define HELPER_OUTPUT_MAX (64 * 1024)
#define DOCKER_HUB "https://index.docker.io/v1/" /* its key in config.json */

void credentials_done(struct credentials *c)
{
	free(c->user);
	free(c->password);
	free(c->identity_token);
	*c = (struct credentials){ 0 };
}

char *credentials_file(const char *path)
{
	const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

	if (*path)
		return gt_xstrdup(path);
	if (dir && *dir)
		return gt_strf("%s/config.json", dir);
	return home && *home ? gt_strf("%s/.docker/config.json", home) : NULL;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

bool credentials_decode(const char *base64, char **user, char **password)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	unsigned bits = 0, have = 0;
	const char *colon;

	for (const char *p = base64; *p && *p != '='; p++) {
		int digit = base64_digit(*p);

		if (digit < 0)
			return false;
		bits = (bits << 6 | (unsigned)digit) & 0xffff;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (!(bits >> have & 0xff))
			return false;
		gt_buf_addc(&text, (char)(bits >> have & 0xff));
	}
	colon = strchr(text.s, ':');
	if (!colon)
		return false;
	*user = gt_xstrndup(text.s, colon - text.s);
	*password = gt_xstrdup(colon + 1);
	return true;
}

char *credentials_encode(const char *user, const char *password)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	gt_autofree char *text = gt_strf("%s:%s", user, password);
	size_t len = strlen(text);
	struct gt_buf out = GT_BUF_INIT;

	for (size_t i = 0; i < len; i += 3) {
		unsigned v = (unsigned char)text[i] << 16;

		v |= i + 1 < len ? (unsigned char)text[i + 1] << 8 : 0;
		v |= i + 2 < len ? (unsigned char)text[i + 2] : 0;
		gt_buf_addc(&out, digits[v >> 18]);
		gt_buf_addc(&out, digits[v >> 12 & 63]);
		gt_buf_addc(&out, i + 1 < len ? digits[v >> 6 & 63] : '=');
		gt_buf_addc(&out, i + 2 < len ? digits[v & 63] : '=');
	}
	return gt_buf_detach(&out);
}

/* "https://r.example/v1/" is the key of r.example, as old versions of Docker wrote it. */
static bool key_is(const char *key, const char *host)
{
	const char *s = strstr(key, "://");
	size_t len;

	if (!strcmp(host, "docker.io") && !strcmp(key, DOCKER_HUB))
		return true;
	s = s ? s + 3 : key;
	len = strcspn(s, "/");
	return len == strlen(host) && !strncasecmp(s, host, len);
}

/* The member for a host: its own name first, then one that means it. */
static json_t *member_for(json_t *table, const char *host, const char **key)
{
	json_t *v = json_object_get(table, host), *item;
	const char *k;

	*key = host;
	if (v)
		return v;
	json_object_foreach(table, k, item) {
		if (!v && key_is(k, host)) {
			v = item;
			*key = k;
		}
	}
	return v;
}

static struct gt_error *auth_take(const char *what, const json_t *entry, struct credentials *out)
{
	gt_autofree char *auth = NULL;

	if (!json_is_object(entry))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: an entry of auths is no object", what);
	GT_TRY(gt_json_string(what, entry, "identitytoken", &out->identity_token));
	GT_TRY(gt_json_string(what, entry, "username", &out->user));
	GT_TRY(gt_json_string(what, entry, "password", &out->password));
	GT_TRY(gt_json_string(what, entry, "auth", &auth));
	if (out->identity_token && !*out->identity_token) {
		free(out->identity_token);
		out->identity_token = NULL;
	}
	if (out->user && !*out->user) {
		free(out->user);
		out->user = NULL;
	}
	if (!out->user && auth && *auth) {
		free(out->password);
		out->password = NULL;
		if (!credentials_decode(auth, &out->user, &out->password))
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "%s: an auth that is not base64 of USER:PASSWORD", what);
	}
	if (out->user && !out->password)
		out->password = gt_xstrdup("");
	return NULL;
}

static bool is_helper_name(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++) {
		if (!isalnum((unsigned char)s[n]) && !strchr("-_.", s[n]))
			return false;
	}
	return n && n < 100 && *s != '.';
}

/* No credentials is no error of a helper's: this is how they say it. */
static bool says_none(const struct gt_buf *b)
{
	return strstr(b->s, "credentials not found") || strstr(b->s, "no credentials");
}

struct gt_error *credentials_helped(const char *program, const struct gt_buf *said,
				    struct credentials *out)
{
	/* warnings on stderr may stand around it */
	const char *from = strchr(said->s, '{'), *to = strrchr(said->s, '}');
	size_t len = from && to > from ? to + 1 - from : 0;
	json_t *parsed = NULL;
	struct gt_error *e = gt_json_parse(program, from, len, HELPER_OUTPUT_MAX, 8, &parsed);
	gt_autojson j = parsed;
	gt_autofree char *user = NULL;
	gt_autofree char *secret = NULL;

	if (e) { /* its text may quote the secret */
		gt_error_free(e);
		return gt_error_new(GT_FAILED_PRECONDITION, "%s: its answer is no JSON", program);
	}
	if (!json_is_object(j))
		return gt_error_new(GT_FAILED_PRECONDITION, "%s: its answer is no object", program);
	GT_TRY(gt_json_string(program, j, "Username", &user));
	GT_TRY(gt_json_string(program, j, "Secret", &secret));
	if (!secret || !user)
		return gt_error_new(GT_FAILED_PRECONDITION, "%s: its answer lacks Username or Secret",
				    program);
	if (!strcmp(user, "<token>")) {
		out->identity_token = gt_steal(&secret);
		return NULL;
	}
	out->user = gt_steal(&user);
	out->password = gt_steal(&secret);
	return NULL;
}

/* docker-credential-NAME: gets the key on stdin, prints JSON. No shell, a deadline, a limit. */
static struct gt_error *helper_run(struct gt_call *call, const char *what, const char *name,
				   const char *key, int64_t timeout, struct credentials *out)
{
	gt_autofree char *program = gt_strf("docker-credential-%s", name);
	const char *const argv[] = { program, "get", NULL };
	struct gt_proc_spec spec = { .argv = argv };
	struct gt_call limited = *call;
	gt_auto(gt_buf) said = GT_BUF_INIT;
	struct gt_error *e;
	int status = 0;

	if (!is_helper_name(name))
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "%s: the name of a credential helper that is none", what);
	if (!limited.deadline || limited.deadline > gt_now() + timeout)
		limited.deadline = gt_now() + timeout;
	e = gt_proc_run(&spec, &limited, key, strlen(key), HELPER_OUTPUT_MAX + 1, &said, &status);
	if (e) {
		gt_autoptr(gt_error) ended = gt_call_check(call);

		if (gt_error_class(e) == GT_DEADLINE_EXCEEDED && !ended)
			e = gt_error_reclass(e, GT_UNAVAILABLE);
		return gt_error_wrap(e, "credential helper %s of %s", program, what);
	}
	if (said.len > HELPER_OUTPUT_MAX)
		return gt_error_new(GT_RESOURCE_EXHAUSTED,
				    "credential helper %s of %s prints more than %d bytes", program, what,
				    HELPER_OUTPUT_MAX);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return credentials_helped(program, &said, out);
	if (says_none(&said))
		return NULL;
	return gt_error_new(GT_FAILED_PRECONDITION, "credential helper %s of %s ends with status %d",
			    program, what, WIFEXITED(status) ? WEXITSTATUS(status) : 128);
}

/* Says where the JSON is wrong, but not near what: that may be a password. */
static struct gt_error *quiet_take(struct gt_error *e)
{
	const char *text = gt_error_text(e), *near = strstr(text, " near ");
	struct gt_error *quiet;

	if (!e || !near)
		return e;
	quiet = gt_error_new(gt_error_class(e), "%.*s", (int)(near - text), text);
	gt_error_free(e);
	return quiet;
}

struct gt_error *credentials_parse(struct gt_call *call, const char *what, const char *text,
				   size_t len, const char *host, int64_t timeout,
				   struct credentials *out)
{
	json_t *parsed = NULL;
	struct gt_error *e = quiet_take(gt_json_parse(what, text, len, CONFIG_MAX, 16, &parsed));
	gt_autojson j = parsed;
	json_t *helpers, *auths, *entry;
	gt_autofree char *store = NULL;
	const char *key;

	GT_TRY(e);
	if (!json_is_object(j))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: no object", what);
	GT_TRY(gt_json_object(what, j, "credHelpers", &helpers));
	GT_TRY(gt_json_object(what, j, "auths", &auths));
	GT_TRY(gt_json_string(what, j, "credsStore", &store));
	entry = helpers ? member_for(helpers, host, &key) : NULL;
	if (entry && !json_is_string(entry))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: an entry of credHelpers is no string", what);
	if (entry && *json_string_value(entry))
		return helper_run(call, what, json_string_value(entry), key, timeout, out);
	if (store && *store)
		GT_TRY(helper_run(call, what, store, strcmp(host, "docker.io") ? host : DOCKER_HUB,
				  timeout, out));
	if (out->user || out->identity_token)
		return NULL;
	entry = auths ? member_for(auths, host, &key) : NULL;
	return entry ? auth_take(what, entry, out) : NULL;
}

struct gt_error *credentials_find(struct gt_call *call, const char *path, const char *host,
				  int64_t timeout, struct credentials *out)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	struct gt_error *e = gt_file_read(AT_FDCWD, path, CONFIG_MAX, &text);

	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		return NULL;
	}
	GT_TRY(gt_error_wrap(e, "credentials"));
	e = credentials_parse(call, path, text.s, text.len, host, timeout, out);
	if (e)
		credentials_done(out);
	return e;
}
