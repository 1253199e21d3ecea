/* SPDX-License-Identifier: Apache-2.0 */
/* hosts.toml, as containerd reads it. */
#include <config.h>

#include "hosts.h"
#include "hosts-private.h"
#include "url.h"

#include <toml/toml.h>

#include <gantry/log.h>
#include <gantry/quantity.h>

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define HOSTS_MAX 64
#define HEADERS_MAX 256
#define CLIENTS_MAX 32

/* A table of the file: the top one, or one under [host]. */
struct place {
	const char *file;
	const char *name; /* of the registry */
	const char *host; /* key of the table; NULL: the top one */
	const struct gt_toml *table;
	const struct gt_registry_options *options;
};

/* "FILE:LINE: host.\"https://m\".capabilities: text"; what is quoted from the file is made harmless. */
static struct gt_error *bad(const struct place *p, const struct gt_toml *at, const char *key,
			    const char *text)
{
	gt_auto(gt_buf) where = GT_BUF_INIT;

	gt_buf_addf(&where, "%s:%u: ", p->file, at->line);
	if (p->host) {
		gt_buf_adds(&where, "host.");
		gt_buf_addq(&where, p->host);
		if (key)
			gt_buf_addc(&where, '.');
	}
	if (key)
		gt_buf_adds(&where, key);
	return gt_error_new(GT_INVALID_ARGUMENT, "%s: %s", where.s, text);
}

static struct gt_error *is_no(const struct place *p, const struct gt_toml *at, const char *key,
			      const char *wanted)
{
	gt_autofree char *text = gt_strf("a %s, where %s is wanted", gt_toml_type_name(at->type), wanted);

	return bad(p, at, key, text);
}

/* A member of that type; '*out' NULL where it is absent. */
static struct gt_error *member(const struct place *p, const char *key, enum gt_toml_type type,
			       const struct gt_toml **out)
{
	gt_autofree char *wanted = gt_strf("a %s", gt_toml_type_name(type));

	*out = gt_toml_get(p->table, key);
	return *out && (*out)->type != type ? is_no(p, *out, key, wanted) : NULL;
}

/* A string, or a list of strings. */
static struct gt_error *strings(const struct place *p, const struct gt_toml *v, const char *key,
				struct gt_strv *out)
{
	if (v->type == GT_TOML_STRING) {
		gt_strv_add(out, v->string);
		return NULL;
	}
	if (v->type != GT_TOML_ARRAY)
		return is_no(p, v, key, "a string or a list of strings");
	for (size_t i = 0; i < v->n; i++) {
		if (v->items[i].type != GT_TOML_STRING)
			return is_no(p, &v->items[i], key, "a string");
		gt_strv_add(out, v->items[i].string);
	}
	return NULL;
}

static struct gt_error *capabilities_take(const struct place *p, struct host *h)
{
	static const struct {
		const char *name;
		unsigned bit;
	} known[] = { { "pull", HOST_PULL },
		      { "resolve", HOST_RESOLVE },
		      { "push", HOST_PUSH },
		      { "referrers", HOST_REFERRERS } };
	const struct gt_toml *v;

	GT_TRY(member(p, "capabilities", GT_TOML_ARRAY, &v));
	if (!v || !v->n)
		return NULL;
	h->capabilities = 0;
	for (size_t i = 0; i < v->n; i++) {
		const struct gt_toml *item = &v->items[i];
		unsigned bit = 0;

		if (item->type != GT_TOML_STRING)
			return is_no(p, item, "capabilities", "a string");
		for (size_t k = 0; k < sizeof(known) / sizeof(*known); k++)
			bit |= strcmp(known[k].name, item->string) ? 0 : known[k].bit;
		if (!bit) {
			gt_auto(gt_buf) text = GT_BUF_INIT;

			gt_buf_addq(&text, item->string);
			gt_buf_adds(&text, " is no capability (pull, resolve, push, referrers)");
			return bad(p, item, "capabilities", text.s);
		}
		h->capabilities |= bit;
	}
	return NULL;
}

/* A path in the file counts from the file's folder. */
static char *full_path(const struct place *p, const char *path)
{
	const char *slash = strrchr(p->file, '/');

	return *path == '/' || !slash ? gt_xstrdup(path)
				      : gt_strf("%.*s/%s", (int)(slash - p->file), p->file, path);
}

/* Says where in the file the thing that failed stands; takes 'e'. */
static struct gt_error *bad_take(const struct place *p, const struct gt_toml *at, const char *key,
				 struct gt_error *e)
{
	gt_autofree char *text = e ? gt_xstrdup(gt_error_text(e)) : NULL;

	gt_error_free(e);
	return text ? bad(p, at, key, text) : NULL;
}

static struct gt_error *ca_take(const struct place *p, struct host *h)
{
	const struct gt_toml *v = gt_toml_get(p->table, "ca");
	struct gt_strv files = { 0 };
	struct gt_error *e = v ? strings(p, v, "ca", &files) : NULL;

	for (size_t i = 0; !e && i < files.n; i++) {
		gt_autofree char *file = full_path(p, files.v[i]);

		e = bad_take(p, v, "ca", hosts_pem_read(file, &h->tls.ca));
	}
	gt_strv_done(&files);
	return e;
}

/* "client.pem" or [ "client.cert", "client.key" ], the key being "" where it is in the first. */
static struct gt_error *pair_take(const struct place *p, const struct gt_toml *v, struct host *h)
{
	const struct gt_toml *cert = v, *key = NULL;
	gt_autofree char *cert_path = NULL, *key_path = NULL;

	if (v->type == GT_TOML_ARRAY && v->n >= 1 && v->n <= 2) {
		cert = &v->items[0];
		key = v->n > 1 ? &v->items[1] : NULL;
	}
	if (cert->type != GT_TOML_STRING || (key && key->type != GT_TOML_STRING))
		return is_no(p, v, "client", "a string or a pair of strings");
	cert_path = full_path(p, cert->string);
	key_path = key && *key->string ? full_path(p, key->string) : NULL;
	return bad_take(p, v, "client", hosts_pair_read(cert_path, key_path, &h->tls));
}

/* A string, a list of strings, or a list of pairs. */
static struct gt_error *client_take(const struct place *p, struct host *h)
{
	const struct gt_toml *v = gt_toml_get(p->table, "client");

	if (!v)
		return NULL;
	if (v->type != GT_TOML_ARRAY)
		return pair_take(p, v, h);
	if (v->n > CLIENTS_MAX)
		return bad(p, v, "client", "more certificates than anybody has");
	for (size_t i = 0; i < v->n; i++)
		GT_TRY(pair_take(p, &v->items[i], h));
	return NULL;
}

static bool is_header_name(const char *s)
{
	const char *p = s;

	while (isalnum((unsigned char)*p) || (*p && strchr("!#$%&'*+-.^_`|~", *p)))
		p++;
	return p > s && !*p;
}

static struct gt_error *header_take(const struct place *p, struct host *h)
{
	const struct gt_toml *v;

	GT_TRY(member(p, "header", GT_TOML_TABLE, &v));
	for (size_t i = 0; v && i < v->n; i++) {
		gt_autofree char *key = gt_strf("header.%.100s", v->items[i].key);
		struct gt_strv values = { 0 };
		struct gt_error *e = strings(p, &v->items[i], key, &values);

		if (!e && (!is_header_name(v->items[i].key) || h->headers.n > HEADERS_MAX))
			e = bad(p, &v->items[i], "header", "no name that a header can have, or too many");
		for (size_t k = 0; !e && k < values.n; k++) {
			if (strpbrk(values.v[k], "\r\n"))
				e = bad(p, &v->items[i], key, "a value of more than one line");
			else /* curl sends an empty one if it ends in ';' */
				gt_strv_addf(&h->headers, "%s%s%s", v->items[i].key,
					     *values.v[k] ? ": " : ";", values.v[k]);
		}
		gt_strv_done(&values);
		GT_TRY(e);
	}
	return NULL;
}

static struct gt_error *dial_timeout_take(const struct place *p, struct host *h)
{
	const struct gt_toml *v;

	GT_TRY(member(p, "dial_timeout", GT_TOML_STRING, &v));
	if (v && (!gt_duration_parse(v->string, &h->dial_timeout) || h->dial_timeout < 0))
		return bad(p, v, "dial_timeout", "no duration such as \"10s\"");
	return NULL;
}

/* containerd ignores what it does not know; a slip of the pen should not pass in silence. */
static void unknown_warn(const struct place *p)
{
	static const char *const known[] = { "capabilities", "ca", "client", "skip_verify", "header",
					     "override_path", "dial_timeout", "server", "host" };

	for (size_t i = 0; i < p->table->n; i++) {
		const struct gt_toml *item = &p->table->items[i];
		bool is_known = false;

		for (size_t k = 0; k < sizeof(known) / sizeof(*known) - (p->host ? 2 : 0); k++)
			is_known |= !strcmp(item->key, known[k]);
		if (!is_known) {
			gt_autoptr(gt_error) e = bad(p, item, NULL, "");
			gt_auto(gt_buf) key = GT_BUF_INIT;

			gt_buf_addq(&key, item->key);
			gt_log_warn_limited("%s%s is no key that is known here, and ignored",
					    gt_error_text(e), key.s);
		}
	}
}

/* Whether it has a scheme; "registry.example" and "host:5000" have none. */
static bool is_url(const char *s)
{
	return !strncasecmp(s, "http://", 7) || !strncasecmp(s, "https://", 8);
}

/* "https://mirror.example:5000/path" into base and authority. */
static struct gt_error *url_take(const struct place *p, const struct gt_toml *at, const char *key,
				 const char *text, bool override_path, struct host *h)
{
	gt_autofree char *url = is_url(text) ? gt_xstrdup(text) : gt_strf("https://%s", text);
	char *host = strstr(url, "://") + 3;
	size_t len = strlen(url);

	for (char *c = url; *c; c++) {
		if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("?#\\\"", *c))
			return bad(p, at, key, "no URL such as \"https://mirror.example:5000\"");
	}
	if (strncasecmp(url, "http", 4) != 0 || (strstr(text, "://") && !is_url(text)))
		return bad(p, at, key, "a URL that begins neither with http:// nor with https://");
	if (memchr(host, '@', strcspn(host, "/")))
		return bad(p, at, key, "a URL with a user in it (credentials stand in Docker's config.json)");
	if (!strcspn(host, "/:"))
		return bad(p, at, key, "a URL without a host");
	for (char *c = url; c < host; c++)
		*c = tolower((unsigned char)*c);
	while (len && url[len - 1] == '/')
		url[--len] = '\0';
	h->authority = gt_xstrndup(host, strcspn(host, "/"));
	if (override_path || (len >= 3 && !strcmp(url + len - 3, "/v2") && strchr(host, '/')))
		h->base = gt_steal(&url);
	else
		h->base = gt_strf("%s/v2", url);
	return NULL;
}

/* The keys that the top table and those of mirrors share. */
static struct gt_error *host_take(const struct place *p, const struct gt_toml *at, const char *key,
				  const char *url, struct hosts *out)
{
	struct host *h = hosts_add(out);
	const struct gt_toml *skip, *override;
	const char *port;

	GT_TRY(member(p, "skip_verify", GT_TOML_BOOLEAN, &skip));
	GT_TRY(member(p, "override_path", GT_TOML_BOOLEAN, &override));
	GT_TRY(url_take(p, at, key, url, override && override->boolean, h));
	h->is_own = !strcasecmp(h->authority, hosts_own_authority(p->name));
	GT_TRY(capabilities_take(p, h));
	GT_TRY(ca_take(p, h));
	GT_TRY(client_take(p, h));
	GT_TRY(header_take(p, h));
	GT_TRY(dial_timeout_take(p, h));
	h->tls.skip_verify = skip && skip->boolean;
	port = strrchr(h->authority, ':');
	/* http with something said about TLS: whoever wrote it was not sure either */
	if (!strncmp(h->base, "http:", 5) && port && strcmp(port, ":80") != 0 &&
	    (h->tls.ca.len || h->tls.n_pairs || h->tls.skip_verify)) {
		char *base = gt_strf("https%s", h->base + 4);

		free(h->base);
		h->base = base;
		h->may_be_http = true;
	}
	unknown_warn(p);
	return hosts_options_apply(h, p->options);
}

/* The host that comes last: `server`, or the one that the name stands for, with the top table's keys. */
static struct gt_error *server_take(const struct place *p, struct hosts *out)
{
	const struct gt_toml *server;
	struct hosts own = { 0 };
	struct gt_error *e;
	struct host *h;

	GT_TRY(member(p, "server", GT_TOML_STRING, &server));
	if (server && *server->string)
		return host_take(p, server, "server", server->string, out);
	GT_TRY(hosts_own_add(&own, p->name, p->options));
	e = host_take(p, p->table, NULL, own.v[0].authority, out);
	h = &out->v[out->n - 1];
	if (!e) { /* as if nothing were said: http, or either of both */
		bool override = !strstr(h->base, "/v2");

		free(h->base);
		h->base = override ? url_site(own.v[0].base) : gt_xstrdup(own.v[0].base);
		h->may_be_http = own.v[0].may_be_http;
		h->tls.skip_verify |= own.v[0].tls.skip_verify && !h->tls.ca.len;
	}
	hosts_done(&own);
	return e;
}

struct gt_error *hosts_parse(const char *file, const char *text, size_t len, const char *name,
			     const struct gt_registry_options *o, struct hosts *out)
{
	gt_autoptr(gt_toml) top = NULL;
	struct place p = { .file = file, .name = name, .options = o };
	const struct gt_toml *host;

	GT_TRY(gt_toml_parse(file, text, len, &top));
	p.table = top;
	GT_TRY(member(&p, "host", GT_TOML_TABLE, &host));
	if (host && host->n > HOSTS_MAX)
		return bad(&p, host, "host", "more than 64 hosts");
	for (size_t i = 0; host && i < host->n; i++) {
		struct place m = p;

		m.host = host->items[i].key;
		m.table = &host->items[i];
		if (m.table->type != GT_TOML_TABLE)
			return is_no(&m, m.table, NULL, "a table");
		GT_TRY(host_take(&m, m.table, NULL, m.host, out));
	}
	p.table = top;
	return server_take(&p, out);
}
