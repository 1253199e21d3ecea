/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listing: a table padded as Go's text/tabwriter pads it, or with --json an array of objects. A
 * command adds each cell once, in the order of the columns, and needs to know nothing of the form.
 */
#ifndef CTR_TABLE_H
#define CTR_TABLE_H

#include "app.h"

#include <jansson.h>

struct ctr_column {
	const char *title; /* NULL ends the table of columns */
	const char *key; /* in JSON */
};

enum ctr_table_bits {
	CTR_TABS = 1, /* padded with TABs to multiples of 8 */
	CTR_OPEN = 2, /* the last cell of a row is not padded */
	CTR_OPEN_TITLE = 4, /* .. nor is the last title */
};

struct ctr_table;

/* A column is as wide as its longest cell and 'pad' blanks, at least 'min'. */
struct ctr_table *ctr_table_make(FILE *out, bool json, const struct ctr_column *columns, int min,
				 int pad, unsigned bits);
/* The same for a command, which has the flag --json. */
static inline struct ctr_table *ctr_table_new(struct ctr *c, const struct ctr_column *columns,
					      int min, int pad, unsigned bits)
{
	return ctr_table_make(c->out, ctr_bool(c, "json"), columns, min, pad, bits);
}
/* Prints it, if anything has been added or 'empty', and frees it. */
void ctr_table_print(struct ctr_table *t, bool empty);
void ctr_table_free(struct ctr_table *t); /* NULL is fine */

void ctr_cell(struct ctr_table *t, const char *text);
/* Shown as "-" where it is empty. */
void ctr_cell_or_dash(struct ctr_table *t, const char *text);
void ctr_cell_int(struct ctr_table *t, int64_t v);
void ctr_cell_bool(struct ctr_table *t, bool v);
void ctr_cell_binary(struct ctr_table *t, int64_t bytes); /* in JSON the number */
void ctr_cell_decimal(struct ctr_table *t, int64_t bytes);
void ctr_cell_age(struct ctr_table *t, struct timespec then); /* in JSON the time */
void ctr_cell_time(struct ctr_table *t, struct timespec when);
void ctr_cell_labels(struct ctr_table *t, const struct gt_labels *l, const char *none);
void ctr_cell_strings(struct ctr_table *t, const struct gt_strv *l); /* joined by commas, or "-" */
/* Shows 'text' and puts 'json', which it takes, into JSON. */
void ctr_cell_take(struct ctr_table *t, char *text, json_t *json);

GT_DEFINE_AUTOPTR(ctr_table)

/* Prints a JSON value with 4 blanks an indent, and frees it. */
void ctr_json_print(FILE *out, json_t *v, int indent);

#endif
