/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/strv.h>

#include <gantry/buf.h>

#include <string.h>

void gt_strv_add_take(struct gt_strv *l, char *s)
{
	if (l->n + 1 >= l->alloc) {
		l->alloc = l->alloc ? 2 * l->alloc : 8;
		l->v = gt_xrealloc(l->v, l->alloc * sizeof(*l->v));
	}
	l->v[l->n++] = s;
	l->v[l->n] = NULL;
}

void gt_strv_add(struct gt_strv *l, const char *s)
{
	gt_strv_add_take(l, gt_xstrdup(s));
}

void gt_strv_addf(struct gt_strv *l, const char *fmt, ...)
{
	struct gt_buf b = GT_BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	gt_buf_addv(&b, fmt, ap);
	va_end(ap);
	gt_strv_add_take(l, gt_buf_detach(&b));
}

void gt_strv_addv(struct gt_strv *l, const struct gt_strv *more)
{
	for (size_t i = 0; i < more->n; i++)
		gt_strv_add(l, more->v[i]);
}

bool gt_strv_has(const struct gt_strv *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i], s))
			return true;
	return false;
}

static int string_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void gt_strv_sort(struct gt_strv *l)
{
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), string_compare);
}

void gt_strv_split(struct gt_strv *l, const char *s, char sep)
{
	while (*s) {
		const char *end = strchrnul(s, sep);

		gt_strv_add_take(l, gt_xstrndup(s, end - s));
		if (!*end)
			return;
		s = end + 1;
		if (!*s)
			gt_strv_add(l, "");
	}
}

void gt_strv_done(struct gt_strv *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct gt_strv){ 0 };
}

/* Where 'key' stands, or would stand. */
static size_t labels_find(const struct gt_labels *l, const char *key, bool *found)
{
	size_t lo = 0, hi = l->n;

	*found = false;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(l->v[mid].key, key);

		if (c == 0) {
			*found = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const char *gt_labels_get(const struct gt_labels *l, const char *key)
{
	bool found;
	size_t i = labels_find(l, key, &found);

	return found ? l->v[i].value : NULL;
}

void gt_labels_set(struct gt_labels *l, const char *key, const char *value)
{
	bool found;
	size_t i = labels_find(l, key, &found);
	char *copy = gt_xstrdup(value);

	if (found) {
		free(l->v[i].value);
		l->v[i].value = copy;
		return;
	}
	GT_GROW(l->v, l->n, l->alloc);
	memmove(l->v + i + 1, l->v + i, (l->n - i) * sizeof(*l->v));
	l->v[i] = (struct gt_label){ .key = gt_xstrdup(key), .value = copy };
	l->n++;
}

void gt_labels_unset(struct gt_labels *l, const char *key)
{
	bool found;
	size_t i = labels_find(l, key, &found);

	if (!found)
		return;
	free(l->v[i].key);
	free(l->v[i].value);
	l->n--;
	memmove(l->v + i, l->v + i + 1, (l->n - i) * sizeof(*l->v));
}

void gt_labels_copy(struct gt_labels *dst, const struct gt_labels *src)
{
	for (size_t i = 0; src && i < src->n; i++)
		gt_labels_set(dst, src->v[i].key, src->v[i].value);
}

void gt_labels_done(struct gt_labels *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].key);
		free(l->v[i].value);
	}
	free(l->v);
	*l = (struct gt_labels){ 0 };
}
