/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <oci/reference.h>

#include <gantry/buf.h>
#include <gantry/content.h>

#include <ctype.h>
#include <string.h>

#define NAME_MAX_DOCKER 255

void gt_reference_done(struct gt_reference *r)
{
	free(r->locator);
	free(r->object);
	*r = (struct gt_reference){ 0 };
}

static struct gt_error *bad(const char *s, const char *why)
{
	gt_auto(gt_buf) q = GT_BUF_INIT;

	gt_buf_addq(&q, s);
	return gt_error_new(GT_INVALID_ARGUMENT, "%s: %s", q.s, why);
}

struct gt_error *gt_reference_parse(const char *s, struct gt_reference *out)
{
	const char *slash = strchr(s, '/');
	const char *object;

	for (const char *p = s; *p; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return bad(s, "invalid reference");
	}
	if (strstr(s, "://"))
		return bad(s, "invalid reference");
	if (!slash || slash == s)
		return bad(s, "hostname required");
	/* A '@' before the path would make the host user information. */
	for (const char *p = s; p < slash; p++) {
		if (*p == '@' || *p == '?' || *p == '#' || *p == '\\')
			return bad(s, "invalid reference");
	}
	object = slash + strcspn(slash, ":@");
	*out = (struct gt_reference){
		.locator = gt_xstrndup(s, object - s),
		.object = gt_xstrdup(*object == ':' ? object + 1 : object),
	};
	return NULL;
}

const char *gt_reference_digest(const struct gt_reference *r)
{
	const char *at = strchr(r->object, '@');

	return at && at[1] ? at + 1 : NULL;
}

char *gt_reference_tag(const struct gt_reference *r)
{
	size_t len = strcspn(r->object, "@");

	return len ? gt_xstrndup(r->object, len) : NULL;
}

static bool is_tag(const char *s, size_t len)
{
	if (!len || len > 128 || !(isalnum((unsigned char)*s) || *s == '_'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)s[i]) && !strchr("_.-", s[i]))
			return false;
	}
	return true;
}

/* [a-z0-9]+ joined by one '.', one or two '_', or any number of '-'. */
static bool is_path_component(const char *s, size_t len)
{
	size_t i = 0;

	for (;;) {
		size_t start = i;
		char sep;

		while (i < len && (islower((unsigned char)s[i]) || isdigit((unsigned char)s[i])))
			i++;
		if (i == start)
			return false;
		if (i == len)
			return true;
		sep = s[i];
		start = i;
		while (i < len && s[i] == sep)
			i++;
		if (!(sep == '-' || (sep == '.' && i - start == 1) ||
		      (sep == '_' && i - start <= 2)))
			return false;
	}
}

static bool is_host(const char *s, size_t len)
{
	const char *colon = memchr(s, ':', len);
	size_t name = colon ? (size_t)(colon - s) : len;

	if (len && *s == '[') { /* IPv6 */
		const char *end = memchr(s, ']', len);

		if (!end)
			return false;
		for (const char *p = s + 1; p < end; p++) {
			if (!isxdigit((unsigned char)*p) && *p != ':')
				return false;
		}
		name = end + 1 - s;
		colon = name < len ? s + name : NULL;
		if (colon && *colon != ':')
			return false;
	} else {
		bool start = true;

		for (size_t i = 0; i < name; i++) {
			if (s[i] == '.') {
				if (start || s[i - 1] == '-')
					return false;
				start = true;
			} else if (isalnum((unsigned char)s[i]) || (s[i] == '-' && !start)) {
				start = false;
			} else {
				return false;
			}
		}
		if (start || s[name - 1] == '-')
			return false;
	}
	if (!colon)
		return name > 0;
	if (colon + 1 == s + len)
		return false;
	for (const char *p = colon + 1; p < s + len; p++) {
		if (!isdigit((unsigned char)*p))
			return false;
	}
	return true;
}

/* Whether what stands before the first '/' is a host, and not the first part of a path. */
static bool names_host(const char *s, size_t len)
{
	if (memchr(s, '.', len) || memchr(s, ':', len))
		return true;
	if (len == 9 && !memcmp(s, "localhost", 9))
		return true;
	for (size_t i = 0; i < len; i++) {
		if (isupper((unsigned char)s[i]))
			return true;
	}
	return false;
}

static bool is_path(const char *s, size_t len)
{
	const char *end = s + len;

	for (;;) {
		const char *slash = memchr(s, '/', end - s);

		if (!is_path_component(s, (slash ? slash : end) - s))
			return false;
		if (!slash)
			return true;
		s = slash + 1;
	}
}

static bool is_hex64(const char *s)
{
	return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

struct gt_error *gt_reference_normalise(const char *s, char **out)
{
	gt_auto(gt_buf) name = GT_BUF_INIT;
	const char *slash = strchr(s, '/');
	const char *path = s, *at = strchr(s, '@'), *end, *tag = NULL;
	size_t host_len = 0, path_len;

	if (is_hex64(s))
		return bad(s, "invalid reference: a bare image id is no name");
	if (slash && (!at || slash < at) && names_host(s, slash - s)) {
		host_len = slash - s;
		path = slash + 1;
		if (!is_host(s, host_len))
			return bad(s, "invalid reference format");
	}
	at = strchr(path, '@');
	end = at ? at : path + strlen(path);
	for (const char *p = path; p < end; p++) {
		if (*p == ':') {
			tag = p + 1;
			break;
		}
	}
	path_len = (tag ? tag - 1 : end) - path;
	for (size_t i = 0; i < path_len; i++) {
		if (isupper((unsigned char)path[i]))
			return bad(s, "invalid reference format: repository name must be lowercase");
	}
	if (!is_path(path, path_len) || (tag && !is_tag(tag, end - tag)))
		return bad(s, "invalid reference format");
	if (at)
		GT_TRY(gt_error_wrap(gt_digest_check(at + 1), "%s", s));
	if (host_len && !(host_len == 15 && !memcmp(s, "index.docker.io", 15)))
		gt_buf_add(&name, s, host_len);
	else
		gt_buf_adds(&name, "docker.io");
	gt_buf_addc(&name, '/');
	if (!strcmp(name.s, "docker.io/") && !memchr(path, '/', path_len))
		gt_buf_adds(&name, "library/");
	gt_buf_add(&name, path, path_len);
	if (name.len > NAME_MAX_DOCKER)
		return bad(s, "repository name must not be more than 255 characters");
	if (tag) {
		gt_buf_addc(&name, ':');
		gt_buf_add(&name, tag, end - tag);
	}
	if (at)
		gt_buf_adds(&name, at);
	else if (!tag)
		gt_buf_adds(&name, ":latest");
	*out = gt_buf_detach(&name);
	return NULL;
}

char *gt_reference_familiar(const char *name)
{
	static const char hub[] = "docker.io/";
	static const char library[] = "library/";

	if (!strncmp(name, hub, sizeof(hub) - 1)) {
		name += sizeof(hub) - 1;
		if (!strncmp(name, library, sizeof(library) - 1) &&
		    !strchr(name + sizeof(library) - 1, '/'))
			name += sizeof(library) - 1;
	}
	return gt_xstrdup(name);
}
