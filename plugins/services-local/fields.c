/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fields.h"

#include <gantry/buf.h>

#include <string.h>

#define LABEL_MAX 4096

struct gt_error *labels_check(const struct gt_labels *l)
{
	for (size_t i = 0; l && i < l->n; i++) {
		size_t len = strlen(l->v[i].key) + strlen(l->v[i].value);

		if (!*l->v[i].key)
			return gt_error_new(GT_INVALID_ARGUMENT, "label with an empty key");
		if (len > LABEL_MAX)
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "label key and value length (%zu bytes) greater than "
					    "maximum size (%d bytes), key: %.64s",
					    len, LABEL_MAX, l->v[i].key);
	}
	return NULL;
}

void labels_store(struct gt_labels *dst, const struct gt_labels *src)
{
	gt_auto(gt_labels) kept = { 0 };

	for (size_t i = 0; src && i < src->n; i++)
		if (*src->v[i].value)
			gt_labels_set(&kept, src->v[i].key, src->v[i].value);
	gt_labels_done(dst);
	*dst = kept;
	kept = (struct gt_labels){ 0 };
}

/* The key in "FIELD.KEY"; NULL if 'path' is not of that form. */
static const char *mask_key(const char *path, const char *field)
{
	size_t len = strlen(field);

	return !strncmp(path, field, len) && path[len] == '.' && path[len + 1] ? path + len + 1 :
										 NULL;
}

bool mask_labels(const char *path, const char *field, struct gt_labels *dst,
		 const struct gt_labels *src)
{
	const char *key = mask_key(path, field), *value;

	if (!strcmp(path, field)) {
		labels_store(dst, src);
		return true;
	}
	if (!key)
		return false;
	value = src ? gt_labels_get(src, key) : NULL;
	if (value && *value)
		gt_labels_set(dst, key, value);
	else
		gt_labels_unset(dst, key);
	return true;
}

static const struct gt_extension *extensions_find(const struct gt_extension *v, size_t n,
						  const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(v[i].name, name))
			return &v[i];
	return NULL;
}

static void extensions_done(struct extensions e)
{
	for (size_t i = 0; i < *e.n; i++) {
		free((*e.v)[i].name);
		gt_any_done(&(*e.v)[i].value);
	}
	free(*e.v);
	*e.v = NULL;
	*e.n = 0;
}

static void extensions_add(struct gt_extension *v, size_t *n, const struct gt_extension *x)
{
	v[*n] = (struct gt_extension){ .name = gt_xstrdup(x->name) };
	gt_any_copy(&v[(*n)++].value, &x->value);
}

/* 'dst' with its 'key' replaced by 'change', or left out where that is NULL; in order. */
static void extensions_change(struct extensions dst, const char *key,
			      const struct gt_extension *change)
{
	struct gt_extension *v = gt_xcalloc(*dst.n + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < *dst.n; i++) {
		int c = strcmp((*dst.v)[i].name, key);

		if (c >= 0 && change) {
			extensions_add(v, &n, change);
			change = NULL;
		}
		if (c)
			extensions_add(v, &n, &(*dst.v)[i]);
	}
	if (change)
		extensions_add(v, &n, change);
	extensions_done(dst);
	*dst.v = v;
	*dst.n = n;
}

bool mask_extensions(const char *path, struct extensions dst, const struct gt_extension *src,
		     size_t n_src)
{
	const char *key = mask_key(path, "extensions");

	if (key) {
		extensions_change(dst, key, extensions_find(src, n_src, key));
		return true;
	}
	if (strcmp(path, "extensions"))
		return false;
	extensions_done(dst);
	for (size_t i = 0; i < n_src; i++)
		extensions_change(dst, src[i].name, &src[i]);
	return true;
}

struct gt_error *extensions_check(const struct gt_extension *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!*v[i].name)
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "extension keys must not be zero-length");
	return NULL;
}

struct gt_error *mask_refused(const char *path, const char *name)
{
	return gt_error_new(GT_INVALID_ARGUMENT, "cannot update \"%s\" field on \"%s\"", path,
			    name);
}

void string_replace(char **dst, const char *src)
{
	char *copy = gt_xstrdup(src ? src : "");

	free(*dst);
	*dst = copy;
}
