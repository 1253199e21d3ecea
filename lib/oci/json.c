/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <oci/json.h>

#include <string.h>

/*
 * A value costs jansson up to some 150 bytes whatever its text costs, so the number of values is
 * what bounds memory. Real documents stay far below.
 */
#define VALUES_MAX 100000

/* One pass over the bytes, before anything is built: how deep, and how many values at most. */
static struct gt_error *shape_check(const char *what, const char *s, size_t len, unsigned depth)
{
	unsigned level = 0;
	size_t values = 1;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
			continue;
		}
		switch (c) {
		case '"':
			in_string = true;
			break;
		case '{':
		case '[':
			if (++level > depth)
				return gt_error_new(GT_INVALID_ARGUMENT,
						    "%s: nested deeper than %u levels", what,
						    depth);
			values++;
			break;
		case '}':
		case ']':
			if (level)
				level--;
			break;
		case ',':
			values++;
			break;
		}
		if (values > VALUES_MAX)
			return gt_error_new(GT_RESOURCE_EXHAUSTED, "%s: more than %d values", what,
					    VALUES_MAX);
	}
	return NULL;
}

struct gt_error *gt_json_parse(const char *what, const void *data, size_t len, size_t limit,
			       unsigned depth, json_t **out)
{
	json_error_t err;
	json_t *j;

	if (len > limit)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "%s: longer than %zu bytes", what,
				    limit);
	GT_TRY(shape_check(what, data, len, depth));
	j = json_loadb(data, len, JSON_REJECT_DUPLICATES, &err);
	if (!j) {
		gt_auto(gt_buf) text = GT_BUF_INIT;

		gt_buf_addq(&text, err.text);
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: line %d, column %d: %s", what,
				    err.line, err.column, text.s);
	}
	*out = j;
	return NULL;
}

static int add_to_buf(const char *data, size_t len, void *arg)
{
	gt_buf_add(arg, data, len);
	return 0;
}

void gt_json_write(const json_t *j, struct gt_buf *out)
{
	json_dump_callback(j, add_to_buf, out, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* The member, or NULL where it is absent or null. */
static json_t *member(const json_t *obj, const char *key)
{
	json_t *j = json_object_get(obj, key);

	return json_is_null(j) ? NULL : j;
}

static struct gt_error *no(const char *what, const char *key, const char *type)
{
	return gt_error_new(GT_INVALID_ARGUMENT, "%s: %s is no %s", what, key, type);
}

struct gt_error *gt_json_string(const char *what, const json_t *obj, const char *key, char **out)
{
	json_t *j = member(obj, key);

	if (!j)
		return NULL;
	if (!json_is_string(j))
		return no(what, key, "string");
	*out = gt_xstrdup(json_string_value(j));
	return NULL;
}

struct gt_error *gt_json_int(const char *what, const json_t *obj, const char *key, int64_t *out)
{
	json_t *j = member(obj, key);

	if (!j)
		return NULL;
	if (!json_is_integer(j))
		return no(what, key, "whole number");
	*out = json_integer_value(j);
	return NULL;
}

struct gt_error *gt_json_bool(const char *what, const json_t *obj, const char *key, bool *out)
{
	json_t *j = member(obj, key);

	if (!j)
		return NULL;
	if (!json_is_boolean(j))
		return no(what, key, "boolean");
	*out = json_is_true(j);
	return NULL;
}

struct gt_error *gt_json_object(const char *what, const json_t *obj, const char *key, json_t **out)
{
	json_t *j = member(obj, key);

	if (j && !json_is_object(j))
		return no(what, key, "object");
	*out = j;
	return NULL;
}

struct gt_error *gt_json_array(const char *what, const json_t *obj, const char *key, size_t most,
			       json_t **out)
{
	json_t *j = member(obj, key);

	if (j && !json_is_array(j))
		return no(what, key, "list");
	if (j && json_array_size(j) > most)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: %s has more than %zu entries", what,
				    key, most);
	*out = j;
	return NULL;
}

struct gt_error *gt_json_strings(const char *what, const json_t *obj, const char *key, size_t most,
				 struct gt_strv *out)
{
	json_t *list = NULL;
	json_t *j;
	size_t i;

	GT_TRY(gt_json_array(what, obj, key, most, &list));
	json_array_foreach(list, i, j) {
		if (!json_is_string(j))
			return no(what, key, "list of strings");
		gt_strv_add(out, json_string_value(j));
	}
	return NULL;
}

struct gt_error *gt_json_labels(const char *what, const json_t *obj, const char *key, size_t most,
				struct gt_labels *out)
{
	json_t *map = NULL;
	json_t *j;
	const char *k;

	GT_TRY(gt_json_object(what, obj, key, &map));
	if (map && json_object_size(map) > most)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: %s has more than %zu entries", what,
				    key, most);
	json_object_foreach(map, k, j) {
		if (!json_is_string(j))
			return no(what, key, "object of strings");
		gt_labels_set(out, k, json_string_value(j));
	}
	return NULL;
}

struct gt_error *gt_json_keys(const char *what, const json_t *obj, const char *key, size_t most,
			      struct gt_strv *out)
{
	json_t *map = NULL;
	json_t *j;
	const char *k;

	GT_TRY(gt_json_object(what, obj, key, &map));
	if (map && json_object_size(map) > most)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: %s has more than %zu entries", what,
				    key, most);
	json_object_foreach(map, k, j)
		gt_strv_add(out, k);
	return NULL;
}
