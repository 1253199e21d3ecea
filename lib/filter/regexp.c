/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <filter/regexp.h>

#include <gantry/buf.h>

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define PATTERN_MAX 4096
#define NESTING_MAX 64
#define REPEAT_MAX 1000
/* What repetitions may blow a pattern up to, in atoms: the C library spells them out. */
#define SIZE_MAX_ATOMS 20000

/* A set of ASCII characters and, by 'beyond', all others. */
struct class {
	bool has[128];
	bool beyond;
};

struct translation {
	const char *pattern;
	const char *p;
	struct gt_buf out;
	int flags;
	bool dot_is_all;
	bool repeatable; /* the thing before can be repeated */
	size_t depth;
	/* Atoms so far in each open group, and the last atom's own size. */
	size_t size[NESTING_MAX + 1];
	size_t last;
};

static struct gt_error *wrong(const struct translation *t, const char *what)
{
	gt_auto(gt_buf) quoted = GT_BUF_INIT;

	gt_buf_addq(&quoted, t->pattern);
	return gt_error_new(GT_INVALID_ARGUMENT, "regular expression %s: %s at byte %zu", quoted.s,
			    what, (size_t)(t->p - t->pattern));
}

static void class_add_range(struct class *c, unsigned lo, unsigned hi)
{
	for (unsigned i = lo; i <= hi && i < 128; i++)
		c->has[i] = true;
}

static void class_invert(struct class *c)
{
	for (unsigned i = 0; i < 128; i++)
		c->has[i] = !c->has[i];
	c->beyond = !c->beyond;
}

static void class_add(struct class *c, const struct class *more)
{
	for (unsigned i = 0; i < 128; i++)
		c->has[i] |= more->has[i];
	c->beyond |= more->beyond;
}

/* \d and its like; false if 'letter' names no class. */
static bool class_perl(struct class *c, char letter)
{
	*c = (struct class){ 0 };
	switch (tolower((unsigned char)letter)) {
	case 'd':
		class_add_range(c, '0', '9');
		break;
	case 's':
		for (const char *s = "\t\n\f\r "; *s; s++)
			c->has[(unsigned char)*s] = true;
		break;
	case 'w':
		class_add_range(c, '0', '9');
		class_add_range(c, 'A', 'Z');
		class_add_range(c, 'a', 'z');
		c->has['_'] = true;
		break;
	default:
		return false;
	}
	if (isupper((unsigned char)letter))
		class_invert(c);
	return true;
}

/* [:alpha:] and its like, 'name' with its colons. */
static bool class_posix(struct class *c, const char *name, size_t len)
{
	static const struct {
		const char *name;
		const char *ranges; /* pairs */
	} classes[] = {
		{ "alnum", "09AZaz" }, { "alpha", "AZaz" }, { "blank", "\t\t  " },
		{ "cntrl", "\001\037\177\177" }, { "digit", "09" }, { "graph", "!~" },
		{ "lower", "az" }, { "print", " ~" }, { "punct", "!/:@[`{~" },
		{ "space", "\t\r  " }, { "upper", "AZ" }, { "word", "09AZaz__" },
		{ "xdigit", "09AFaf" },
	};
	bool negated = len > 0 && name[0] == '^';

	*c = (struct class){ 0 };
	name += negated;
	len -= negated;
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (strlen(classes[i].name) != len || memcmp(classes[i].name, name, len))
			continue;
		for (const char *r = classes[i].ranges; *r; r += 2)
			class_add_range(c, (unsigned char)r[0], (unsigned char)r[1]);
		if (negated)
			class_invert(c);
		return true;
	}
	return false;
}

/*
 * Writes 'c' as a bracket expression without ranges, whose meaning would be the locale's. Characters
 * that are special there stand where they are not: ']' first, '^' not first, '-' last.
 */
static struct gt_error *class_emit(struct translation *t, const struct class *c)
{
	struct class set = *c;
	bool negated = c->beyond, any = false;

	if (negated)
		class_invert(&set);
	set.has[0] = false; /* no text holds it */
	for (unsigned i = 1; i < 128; i++)
		any |= set.has[i];
	if (!any) {
		if (!negated)
			return wrong(t, "a class that matches nothing");
		gt_buf_addc(&t->out, '.');
		return NULL;
	}
	gt_buf_adds(&t->out, negated ? "[^" : "[");
	if (set.has[']'])
		gt_buf_addc(&t->out, ']');
	for (unsigned i = 1; i < 128; i++)
		if (set.has[i] && i != ']' && i != '^' && i != '-' && i != '[')
			gt_buf_addc(&t->out, (char)i);
	if (set.has['['])
		gt_buf_addc(&t->out, '[');
	if (set.has['-'] && set.has['^']) {
		gt_buf_adds(&t->out, "^-");
	} else if (set.has['^']) {
		/* Alone in the set it would stand first and negate. */
		if (!negated && t->out.s[t->out.len - 1] == '[' && !set.has['[']) {
			gt_buf_setlen(&t->out, t->out.len - 1);
			gt_buf_adds(&t->out, "\\^");
			return NULL;
		}
		gt_buf_addc(&t->out, '^');
	} else if (set.has['-']) {
		gt_buf_addc(&t->out, '-');
	}
	gt_buf_addc(&t->out, ']');
	return NULL;
}

static void literal_emit(struct translation *t, char c)
{
	if (strchr("\\.[](){}*+?|^$", c))
		gt_buf_addc(&t->out, '\\');
	gt_buf_addc(&t->out, c);
}

static void atom_done(struct translation *t, size_t size)
{
	t->last = size;
	t->size[t->depth] += size;
	t->repeatable = true;
}

/* The character that an escape stands for, behind the backslash; moves behind it. */
static struct gt_error *escaped_char(struct translation *t, char *out)
{
	static const char names[] = "a\af\ft\tn\nr\rv\v";
	unsigned v = 0;
	char c = *t->p;

	if (c == 'x') {
		size_t digits = 0;
		bool braces = t->p[1] == '{';

		t->p += 1 + braces;
		while (isxdigit((unsigned char)*t->p) && digits < (braces ? 8 : 2)) {
			char d = *t->p++;

			v = v * 16 + (isdigit((unsigned char)d) ? d - '0' : (d | 32) - 'a' + 10);
			digits++;
		}
		if (!digits || (!braces && digits != 2) || (braces && *t->p++ != '}'))
			return wrong(t, "a broken \\x");
		if (v == 0 || v > 127)
			return wrong(t, "\\x of something that is not ASCII is not supported");
		*out = (char)v;
		return NULL;
	}
	if (c == '0') {
		for (int i = 0; i < 3 && *t->p >= '0' && *t->p <= '7'; i++)
			v = v * 8 + (unsigned)(*t->p++ - '0');
		if (v == 0 || v > 127)
			return wrong(t, "an octal escape of something that is not ASCII");
		*out = (char)v;
		return NULL;
	}
	for (const char *n = names; *n; n += 2) {
		if (*n == c) {
			*out = n[1];
			t->p++;
			return NULL;
		}
	}
	if (c == 'p' || c == 'P')
		return wrong(t, "Unicode classes are not supported");
	if (!c || !isascii((unsigned char)c) || isalnum((unsigned char)c))
		return wrong(t, "an unknown escape");
	*out = c;
	t->p++;
	return NULL;
}

static struct gt_error *bracket_char(struct translation *t, char *out)
{
	if (*t->p == '\\') {
		t->p++;
		return escaped_char(t, out);
	}
	if (!*t->p)
		return wrong(t, "a class without end");
	if (!isascii((unsigned char)*t->p))
		return wrong(t, "classes with characters beyond ASCII are not supported");
	*out = *t->p++;
	return NULL;
}

/* Behind the '['. */
static struct gt_error *bracket(struct translation *t)
{
	struct class all = { 0 }, part;
	bool negated = *t->p == '^', first = true;

	t->p += negated;
	while (*t->p != ']' || first) {
		char lo, hi;

		first = false;
		if (t->p[0] == '[' && t->p[1] == ':') {
			const char *end = strstr(t->p + 2, ":]");

			if (!end || !class_posix(&part, t->p + 2, (size_t)(end - t->p - 2)))
				return wrong(t, "an unknown class name");
			class_add(&all, &part);
			t->p = end + 2;
			continue;
		}
		if (t->p[0] == '\\' && t->p[1] && class_perl(&part, t->p[1])) {
			class_add(&all, &part);
			t->p += 2;
			continue;
		}
		GT_TRY(bracket_char(t, &lo));
		hi = lo;
		if (t->p[0] == '-' && t->p[1] && t->p[1] != ']') {
			t->p++;
			GT_TRY(bracket_char(t, &hi));
			if (hi < lo)
				return wrong(t, "a range that ends before it begins");
		}
		class_add_range(&all, (unsigned char)lo, (unsigned char)hi);
	}
	t->p++;
	if (negated)
		class_invert(&all);
	GT_TRY(class_emit(t, &all));
	atom_done(t, 1);
	return NULL;
}

static struct gt_error *escape(struct translation *t)
{
	struct class c;
	char literal;

	switch (*t->p) {
	case 'A':
	case 'z':
	case 'b':
	case 'B':
		gt_buf_addc(&t->out, '\\');
		gt_buf_addc(&t->out, *t->p == 'A' ? '`' : *t->p == 'z' ? '\'' : *t->p);
		t->p++;
		t->repeatable = false;
		return NULL;
	case 'Q':
		t->p++;
		while (*t->p && strncmp(t->p, "\\E", 2)) {
			literal_emit(t, *t->p++);
			atom_done(t, 1);
		}
		if (*t->p)
			t->p += 2;
		return NULL;
	}
	if (*t->p && class_perl(&c, *t->p)) {
		t->p++;
		GT_TRY(class_emit(t, &c));
	} else {
		GT_TRY(escaped_char(t, &literal));
		literal_emit(t, literal);
	}
	atom_done(t, 1);
	return NULL;
}

/* Behind the '('. */
static struct gt_error *group_open(struct translation *t)
{
	if (t->p[0] == '?') {
		if (t->p[1] == ':') {
			t->p += 2;
		} else if ((t->p[1] == 'P' && t->p[2] == '<') || t->p[1] == '<') {
			const char *end = strchr(t->p, '>');

			if (!end)
				return wrong(t, "a group name without end");
			t->p = end + 1;
		} else {
			return wrong(t, "flags are supported in front only, and i and s alone");
		}
	}
	if (t->depth == NESTING_MAX)
		return wrong(t, "groups nested too deep");
	gt_buf_addc(&t->out, '(');
	t->size[++t->depth] = 1;
	t->repeatable = false;
	return NULL;
}

static struct gt_error *group_close(struct translation *t)
{
	size_t inner;

	if (!t->depth)
		return wrong(t, "a ')' without its '('");
	inner = t->size[t->depth--];
	gt_buf_addc(&t->out, ')');
	atom_done(t, inner);
	return NULL;
}

/* A number of a {n,m}; false if there is none. */
static bool repeat_number(const char **p, unsigned *out)
{
	if (!isdigit((unsigned char)**p))
		return false;
	for (*out = 0; isdigit((unsigned char)**p); (*p)++)
		if (*out <= REPEAT_MAX)
			*out = *out * 10 + (unsigned)(**p - '0');
	return true;
}

static struct gt_error *repeat(struct translation *t, unsigned times, const char *text, size_t len)
{
	if (!t->repeatable)
		return wrong(t, "nothing to repeat");
	if (times > REPEAT_MAX)
		return wrong(t, "too many repetitions");
	gt_buf_add(&t->out, text, len);
	if (times > 1)
		t->size[t->depth] += t->last * (times - 1);
	if (t->size[t->depth] > SIZE_MAX_ATOMS)
		return wrong(t, "repetitions that multiply too far");
	t->p += len;
	t->p += *t->p == '?'; /* not greedy: the same answer */
	t->repeatable = false;
	return NULL;
}

/* At a '{', which is a repetition or, if it does not look like one, itself. */
static struct gt_error *brace(struct translation *t)
{
	const char *p = t->p + 1;
	unsigned lo, hi;

	if (repeat_number(&p, &lo)) {
		hi = lo;
		if (*p == ',') {
			p++;
			if (repeat_number(&p, &hi) && hi < lo)
				return wrong(t, "a repetition that ends before it begins");
		}
		if (*p == '}')
			return repeat(t, hi > lo ? hi : lo, t->p, (size_t)(p + 1 - t->p));
	}
	literal_emit(t, *t->p++);
	atom_done(t, 1);
	return NULL;
}

static struct gt_error *flags(struct translation *t)
{
	const char *p = t->p + 2;

	if (strncmp(t->p, "(?", 2) || !strchr("is", *p) || !*p)
		return NULL;
	for (; *p == 'i' || *p == 's'; p++) {
		if (*p == 'i')
			t->flags |= REG_ICASE;
		else
			t->dot_is_all = true;
	}
	if (*p == ')')
		t->p = p + 1; /* anything else is for group_open to refuse */
	return NULL;
}

static struct gt_error *piece(struct translation *t)
{
	char c = *t->p;

	switch (c) {
	case '*':
	case '+':
	case '?':
		return repeat(t, 1, t->p, 1);
	case '{':
		return brace(t);
	case '[':
		t->p++;
		return bracket(t);
	case '\\':
		t->p++;
		return escape(t);
	case '(':
		t->p++;
		return group_open(t);
	case ')':
		t->p++;
		return group_close(t);
	case '|':
	case '^':
	case '$':
		gt_buf_addc(&t->out, c);
		t->p++;
		t->repeatable = false;
		return NULL;
	case '.':
		gt_buf_adds(&t->out, t->dot_is_all ? "." : "[^\n]");
		t->p++;
		atom_done(t, 1);
		return NULL;
	}
	if (isascii((unsigned char)c)) {
		literal_emit(t, c);
		t->p++;
	} else {
		/* A character beyond ASCII is repeated as a whole. */
		gt_buf_addc(&t->out, '(');
		do {
			gt_buf_addc(&t->out, *t->p++);
		} while (((unsigned char)*t->p & 0xc0) == 0x80);
		gt_buf_addc(&t->out, ')');
	}
	atom_done(t, 1);
	return NULL;
}

static struct gt_error *translate(struct translation *t)
{
	if (strlen(t->pattern) > PATTERN_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "regular expression of %zu bytes: at most %d are allowed",
				    strlen(t->pattern), PATTERN_MAX);
	GT_TRY(flags(t));
	while (*t->p)
		GT_TRY(piece(t));
	if (t->depth)
		return wrong(t, "a '(' without its ')'");
	return NULL;
}

struct gt_error *gt_regexp_compile(const char *pattern, regex_t *out)
{
	struct translation t = {
		.pattern = pattern,
		.p = pattern,
		.out = GT_BUF_INIT,
		.flags = REG_EXTENDED | REG_NOSUB,
	};
	struct gt_error *e = translate(&t);

	if (!e) {
		int rc = regcomp(out, t.out.s, t.flags);

		if (rc) {
			char text[128];

			regerror(rc, out, text, sizeof(text));
			e = wrong(&t, text);
		}
	}
	gt_buf_done(&t.out);
	return e;
}
