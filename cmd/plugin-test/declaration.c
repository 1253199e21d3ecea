/* SPDX-License-Identifier: Apache-2.0 */
/* The declaration itself: what the loader reads before it runs any code of the plugin. */
#include <config.h>

#include "suite.h"

#include <core/kind.h>
#include <gantry/buf.h>

#include <ctype.h>
#include <dlfcn.h>
#include <string.h>

static bool is_line(const char *s)
{
	return s && *s && !strpbrk(s, "\n\r\t");
}

static bool is_name(const char *s)
{
	if (!s || !islower((unsigned char)*s))
		return false;
	for (; *s; s++)
		if (!islower((unsigned char)*s) && !isdigit((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

static void check_ops(const struct gt_plugin *p)
{
	size_t size;

	if (!suite_ok(p->ops.size != NULL, "there is an ops table"))
		return;
	size = *p->ops.size;
	for (const struct gt_required_op *r = gt_kind_facts(p->kind)->required; r->name; r++) {
		void *op = NULL;

		if (r->offset + sizeof(op) <= size)
			memcpy(&op, (const char *)p->ops.size + r->offset, sizeof(op));
		suite_ok(op != NULL, "%s: the required op is there", r->name);
	}
}

static size_t field_size(enum gt_option_type t)
{
	switch (t) {
	case GT_OPTION_STRING:
	case GT_OPTION_PATH:
	case GT_OPTION_ENUM:
		return sizeof(char *);
	case GT_OPTION_BOOL:
		return sizeof(bool);
	case GT_OPTION_INT:
	case GT_OPTION_DURATION:
		return sizeof(int64_t);
	case GT_OPTION_SIZE:
		return sizeof(uint64_t);
	case GT_OPTION_LIST:
		return sizeof(struct gt_strv);
	}
	return 0;
}

/* Whether a word of "a|b|c" is 's'. */
static bool is_choice(const char *choices, const char *s)
{
	struct gt_strv words = { 0 };
	bool found;

	gt_strv_split(&words, choices, '|');
	found = gt_strv_has(&words, s);
	gt_strv_done(&words);
	return found;
}

static void check_option(const struct gt_plugin *p, const struct gt_option *o)
{
	size_t size = field_size(o->type);
	char *end;

	suite_ok(is_name(o->name), "option %s: the name is one of lower case", o->name);
	suite_ok(o->text && *o->text, "option %s: there is a text", o->name);
	suite_ok(size > 0, "option %s: the type is known", o->name);
	suite_ok(size && p->config_size >= size && o->offset <= p->config_size - size,
		 "option %s: the field lies within the plugin's struct", o->name);
	suite_ok(o->value != NULL, "option %s: there is a default", o->name);
	if (!o->value)
		return;
	switch (o->type) {
	case GT_OPTION_ENUM:
		suite_ok(o->choices && is_choice(o->choices, o->value),
			 "option %s: the default '%s' is one of the choices", o->name, o->value);
		break;
	case GT_OPTION_BOOL:
		suite_ok(!strcmp(o->value, "true") || !strcmp(o->value, "false"),
			 "option %s: the default '%s' is true or false", o->name, o->value);
		break;
	case GT_OPTION_PATH:
		suite_ok(!*o->value || *o->value == '/',
			 "option %s: the default '%s' is absolute or empty", o->name, o->value);
		break;
	case GT_OPTION_INT: {
		long long v = strtoll(o->value, &end, 10);

		suite_ok(*o->value && !*end && o->min <= o->max &&
				 ((!o->min && !o->max) || (v >= o->min && v <= o->max)),
			 "option %s: the default '%s' is a number in range", o->name, o->value);
		break;
	}
	default: /* the host's parser reads all defaults at open */
		break;
	}
}

static const struct gt_option *option_at(const struct gt_plugin *p, size_t i)
{
	return (const void *)((const char *)p->options + i * p->option_size);
}

static void check_options(const struct gt_plugin *p)
{
	struct gt_strv names = { 0 };
	bool unique = true;

	if (!p->options)
		return;
	if (!suite_ok(p->option_size >= offsetof(struct gt_option, min),
		      "the options' size is plausible"))
		return;
	for (size_t i = 0; option_at(p, i)->name; i++) {
		if (gt_strv_has(&names, option_at(p, i)->name))
			unique = false;
		gt_strv_add(&names, option_at(p, i)->name);
		check_option(p, option_at(p, i));
	}
	suite_ok(unique, "no two options share a name");
	gt_strv_done(&names);
}

static void check_needs(const struct gt_plugin *p)
{
	if (!p->needs)
		return;
	if (!suite_ok(p->need_size >= offsetof(struct gt_need, id), "the needs' size is plausible"))
		return;
	for (size_t i = 0;; i++) {
		const struct gt_need *n = (const void *)((const char *)p->needs + i * p->need_size);

		if (!n->kind)
			return;
		suite_ok(n->kind > 0 && n->kind < GT_KIND_COUNT && n->flags <= GT_NEED_OPTIONAL,
			 "need %zu: kind and flags are known", i);
		if (n->kind <= 0 || n->kind >= GT_KIND_COUNT)
			return;
	}
}

/* "snapshotter-my.so" exports snapshotter_my_LTX_gt_plugin. */
static char *symbol_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	gt_autofree char *name = gt_xstrdup(slash ? slash + 1 : file);
	char *dot = strrchr(name, '.');

	if (dot)
		*dot = '\0';
	for (char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p))
			*p = '_';
	return gt_strf("%s_LTX_gt_plugin", name);
}

bool suite_declaration(const char *file)
{
	gt_autofree char *symbol = symbol_of(file);
	const struct gt_plugin *p;
	unsigned failed = suite_failed();
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL); /* stays open: the host opens it again */

	if (!suite_ok(handle != NULL, "the file loads")) {
		suite_note("%s", dlerror());
		return false;
	}
	p = dlsym(handle, symbol);
	if (!suite_ok(p != NULL, "the file exports %s", symbol))
		return false;
	if (!suite_ok(p->abi == GT_ABI, "the plugin's ABI %u is the host's %u", p->abi, GT_ABI))
		return false;
	if (!suite_ok(p->size >= offsetof(struct gt_plugin, provides),
		      "the declaration's size %u is plausible", p->size))
		return false;
	if (!suite_ok(p->kind > GT_KIND_NONE && p->kind < GT_KIND_COUNT, "the kind %d is known",
		      (int)p->kind))
		return false;
	suite_ok(p->id && *p->id && !strpbrk(p->id, "/ \t\n"), "the id is one word");
	suite_ok(is_line(p->doc), "the doc is one line");
	check_ops(p);
	check_needs(p);
	check_options(p);
	return suite_failed() == failed;
}
