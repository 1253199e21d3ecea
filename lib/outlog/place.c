/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <outlog/outlog.h>

#include <gantry/buf.h>

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define SIZE_MIN 4096

void gt_outlog_place_done(struct gt_outlog_place *p)
{
	free(p->path);
	*p = (struct gt_outlog_place){ 0 };
}

char *gt_outlog_uri(const struct gt_outlog_place *p)
{
	struct gt_buf b = GT_BUF_INIT;

	gt_buf_adds(&b, GT_OUTLOG_SCHEME);
	for (const char *c = p->path; *c; c++) {
		if (isalnum((unsigned char)*c) || strchr("/._-~", *c))
			gt_buf_addc(&b, *c);
		else
			gt_buf_addf(&b, "%%%02x", (unsigned char)*c);
	}
	gt_buf_addf(&b, "?size=%" PRIu64 "&files=%u", p->size, p->files);
	return gt_buf_detach(&b);
}

bool gt_outlog_is_uri(const char *s)
{
	return s && !strncmp(s, GT_OUTLOG_SCHEME, strlen(GT_OUTLOG_SCHEME));
}

static bool hex(char c, unsigned *out)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	*out = p ? (unsigned)(p - digits) : 0;
	return p != NULL;
}

/* The path up to the query, decoded; NULL: it is none. */
static char *path_decode(const char *s, size_t len)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;

	for (size_t i = 0; i < len; i++) {
		unsigned high, low;

		if (s[i] != '%') {
			gt_buf_addc(&b, s[i]);
			continue;
		}
		if (i + 2 >= len || !hex(s[i + 1], &high) || !hex(s[i + 2], &low) || !(high || low))
			return NULL;
		gt_buf_addc(&b, (char)(high * 16 + low));
		i += 2;
	}
	return b.s[0] == '/' ? gt_buf_detach(&b) : NULL;
}

/* "size=N" at '*p', moved behind it and a '&'. */
static bool number(const char **p, const char *key, uint64_t *out)
{
	size_t n = strlen(key);
	const char *s = *p + n;

	if (strncmp(*p, key, n) != 0 || !isdigit((unsigned char)*s))
		return false;
	for (*out = 0; isdigit((unsigned char)*s) && *out < UINT64_MAX / 100; s++)
		*out = *out * 10 + (uint64_t)(*s - '0');
	if (*s == '&')
		s++;
	else if (*s)
		return false;
	*p = s;
	return true;
}

struct gt_error *gt_outlog_uri_parse(const char *uri, struct gt_outlog_place *out)
{
	uint64_t size = 0, files = 0;
	const char *path, *query;

	if (!gt_outlog_is_uri(uri))
		return gt_error_new(GT_INVALID_ARGUMENT, "log \"%s\" does not begin with %s", uri,
				    GT_OUTLOG_SCHEME);
	path = uri + strlen(GT_OUTLOG_SCHEME);
	query = strchrnul(path, '?');
	out->path = path_decode(path, (size_t)(query - path));
	query += *query == '?';
	if (out->path && number(&query, "size=", &size) && number(&query, "files=", &files) &&
	    !*query && size >= SIZE_MIN && files >= 1 && files <= GT_OUTLOG_FILES_MAX) {
		out->size = size;
		out->files = (unsigned)files;
		return NULL;
	}
	gt_outlog_place_done(out);
	return gt_error_new(GT_INVALID_ARGUMENT,
			    "log \"%s\": want %s/PATH?size=BYTES&files=N with at least %d bytes and 1 "
			    "to %d files",
			    uri, GT_OUTLOG_SCHEME, SIZE_MIN, GT_OUTLOG_FILES_MAX);
}
