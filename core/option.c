/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "core/option.h"

#include <gantry/quantity.h>

#include <inttypes.h>
#include <string.h>

const struct gt_option *gt_option_find(const struct gt_option *table, const char *name)
{
	for (; table && table->name; table++)
		if (!strcmp(table->name, name))
			return table;
	return NULL;
}

static void *field(const struct gt_option *o, void *config)
{
	return (char *)config + o->offset;
}

static void set_string(const struct gt_option *o, void *config, const char *s)
{
	char **p = field(o, config);
	char *copy = gt_xstrdup(s);

	free(*p);
	*p = copy;
}

static bool is_choice(const char *choices, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = choices; *p;) {
		const char *end = strchrnul(p, '|');

		if ((size_t)(end - p) == len && !memcmp(p, word, len))
			return true;
		p = *end ? end + 1 : end;
	}
	return false;
}

void gt_option_expects(const struct gt_option *o, struct gt_buf *out)
{
	switch (o->type) {
	case GT_OPTION_STRING:
		gt_buf_adds(out, "a string");
		break;
	case GT_OPTION_PATH:
		gt_buf_adds(out, "an absolute path, or \"\"");
		break;
	case GT_OPTION_BOOL:
		gt_buf_adds(out, "true or false");
		break;
	case GT_OPTION_INT:
		gt_buf_adds(out, "a whole number");
		if (o->min || o->max)
			gt_buf_addf(out, " from %" PRId64 " to %" PRId64, o->min, o->max);
		break;
	case GT_OPTION_SIZE:
		gt_buf_adds(out, "a size such as \"64MiB\" or \"10kB\"");
		break;
	case GT_OPTION_DURATION:
		gt_buf_adds(out, "a duration such as \"10s\", \"1h30m\" or \"500ms\"");
		if (o->min || o->max) {
			gt_buf_adds(out, ", from ");
			gt_duration_print(o->min, out);
			gt_buf_adds(out, " to ");
			gt_duration_print(o->max, out);
		}
		break;
	case GT_OPTION_ENUM:
		gt_buf_adds(out, "one of ");
		for (const char *p = o->choices; *p; p++) {
			if (*p == '|')
				gt_buf_adds(out, ", ");
			else
				gt_buf_addc(out, *p);
		}
		break;
	case GT_OPTION_LIST:
		gt_buf_adds(out, "a list of strings such as [ \"a\", \"b\" ]");
		break;
	}
}

static struct gt_error *unexpected(const struct gt_option *o, const struct gt_value *v)
{
	gt_auto(gt_buf) want = GT_BUF_INIT;
	gt_auto(gt_buf) got = GT_BUF_INIT;

	gt_option_expects(o, &want);
	switch (v->type) {
	case GT_VALUE_STRING:
		gt_buf_addq(&got, v->text);
		break;
	case GT_VALUE_INT:
		gt_buf_addf(&got, "%lld", v->number);
		break;
	case GT_VALUE_BOOL:
		gt_buf_adds(&got, v->number ? "true" : "false");
		break;
	case GT_VALUE_LIST:
		gt_buf_adds(&got, "a list");
		break;
	case GT_VALUE_OTHER:
		gt_buf_adds(&got, v->text);
		break;
	}
	return gt_error_new(GT_INVALID_ARGUMENT, "expected %s, found %s", want.s, got.s);
}

struct gt_error *gt_option_set(const struct gt_option *o, void *config, const struct gt_value *v)
{
	bool is_string = v->type == GT_VALUE_STRING;

	switch (o->type) {
	case GT_OPTION_STRING:
		if (!is_string)
			break;
		set_string(o, config, v->text);
		return NULL;
	case GT_OPTION_PATH:
		if (!is_string || (*v->text && *v->text != '/'))
			break;
		set_string(o, config, v->text);
		return NULL;
	case GT_OPTION_ENUM:
		if (!is_string || !is_choice(o->choices, v->text))
			break;
		set_string(o, config, v->text);
		return NULL;
	case GT_OPTION_BOOL:
		if (v->type != GT_VALUE_BOOL)
			break;
		*(bool *)field(o, config) = v->number;
		return NULL;
	case GT_OPTION_INT:
		if (v->type != GT_VALUE_INT ||
		    ((o->min || o->max) && (v->number < o->min || v->number > o->max)))
			break;
		*(int64_t *)field(o, config) = v->number;
		return NULL;
	case GT_OPTION_SIZE: {
		uint64_t size;

		if (v->type == GT_VALUE_INT && v->number >= 0)
			size = v->number;
		else if (!is_string || !gt_size_parse(v->text, &size))
			break;
		*(uint64_t *)field(o, config) = size;
		return NULL;
	}
	case GT_OPTION_DURATION: {
		int64_t ns;

		if (!is_string || !gt_duration_parse(v->text, &ns) || ns < 0 ||
		    ((o->min || o->max) && (ns < o->min || ns > o->max)))
			break;
		*(int64_t *)field(o, config) = ns;
		return NULL;
	}
	case GT_OPTION_LIST: {
		struct gt_strv *l = field(o, config);
		struct gt_strv fresh = { 0 };

		if (is_string) /* one element may stand without brackets */
			gt_strv_add(&fresh, v->text);
		else if (v->type == GT_VALUE_LIST)
			gt_strv_addv(&fresh, &v->list);
		else
			break;
		gt_strv_done(l);
		*l = fresh;
		return NULL;
	}
	}
	return unexpected(o, v);
}

static bool int_parse(const char *s, long long *out)
{
	bool negative = *s == '-';
	unsigned long long v = 0;

	s += negative;
	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (unsigned)(*s - '0'), &v))
			return false;
	}
	if (v > INT64_MAX)
		return false;
	*out = negative ? -(long long)v : (long long)v;
	return true;
}

/* "[]", "[a, b]" or "a,b". */
static void list_parse(const char *text, struct gt_strv *out)
{
	size_t len = strlen(text);

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	for (const char *end = text + len; text < end;) {
		const char *comma = memchr(text, ',', end - text);
		const char *stop = comma ? comma : end;
		const char *next = comma ? comma + 1 : end;

		while (text < stop && *text == ' ')
			text++;
		while (stop > text && stop[-1] == ' ')
			stop--;
		if (stop > text)
			gt_strv_add_take(out, gt_xstrndup(text, stop - text));
		text = next;
	}
}

struct gt_error *gt_option_set_text(const struct gt_option *o, void *config, const char *text)
{
	struct gt_value v = { .type = GT_VALUE_STRING, .text = text };
	struct gt_error *e;

	if (o->type == GT_OPTION_BOOL && (!strcmp(text, "true") || !strcmp(text, "false"))) {
		v.type = GT_VALUE_BOOL;
		v.number = !strcmp(text, "true");
	} else if (o->type == GT_OPTION_INT && int_parse(text, &v.number)) {
		v.type = GT_VALUE_INT;
	} else if (o->type == GT_OPTION_LIST) {
		v.type = GT_VALUE_LIST;
		list_parse(text, &v.list);
	}
	e = gt_option_set(o, config, &v);
	gt_strv_done(&v.list);
	return e;
}

struct gt_error *gt_option_defaults(const struct gt_option *table, void *config)
{
	for (const struct gt_option *o = table; o && o->name; o++) {
		if (!o->value)
			return gt_error_new(GT_INTERNAL, "option %s declares no default", o->name);
		GT_TRY(gt_error_reclass(gt_error_wrap(gt_option_set_text(o, config, o->value),
						      "default of option %s", o->name),
					GT_INTERNAL));
	}
	return NULL;
}

void gt_option_print(const struct gt_option *o, const void *config, struct gt_buf *out)
{
	const void *p = (const char *)config + o->offset;
	const struct gt_strv *l;

	switch (o->type) {
	case GT_OPTION_STRING:
	case GT_OPTION_PATH:
	case GT_OPTION_ENUM:
		gt_buf_addq(out, *(char *const *)p);
		break;
	case GT_OPTION_BOOL:
		gt_buf_adds(out, *(const bool *)p ? "true" : "false");
		break;
	case GT_OPTION_INT:
		gt_buf_addf(out, "%" PRId64, *(const int64_t *)p);
		if (*(const int64_t *)p > INT32_MAX || *(const int64_t *)p < INT32_MIN)
			gt_buf_addc(out, 'L');
		break;
	case GT_OPTION_SIZE:
		gt_buf_addc(out, '"');
		gt_size_print(*(const uint64_t *)p, out);
		gt_buf_addc(out, '"');
		break;
	case GT_OPTION_DURATION:
		gt_buf_addc(out, '"');
		gt_duration_print(*(const int64_t *)p, out);
		gt_buf_addc(out, '"');
		break;
	case GT_OPTION_LIST:
		l = p;
		gt_buf_adds(out, "[");
		for (size_t i = 0; i < l->n; i++) {
			gt_buf_adds(out, i ? ", " : " ");
			gt_buf_addq(out, l->v[i]);
		}
		gt_buf_adds(out, l->n ? " ]" : "]");
		break;
	}
}

void gt_option_done(const struct gt_option *table, void *config)
{
	for (const struct gt_option *o = table; o && o->name; o++) {
		switch (o->type) {
		case GT_OPTION_STRING:
		case GT_OPTION_PATH:
		case GT_OPTION_ENUM:
			free(*(char **)field(o, config));
			*(char **)field(o, config) = NULL;
			break;
		case GT_OPTION_LIST:
			gt_strv_done(field(o, config));
			break;
		case GT_OPTION_BOOL:
		case GT_OPTION_INT:
		case GT_OPTION_SIZE:
		case GT_OPTION_DURATION:
			break;
		}
	}
}

/* Edits (insert, delete, replace, swap of neighbours) from 'a' to 'b'; bounded by their lengths. */
static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), w = lb + 1;
	gt_autofree size_t *d = gt_xcalloc((la + 1) * w, sizeof(*d));

	for (size_t i = 0; i <= la; i++)
		d[i * w] = i;
	for (size_t j = 0; j <= lb; j++)
		d[j] = j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			size_t best = d[(i - 1) * w + j - 1] + (a[i - 1] != b[j - 1]);

			if (d[(i - 1) * w + j] + 1 < best)
				best = d[(i - 1) * w + j] + 1;
			if (d[i * w + j - 1] + 1 < best)
				best = d[i * w + j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[(i - 2) * w + j - 2] + 1 < best)
				best = d[(i - 2) * w + j - 2] + 1;
			d[i * w + j] = best;
		}
	}
	return d[la * w + lb];
}

const char *gt_nearest(const char *name, const char *const *known, size_t n)
{
	size_t len = strlen(name);
	size_t best = len / 3 > 2 ? len / 3 + 1 : 3;
	const char *found = NULL;

	if (len > 200)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t d = distance(name, known[i]);

		if (d < best) {
			best = d;
			found = known[i];
		}
	}
	return found;
}
