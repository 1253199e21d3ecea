/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "namespaces.h"
#include "table.h"

#include <gantry/api-namespaces.h>

static struct gt_error *need_name(const struct ctr *c)
{
	if (!*ctr_arg(c, 0))
		return ctr_usage_error("please specify a namespace");
	return NULL;
}

static struct gt_error *run_create(struct ctr *c)
{
	const struct gt_strv rest = ctr_args_from(c, 1);
	gt_auto(gt_labels) labels = { 0 };
	struct gt_services *s;

	GT_TRY(need_name(c));
	ctr_labels_parse(&labels, &rest, "true");
	GT_TRY(ctr_services(c, &s));
	return gt_namespaces_create(s, &c->call, ctr_arg(c, 0), &labels);
}

static struct gt_error *run_label(struct ctr *c)
{
	const struct gt_strv rest = ctr_args_from(c, 1);
	gt_auto(gt_labels) labels = { 0 };
	struct gt_services *s;

	GT_TRY(need_name(c));
	ctr_labels_parse(&labels, &rest, "true");
	GT_TRY(ctr_services(c, &s));
	return gt_namespaces_update(s, &c->call, ctr_arg(c, 0), &labels, false);
}

struct listing {
	struct ctr *c;
	struct ctr_table *table;
};

static struct gt_error *add(void *arg, const char *name, const struct gt_labels *labels)
{
	struct listing *l = arg;

	if (ctr_bool(l->c, "quiet")) {
		fprintf(l->c->out, "%s\n", name);
		return NULL;
	}
	ctr_cell(l->table, name);
	ctr_cell_labels(l->table, labels, "");
	return NULL;
}

static const struct ctr_column columns[] = { { "NAME", "name" }, { "LABELS", "labels" }, { 0 } };

static struct gt_error *run_list(struct ctr *c)
{
	struct listing l = { .c = c };
	gt_autoptr(ctr_table) table = NULL;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	l.table = table = ctr_table_new(c, columns, 1, 1, 0);
	GT_TRY(gt_namespaces_list(s, &c->call, add, &l));
	if (!ctr_bool(c, "quiet"))
		ctr_table_print(gt_steal(&table), true);
	return NULL;
}

static struct gt_error *run_remove(struct ctr *c)
{
	struct gt_error *kept = NULL;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	for (size_t i = 0; i < ctr_n_args(c); i++) {
		const char *name = ctr_arg(c, i);
		/* one that is not there counts as removed */
		struct gt_error *e =
			gt_error_unless(gt_namespaces_remove(s, &c->call, name), GT_NOT_FOUND);

		/* Only of what may be a namespace's name: that leads nowhere else. */
		if (!e && ctr_bool(c, "cgroup"))
			e = gt_identifier_check("namespace", name);
		if (!e && ctr_bool(c, "cgroup"))
			e = ctr_cgroup_remove(name);
		if (!ctr_keep_error(c, &kept, e, "unable to delete %s", name))
			fprintf(c->out, "%s\n", name);
	}
	return kept;
}

static const struct ctr_flag list_flags[] = {
	{ .name = "quiet", .alias = "q", .type = CTR_BOOL, .text = "print the names only" },
	{ 0 },
};

static const struct ctr_flag remove_flags[] = {
	{ .name = "cgroup",
	  .alias = "c",
	  .type = CTR_BOOL,
	  .text = "also delete the namespace's control group" },
	{ 0 },
};

static const struct ctr_command create = {
	.name = "create",
	.aliases = "c",
	.text = "create a namespace",
	.args = "<name> [<key>=<value>]",
	.run = run_create,
};

static const struct ctr_command list = {
	.name = "list",
	.aliases = "ls",
	.text = "list the namespaces",
	.args = "[flags]",
	.flags = (const struct ctr_flag *const[]){ list_flags, ctr_json_flag, NULL },
	.run = run_list,
};

static const struct ctr_command remove_command = {
	.name = "remove",
	.aliases = "rm",
	.text = "remove namespaces, which must be empty",
	.args = "[flags] <name> [<name>, ...]",
	.flags = (const struct ctr_flag *const[]){ remove_flags, NULL },
	.run = run_remove,
};

static const struct ctr_command label = {
	.name = "label",
	.text = "set labels of a namespace; an empty value clears one",
	.args = "<name> [<key>=<value>, ...]",
	.run = run_label,
};

const struct ctr_command ctr_namespaces = {
	.name = "namespaces",
	.aliases = "namespace, ns",
	.text = "manage namespaces",
	.commands = (const struct ctr_command *const[]){ &create, &list, &remove_command, &label,
							 NULL },
};
