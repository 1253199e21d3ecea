/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "flags.h"

#include "numbers.h"

#include <gantry/buf.h>
#include <gantry/quantity.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ctr_value *find(const struct ctr_level *l, const char *name, size_t len)
{
	for (size_t i = 0; i < l->n_values; i++) {
		const struct ctr_flag *f = l->values[i].flag;

		if (strlen(f->name) == len && !memcmp(f->name, name, len))
			return &l->values[i];
		if (f->alias && strlen(f->alias) == len && !memcmp(f->alias, name, len))
			return &l->values[i];
	}
	return NULL;
}

/* Of a list of numbers. Go's flag package says this of each kind of number in its own words. */
static struct gt_error *check_number(const char *name, size_t len, const char *text)
{
	gt_auto(gt_buf) quoted = GT_BUF_INIT;
	enum ctr_number r;
	int64_t number;

	r = ctr_parse_int(text, &number);
	if (r == CTR_NUMBER_OK)
		return NULL;
	gt_buf_addq(&quoted, text);
	return gt_error_new(GT_UNKNOWN,
			    "invalid value %s for flag -%.*s: strconv.Atoi: parsing %s: %s",
			    quoted.s, (int)len, name, quoted.s,
			    r == CTR_NUMBER_RANGE ? "value out of range" : "invalid syntax");
}

/* Sets the value from its text; what is wrong with that, or NULL. */
static const char *assign(struct ctr_value *v, const char *text)
{
	enum ctr_number r = CTR_NUMBER_OK;

	switch (v->flag->type) {
	case CTR_BOOL:
		r = ctr_parse_bool(text, &v->yes) ? CTR_NUMBER_OK : CTR_NUMBER_SYNTAX;
		break;
	case CTR_STRING:
		v->text = text;
		break;
	case CTR_INT:
		r = ctr_parse_int(text, &v->number);
		break;
	case CTR_UINT:
		r = ctr_parse_uint(text, &v->natural);
		break;
	case CTR_FLOAT:
		r = ctr_parse_float(text, &v->real);
		break;
	case CTR_DURATION:
		r = gt_duration_parse(text, &v->number) ? CTR_NUMBER_OK : CTR_NUMBER_SYNTAX;
		break;
	case CTR_LIST:
		if (v->flag->bits & CTR_COMMAS)
			gt_strv_split(&v->list, text, ',');
		else
			gt_strv_add(&v->list, text);
		break;
	}
	if (r == CTR_NUMBER_OK)
		return NULL;
	return r == CTR_NUMBER_RANGE ? "value out of range" : "parse error";
}

static const char *type_name(enum ctr_flag_type type)
{
	switch (type) {
	case CTR_BOOL:
		return "bool";
	case CTR_INT:
	case CTR_UINT:
		return "int";
	case CTR_FLOAT:
		return "float64";
	case CTR_DURATION:
		return "duration";
	default:
		return "string";
	}
}

static struct gt_error *set_default(struct ctr_value *v)
{
	const struct ctr_flag *f = v->flag;
	const char *env = f->env ? getenv(f->env) : NULL;

	v->text = "";
	if (f->value && assign(v, f->value))
		abort(); /* the table is wrong */
	if (!env)
		return NULL;
	if (f->type == CTR_LIST)
		gt_strv_done(&v->list);
	v->set = true;
	if (!assign(v, env))
		return NULL;
	return gt_error_new(GT_UNKNOWN, "could not parse %s as %s value for flag %s", env,
			    type_name(f->type), f->name);
}

static struct gt_error *set(struct ctr_value *v, const char *name, size_t len, const char *text)
{
	gt_auto(gt_buf) quoted = GT_BUF_INIT;
	const char *wrong;

	/* what is given takes the place of a default or of the environment's */
	if (v->flag->type == CTR_LIST && !v->typed)
		gt_strv_done(&v->list);
	v->typed = v->set = true;
	if (v->flag->bits & CTR_NUMBERS)
		GT_TRY(check_number(name, len, text));
	wrong = assign(v, text);
	if (!wrong)
		return NULL;
	gt_buf_addq(&quoted, text);
	if (v->flag->type == CTR_BOOL)
		return gt_error_new(GT_UNKNOWN, "invalid boolean value %s for -%.*s: %s", quoted.s,
				    (int)len, name, wrong);
	return gt_error_new(GT_UNKNOWN, "invalid value %s for flag -%.*s: %s", quoted.s, (int)len,
			    name, wrong);
}

/* Reads the flag argv[*i], and its value behind it; false: it is none of these tables'. */
static struct gt_error *read_flag(struct ctr_level *l, int argc, char *const *argv, int *i,
				  bool *known)
{
	const char *arg = argv[*i];
	const char *name = arg + (arg[1] == '-' ? 2 : 1);
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	struct ctr_value *v;

	*known = true;
	if (!*name || *name == '-' || *name == '=')
		return gt_error_new(GT_UNKNOWN, "bad flag syntax: %s", arg);
	v = find(l, name, len);
	if (!v) {
		*known = false;
		return gt_error_new(GT_UNKNOWN, "flag provided but not defined: -%.*s", (int)len,
				    name);
	}
	if (equals)
		return set(v, name, len, equals + 1);
	if (v->flag->type == CTR_BOOL)
		return set(v, name, len, "true");
	if (*i + 1 >= argc)
		return gt_error_new(GT_UNKNOWN, "flag needs an argument: -%.*s", (int)len, name);
	return set(v, name, len, argv[++*i]);
}

static void collect(struct ctr_level *l, const struct ctr_flag *const *tables)
{
	size_t alloc = 0;

	for (; tables && *tables; tables++)
		for (const struct ctr_flag *f = *tables; f->name; f++) {
			GT_GROW(l->values, l->n_values, alloc);
			l->values[l->n_values++] = (struct ctr_value){ .flag = f };
		}
}

struct gt_error *ctr_level_parse(struct ctr_level *l, const struct ctr_flag *const *tables,
				 bool first, int argc, char *const *argv)
{
	struct gt_error *bad_env = NULL;

	collect(l, tables);
	for (size_t i = 0; i < l->n_values; i++)
		bad_env = gt_error_first(bad_env, set_default(&l->values[i]));
	GT_TRY(bad_env);
	for (int i = 0; i < argc; i++) {
		const char *arg = argv[i];
		bool behind = l->args.n > 0, known;
		struct gt_error *e;

		if (!strcmp(arg, "--") || (behind && first)) {
			if (!strcmp(arg, "--") && !behind)
				i++; /* it only says that no flags follow */
			for (; i < argc; i++)
				gt_strv_add(&l->args, argv[i]);
			break;
		}
		if (arg[0] != '-' || !arg[1]) {
			gt_strv_add(&l->args, arg);
			continue;
		}
		e = read_flag(l, argc, argv, &i, &known);
		if (e && !known && behind) {
			gt_error_free(e);
			gt_strv_add(&l->args, arg);
			continue;
		}
		GT_TRY(e);
	}
	return NULL;
}

void ctr_level_done(struct ctr_level *l)
{
	for (size_t i = 0; i < l->n_values; i++)
		gt_strv_done(&l->values[i].list);
	free(l->values);
	gt_strv_done(&l->args);
	*l = (struct ctr_level){ 0 };
}

struct gt_error *ctr_level_required(const struct ctr_level *l)
{
	gt_auto(gt_buf) names = GT_BUF_INIT;
	int n = 0;

	for (size_t i = 0; i < l->n_values; i++) {
		const struct ctr_value *v = &l->values[i];

		if ((v->flag->bits & CTR_REQUIRED) && !v->set)
			gt_buf_addf(&names, "%s%s", n++ ? ", " : "", v->flag->name);
	}
	if (!n)
		return NULL;
	return gt_error_new(GT_UNKNOWN, "Required flag%s \"%s\" not set", n > 1 ? "s" : "", names.s);
}

const struct ctr_value *ctr_level_value(const struct ctr_level *l, const char *name,
					enum ctr_flag_type type)
{
	const struct ctr_value *found = NULL;

	for (; l && !(found && found->set); l = l->up) {
		const struct ctr_value *v = find(l, name, strlen(name));

		if (v && (!found || (v->flag == found->flag && v->set)))
			found = v;
	}
	if (!found || found->flag->type != type) {
		fprintf(stderr, "ctr: no flag --%s of that type in the command's table\n", name);
		abort();
	}
	return found;
}
