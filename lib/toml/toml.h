/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TOML 1.0, parsed by toml++ into a plain tree that remembers where each thing stood. The text comes
 * from strangers as far as anybody cares: its length is the caller's to bound, its depth is bounded here.
 */
#ifndef GANTRY_LIB_TOML_H
#define GANTRY_LIB_TOML_H

#include <gantry/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GT_TOML_DEPTH 32 /* tables and arrays inside each other; parts of a dotted key */

enum gt_toml_type {
	GT_TOML_TABLE = 1,
	GT_TOML_ARRAY,
	GT_TOML_STRING,
	GT_TOML_INTEGER,
	GT_TOML_FLOAT,
	GT_TOML_BOOLEAN,
	GT_TOML_TIME, /* a date, a time, or both */
};

struct gt_toml {
	enum gt_toml_type type;
	char *key; /* in its table; NULL in an array, and for the whole document */
	unsigned line; /* of the key, or of the value where there is none; from 1 */
	struct gt_toml *items; /* TABLE and ARRAY: in the order of the file */
	size_t n;
	char *string; /* STRING, TIME: never NULL, no NUL inside */
	int64_t integer;
	double real;
	bool boolean;
};

/*
 * Parses a whole document, 'what' being its name in errors: INVALID_ARGUMENT "WHAT:LINE: text" for what is
 * no TOML or nested too deep. The caller gt_toml_free()s '*out'.
 */
GT_MUST_USE struct gt_error *gt_toml_parse(const char *what, const char *text, size_t len,
					   struct gt_toml **out);
void gt_toml_free(struct gt_toml *t);

/* The member of a table; NULL where it is not there. */
const struct gt_toml *gt_toml_get(const struct gt_toml *table, const char *key);

/* "string", "list", "table" and so on, for messages. */
const char *gt_toml_type_name(enum gt_toml_type type);

#ifdef __cplusplus
}
#endif

GT_DEFINE_AUTOPTR(gt_toml)

#endif
