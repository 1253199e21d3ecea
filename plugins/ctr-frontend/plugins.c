/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "table.h"

#include <gantry/api-introspection.h>

#include <ctype.h>
#include <string.h>

static const struct ctr_flag list_flags[] = {
	{ .name = "quiet", .alias = "q", .type = CTR_BOOL, .text = "print the ids only" },
	{ .name = "detailed",
	  .alias = "d",
	  .type = CTR_BOOL,
	  .text = "print all that is known of each plugin, and why it does not work" },
	{ 0 },
};

static const struct ctr_column columns[] = {
	{ "TYPE", "type" }, { "ID", "id" }, { "PLATFORMS", "platforms" }, { "STATUS", "status" }, { 0 },
};

struct listing {
	struct ctr *c;
	struct ctr_table *table;
	json_t *json; /* --json: all of each */
	bool quiet, detailed;
};

/* "NOT_FOUND" as "NotFound". */
static char *code_name(enum gt_class cls)
{
	char *name = gt_xstrdup(gt_class_name(cls));
	char *to = name;
	bool first = true;

	for (const char *p = name; *p; p++) {
		if (*p != '_')
			*to++ = first ? *p : (char)tolower((unsigned char)*p);
		first = *p == '_';
	}
	*to = '\0';
	return name;
}

static void field(FILE *out, const char *name, const char *value)
{
	if (value && *value)
		fprintf(out, "%-14s %s\n", name, value);
}

static void words(FILE *out, const char *name, const struct gt_strv *l)
{
	if (!l->n)
		return;
	fprintf(out, "%-14s\n", name);
	for (size_t i = 0; i < l->n; i++)
		fprintf(out, "%15s%s\n", "", l->v[i]);
}

static void block(FILE *out, const struct gt_plugin_info *i)
{
	gt_autofree char *platforms = ctr_join(&i->platforms, ",");

	field(out, "Type:", i->type);
	field(out, "ID:", i->id);
	field(out, "Module:", i->module);
	field(out, "File:", i->file);
	field(out, "About:", i->doc);
	words(out, "Requires:", &i->requires);
	field(out, "Platforms:", platforms);
	if (i->exports.n) {
		int width = 0;

		for (size_t k = 0; k < i->exports.n; k++)
			if ((int)strlen(i->exports.v[k].key) > width)
				width = (int)strlen(i->exports.v[k].key);
		fprintf(out, "%-14s\n", "Exports:");
		for (size_t k = 0; k < i->exports.n; k++)
			fprintf(out, "%15s%-*s      %s\n", "", width, i->exports.v[k].key,
				i->exports.v[k].value);
	}
	words(out, "Capabilities:", &i->capabilities);
	field(out, "Status:", gt_plugin_status_name(i->status));
	if (i->error) {
		gt_autofree char *code = code_name(i->error_class);

		fprintf(out, "%-14s\n", "Error:");
		fprintf(out, "%15sCode:        %s\n", "", code);
		fprintf(out, "%15sMessage:     %s\n", "", i->error);
	}
	fprintf(out, "\n");
}

static json_t *object(const struct gt_plugin_info *i)
{
	json_t *o = json_pack("{s:o, s:o, s:o, s:s}", "type", ctr_json_text(i->type), "id",
			      ctr_json_text(i->id), "platforms", ctr_json_strings(&i->platforms),
			      "status", gt_plugin_status_name(i->status));

	json_object_set_new(o, "module", ctr_json_text(i->module));
	json_object_set_new(o, "file", ctr_json_text(i->file));
	json_object_set_new(o, "requires", ctr_json_strings(&i->requires));
	json_object_set_new(o, "exports", ctr_json_labels(&i->exports));
	json_object_set_new(o, "capabilities", ctr_json_strings(&i->capabilities));
	json_object_set_new(o, "error", ctr_json_text(i->error));
	return o;
}

static struct gt_error *add(void *arg, const struct gt_plugin_info *i)
{
	struct listing *l = arg;

	if (l->quiet) {
		fprintf(l->c->out, "%s\n", i->id);
	} else if (l->json) {
		json_array_append_new(l->json, object(i));
	} else if (l->detailed) {
		block(l->c->out, i);
	} else {
		ctr_cell(l->table, i->type);
		ctr_cell(l->table, i->id);
		ctr_cell_strings(l->table, &i->platforms);
		ctr_cell(l->table, gt_plugin_status_name(i->status));
	}
	return NULL;
}

static struct gt_error *run_list(struct ctr *c)
{
	struct listing l = {
		.c = c,
		.quiet = ctr_bool(c, "quiet"),
		.detailed = ctr_bool(c, "detailed"),
		.json = ctr_bool(c, "json") ? json_array() : NULL,
	};
	struct gt_services *s;
	struct gt_error *e;

	GT_TRY(ctr_services(c, &s));
	l.table = ctr_table_new(c, columns, 4, 4, 0);
	e = gt_introspection_plugins(s, &c->call, &c->level->args, add, &l);
	if (!e && l.json && !l.quiet)
		ctr_json_print(c->out, json_incref(l.json), 4);
	else if (!e && !l.quiet && !l.detailed)
		ctr_table_print(gt_steal(&l.table), true);
	json_decref(l.json);
	ctr_table_free(l.table);
	return e;
}

static const struct ctr_command list = {
	.name = "list",
	.aliases = "ls",
	.text = "list the plugins, those that do not work among them",
	.args = "[flags] [<filter>, ...]",
	.flags = (const struct ctr_flag *const[]){ list_flags, ctr_json_flag, NULL },
	.run = run_list,
};

const struct ctr_command ctr_plugins = {
	.name = "plugins",
	.aliases = "plugin",
	.text = "what the configuration has loaded",
	.commands = (const struct ctr_command *const[]){ &list, &ctr_inspect_runtime, NULL },
};
