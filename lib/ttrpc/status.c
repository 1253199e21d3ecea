/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <ttrpc/status.h>

#include <gantry/buf.h>

#include <string.h>

/* Where the words for the class begin at the end of 'text'; NULL if it does not end in them. */
static const char *class_suffix(const char *text, enum gt_class cls)
{
	const char *words = gt_class_text(cls);
	size_t len = strlen(text), n = strlen(words);

	if (len < n || strcmp(text + len - n, words) != 0)
		return NULL;
	if (len == n)
		return text;
	return len >= n + 2 && !memcmp(text + len - n - 2, ": ", 2) ? text + len - n - 2 : NULL;
}

char *gt_status_text(const struct gt_error *e)
{
	enum gt_class cls = gt_error_class(e);
	const char *text = gt_error_text(e);

	if (cls == GT_UNKNOWN || class_suffix(text, cls))
		return gt_xstrdup(text);
	return gt_strf("%s: %s", text, gt_class_text(cls));
}

struct gt_error *gt_status_error(int code, const char *text)
{
	enum gt_class cls = code >= 1 && code <= 16 ? (enum gt_class)code : GT_UNKNOWN;
	const char *suffix = class_suffix(text, cls);
	int n = suffix && suffix != text ? (int)(suffix - text) : (int)strlen(text);

	return gt_error_new(cls, "%.*s", n, text);
}
