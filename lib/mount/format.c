/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <mount/format.h>

#include <string.h>

#define WORDS 4

/* Splits what stands between braces at its blanks; false if there are too many words, or none. */
static bool words_split(char *s, char *words[WORDS], size_t *n)
{
	char *save = NULL;

	*n = 0;
	for (char *w = strtok_r(s, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (*n == WORDS)
			return false;
		words[(*n)++] = w;
	}
	return *n > 0;
}

static bool number(const char *s, size_t n, size_t *out)
{
	*out = 0;
	if (!*s || strlen(s) > 3 || s[strspn(s, "0123456789")])
		return false;
	while (*s)
		*out = *out * 10 + (size_t)(*s++ - '0');
	return *out < n;
}

static bool fill(char *words[WORDS], size_t n_words, const struct gt_mount_made *made, size_t n,
		 struct gt_buf *out)
{
	size_t from, to;

	if (n_words < 2 || !number(words[1], n, &from))
		return false;
	if (n_words == 2 && !strcmp(words[0], "source")) {
		gt_buf_adds(out, made[from].mount->source);
	} else if (n_words == 2 && !strcmp(words[0], "target")) {
		gt_buf_adds(out, made[from].mount->target);
	} else if (n_words == 2 && !strcmp(words[0], "mount")) {
		gt_buf_adds(out, made[from].point);
	} else if (n_words == 3 && !strcmp(words[0], "overlay") && number(words[2], n, &to)) {
		size_t count = from > to ? from - to + 1 : to - from + 1;

		for (size_t i = 0; i < count; i++)
			gt_buf_addf(out, "%s%s", i ? ":" : "", made[from > to ? from - i : from + i].point);
	} else {
		return false;
	}
	return true;
}

struct gt_error *gt_mount_format(const char *text, const struct gt_mount_made *made, size_t n,
				 struct gt_buf *out)
{
	const char *open;

	while ((open = strstr(text, "{{"))) {
		const char *end = strstr(open, "}}");
		gt_autofree char *inside = NULL;
		char *words[WORDS];
		size_t n_words;

		if (!end)
			return gt_error_new(GT_INVALID_ARGUMENT, "\"%s\": {{ without }}", open);
		inside = gt_xstrndup(open + 2, (size_t)(end - open - 2));
		gt_buf_add(out, text, (size_t)(open - text));
		if (!words_split(inside, words, &n_words) || !fill(words, n_words, made, n, out))
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "\"%.*s\": expected {{ source N }}, {{ target N }}, {{ mount N }} "
					    "or {{ overlay N M }} with N and M below %zu",
					    (int)(end + 2 - open), open, n);
		text = end + 2;
	}
	gt_buf_adds(out, text);
	return NULL;
}
