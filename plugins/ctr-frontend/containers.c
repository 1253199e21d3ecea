/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "checkpoint.h"
#include "commands.h"
#include "create.h"
#include "format.h"
#include "lookup.h"
#include "network.h"
#include "table.h"

#include <gantry/api-tasks.h>
#include <gantry/buf.h>

#include <client/container.h>
#include <client/task.h>
#include <oci/json.h>

#include <string.h>

static const struct ctr_column columns[] = {
	{ "CONTAINER", "container" }, { "IMAGE", "image" }, { "RUNTIME", "runtime" }, { 0 },
};

struct listing {
	struct ctr *c;
	struct ctr_table *table;
};

static struct gt_error *add(void *arg, const struct gt_container *i)
{
	struct listing *l = arg;

	if (ctr_bool(l->c, "quiet")) {
		fprintf(l->c->out, "%s\n", i->id);
		return NULL;
	}
	ctr_cell(l->table, i->id);
	ctr_cell_or_dash(l->table, i->image);
	ctr_cell(l->table, i->runtime);
	return NULL;
}

static struct gt_error *run_list(struct ctr *c)
{
	struct listing l = { .c = c };
	gt_autoptr(ctr_table) table = NULL;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	l.table = table = ctr_table_new(c, columns, 4, 4, 0);
	GT_TRY(gt_containers_list(s, &c->call, &c->level->args, add, &l));
	if (!ctr_bool(c, "quiet"))
		ctr_table_print(gt_steal(&table), true);
	return NULL;
}

static json_t *any_json(const struct gt_any *a)
{
	gt_autofree char *value = NULL;
	json_t *o;

	if (!a->type_url)
		return json_null();
	o = json_object();
	json_object_set_new(o, "type_url", ctr_json_text(a->type_url));
	if (a->len) {
		value = ctr_base64(a->data, a->len);
		json_object_set_new(o, "value", json_string(value));
	}
	return o;
}

static struct gt_error *spec_json(const struct gt_container *i, json_t **out)
{
	if (!i->spec.len) {
		*out = json_null();
		return NULL;
	}
	return gt_json_parse("spec", i->spec.data, i->spec.len, GT_SPEC_MAX, GT_DOCUMENT_DEPTH, out);
}

/* The record as containerd's Go struct becomes JSON: names, order, null for what is not there. */
static json_t *record_json(const struct gt_container *i, json_t *spec)
{
	gt_autofree char *created = ctr_time_utc(i->created_at);
	gt_autofree char *updated = ctr_time_utc(i->updated_at);
	json_t *o = json_object(), *extensions = json_null();

	if (i->n_extensions)
		extensions = json_object();
	for (size_t k = 0; k < i->n_extensions; k++)
		json_object_set_new(extensions, i->extensions[k].name,
				    any_json(&i->extensions[k].value));
	json_object_set_new(o, "ID", ctr_json_text(i->id));
	json_object_set_new(o, "Labels", i->labels.n ? ctr_json_labels(&i->labels) : json_null());
	json_object_set_new(o, "Image", ctr_json_text(i->image));
	json_object_set_new(o, "Runtime",
			    json_pack("{s:o, s:o}", "Name", ctr_json_text(i->runtime), "Options",
				      any_json(&i->runtime_options)));
	json_object_set_new(o, "SnapshotKey", ctr_json_text(i->snapshot_key));
	json_object_set_new(o, "Snapshotter", ctr_json_text(i->snapshotter));
	json_object_set_new(o, "CreatedAt", json_string(created));
	json_object_set_new(o, "UpdatedAt", json_string(updated));
	json_object_set_new(o, "Extensions", extensions);
	json_object_set_new(o, "SandboxID", ctr_json_text(i->sandbox));
	json_object_set_new(o, "Spec", spec);
	return o;
}

static struct gt_error *run_info(struct ctr *c)
{
	gt_auto(gt_container) record = { 0 };
	struct gt_services *s;
	json_t *spec = NULL;

	if (!*ctr_arg(c, 0))
		return gt_error_new(GT_INVALID_ARGUMENT, "container id must be provided");
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_container(c, s, ctr_arg(c, 0), &record));
	GT_TRY(spec_json(&record, &spec));
	ctr_json_print(c->out, ctr_bool(c, "spec") ? spec : record_json(&record, spec), 4);
	return NULL;
}

static struct gt_error *container_exists(struct ctr *c, struct gt_services *s,
					 struct gt_call *call, const char *id)
{
	gt_auto(gt_container) record = { 0 };

	(void)c;
	return gt_containers_get(s, call, id, &record);
}

/* While the record is there: who cannot delete all of it shall be able to come back. */
static struct gt_error *take_down(struct ctr *c, struct gt_services *s, const char *id)
{
	gt_auto(gt_task_state) task = { 0 };
	struct gt_error *e;
	bool over;

	if (!ctr_network_is_up(c, id))
		return NULL;
	if (ctr_bool(c, "force"))
		return ctr_network_down(c, id, true);
	e = gt_tasks_get(s, &c->call, id, "", &task);
	over = gt_error_class(e) == GT_NOT_FOUND || task.status == GT_TASK_STOPPED ||
	       task.status == GT_TASK_CREATED;
	gt_error_free(e);
	return over ? ctr_network_down(c, id, false) : NULL;
}

static struct gt_error *delete_one(struct ctr *c, struct gt_services *s, const char *id)
{
	bool keep = ctr_bool(c, "keep-snapshot");

	GT_TRY(take_down(c, s, id));
	return (ctr_bool(c, "force") ? gt_container_delete_forced : gt_container_delete)(s, &c->call,
											   id, keep);
}

static struct gt_error *run_delete(struct ctr *c)
{
	struct gt_error *kept = NULL;
	struct gt_services *s;

	if (!ctr_n_args(c))
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "must specify at least one container to delete");
	GT_TRY(ctr_services(c, &s));
	for (size_t i = 0; i < ctr_n_args(c); i++) {
		const char *id = ctr_arg(c, i);
		struct gt_error *e = delete_one(c, s, id);

		e = ctr_hint_namespaces(c, s, e, id, container_exists);
		/* containerd's is no error of a class */
		if (gt_error_class(e) == GT_FAILED_PRECONDITION)
			e = gt_error_reclass(e, GT_UNKNOWN);
		ctr_keep_error(c, &kept, e, "failed to delete container \"%s\"", id);
	}
	if (ctr_bool(c, "force")) {
		gt_autofree char *fifo_dir = gt_strf("%s/fifo", c->init->base_state);

		gt_task_sweep_stdio(fifo_dir);
	}
	return kept;
}

static struct gt_error *run_label(struct ctr *c)
{
	const struct gt_strv rest = ctr_args_from(c, 1);
	gt_auto(gt_container) record = { 0 };
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_strv) mask = { 0 };
	gt_autofree char *line = NULL;
	struct gt_services *s;

	if (!*ctr_arg(c, 0))
		return gt_error_new(GT_INVALID_ARGUMENT, "container id must be provided");
	ctr_labels_parse(&labels, &rest, "true");
	for (size_t i = 0; i < labels.n; i++)
		gt_strv_addf(&mask, "labels.%s", labels.v[i].key);
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_container(c, s, ctr_arg(c, 0), &record));
	if (mask.n) {
		struct gt_container changed = record;
		gt_auto(gt_container) now = { 0 };

		changed.labels = labels;
		GT_TRY(gt_containers_update(s, &c->call, &changed, &mask, &now));
		line = ctr_labels(&now.labels, "");
	} else {
		line = ctr_labels(&record.labels, "");
	}
	fprintf(c->out, "%s\n", line);
	return NULL;
}

static struct gt_error *run_create(struct ctr *c)
{
	gt_auto(ctr_creation) creation = { 0 };
	struct gt_services *s;

	GT_TRY(ctr_creation_arguments(c, GT_INVALID_ARGUMENT));
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_creation_read(c, s, &creation));
	return gt_container_new(s, &c->call, &creation.options, NULL);
}

static const struct ctr_flag list_flags[] = {
	{ .name = "quiet", .alias = "q", .type = CTR_BOOL, .text = "print the ids only" },
	{ 0 },
};

static const struct ctr_flag info_flags[] = {
	{ .name = "spec", .type = CTR_BOOL, .text = "print the runtime document alone" },
	{ 0 },
};

static const struct ctr_flag delete_flags[] = {
	{ .name = "keep-snapshot", .type = CTR_BOOL, .text = "leave the container's snapshot" },
	{ .name = "force",
	  .alias = "f",
	  .type = CTR_BOOL,
	  .text = "end the task first, whatever state it or its shim is in" },
	{ 0 },
};

static const struct ctr_command create = {
	.name = "create",
	.text = "create a container",
	.args = "[flags] Image|RootFS CONTAINER [COMMAND] [ARG...]",
	.flags = (const struct ctr_flag *const[]){ ctr_snapshotter_flag, ctr_snapshot_label_flag,
						   ctr_container_flags, NULL },
	.run = run_create,
	.bits = CTR_FLAGS_FIRST,
};

static const struct ctr_command delete_command = {
	.name = "delete",
	.aliases = "del, remove, rm",
	.text = "delete containers that do not run",
	.args = "[flags] CONTAINER [CONTAINER, ...]",
	.flags = (const struct ctr_flag *const[]){ delete_flags, NULL },
	.run = run_delete,
	.bits = CTR_COLLECTS,
};

static const struct ctr_command info = {
	.name = "info",
	.text = "print a container's record as JSON",
	.args = "CONTAINER",
	.flags = (const struct ctr_flag *const[]){ info_flags, NULL },
	.run = run_info,
};

static const struct ctr_command list = {
	.name = "list",
	.aliases = "ls",
	.text = "list the containers",
	.args = "[flags] [<filter>, ...]",
	.flags = (const struct ctr_flag *const[]){ list_flags, ctr_json_flag, NULL },
	.run = run_list,
};

static const struct ctr_command label = {
	.name = "label",
	.text = "set labels of a container; an empty value clears one",
	.args = "[flags] CONTAINER [<key>=<value>, ...]",
	.run = run_label,
};

const struct ctr_command ctr_containers = {
	.name = "containers",
	.aliases = "c, container",
	.text = "manage containers",
	.commands = (const struct ctr_command *const[]){ &create, &ctr_container_checkpoint,
							 &ctr_container_restore, &delete_command, &info, &list,
							 &label, NULL },
};
