/* SPDX-License-Identifier: Apache-2.0 */
/* Option tables put to use: defaults, parsing, printing. */
#ifndef GANTRY_CORE_OPTION_H
#define GANTRY_CORE_OPTION_H

#include <gantry/buf.h>
#include <gantry/option.h>

/* A value as a configuration file has it, whatever the file's syntax. */
enum gt_value_type { GT_VALUE_STRING, GT_VALUE_INT, GT_VALUE_BOOL, GT_VALUE_LIST, GT_VALUE_OTHER };

struct gt_value {
	enum gt_value_type type;
	const char *text; /* STRING; for OTHER: what it is, "a group" */
	long long number; /* INT, BOOL */
	struct gt_strv list; /* LIST of strings */
};

/* The option of that name; NULL if there is none. 'table' ends with a NULL name, and may be NULL. */
const struct gt_option *gt_option_find(const struct gt_option *table, const char *name);

/* Fills 'config' (zeroed, of the plugin's own size) with the defaults. INTERNAL for a bad default. */
GT_MUST_USE struct gt_error *gt_option_defaults(const struct gt_option *table, void *config);

/* Sets one field. INVALID_ARGUMENT says what was expected. */
GT_MUST_USE struct gt_error *gt_option_set(const struct gt_option *o, void *config,
					   const struct gt_value *value);

/* The same from text, as on a command line and in a table's defaults: "true", "64MiB", "[a, b]". */
GT_MUST_USE struct gt_error *gt_option_set_text(const struct gt_option *o, void *config,
						const char *text);

/* Adds the field's value in the syntax of the configuration file. */
void gt_option_print(const struct gt_option *o, const void *config, struct gt_buf *out);

/* What the option takes, in words: "a size such as \"64MiB\"". */
void gt_option_expects(const struct gt_option *o, struct gt_buf *out);

/* Frees the fields. */
void gt_option_done(const struct gt_option *table, void *config);

/* The name nearest to 'name' among 'n' known ones, near enough to be a slip of the keyboard; or NULL. */
const char *gt_nearest(const char *name, const char *const *known, size_t n);

#endif
