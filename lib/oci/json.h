/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from strangers, parsed by jansson behind a check of length and depth. */
#ifndef GANTRY_LIB_OCI_JSON_H
#define GANTRY_LIB_OCI_JSON_H

#include <gantry/buf.h>
#include <gantry/strv.h>

#include <jansson.h>

static inline void gt_json_unref(json_t **j)
{
	json_decref(*j);
}
#define gt_autojson json_t *__attribute__((cleanup(gt_json_unref)))

/*
 * Parses a whole document of at most 'limit' bytes. INVALID_ARGUMENT with line and column for what
 * is no JSON, for anything behind it, a key given twice, a NUL in a string, or nesting deeper than
 * 'depth'; RESOURCE_EXHAUSTED if it is longer than 'limit'. 'what' names it.
 */
GT_MUST_USE struct gt_error *gt_json_parse(const char *what, const void *data, size_t len,
					   size_t limit, unsigned depth, json_t **out);

/* Compact text of 'j', members in their order. */
void gt_json_write(const json_t *j, struct gt_buf *out);

/*
 * Members of an object that may be absent or null: then '*out' stays as it is. INVALID_ARGUMENT
 * "WHAT: KEY is no string" and the like for another type, and for lists of more than 'most' items.
 * 'obj' is an object.
 */
GT_MUST_USE struct gt_error *gt_json_string(const char *what, const json_t *obj, const char *key,
					    char **out);
GT_MUST_USE struct gt_error *gt_json_int(const char *what, const json_t *obj, const char *key,
					 int64_t *out);
GT_MUST_USE struct gt_error *gt_json_bool(const char *what, const json_t *obj, const char *key,
					  bool *out);
GT_MUST_USE struct gt_error *gt_json_strings(const char *what, const json_t *obj, const char *key,
					     size_t most, struct gt_strv *out);
/* An object of strings. */
GT_MUST_USE struct gt_error *gt_json_labels(const char *what, const json_t *obj, const char *key,
					    size_t most, struct gt_labels *out);
/* The keys of an object whose values do not matter. */
GT_MUST_USE struct gt_error *gt_json_keys(const char *what, const json_t *obj, const char *key,
					  size_t most, struct gt_strv *out);
/* A member that is an object or an array; '*out' NULL where it is absent. Borrowed from 'obj'. */
GT_MUST_USE struct gt_error *gt_json_object(const char *what, const json_t *obj, const char *key,
					    json_t **out);
GT_MUST_USE struct gt_error *gt_json_array(const char *what, const json_t *obj, const char *key,
					   size_t most, json_t **out);

#endif
