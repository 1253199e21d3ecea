/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration, as the lowest layer and as the one on top, with the settings of a plugin that has an
 * option of each type; and TOML (the first byte is odd), by itself and as the main configuration.
 */
#include <config.h>

#include "fuzz/fuzz.h"

#include "core/config.h"
#include "core/option.h"

#include <toml/config.h>
#include <toml/toml.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct plain_config {
	char *string, *path, *word;
	bool is_on;
	int64_t number, span;
	uint64_t size;
	struct gt_strv list;
};

static const struct gt_option plain_options[] = {
	GT_OPT_STRING(struct plain_config, string, "a", "A text."),
	GT_OPT_PATH(struct plain_config, path, "", "A path."),
	GT_OPT_ENUM(struct plain_config, word, "one", "one|two", "A choice."),
	GT_OPT_BOOL(struct plain_config, is_on, "true", "Whether."),
	GT_OPT_INT(struct plain_config, number, "1", -5, 70000, "How many."),
	GT_OPT_DURATION(struct plain_config, span, "5s", "How long."),
	GT_OPT_SIZE(struct plain_config, size, "1MiB", "How much."),
	GT_OPT_LIST(struct plain_config, list, "[]", "Which."),
	{ 0 }
};

/* libconfig's scanner loses what it has of a string or a file name when the text ends within. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

static void plugin_read(const struct gt_config *c, const char *module)
{
	struct plain_config plain = { 0 };
	gt_auto(gt_buf) text = GT_BUF_INIT;
	struct gt_error *e = gt_config_plugin(c, module, plain_options, &plain);

	if (!e) {
		assert(plain.number >= -5 && plain.number <= 70000);
		assert(!*plain.path || *plain.path == '/');
		assert(!strcmp(plain.word, "one") || !strcmp(plain.word, "two"));
		gt_config_print_group(c, module, plain_options, &plain, true, &text);
		gt_config_print_group(c, module, plain_options, &plain, false, &text);
	}
	gt_option_done(plain_options, &plain);
	gt_error_free(e);
}

static void config_take(struct gt_error *e, struct gt_config *c)
{
	gt_auto(gt_strv) groups = { 0 };

	if (!e) {
		const struct gt_settings *set = gt_config_settings(c);

		assert(set->root && (!*set->root || *set->root == '/'));
		gt_config_plugin_groups(c, &groups);
		for (size_t i = 0; i < groups.n; i++) {
			free(gt_config_group_place(c, groups.v[i]));
			plugin_read(c, groups.v[i]);
		}
		plugin_read(c, "snapshotter-plain");
		gt_config_free(c);
	}
	gt_error_free(e);
}

static void toml_walk(const struct gt_toml *t, int depth)
{
	assert(depth <= GT_TOML_DEPTH + 1);
	assert(*gt_toml_type_name(t->type));
	assert((t->type != GT_TOML_STRING && t->type != GT_TOML_TIME) || t->string);
	for (size_t i = 0; i < t->n; i++) {
		if (t->type == GT_TOML_TABLE)
			assert(gt_toml_get(t, t->items[i].key));
		toml_walk(&t->items[i], depth + 1);
	}
}

static void warned(void *arg, const char *text)
{
	(void)arg;
	assert(!strncmp(text, "c.toml", 6));
}

static void toml_read(const char *text, size_t len)
{
	gt_autoptr(gt_toml) toml = NULL;
	struct gt_error *e = gt_toml_parse("c.toml", text, len, &toml);
	config_t main;

	assert(!e || !strncmp(gt_error_text(e), "c.toml", 6));
	gt_error_free(e);
	if (toml)
		toml_walk(toml, 0);
	config_init(&main);
	gt_error_free(gt_toml_config("c.toml", text, len, &main, warned, NULL));
	config_destroy(&main);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	gt_autofree char *text = gt_xstrndup((const char *)data + 1, size ? size - 1 : 0);
	struct gt_config *c = NULL;
	struct gt_error *e;

	if (!size)
		return 0;
	if (data[0] % 2) {
		toml_read((const char *)data + 1, size - 1);
		return 0;
	}
	e = gt_config_load(text, NULL, &c);
	config_take(e, c);
	c = NULL;
	e = gt_config_load_over("root = \"/r\"; log: { level = \"info\"; };", NULL, text, &c);
	config_take(e, c);
	return 0;
}
