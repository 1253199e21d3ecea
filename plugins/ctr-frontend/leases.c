/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "table.h"

#include <gantry/api-leases.h>

#define LABEL_EXPIRE "containerd.io/gc.expire"

static const struct ctr_column columns[] = {
	{ "ID", "id" }, { "CREATED AT", "createdAt" }, { "LABELS", "labels" }, { 0 },
};

struct listing {
	struct ctr *c;
	struct ctr_table *table;
};

static struct gt_error *add(void *arg, const struct gt_lease *lease)
{
	struct listing *l = arg;

	if (ctr_bool(l->c, "quiet")) {
		fprintf(l->c->out, "%s\n", lease->id);
		return NULL;
	}
	ctr_cell(l->table, lease->id);
	ctr_cell_time(l->table, lease->created_at);
	ctr_cell_labels(l->table, &lease->labels, "-");
	return NULL;
}

static struct gt_error *run_list(struct ctr *c)
{
	struct listing l = { .c = c };
	gt_autoptr(ctr_table) table = NULL;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	l.table = table = ctr_table_new(c, columns, 1, 1, 0);
	GT_TRY(gt_leases_list(s, &c->call, &c->level->args, add, &l));
	if (!ctr_bool(c, "quiet"))
		ctr_table_print(gt_steal(&table), true);
	return NULL;
}

static struct gt_error *run_create(struct ctr *c)
{
	int64_t expires = ctr_duration(c, "expires");
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_lease) made = { 0 };
	struct gt_services *s;

	ctr_labels_parse(&labels, &c->level->args, "");
	if (expires) {
		gt_autofree char *at = NULL;
		struct timespec t;

		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_sec += expires / 1000000000;
		t.tv_nsec = 0;
		at = ctr_time_utc(t);
		gt_labels_set(&labels, LABEL_EXPIRE, at);
	}
	GT_TRY(ctr_services(c, &s));
	GT_TRY(gt_leases_create(s, &c->call, ctr_string(c, "id"), &labels, &made));
	fprintf(c->out, "%s\n", made.id);
	return NULL;
}

static struct gt_error *run_delete(struct ctr *c)
{
	size_t n = ctr_n_args(c);
	struct gt_services *s;

	if (!n)
		return ctr_show_help(c);
	GT_TRY(ctr_services(c, &s));
	for (size_t i = 0; i < n; i++) {
		bool sync = ctr_bool(c, "sync") && i + 1 == n;

		GT_TRY(gt_leases_remove(s, &c->call, ctr_arg(c, i), sync));
		fprintf(c->out, "%s\n", ctr_arg(c, i));
	}
	return NULL;
}

static const struct ctr_flag list_flags[] = {
	{ .name = "quiet", .alias = "q", .type = CTR_BOOL, .text = "print the ids only" },
	{ 0 },
};

static const struct ctr_flag create_flags[] = {
	{ .name = "id", .type = CTR_STRING, .text = "id of the lease; one is made up without" },
	{ .name = "expires",
	  .alias = "x",
	  .type = CTR_DURATION,
	  .value = "24h0m0s",
	  .text = "how long it holds; 0: until it is deleted" },
	{ 0 },
};

static const struct ctr_flag delete_flags[] = {
	{ .name = "sync",
	  .type = CTR_BOOL,
	  .text = "have what only the leases kept removed when the command ends" },
	{ 0 },
};

static const struct ctr_command list = {
	.name = "list",
	.aliases = "ls",
	.text = "list the leases",
	.args = "[flags] [<filter>, ...]",
	.flags = (const struct ctr_flag *const[]){ list_flags, ctr_json_flag, NULL },
	.run = run_list,
};

static const struct ctr_command create = {
	.name = "create",
	.text = "create a lease",
	.args = "[flags] [label=value ...]",
	.flags = (const struct ctr_flag *const[]){ create_flags, NULL },
	.run = run_create,
};

static const struct ctr_command delete_command = {
	.name = "delete",
	.aliases = "del, remove, rm",
	.text = "delete leases",
	.args = "[flags] <lease id> ...",
	.flags = (const struct ctr_flag *const[]){ delete_flags, NULL },
	.run = run_delete,
	.bits = CTR_COLLECTS,
};

const struct ctr_command ctr_leases = {
	.name = "leases",
	.text = "manage leases, which keep things from being collected",
	.commands = (const struct ctr_command *const[]){ &list, &create, &delete_command, NULL },
};
