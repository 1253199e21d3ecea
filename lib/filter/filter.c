/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <filter/filter.h>

#include <filter/regexp.h>

#include <ctype.h>
#include <string.h>

#define FILTER_MAX 8192 /* bytes of one filter */
#define FILTERS_MAX 256
#define SELECTORS_MAX 64
#define PATH_MAX_PARTS 32

enum operator { PRESENT, EQUAL, NOT_EQUAL, MATCHES };

struct selector {
	struct gt_strv path;
	enum operator op;
	char *value; /* NULL for PRESENT and MATCHES */
	regex_t regexp; /* MATCHES */
};

struct alternative {
	struct selector *v;
	size_t n;
	size_t alloc;
};

struct gt_filter {
	struct alternative *v; /* none: matches everything */
	size_t n;
	size_t alloc;
};

struct parser {
	const char *text;
	const char *p;
};

static struct gt_error *wrong(const struct parser *p, const char *what)
{
	gt_auto(gt_buf) quoted = GT_BUF_INIT;

	gt_buf_addq(&quoted, p->text);
	return gt_error_new(GT_INVALID_ARGUMENT, "filter %s: %s at byte %zu", quoted.s, what,
			    (size_t)(p->p - p->text));
}

static void skip_space(struct parser *p)
{
	while (isspace((unsigned char)*p->p))
		p->p++;
}

static bool is_field_char(char c)
{
	return isascii((unsigned char)c) && (isalnum((unsigned char)c) || c == '_');
}

static void add_utf8(struct gt_buf *out, uint32_t c)
{
	if (c < 0x80) {
		gt_buf_addc(out, (char)c);
		return;
	}
	if (c < 0x800) {
		gt_buf_addc(out, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			gt_buf_addc(out, (char)(0xe0 | c >> 12));
		} else {
			gt_buf_addc(out, (char)(0xf0 | c >> 18));
			gt_buf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		gt_buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	gt_buf_addc(out, (char)(0x80 | (c & 0x3f)));
}

/* 'n' digits of 'base'; false if there are fewer. */
static bool escape_digits(struct parser *p, int n, unsigned base, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < n; i++) {
		char c = *p->p;
		unsigned d;

		if (c >= '0' && c <= '9')
			d = (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			d = (unsigned)((c | 32) - 'a') + 10;
		else
			return false;
		if (d >= base)
			return false;
		*out = *out * base + d;
		p->p++;
	}
	return true;
}

/* Behind a backslash in a Go string. */
static struct gt_error *go_escape(struct parser *p, struct gt_buf *out)
{
	static const char names[] = "a\ab\bf\fn\nr\rt\tv\v\\\\\"\"''";
	uint32_t v;
	bool rune = false, ok;

	for (const char *n = names; *n; n += 2) {
		if (*n == *p->p) {
			gt_buf_addc(out, n[1]);
			p->p++;
			return NULL;
		}
	}
	switch (*p->p) {
	case 'x':
		p->p++;
		ok = escape_digits(p, 2, 16, &v);
		break;
	case 'u':
	case 'U':
		rune = true;
		ok = escape_digits(p, *p->p++ == 'u' ? 4 : 8, 16, &v) && v <= 0x10ffff &&
		     (v < 0xd800 || v > 0xdfff);
		break;
	default:
		ok = escape_digits(p, 3, 8, &v) && v <= 255;
	}
	if (!ok)
		return wrong(p, "a broken escape");
	if (v == 0)
		return wrong(p, "an escaped NUL, which no value holds");
	if (rune)
		add_utf8(out, v);
	else
		gt_buf_addc(out, (char)v);
	return NULL;
}

/* At the opening quote. Between slashes or bars a backslash hides only the quote. */
static struct gt_error *quoted(struct parser *p, struct gt_buf *out)
{
	char quote = *p->p++;

	while (*p->p != quote) {
		if (!*p->p || *p->p == '\n')
			return wrong(p, "a quoted string without end");
		if (*p->p == '\\' && quote == '"') {
			p->p++;
			GT_TRY(go_escape(p, out));
			continue;
		}
		if (*p->p == '\\' && p->p[1] == quote)
			p->p++;
		else if (*p->p == '\\' && p->p[1])
			gt_buf_addc(out, *p->p++);
		gt_buf_addc(out, *p->p++);
	}
	p->p++;
	return NULL;
}

static struct gt_error *parse_field(struct parser *p, struct gt_strv *path)
{
	gt_auto(gt_buf) part = GT_BUF_INIT;

	skip_space(p);
	if (*p->p == '"') {
		GT_TRY(quoted(p, &part));
	} else {
		while (is_field_char(*p->p))
			gt_buf_addc(&part, *p->p++);
		if (!part.len)
			return wrong(p, "expected a field");
	}
	if (path->n == PATH_MAX_PARTS)
		return wrong(p, "a field of too many parts");
	gt_strv_add_take(path, gt_buf_detach(&part));
	return NULL;
}

static struct gt_error *parse_value(struct parser *p, enum operator op, struct gt_buf *out)
{
	skip_space(p);
	if (*p->p == '"' || (op == MATCHES && (*p->p == '/' || *p->p == '|')))
		return quoted(p, out);
	while (*p->p && *p->p != ',' && !isspace((unsigned char)*p->p))
		gt_buf_addc(out, *p->p++);
	if (!out->len)
		return wrong(p, "expected a value");
	return NULL;
}

/* The operator at hand, or PRESENT where none is. */
static struct gt_error *parse_operator(struct parser *p, enum operator *op)
{
	static const char *const operators[] = { [EQUAL] = "==", [NOT_EQUAL] = "!=", [MATCHES] = "~=" };

	skip_space(p);
	*op = PRESENT;
	for (int i = EQUAL; i <= MATCHES; i++) {
		if (!strncmp(p->p, operators[i], 2)) {
			*op = (enum operator)i;
			p->p += 2;
			return NULL;
		}
	}
	if (*p->p && *p->p != ',')
		return wrong(p, "expected '==', '!=', '~=', ',' or the end");
	return NULL;
}

/* What it leaves in 's' after an error is fit for selector_done. */
static struct gt_error *parse_selector(struct parser *p, struct selector *s)
{
	gt_auto(gt_buf) value = GT_BUF_INIT;
	enum operator op;

	GT_TRY(parse_field(p, &s->path));
	for (skip_space(p); *p->p == '.'; skip_space(p)) {
		p->p++;
		GT_TRY(parse_field(p, &s->path));
	}
	GT_TRY(parse_operator(p, &op));
	if (op == PRESENT)
		return NULL;
	GT_TRY(parse_value(p, op, &value));
	if (op == MATCHES)
		GT_TRY(gt_error_wrap(gt_regexp_compile(value.s, &s->regexp), "filter"));
	else
		s->value = gt_buf_detach(&value);
	s->op = op;
	return NULL;
}

static struct gt_error *parse_alternative(const char *text, struct alternative *a)
{
	struct parser p = { .text = text, .p = text };

	if (strlen(text) > FILTER_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "filter of %zu bytes: at most %d are allowed", strlen(text),
				    FILTER_MAX);
	skip_space(&p);
	if (!*p.p)
		return NULL;
	for (;;) {
		if (a->n == SELECTORS_MAX)
			return wrong(&p, "too many conditions");
		GT_GROW(a->v, a->n, a->alloc);
		a->v[a->n] = (struct selector){ 0 };
		GT_TRY(parse_selector(&p, &a->v[a->n++]));
		skip_space(&p);
		if (!*p.p)
			return NULL;
		if (*p.p != ',')
			return wrong(&p, "expected ',' or the end");
		p.p++;
	}
}

struct gt_error *gt_filter_parse(const struct gt_strv *filters, struct gt_filter **out)
{
	gt_autoptr(gt_filter) f = gt_xcalloc(1, sizeof(*f));

	if (filters && filters->n > FILTERS_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT, "%zu filters: at most %d are allowed",
				    filters->n, FILTERS_MAX);
	for (size_t i = 0; filters && i < filters->n; i++) {
		GT_GROW(f->v, f->n, f->alloc);
		f->v[f->n] = (struct alternative){ 0 };
		GT_TRY(parse_alternative(filters->v[i], &f->v[f->n++]));
	}
	*out = gt_steal(&f);
	return NULL;
}

static bool selector_matches(const struct selector *s, gt_filter_lookup *lookup, const void *object)
{
	gt_auto(gt_buf) scratch = GT_BUF_INIT;
	const char *value = lookup(object, &s->path, &scratch);

	switch (s->op) {
	case PRESENT:
		return value != NULL;
	case EQUAL:
		return value && !strcmp(value, s->value);
	case NOT_EQUAL:
		return strcmp(value ? value : "", s->value) != 0;
	case MATCHES:
		return !regexec(&s->regexp, value ? value : "", 0, NULL, 0);
	}
	return false;
}

static bool alternative_matches(const struct alternative *a, gt_filter_lookup *lookup,
				const void *object)
{
	for (size_t i = 0; i < a->n; i++)
		if (!selector_matches(&a->v[i], lookup, object))
			return false;
	return true;
}

bool gt_filter_matches(const struct gt_filter *f, gt_filter_lookup *lookup, const void *object)
{
	for (size_t i = 0; i < f->n; i++)
		if (alternative_matches(&f->v[i], lookup, object))
			return true;
	return f->n == 0;
}

static void selector_done(struct selector *s)
{
	gt_strv_done(&s->path);
	free(s->value);
	if (s->op == MATCHES)
		regfree(&s->regexp);
}

void gt_filter_free(struct gt_filter *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++) {
		for (size_t j = 0; j < f->v[i].n; j++)
			selector_done(&f->v[i].v[j]);
		free(f->v[i].v);
	}
	free(f->v);
	free(f);
}

const char *gt_filter_label(const struct gt_labels *l, const struct gt_strv *path, size_t first)
{
	gt_auto(gt_buf) key = GT_BUF_INIT;

	for (size_t i = first; i < path->n; i++)
		gt_buf_addf(&key, "%s%s", i > first ? "." : "", path->v[i]);
	return gt_labels_get(l, key.s);
}

const char *gt_filter_string(const char *s)
{
	return s && *s ? s : NULL;
}
