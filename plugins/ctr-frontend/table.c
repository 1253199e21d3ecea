/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "table.h"

#include "format.h"

#include <inttypes.h>
#include <string.h>

struct ctr_table {
	FILE *out;
	const struct ctr_column *columns;
	size_t n_columns;
	size_t min, pad;
	unsigned bits;
	struct gt_strv cells; /* row by row */
	size_t at; /* column of the next cell */
	json_t *rows; /* NULL: no JSON is wanted */
	json_t *row;
};

struct ctr_table *ctr_table_make(FILE *out, bool json, const struct ctr_column *columns, int min,
				 int pad, unsigned bits)
{
	struct ctr_table *t = gt_xcalloc(1, sizeof(*t));

	t->out = out;
	t->columns = columns;
	t->min = (size_t)min;
	t->pad = (size_t)pad;
	t->bits = bits;
	while (columns[t->n_columns].title)
		t->n_columns++;
	if (json)
		t->rows = json_array();
	return t;
}

void ctr_table_free(struct ctr_table *t)
{
	if (!t)
		return;
	gt_strv_done(&t->cells);
	json_decref(t->row);
	json_decref(t->rows);
	free(t);
}

void ctr_cell_take(struct ctr_table *t, char *text, json_t *json)
{
	if (!t->rows) {
		gt_strv_add_take(&t->cells, text);
		json_decref(json);
		t->at = (t->at + 1) % t->n_columns;
		return;
	}
	free(text);
	if (!t->at)
		t->row = json_object();
	json_object_set_new(t->row, t->columns[t->at].key, json);
	t->at = (t->at + 1) % t->n_columns;
	if (!t->at)
		json_array_append_new(t->rows, gt_steal(&t->row));
}

void ctr_cell(struct ctr_table *t, const char *text)
{
	ctr_cell_take(t, gt_xstrdup(text), t->rows ? ctr_json_text(text) : NULL);
}

void ctr_cell_or_dash(struct ctr_table *t, const char *text)
{
	bool none = !text || !*text;

	ctr_cell_take(t, gt_xstrdup(none ? "-" : text),
		      t->rows ? ctr_json_text(none ? NULL : text) : NULL);
}

void ctr_cell_int(struct ctr_table *t, int64_t v)
{
	ctr_cell_take(t, gt_strf("%" PRId64, v), t->rows ? json_integer(v) : NULL);
}

void ctr_cell_bool(struct ctr_table *t, bool v)
{
	ctr_cell_take(t, gt_xstrdup(v ? "true" : "false"), t->rows ? json_boolean(v) : NULL);
}

void ctr_cell_binary(struct ctr_table *t, int64_t bytes)
{
	ctr_cell_take(t, ctr_size_binary(bytes), t->rows ? json_integer(bytes) : NULL);
}

void ctr_cell_decimal(struct ctr_table *t, int64_t bytes)
{
	ctr_cell_take(t, ctr_size_decimal(bytes), t->rows ? json_integer(bytes) : NULL);
}

static json_t *json_time(const struct ctr_table *t, struct timespec when)
{
	gt_autofree char *text = NULL;

	if (!t->rows)
		return NULL;
	text = ctr_time_utc(when);
	return json_string(text);
}

void ctr_cell_age(struct ctr_table *t, struct timespec then)
{
	ctr_cell_take(t, ctr_age_since(then), json_time(t, then));
}

void ctr_cell_time(struct ctr_table *t, struct timespec when)
{
	ctr_cell_take(t, ctr_time_local(when), json_time(t, when));
}

void ctr_cell_labels(struct ctr_table *t, const struct gt_labels *l, const char *none)
{
	ctr_cell_take(t, ctr_labels(l, none), t->rows ? ctr_json_labels(l) : NULL);
}

void ctr_cell_strings(struct ctr_table *t, const struct gt_strv *l)
{
	ctr_cell_take(t, l->n ? ctr_join(l, ",") : gt_xstrdup("-"),
		      t->rows ? ctr_json_strings(l) : NULL);
}

void ctr_json_print(FILE *out, json_t *v, int indent)
{
	json_dumpf(v, out, JSON_INDENT(indent) | JSON_ENCODE_ANY);
	fputc('\n', out);
	json_decref(v);
}

/* Characters, as UTF-8 counts them. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static void pad(const struct ctr_table *t, size_t text, size_t cell)
{
	if (t->bits & CTR_TABS) {
		size_t whole = (cell + 7) / 8 * 8;

		for (size_t n = (whole - text + 7) / 8; n; n--)
			fputc('\t', t->out);
	} else {
		fprintf(t->out, "%*s", (int)(cell - text), "");
	}
}

static void print_row(const struct ctr_table *t, char *const *cells, const size_t *widths,
		      bool header)
{
	for (size_t i = 0; i < t->n_columns; i++) {
		bool last = i + 1 == t->n_columns;
		const char *cell = cells ? cells[i] : t->columns[i].title;

		fputs(cell, t->out);
		if (last && (t->bits & (header ? CTR_OPEN_TITLE : CTR_OPEN)))
			break;
		pad(t, width(cell), widths[i]);
	}
	fputc('\n', t->out);
}

void ctr_table_print(struct ctr_table *t, bool empty)
{
	gt_autofree size_t *widths = gt_xcalloc(t->n_columns, sizeof(*widths));
	size_t rows = t->cells.n / t->n_columns;

	if (t->rows) {
		ctr_json_print(t->out, gt_steal(&t->rows), 4);
		goto out;
	}
	if (!rows && !empty)
		goto out;
	for (size_t i = 0; i < t->n_columns; i++) {
		widths[i] = width(t->columns[i].title) + t->pad;
		/* an open last column holds the header alone */
		for (size_t r = 0; r < rows; r++) {
			size_t w = width(t->cells.v[r * t->n_columns + i]) + t->pad;

			if (w > widths[i] && !(i + 1 == t->n_columns && (t->bits & CTR_OPEN)))
				widths[i] = w;
		}
		if (widths[i] < t->min)
			widths[i] = t->min;
	}
	print_row(t, NULL, widths, true);
	for (size_t r = 0; r < rows; r++)
		print_row(t, t->cells.v + r * t->n_columns, widths, false);
out:
	ctr_table_free(t);
}
