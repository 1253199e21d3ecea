/* SPDX-License-Identifier: Apache-2.0 */
/* The host that a name stands for by itself, and the folder that says otherwise. */
#include <config.h>

#include "hosts.h"
#include "hosts-private.h"
#include "url.h"

#include <gantry/file.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define HOSTS_TOML_MAX (1024 * 1024)
#define CERTIFICATES_MAX 64 /* files of a folder */

void host_done(struct host *h)
{
	free(h->base);
	free(h->authority);
	http_tls_done(&h->tls);
	gt_strv_done(&h->headers);
}

void hosts_done(struct hosts *h)
{
	for (size_t i = 0; i < h->n; i++)
		host_done(&h->v[i]);
	free(h->v);
	*h = (struct hosts){ 0 };
}

struct host *hosts_add(struct hosts *h)
{
	GT_GROW(h->v, h->n, h->alloc);
	h->v[h->n] = (struct host){ .capabilities = HOST_ALL, .tls = HTTP_TLS_INIT };
	return &h->v[h->n++];
}

/* The port of an authority as text; "" where it has none. */
static const char *port_of(const char *authority)
{
	const char *end = *authority == '[' ? strchr(authority, ']') : authority;
	const char *colon = end ? strchr(end, ':') : NULL;

	return colon ? colon + 1 : "";
}

const char *hosts_own_authority(const char *name)
{
	return strcmp(name, "docker.io") ? name : "registry-1.docker.io";
}

/*
 * containerd's rule: https, and for this machine on a port of its own whatever it speaks, without a look
 * at its certificate.
 */
static void own_fill(struct host *h, const char *name, const struct gt_registry_options *o)
{
	const char *authority = hosts_own_authority(name);
	const char *port = port_of(authority);
	bool is_https = true;

	h->authority = gt_xstrdup(authority);
	h->is_own = true;
	if (o->plain_http) {
		is_https = false;
	} else if (url_authority_is_loopback(authority)) {
		if (!strcmp(port, "80")) {
			is_https = false;
		} else if (*port && strcmp(port, "443") != 0) {
			h->may_be_http = true;
			h->tls.skip_verify |= !h->tls.ca.len;
		}
	}
	h->base = gt_strf("%s://%s/v2", is_https ? "https" : "http", authority);
}

struct gt_error *hosts_pem_read(const char *file, struct gt_buf *out)
{
	GT_TRY(gt_file_read(AT_FDCWD, file, PEM_MAX, out));
	if (out->len && out->s[out->len - 1] != '\n')
		gt_buf_addc(out, '\n');
	return NULL;
}

struct gt_error *hosts_pair_read(const char *cert, const char *key, struct http_tls *out)
{
	struct http_pair *p = http_tls_add(out);

	GT_TRY(gt_error_wrap(hosts_pem_read(cert, &p->cert), "certificate %s", cert));
	return key ? gt_error_wrap(hosts_pem_read(key, &p->key), "key %s", key) : NULL;
}

struct gt_error *hosts_options_apply(struct host *h, const struct gt_registry_options *o)
{
	if (o->skip_verify)
		h->tls.skip_verify = true;
	if (o->ca)
		GT_TRY(gt_error_wrap(hosts_pem_read(o->ca, &h->tls.ca), "authorities %s", o->ca));
	if (o->cert && !h->tls.n_pairs)
		GT_TRY(hosts_pair_read(o->cert, o->key, &h->tls));
	for (size_t i = 0; o->headers && i < o->headers->n; i++)
		gt_strv_addf(&h->headers, "%s: %s", o->headers->v[i].key, o->headers->v[i].value);
	return NULL;
}

struct gt_error *hosts_own_add(struct hosts *out, const char *name,
			       const struct gt_registry_options *o)
{
	struct host *h = hosts_add(out);

	GT_TRY(hosts_options_apply(h, o));
	own_fill(h, name, o);
	return NULL;
}

static bool ends(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

/* Docker's way: NAME.crt is an authority, NAME.cert and NAME.key are the client's. */
static struct gt_error *certificate_take(struct host *h, const char *dir, const char *name)
{
	gt_autofree char *path = gt_strf("%s/%s", dir, name);
	gt_autofree char *key = NULL;

	if (ends(name, ".crt"))
		return gt_error_wrap(hosts_pem_read(path, &h->tls.ca), "authorities %s", path);
	if (!ends(name, ".cert"))
		return NULL;
	key = gt_strf("%.*s.key", (int)(strlen(path) - strlen(".cert")), path);
	return hosts_pair_read(path, key, &h->tls);
}

static struct gt_error *certificates_add(const char *dir, struct host *h)
{
	struct gt_strv names = { 0 };
	struct gt_error *e = NULL;
	struct dirent *d;
	DIR *f = opendir(dir);

	if (!f)
		return errno == ENOENT ? NULL
				       : gt_error_errno(GT_UNKNOWN, errno, "read folder %s", dir);
	while (names.n <= CERTIFICATES_MAX && (d = readdir(f))) {
		if (ends(d->d_name, ".crt") || ends(d->d_name, ".cert"))
			gt_strv_add(&names, d->d_name);
	}
	closedir(f);
	if (names.n > CERTIFICATES_MAX)
		e = gt_error_new(GT_RESOURCE_EXHAUSTED, "folder %s has more than %d certificates", dir,
				 CERTIFICATES_MAX);
	gt_strv_sort(&names);
	for (size_t i = 0; !e && i < names.n; i++)
		e = certificate_take(h, dir, names.v[i]);
	gt_strv_done(&names);
	return e;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The folder for a host in one of 'dirs'; NULL: there is none. */
static char *folder_find(const char *dirs, const char *name)
{
	const char *port = port_of(name);
	struct gt_strv parts = { 0 };
	char *found = NULL;

	gt_strv_split(&parts, dirs, ':');
	for (size_t i = 0; !found && i < parts.n; i++) {
		struct gt_strv names = { 0 };

		if (!*parts.v[i])
			continue;
		if (*port)
			gt_strv_addf(&names, "%.*s_%s_", (int)(port - name - 1), name, port);
		gt_strv_add(&names, name);
		gt_strv_add(&names, "_default");
		for (size_t k = 0; !found && k < names.n; k++) {
			gt_autofree char *path = gt_strf("%s/%s", parts.v[i], names.v[k]);

			if (is_folder(path))
				found = gt_steal(&path);
		}
		gt_strv_done(&names);
	}
	gt_strv_done(&parts);
	return found;
}

struct gt_error *hosts_find(const char *dirs, const char *name, const struct gt_registry_options *o,
			    struct hosts *out)
{
	gt_autofree char *dir = folder_find(dirs, name);
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_autofree char *file = NULL;
	struct gt_error *e;
	struct host *h;

	if (!dir)
		return hosts_own_add(out, name, o);
	file = gt_strf("%s/hosts.toml", dir);
	e = gt_file_read(AT_FDCWD, file, HOSTS_TOML_MAX, &text);
	if (!e)
		return hosts_parse(file, text.s, text.len, name, o, out);
	if (gt_error_class(e) != GT_NOT_FOUND)
		return e;
	gt_error_free(e);
	h = hosts_add(out);
	GT_TRY(certificates_add(dir, h));
	GT_TRY(hosts_options_apply(h, o));
	own_fill(h, name, o);
	return NULL;
}
