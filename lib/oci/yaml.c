/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <oci/yaml.h>

#include <oci/json.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define DIGITS "0123456789"

struct reading {
	const char *what;
	yaml_document_t doc;
	size_t left; /* values that may yet come */
};

static struct gt_error *bad(const struct reading *r, const yaml_node_t *n, const char *why)
{
	return gt_error_new(GT_INVALID_ARGUMENT, "%s: line %zu: %s", r->what,
			    n->start_mark.line + 1, why);
}

static bool is_one_of(const char *s, const char *a, const char *b, const char *c)
{
	return !strcmp(s, a) || !strcmp(s, b) || !strcmp(s, c);
}

/* NULL: it is no number. */
static json_t *number(const char *s)
{
	const char *digits = s + (*s == '-' || *s == '+');
	int base = *digits != '0' ? 10 : digits[1] == 'x' ? 16 : 8;
	char *end;

	if (!strchr(DIGITS, *digits) || !*digits)
		return NULL;
	if (base == 8 && digits[1] == 'o') /* as YAML 1.2 writes it */
		s = digits + 2;
	errno = 0;
	long long n = strtoll(s, &end, base);
	if (!*end && !errno)
		return json_integer(n);
	errno = 0;
	double d = strtod(s, &end);
	return *end || errno ? NULL : json_real(d);
}

static json_t *scalar(const yaml_node_t *n)
{
	const char *s = (const char *)n->data.scalar.value;
	json_t *j = NULL;

	if (n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
		if (!*s || !strcmp(s, "~") || is_one_of(s, "null", "Null", "NULL"))
			return json_null();
		if (is_one_of(s, "true", "True", "TRUE"))
			return json_true();
		if (is_one_of(s, "false", "False", "FALSE"))
			return json_false();
		j = number(s);
	}
	return j ? j : json_stringn(s, n->data.scalar.length);
}

static struct gt_error *convert(struct reading *r, int index, unsigned depth, json_t **out);

static struct gt_error *mapping(struct reading *r, const yaml_node_t *n, unsigned depth,
				json_t **out)
{
	gt_autojson o = json_object();

	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = yaml_document_get_node(&r->doc, p->key);
		const char *name = (const char *)key->data.scalar.value;
		json_t *value;

		if (key->type != YAML_SCALAR_NODE || strlen(name) != key->data.scalar.length)
			return bad(r, key, "a key is no text");
		if (json_object_get(o, name))
			return bad(r, key, "a key comes twice");
		GT_TRY(convert(r, p->value, depth, &value));
		json_object_set_new(o, name, value);
	}
	*out = json_incref(o);
	return NULL;
}

static struct gt_error *sequence(struct reading *r, const yaml_node_t *n, unsigned depth,
				 json_t **out)
{
	gt_autojson list = json_array();

	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top;
	     i++) {
		json_t *value;

		GT_TRY(convert(r, *i, depth, &value));
		json_array_append_new(list, value);
	}
	*out = json_incref(list);
	return NULL;
}

/* An alias is its node once more: without a limit a few lines could be as much as one likes. */
static struct gt_error *convert(struct reading *r, int index, unsigned depth, json_t **out)
{
	const yaml_node_t *n = yaml_document_get_node(&r->doc, index);

	if (!depth)
		return bad(r, n, "it is nested too deep");
	if (!r->left--)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "%s: has too many values", r->what);
	if (n->type == YAML_MAPPING_NODE)
		return mapping(r, n, depth - 1, out);
	if (n->type == YAML_SEQUENCE_NODE)
		return sequence(r, n, depth - 1, out);
	*out = scalar(n);
	return *out ? NULL : bad(r, n, "a text is not valid UTF-8");
}

struct gt_error *gt_yaml_parse(const char *what, const void *data, size_t len, unsigned depth,
			       size_t most, json_t **out)
{
	struct reading r = { .what = what, .left = most };
	yaml_parser_t parser;
	struct gt_error *e;

	if (!yaml_parser_initialize(&parser))
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "no memory for a YAML parser");
	yaml_parser_set_input_string(&parser, data, len);
	if (!yaml_parser_load(&parser, &r.doc)) {
		e = gt_error_new(GT_INVALID_ARGUMENT, "%s: line %zu: %s", what,
				 parser.problem_mark.line + 1,
				 parser.problem ? parser.problem : "no YAML");
	} else {
		e = yaml_document_get_root_node(&r.doc) ?
			    convert(&r, 1, depth, out) :
			    gt_error_new(GT_INVALID_ARGUMENT, "%s: is empty", what);
		yaml_document_delete(&r.doc);
	}
	yaml_parser_delete(&parser);
	return e;
}
