/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "spec.h"

#include <gantry/file.h>

#include <jansson.h>
#include <string.h>

#define FILE_MAX (16 * 1024 * 1024)

/* The first that is present wins. */
static const char *const group_keys[] = {
	"io.containerd.runc.v2.group",
	"io.kubernetes.cri.sandbox-id",
};

static bool has_private_pids(const json_t *linux_part)
{
	const json_t *namespaces = json_object_get(linux_part, "namespaces");

	for (size_t i = 0; i < json_array_size(namespaces); i++) {
		const json_t *ns = json_array_get(namespaces, i);
		const char *type = json_string_value(json_object_get(ns, "type"));
		const char *path = json_string_value(json_object_get(ns, "path"));

		if (type && !strcmp(type, "pid") && (!path || !*path))
			return true;
	}
	return false;
}

struct gt_error *spec_read(int bundle, struct spec *out)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	const json_t *annotations, *linux_part;
	const char *path;
	json_error_t err;
	json_t *j;

	GT_TRY(gt_file_read(bundle, "config.json", FILE_MAX, &text));
	j = json_loadb(text.s, text.len, 0, &err);
	if (!json_is_object(j)) {
		json_decref(j);
		return gt_error_new(GT_INVALID_ARGUMENT, "config.json is no JSON object: line %d: %s",
				    err.line, j ? "another type" : err.text);
	}
	*out = (struct spec){ 0 };
	annotations = json_object_get(j, "annotations");
	for (size_t i = 0; i < sizeof(group_keys) / sizeof(*group_keys) && !out->group; i++)
		out->group = gt_xstrdup(
			json_string_value(json_object_get(annotations, group_keys[i])));
	linux_part = json_object_get(j, "linux");
	out->private_pids = has_private_pids(linux_part);
	path = json_string_value(json_object_get(linux_part, "cgroupsPath"));
	out->cgroups_path = gt_xstrdup(path);
	json_decref(j);
	return NULL;
}

void spec_done(struct spec *s)
{
	free(s->group);
	free(s->cgroups_path);
	*s = (struct spec){ 0 };
}

struct gt_error *spec_process(const void *data, size_t len, bool terminal, struct gt_buf *out)
{
	gt_autofree char *text = NULL;
	json_error_t err;
	json_t *j = json_loadb(data, len, 0, &err);

	if (!json_is_object(j)) {
		json_decref(j);
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "process document is no JSON object: line %d: %s", err.line,
				    j ? "another type" : err.text);
	}
	json_object_set_new(j, "terminal", json_boolean(terminal));
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	gt_buf_adds(out, text);
	return NULL;
}
