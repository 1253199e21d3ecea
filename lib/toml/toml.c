/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <toml/toml.h>

#include <toml/tree.h>

#include <gantry/buf.h>

#include <string.h>

enum quote { PLAIN, COMMENT, BASIC, LITERAL, BASIC_LINES, LITERAL_LINES };

static bool is_triple(const char *s, size_t left, char c)
{
	return left >= 3 && s[0] == c && s[1] == c && s[2] == c;
}

/* How a quote that opens or closes at 's' changes things; '*skip' further bytes belong to it. */
static enum quote quote_next(enum quote q, const char *s, size_t left, size_t *skip)
{
	char c = *s;

	*skip = 0;
	switch (q) {
	case PLAIN:
		if (c == '#')
			return COMMENT;
		if (c != '"' && c != '\'')
			return PLAIN;
		if (!is_triple(s, left, c))
			return c == '"' ? BASIC : LITERAL;
		*skip = 2;
		return c == '"' ? BASIC_LINES : LITERAL_LINES;
	case COMMENT:
		return c == '\n' ? PLAIN : COMMENT;
	case BASIC:
	case BASIC_LINES:
		if (c == '\\') {
			*skip = 1;
			return q;
		}
		if (q == BASIC)
			return c == '"' || c == '\n' ? PLAIN : BASIC;
		*skip = is_triple(s, left, '"') ? 2 : 0;
		return *skip ? PLAIN : BASIC_LINES;
	case LITERAL:
		return c == '\'' || c == '\n' ? PLAIN : LITERAL;
	default:
		*skip = is_triple(s, left, '\'') ? 2 : 0;
		return *skip ? PLAIN : LITERAL_LINES;
	}
}

/*
 * toml++ takes dotted keys of any length apart into tables inside each other, and frees those by
 * recursion: before it sees the text, nothing in it may be deeper than the stack allows.
 */
static struct gt_error *depth_check(const char *what, const char *text, size_t len)
{
	unsigned line = 1, dots = 0, open = 0;
	enum quote q = PLAIN;
	size_t skip;

	for (size_t i = 0; i < len; i += 1 + skip) {
		enum quote was = q;

		q = quote_next(q, text + i, len - i, &skip);
		for (size_t k = i; k <= i + skip && k < len; k++)
			line += text[k] == '\n';
		if (was != PLAIN || q != PLAIN)
			continue;
		if (text[i] == '.')
			dots++;
		else if (strchr("\n=,{", text[i]))
			dots = 0;
		if (text[i] == '[' || text[i] == '{')
			open++;
		else if ((text[i] == ']' || text[i] == '}') && open)
			open--;
		if (dots >= GT_TOML_DEPTH || open > GT_TOML_DEPTH)
			return gt_error_new(GT_INVALID_ARGUMENT, "%s:%u: nested deeper than %d levels",
					    what, line, GT_TOML_DEPTH);
	}
	return NULL;
}

struct gt_error *gt_toml_parse(const char *what, const char *text, size_t len, struct gt_toml **out)
{
	gt_autoptr(gt_toml) t = gt_xcalloc(1, sizeof(*t));
	char *why = NULL;
	struct gt_error *e;
	unsigned line;

	GT_TRY(depth_check(what, text, len));
	if (toml_tree_parse(text, len, t, &line, &why)) {
		*out = gt_steal(&t);
		return NULL;
	}
	e = gt_error_new(GT_INVALID_ARGUMENT, "%s:%u: %s", what, line, why);
	free(why);
	return e;
}

static void toml_done(struct gt_toml *t)
{
	for (size_t i = 0; i < t->n; i++)
		toml_done(&t->items[i]);
	free(t->items);
	free(t->key);
	free(t->string);
}

void gt_toml_free(struct gt_toml *t)
{
	if (!t)
		return;
	toml_done(t);
	free(t);
}

const struct gt_toml *gt_toml_get(const struct gt_toml *table, const char *key)
{
	for (size_t i = 0; i < table->n; i++) {
		if (table->items[i].key && !strcmp(table->items[i].key, key))
			return &table->items[i];
	}
	return NULL;
}

const char *gt_toml_type_name(enum gt_toml_type type)
{
	static const char *const names[] = {
		[GT_TOML_TABLE] = "table",     [GT_TOML_ARRAY] = "list",
		[GT_TOML_STRING] = "string",   [GT_TOML_INTEGER] = "whole number",
		[GT_TOML_FLOAT] = "number",    [GT_TOML_BOOLEAN] = "boolean",
		[GT_TOML_TIME] = "date or time",
	};

	return names[type];
}
