/* SPDX-License-Identifier: Apache-2.0 */
/* The store as a whole: what takes the space, what keeps a thing, and getting rid of the rest. */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "lookup.h"
#include "table.h"

#include <gantry/api-namespaces.h>
#include <gantry/api-system.h>

#include <client/container.h>

#include <string.h>

static const struct ctr_column df_columns[] = {
	{ "TYPE", "type" },   { "NAMESPACE", "namespace" }, { "OWNER", "owner" },
	{ "COUNT", "count" }, { "SIZE", "size" },	    { 0 },
};

struct listing {
	struct ctr *c;
	struct ctr_table *table;
	bool json;
};

static struct gt_error *add_space(void *arg, const struct gt_space *u)
{
	struct listing *l = arg;

	if (l->json) {
		ctr_cell(l->table, u->type);
		ctr_cell(l->table, u->ns);
		ctr_cell(l->table, u->owner);
	} else {
		ctr_cell(l->table, u->type);
		ctr_cell(l->table, *u->ns ? u->ns : "(all)");
		ctr_cell(l->table, *u->owner ? u->owner : *u->ns ? "(nothing)" : "(on disk)");
	}
	ctr_cell_int(l->table, (int64_t)u->count);
	if (ctr_bool(l->c, "bytes"))
		ctr_cell_int(l->table, u->size);
	else
		ctr_cell_binary(l->table, u->size);
	return NULL;
}

static struct gt_error *run_df(struct ctr *c)
{
	struct listing l = { .c = c, .json = ctr_bool(c, "json") };
	gt_autoptr(ctr_table) table = NULL;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	l.table = table = ctr_table_new(c, df_columns, 4, 2, 0);
	GT_TRY(gt_system_usage(s, &c->call, add_space, &l));
	ctr_table_print(gt_steal(&table), true);
	return NULL;
}

static void print_went(struct ctr *c, const struct gt_collected *went)
{
	static const struct {
		size_t offset;
		const char *one, *many;
	} what[] = {
		{ offsetof(struct gt_collected, images), "image", "images" },
		{ offsetof(struct gt_collected, leases), "lease", "leases" },
		{ offsetof(struct gt_collected, ingests), "ingest", "ingests" },
		{ offsetof(struct gt_collected, blobs), "blob", "blobs" },
		{ offsetof(struct gt_collected, snapshots), "snapshot", "snapshots" },
		{ offsetof(struct gt_collected, orphans), "thing without a record",
		  "things without a record" },
	};
	gt_autofree char *size = ctr_size_binary(went->freed);
	const char *sep = "removed ";

	for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		uint64_t n = *(const uint64_t *)((const char *)went + what[i].offset);

		if (!n)
			continue;
		fprintf(c->out, "%s%llu %s", sep, (unsigned long long)n,
			n == 1 ? what[i].one : what[i].many);
		sep = ", ";
	}
	fprintf(c->out, "%sfreed %s\n", *sep == ',' ? "; " : "", size);
}

static void print_json(struct ctr *c, const struct gt_collected *w)
{
	ctr_json_print(c->out,
		       json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "images",
				 (json_int_t)w->images, "leases", (json_int_t)w->leases, "ingests",
				 (json_int_t)w->ingests, "blobs", (json_int_t)w->blobs, "snapshots",
				 (json_int_t)w->snapshots, "orphans", (json_int_t)w->orphans,
				 "freed", (json_int_t)w->freed, "took", (json_int_t)w->took),
		       4);
}

static struct gt_error *run_collect(struct ctr *c, struct gt_services *s, unsigned bits)
{
	struct gt_collected went;

	GT_TRY(gt_system_collect(s, &c->call, bits | GT_COLLECT_SEARCH | GT_COLLECT_MEASURE,
				 &went));
	if (ctr_bool(c, "json"))
		print_json(c, &went);
	else
		print_went(c, &went);
	return NULL;
}

struct chains {
	struct ctr *c;
	size_t last; /* chain, counted from 1 */
	json_t *json;
};

static void json_step(struct chains *l, const struct gt_kept *k)
{
	json_t *step = json_pack("{s:o, s:o, s:o}", "from", ctr_json_text(k->from), "why",
				 ctr_json_text(k->why), "to", ctr_json_text(k->to));

	if (k->chain + 1 != l->last)
		json_array_append_new(l->json, json_array());
	json_array_append_new(json_array_get(l->json, json_array_size(l->json) - 1), step);
}

/* The root on a line of its own, what follows below it. */
static struct gt_error *add_step(void *arg, const struct gt_kept *k)
{
	struct chains *l = arg;

	if (l->json)
		json_step(l, k);
	else if (!k->to)
		fprintf(l->c->out, "%s is a root: %s\n", k->from, k->why);
	else if (k->chain + 1 != l->last)
		fprintf(l->c->out, "%s\n  %s -> %s\n", k->from, k->why, k->to);
	else
		fprintf(l->c->out, "  %s -> %s\n", k->why, k->to);
	l->last = k->chain + 1;
	return NULL;
}

static struct gt_error *explain_in(struct ctr *c, struct gt_services *s, struct gt_call *call,
				   const char *ref)
{
	struct chains l = { .c = c };
	bool kept = false;
	struct gt_error *e;

	if (ctr_bool(c, "json"))
		l.json = json_array();
	e = gt_system_explain(s, call, ref, add_step, &l, &kept);
	if (e || !l.json) {
		json_decref(l.json);
		GT_TRY(e);
		if (!kept)
			fprintf(c->out, "nothing keeps %s: the next collection removes it\n", ref);
		return NULL;
	}
	ctr_json_print(c->out, l.json, 4);
	return NULL;
}

static struct gt_error *ignore_step(void *arg, const struct gt_kept *k)
{
	(void)arg;
	(void)k;
	return NULL;
}

static struct gt_error *is_there(struct ctr *c, struct gt_services *s, struct gt_call *call,
				 const char *ref)
{
	bool kept;

	(void)c;
	return gt_system_explain(s, call, ref, ignore_step, NULL, &kept);
}

/* Images may be named as people write them. */
static struct gt_error *run_explain(struct ctr *c, struct gt_services *s, const char *ref)
{
	struct gt_error *e = explain_in(c, s, &c->call, ref);
	gt_auto(gt_image) image = { 0 };
	struct gt_error *miss;

	if (gt_error_class(e) != GT_NOT_FOUND)
		return e;
	miss = ctr_find_image(c, s, ref, &image);
	if (!miss) {
		gt_error_free(e);
		return explain_in(c, s, &c->call, image.name);
	}
	gt_error_free(miss);
	return ctr_hint_namespaces(c, s, e, ref, is_there);
}

static struct gt_error *run_gc(struct ctr *c)
{
	const char *ref = ctr_string(c, "explain");
	struct gt_services *s;

	if (ctr_n_args(c))
		return ctr_usage_error("extra arguments: [%s]", ctr_arg(c, 0));
	GT_TRY(ctr_services(c, &s));
	if (ctr_is_set(c, "explain", CTR_STRING))
		return run_explain(c, s, ref);
	return run_collect(c, s, 0);
}

static struct gt_error *add_name(void *arg, const char *name, const struct gt_labels *labels)
{
	(void)labels;
	gt_strv_add(arg, name);
	return NULL;
}

struct leftovers {
	struct gt_strv running; /* ids of tasks that are under way or may be */
	struct gt_strv ended;
};

static void leftovers_done(struct leftovers *l)
{
	gt_strv_done(&l->running);
	gt_strv_done(&l->ended);
}

static struct gt_error *add_task(void *arg, const struct gt_task_state *t)
{
	struct leftovers *l = arg;

	gt_strv_add(t->status == GT_TASK_STOPPED ? &l->ended : &l->running, t->id);
	return NULL;
}

/* Tasks that have ended and whose container is not there any more: nobody can ask for them. */
static struct gt_error *prune_tasks(struct ctr *c, struct gt_services *s, struct gt_call *call,
				    const struct leftovers *l)
{
	for (size_t i = 0; i < l->ended.n; i++) {
		gt_auto(gt_container) container = { 0 };
		struct gt_error *e = gt_containers_get(s, call, l->ended.v[i], &container);
		struct gt_exit exit;

		if (gt_error_class(e) != GT_NOT_FOUND) {
			GT_TRY(e);
			continue;
		}
		gt_error_free(e);
		e = gt_tasks_purge(s, call, l->ended.v[i], &exit);
		if (e)
			ctr_log(c, "warning", e, "task %s in namespace %s", l->ended.v[i],
				call->ns);
		else
			ctr_log(c, "info", NULL, "deleted task: %s", l->ended.v[i]);
		gt_error_free(e);
	}
	return NULL;
}

static struct gt_error *add_container(void *arg, const struct gt_container *container)
{
	gt_strv_add(arg, container->id);
	return NULL;
}

/* Containers without a task that runs. */
static struct gt_error *prune_containers(struct ctr *c, struct gt_services *s, struct gt_call *call,
					 const struct leftovers *l)
{
	gt_auto(gt_strv) ids = { 0 };

	GT_TRY(gt_containers_list(s, call, NULL, add_container, &ids));
	for (size_t i = 0; i < ids.n; i++) {
		struct gt_error *e;

		if (gt_strv_has(&l->running, ids.v[i]))
			continue;
		e = gt_container_delete(s, call, ids.v[i], false);
		if (e)
			ctr_log(c, "warning", e, "container %s in namespace %s", ids.v[i],
				call->ns);
		else
			ctr_log(c, "info", NULL, "deleted container: %s", ids.v[i]);
		gt_error_free(e);
	}
	return NULL;
}

static struct gt_error *add_image(void *arg, const struct gt_image *i)
{
	gt_strv_add(arg, i->name);
	return NULL;
}

static struct gt_error *add_image_used(void *arg, const struct gt_container *container)
{
	gt_strv_add(arg, container->image);
	return NULL;
}

/* Images of which no container was made. */
static struct gt_error *prune_images(struct ctr *c, struct gt_services *s, struct gt_call *call)
{
	gt_auto(gt_strv) images = { 0 };
	gt_auto(gt_strv) used = { 0 };

	GT_TRY(gt_images_list(s, call, NULL, add_image, &images));
	GT_TRY(gt_containers_list(s, call, NULL, add_image_used, &used));
	for (size_t i = 0; i < images.n; i++) {
		if (gt_strv_has(&used, images.v[i]))
			continue;
		GT_TRY(gt_error_unless(gt_images_remove(s, call, images.v[i], false),
				       GT_NOT_FOUND));
		ctr_log(c, "info", NULL, "deleted image: %s", images.v[i]);
	}
	return NULL;
}

static struct gt_error *prune_namespace(struct ctr *c, struct gt_services *s, const char *name)
{
	gt_auto(leftovers) l = { 0 };
	struct gt_call call = c->call;

	call.ns = name;
	GT_TRY(gt_tasks_list(s, &call, add_task, &l));
	GT_TRY(prune_tasks(c, s, &call, &l));
	if (ctr_bool(c, "containers"))
		GT_TRY(prune_containers(c, s, &call, &l));
	if (ctr_bool(c, "images"))
		GT_TRY(prune_images(c, s, &call));
	return NULL;
}

static struct gt_error *run_prune(struct ctr *c)
{
	gt_auto(gt_strv) names = { 0 };
	struct gt_services *s;

	if (ctr_n_args(c))
		return ctr_usage_error("extra arguments: [%s]", ctr_arg(c, 0));
	GT_TRY(ctr_services(c, &s));
	GT_TRY(gt_namespaces_list(s, &c->call, add_name, &names));
	for (size_t i = 0; i < names.n; i++)
		GT_TRY(gt_error_wrap(prune_namespace(c, s, names.v[i]), "namespace %s",
				     names.v[i]));
	return run_collect(c, s, GT_COLLECT_HURRY);
}

static const struct ctr_flag df_flags[] = {
	{ .name = "bytes", .alias = "b", .type = CTR_BOOL, .text = "print sizes in bytes" },
	{ 0 },
};

static const struct ctr_flag gc_flags[] = {
	{ .name = "explain",
	  .type = CTR_STRING,
	  .text = "remove nothing; print the chain of references that keeps `REF`: an image, a "
		  "digest, a snapshot, an ingest, a lease or a container" },
	{ 0 },
};

static const struct ctr_flag prune_flags[] = {
	{ .name = "containers",
	  .type = CTR_BOOL,
	  .text = "delete containers without a running task, too, with their snapshots" },
	{ .name = "images",
	  .type = CTR_BOOL,
	  .text = "delete images that no container was made of, too" },
	{ 0 },
};

static const struct ctr_flag json_flag[] = {
	{ .name = "json", .type = CTR_BOOL, .text = "print JSON" },
	{ 0 },
};

static const struct ctr_command df = {
	.name = "df",
	.text = "show what takes space, by type, namespace and owner",
	.args = "[flags]",
	.more = "OWNER is what keeps it: an image, a container, a lease; \"several\" where more than one\n"
		"does. Content that several namespaces have counts in each, and once in the sums.",
	.flags = (const struct ctr_flag *const[]){ df_flags, ctr_json_flag, NULL },
	.run = run_df,
};

static const struct ctr_command gc = {
	.name = "gc",
	.text = "collect garbage now, or say why something is none",
	.args = "[flags]",
	.flags = (const struct ctr_flag *const[]){ gc_flags, json_flag, NULL },
	.run = run_gc,
};

static const struct ctr_command prune = {
	.name = "prune",
	.text = "remove what nothing needs, in all namespaces",
	.args = "[flags]",
	.more = "Also what killed commands left: their leases, ingests that nobody writes, blobs and\n"
		"snapshots without a record, and tasks that ended and have no container.",
	.flags = (const struct ctr_flag *const[]){ prune_flags, json_flag, NULL },
	.run = run_prune,
};

const struct ctr_command ctr_system = {
	.name = "system",
	.text = "look at and clean up the store",
	.commands = (const struct ctr_command *const[]){ &df, &gc, &prune, NULL },
};
