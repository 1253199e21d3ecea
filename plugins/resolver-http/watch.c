/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "watch.h"

#include <gantry/log.h>

#include <string.h>

#define LINE_MAX_SHOWN 2000

static void say(const struct http_watch *w, const struct gt_buf *line)
{
	if (w->line)
		w->line(w->line_arg, line->s);
	else
		gt_log_info("%s", line->s);
}

/* Bytes from outside, fit for a terminal. */
static void clean_add(struct gt_buf *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len && i < LINE_MAX_SHOWN; i++)
		gt_buf_addc(out, (unsigned char)s[i] < ' ' || s[i] == 0x7f ? '?' : s[i]);
}

void watch_url(struct gt_buf *out, const char *url, size_t len)
{
	const char *end = url + len;
	const char *cut = url;
	const char *host, *path, *at = NULL;

	while (cut < end && *cut != '?' && *cut != '#')
		cut++;
	host = memmem(url, cut - url, "://", 3);
	if (host) {
		host += 3;
		path = memchr(host, '/', cut - host);
		path = path ? path : cut;
		for (const char *p = host; p < path; p++)
			at = *p == '@' ? p : at;
		clean_add(out, url, host - url);
		url = at ? at + 1 : host;
	}
	clean_add(out, url, cut - url);
	if (cut < end)
		gt_buf_adds(out, "?...");
}

static bool is_harmless(const char *name, size_t len)
{
	static const char *const names[] = {
		"accept", "accept-ranges", "age", "cache-control", "connection", "content-length",
		"content-range", "content-type", "date", "docker-content-digest",
		"docker-distribution-api-version", "docker-upload-uuid", "etag", "host",
		"last-modified", "oci-chunk-min-length", "oci-subject", "range", "ratelimit-limit",
		"ratelimit-remaining", "retry-after", "server", "transfer-encoding", "user-agent",
		"vary", "via",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strlen(names[i]) == len && !strncasecmp(names[i], name, len))
			return true;
	}
	return false;
}

static bool is_called(const char *line, size_t len, const char *name)
{
	return len == strlen(name) && !strncasecmp(line, name, len);
}

/* "GET /v2/x?ns=y HTTP/1.1" */
static void request_line(struct gt_buf *out, const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len);
	const char *rest = space ? memchr(space + 1, ' ', line + len - space - 1) : NULL;

	if (!rest) {
		clean_add(out, line, len);
		return;
	}
	clean_add(out, line, space + 1 - line);
	watch_url(out, space + 1, rest - space - 1);
	clean_add(out, rest, line + len - rest);
}

void watch_header(struct gt_buf *out, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	const char *value;
	size_t name;

	if (len > 5 && !strncmp(line, "HTTP/", 5)) {
		clean_add(out, line, len);
		return;
	}
	if (!colon || memchr(line, ' ', colon - line)) {
		request_line(out, line, len);
		return;
	}
	name = colon - line;
	value = colon + 1;
	while (value < line + len && *value == ' ')
		value++;
	clean_add(out, line, name);
	gt_buf_adds(out, ": ");
	if (is_called(line, name, "location") || is_called(line, name, "link"))
		watch_url(out, value, line + len - value);
	else if (is_harmless(line, name))
		clean_add(out, value, line + len - value);
	else
		gt_buf_adds(out, "(not shown)");
}

/* curl's own remarks that tell of connections only; with HTTP/2 others repeat the headers. */
static bool is_remark(const char *text, size_t len)
{
	static const char *const begins[] = {
		"  Trying ", "Connected to ", "Connection #", "Re-using ", "ALPN", "SSL connection using",
		"Server certificate", " subject:", " issuer:", " start date:", " expire date:",
		" SSL certificate", "TLS", "using HTTP/", "Using HTTP", "Closing connection", "connect to ",
		"Could not resolve", "Uses proxy", "CONNECT ", "Operation timed out", "SSL certificate",
	};

	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++) {
		size_t n = strlen(begins[i]);

		if (len >= n && !strncmp(text, begins[i], n))
			return true;
	}
	return false;
}

static void show(const struct http_watch *w, char mark, const char *line, size_t len)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;

	gt_buf_addf(&text, "%c ", mark);
	if (mark == '*')
		clean_add(&text, line, len);
	else
		watch_header(&text, line, len);
	say(w, &text);
}

int watch_curl(CURL *easy, curl_infotype type, char *data, size_t len, void *arg)
{
	const struct http_watch *w = arg;
	char mark = type == CURLINFO_HEADER_OUT ? '>' : type == CURLINFO_HEADER_IN ? '<' : '*';
	bool is_wanted = type == CURLINFO_TEXT ? w->trace && is_remark(data, len)
					       : type == CURLINFO_HEADER_OUT || type == CURLINFO_HEADER_IN;

	(void)easy;
	if (!is_wanted)
		return 0;
	while (len) {
		const char *end = memchr(data, '\n', len);
		size_t line = end ? (size_t)(end - data) : len;
		size_t shown = line;

		while (shown && (data[shown - 1] == '\r' || data[shown - 1] == '\n'))
			shown--;
		if (shown)
			show(w, mark, data, shown);
		line += end != NULL;
		data += line;
		len -= line;
	}
	return 0;
}
