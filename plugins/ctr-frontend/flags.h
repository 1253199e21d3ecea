/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags as tables, read as Go's flag package and urfave/cli (version 1) read them: "-x" and "--x" are
 * the same, a value follows after '=' or as the next argument, a bool takes one only after '='.
 */
#ifndef CTR_FLAGS_H
#define CTR_FLAGS_H

#include <gantry/error.h>
#include <gantry/strv.h>

#include <stdbool.h>
#include <stdint.h>

enum ctr_flag_type {
	CTR_BOOL = 1,
	CTR_STRING,
	CTR_INT,
	CTR_UINT,
	CTR_FLOAT,
	CTR_DURATION, /* nanoseconds */
	CTR_LIST, /* may be given again; values add up */
};

enum ctr_flag_bits {
	CTR_REQUIRED = 1,
	CTR_HIDDEN = 2, /* not in the help */
	CTR_COMMAS = 4, /* LIST: a value is split at commas */
	CTR_NUMBERS = 8, /* LIST: of whole numbers */
};

struct ctr_flag {
	const char *name; /* without dashes; NULL ends a table */
	const char *alias; /* NULL: none */
	enum ctr_flag_type type;
	const char *text; /* for the help, one line; `word` names the value */
	const char *value; /* the default as it would be typed; NULL: zero */
	const char *env; /* where the default is looked for first; NULL: nowhere */
	unsigned bits;
};

/* One level of a command line: "ctr [flags] images [flags] ls [flags] args". */
struct ctr_value {
	const struct ctr_flag *flag;
	bool set; /* on the command line or by the environment */
	bool typed; /* on the command line */
	bool yes;
	int64_t number; /* INT, DURATION */
	uint64_t natural; /* UINT */
	double real;
	const char *text; /* never NULL; STRING only */
	struct gt_strv list;
};

struct ctr_level {
	const struct ctr_level *up;
	struct ctr_value *values;
	size_t n_values;
	struct gt_strv args; /* what is no flag */
};

/*
 * Reads 'argv', which is borrowed for the level's life, by the NULL-ended list of tables. 'first':
 * whatever stands behind the first argument that is no flag is an argument, too. The error's text is
 * that of Go's flag package, its class UNKNOWN.
 */
GT_MUST_USE struct gt_error *ctr_level_parse(struct ctr_level *l,
					     const struct ctr_flag *const *tables, bool first,
					     int argc, char *const *argv);
void ctr_level_done(struct ctr_level *l);

/* Says which required flags are missing; NULL: none. */
GT_MUST_USE struct gt_error *ctr_level_required(const struct ctr_level *l);

/*
 * The flag of that name, of the innermost level that has it; where an outer level has the very same
 * flag, of the innermost where it was given. Aborts if no level has it: that is a mistake in a table.
 */
const struct ctr_value *ctr_level_value(const struct ctr_level *l, const char *name,
					enum ctr_flag_type type);

#endif
