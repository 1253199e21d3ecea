/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "table.h"

#include <gantry/api-controllers.h>
#include <gantry/api-sandboxes.h>
#include <gantry/file.h>
#include <gantry/log.h>

#include <client/defaults.h>
#include <oci/json.h>
#include <oci/spec.h>

#include <fcntl.h>
#include <string.h>

#define FORCED_STOP INT64_C(3000000000) /* ns that a sandbox has which goes in any case */
#define SPEC_TYPE "types.containerd.io/opencontainers/runtime-spec/1/Spec"

static const struct ctr_column columns[] = {
	{ "ID", "id" }, { "CREATED", "created" }, { "RUNTIME", "runtime" }, { 0 },
};

static struct gt_error *add(void *arg, const struct gt_sandbox *b)
{
	struct ctr_table *t = arg;
	gt_autofree char *created = ctr_time_go(b->created_at);

	ctr_cell(t, b->id);
	ctr_cell(t, created);
	ctr_cell(t, b->runtime);
	return NULL;
}

static struct gt_error *run_list(struct ctr *c)
{
	gt_autoptr(ctr_table) t = NULL;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	t = ctr_table_new(c, columns, 1, 8, 0);
	GT_TRY(gt_sandboxes_list(s, &c->call, ctr_list(c, "filters"), add, t));
	ctr_table_print(gt_steal(&t), true);
	return NULL;
}

static struct gt_error *read_spec(const char *path, struct gt_any *out)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	json_t *doc;

	GT_TRY(gt_file_read(AT_FDCWD, path, GT_SPEC_MAX, &text));
	GT_TRY(gt_json_parse(path, text.s, text.len, GT_SPEC_MAX, GT_DOCUMENT_DEPTH, &doc));
	json_decref(doc);
	gt_any_set(out, SPEC_TYPE, text.s, text.len);
	return NULL;
}

/* Where no controller is active a sandbox is its record: shims are shared by it all the same. */
static struct gt_error *unless_no_controller(struct gt_error *e)
{
	return gt_error_unless(gt_error_unless(e, GT_NOT_FOUND), GT_UNIMPLEMENTED);
}

static struct gt_error *begin(struct ctr *c, struct gt_services *s, const struct gt_sandbox *b)
{
	const struct gt_sandbox_create req = { .size = sizeof(req), .id = b->id, .sandbox = b };
	struct gt_sandbox_instance instance = { 0 };
	struct gt_call cleanup = c->call;
	struct gt_error *e = gt_controllers_create(s, &c->call, NULL, &req);

	if (gt_error_class(e) == GT_NOT_FOUND || gt_error_class(e) == GT_UNIMPLEMENTED) {
		gt_error_free(e);
		return NULL;
	}
	if (!e) {
		e = gt_controllers_start(s, &c->call, NULL, b->id, &instance);
		gt_sandbox_instance_done(&instance);
	}
	if (!e)
		return NULL;
	cleanup.cancel = NULL;
	cleanup.deadline = 0;
	gt_log_warn_take(unless_no_controller(gt_controllers_shutdown(s, &cleanup, NULL, b->id)),
			 "clear sandbox %s away", b->id);
	gt_log_warn_take(gt_sandboxes_remove(s, &cleanup, b->id), "remove sandbox %s", b->id);
	return gt_error_wrap(e, "start sandbox %s", b->id);
}

static struct gt_error *run_create(struct ctr *c)
{
	gt_auto(gt_sandbox) b = { 0 };
	gt_auto(gt_sandbox) made = { 0 };
	struct gt_services *s;

	if (ctr_n_args(c) != 2)
		return ctr_show_help(c);
	b.id = gt_xstrdup(ctr_arg(c, 1));
	b.sandboxer = gt_xstrdup("");
	GT_TRY(read_spec(ctr_arg(c, 0), &b.spec));
	GT_TRY(ctr_services(c, &s));
	GT_TRY(gt_default_runtime(s, &c->call,
				  *ctr_string(c, "runtime") ? ctr_string(c, "runtime") : NULL,
				  &b.runtime));
	GT_TRY(gt_sandboxes_create(s, &c->call, &b, &made));
	GT_TRY(begin(c, s, &made));
	fprintf(c->out, "%s\n", made.id);
	return NULL;
}

/* With 'force' also what does not stop goes, as far as its controller can take it away. */
static struct gt_error *end(struct ctr *c, struct gt_services *s, const char *id, bool force)
{
	struct gt_call soon = c->call;
	struct gt_error *e;

	if (force && (!soon.deadline || soon.deadline > gt_now() + FORCED_STOP))
		soon.deadline = gt_now() + FORCED_STOP;
	e = unless_no_controller(gt_controllers_stop(s, &soon, NULL, id, 0));
	if (!e || force)
		e = gt_error_first(unless_no_controller(
					   gt_controllers_shutdown(s, &c->call, NULL, id)),
				   e);
	if (e && force) {
		ctr_log(c, "warning", e, "failed to stop sandbox %s", id);
		gt_error_free(gt_steal(&e));
	}
	GT_TRY(e);
	return gt_sandboxes_remove(s, &c->call, id);
}

/* As containerd's: what went wrong is logged, and the command ends well. */
static struct gt_error *run_remove(struct ctr *c)
{
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	for (size_t i = 0; i < ctr_n_args(c); i++) {
		gt_autoptr(gt_error) e = end(c, s, ctr_arg(c, i), ctr_bool(c, "force"));

		if (e)
			ctr_log(c, "error", e, "failed to delete sandbox %s", ctr_arg(c, i));
		else
			ctr_log(c, "info", NULL, "deleted: %s", ctr_arg(c, i));
	}
	return NULL;
}

static json_t *any_json(const struct gt_any *a)
{
	gt_autofree char *value = ctr_base64(a->data, a->len);

	return a->type_url ? json_pack("{s:o, s:s}", "type_url", ctr_json_text(a->type_url), "value",
				       value) :
			     json_null();
}

static struct gt_error *run_info(struct ctr *c)
{
	gt_auto(gt_sandbox) b = { 0 };
	gt_autofree char *created = NULL, *updated = NULL;
	struct gt_services *s;
	json_t *o, *spec = NULL;

	if (!*ctr_arg(c, 0))
		return ctr_usage_error("sandbox id must be provided");
	GT_TRY(ctr_services(c, &s));
	GT_TRY(gt_sandboxes_get(s, &c->call, ctr_arg(c, 0), &b));
	if (b.spec.len)
		GT_TRY(gt_json_parse("spec", b.spec.data, b.spec.len, GT_SPEC_MAX,
				     GT_DOCUMENT_DEPTH, &spec));
	created = ctr_time_utc(b.created_at);
	updated = ctr_time_utc(b.updated_at);
	o = json_pack("{s:o, s:o, s:{s:o, s:o}, s:o, s:o, s:s, s:s}", "ID", ctr_json_text(b.id),
		      "Labels", b.labels.n ? ctr_json_labels(&b.labels) : json_null(), "Runtime",
		      "Name", ctr_json_text(b.runtime), "Options", any_json(&b.runtime_options),
		      "Spec", spec ? spec : json_null(), "Sandboxer", ctr_json_text(b.sandboxer),
		      "CreatedAt", created, "UpdatedAt", updated);
	ctr_json_print(c->out, o, 4);
	return NULL;
}

static const struct ctr_flag create_flags[] = {
	{ .name = "runtime", .type = CTR_STRING, .text = "name of the runtime" },
	{ 0 },
};

static const struct ctr_flag list_flags[] = {
	{ .name = "filters", .type = CTR_LIST, .text = "show only what matches one of them" },
	{ 0 },
};

static const struct ctr_flag remove_flags[] = {
	{ .name = "force", .alias = "f", .type = CTR_BOOL, .text = "also one that does not stop" },
	{ 0 },
};

static const struct ctr_command create = {
	.name = "run",
	.aliases = "create, c, r",
	.text = "make a sandbox",
	.args = "[flags] <pod-config.json> <sandbox-id>",
	.more = "Makes what containers belong to (--sandbox): those of one sandbox share a shim. Where a\n"
		"sandbox controller is active, it is started.",
	.flags = (const struct ctr_flag *const[]){ create_flags, NULL },
	.run = run_create,
};

static const struct ctr_command list = {
	.name = "list",
	.aliases = "ls",
	.text = "list the sandboxes",
	.args = "[flags]",
	.flags = (const struct ctr_flag *const[]){ list_flags, ctr_json_flag, NULL },
	.run = run_list,
};

static const struct ctr_command remove_command = {
	.name = "remove",
	.aliases = "rm",
	.text = "delete sandboxes",
	.args = "[flags] <id> [<id>, ...]",
	.flags = (const struct ctr_flag *const[]){ remove_flags, NULL },
	.run = run_remove,
};

static const struct ctr_command info = {
	.name = "info",
	.aliases = "i",
	.text = "print a sandbox's record as JSON",
	.args = "<id>",
	.run = run_info,
};

const struct ctr_command ctr_sandboxes = {
	.name = "sandboxes",
	.aliases = "sandbox, sb, s",
	.text = "manage sandboxes: what several containers share",
	.commands = (const struct ctr_command *const[]){ &create, &list, &remove_command, &info,
							 NULL },
};
