/* SPDX-License-Identifier: Apache-2.0 */
/* `deprecations` and `plugins inspect-runtime`. */
#include <config.h>

#include "commands.h"
#include "message.h"
#include "table.h"

#include <gantry/api-introspection.h>
#include <wire/values.h>

#include <containerd.types.pb-c.h>

#include <string.h>

/* There is none: nothing that this version takes will go with the next. */
static struct gt_error *run_deprecations(struct ctr *c)
{
	const char *format = ctr_string(c, "format");

	if (ctr_bool(c, "json") || !strcmp(format, "json"))
		ctr_json_print(c->out, json_array(), 4);
	else if (strcmp(format, "default"))
		return ctr_usage_error("unknown format: %s", format);
	return NULL;
}

static const struct ctr_flag deprecation_flags[] = {
	{ .name = "format",
	  .type = CTR_STRING,
	  .value = "default",
	  .text = "\"default\" or \"json\"" },
	{ 0 },
};

static const struct ctr_command deprecations_list = {
	.name = "list",
	.text = "list what is used and will go; nothing, if there is none",
	.flags = (const struct ctr_flag *const[]){ deprecation_flags, ctr_json_flag, NULL },
	.run = run_deprecations,
};

const struct ctr_command ctr_deprecations = {
	.name = "deprecations",
	.text = "what is used and will go",
	.commands = (const struct ctr_command *const[]){ &deprecations_list, NULL },
};

/* The features are JSON by themselves. */
static json_t *info_json(const Containerd__Types__RuntimeInfo *info)
{
	json_t *o = ctr_message_json(&info->base);
	json_t *features = info->features ? json_loadb((const char *)info->features->value.data,
						       info->features->value.len, 0, NULL) :
					    NULL;

	if (features)
		json_object_set_new(o, "features", features);
	return o;
}

static struct gt_error *run_inspect(struct ctr *c)
{
	const char *runtime = ctr_string(c, "runtime");
	Containerd__Types__RuntimeRequest q = CONTAINERD__TYPES__RUNTIME_REQUEST__INIT;
	gt_auto(gt_any) question = { 0 }, answer = { 0 };
	Containerd__Types__RuntimeInfo *info;
	struct gt_services *s;

	q.runtime_path = (char *)runtime;
	gt_wire_any_pack(&q.base, &question);
	GT_TRY(ctr_services(c, &s));
	GT_TRY(gt_introspection_extra(s, &c->call, GT_RUNTIMES_TYPE, GT_RUNTIMES_ID, &question, &answer));
	info = containerd__types__runtime_info__unpack(NULL, answer.len, answer.data);
	if (!info)
		return gt_error_new(GT_DATA_LOSS, "what is told of %s is no RuntimeInfo", runtime);
	ctr_json_print(c->out, info_json(info), 4);
	containerd__types__runtime_info__free_unpacked(info, NULL);
	return NULL;
}

static const struct ctr_flag inspect_flags[] = {
	{ .name = "runtime",
	  .type = CTR_STRING,
	  .value = "io.containerd.runc.v2",
	  .text = "name of the runtime, or the path of its shim" },
	{ 0 },
};

const struct ctr_command ctr_inspect_runtime = {
	.name = "inspect-runtime",
	.text = "print what a runtime says of itself, as JSON",
	.args = "[flags]",
	.flags = (const struct ctr_flag *const[]){ inspect_flags, NULL },
	.run = run_inspect,
};
