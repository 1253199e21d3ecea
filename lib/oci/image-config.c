/* SPDX-License-Identifier: Apache-2.0 */
/* An image's configuration, and the small files of image archives. */
#include <config.h>

#include <oci/document.h>

#include <gantry/content.h>

#include <oci/json.h>

#include <string.h>

static struct gt_error *rootfs_parse(const char *what, const json_t *doc, struct gt_strv *out)
{
	gt_autofree char *type = NULL;
	json_t *rootfs = NULL;

	GT_TRY(gt_json_object(what, doc, "rootfs", &rootfs));
	if (!rootfs)
		return NULL;
	GT_TRY(gt_json_string(what, rootfs, "type", &type));
	if (type && strcmp(type, "layers"))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: rootfs is not made of layers", what);
	GT_TRY(gt_json_strings(what, rootfs, "diff_ids", GT_DOCUMENT_ITEMS, out));
	for (size_t i = 0; i < out->n; i++)
		GT_TRY(gt_error_wrap(gt_digest_check(out->v[i]), "%s: diff_ids[%zu]", what, i));
	return NULL;
}

static struct gt_error *process_parse(const char *what, const json_t *doc,
				      struct gt_image_config *c)
{
	json_t *j = NULL;

	GT_TRY(gt_json_object(what, doc, "config", &j));
	if (!j)
		return NULL;
	GT_TRY(gt_json_string(what, j, "User", &c->user));
	GT_TRY(gt_json_string(what, j, "WorkingDir", &c->working_dir));
	GT_TRY(gt_json_string(what, j, "StopSignal", &c->stop_signal));
	GT_TRY(gt_json_strings(what, j, "Env", GT_DOCUMENT_ITEMS, &c->env));
	GT_TRY(gt_json_strings(what, j, "Entrypoint", GT_DOCUMENT_ITEMS, &c->entrypoint));
	GT_TRY(gt_json_strings(what, j, "Cmd", GT_DOCUMENT_ITEMS, &c->cmd));
	GT_TRY(gt_json_labels(what, j, "Labels", GT_DOCUMENT_ITEMS, &c->labels));
	GT_TRY(gt_json_keys(what, j, "Volumes", GT_DOCUMENT_ITEMS, &c->volumes));
	GT_TRY(gt_json_keys(what, j, "ExposedPorts", GT_DOCUMENT_ITEMS, &c->exposed_ports));
	return gt_json_bool(what, j, "ArgsEscaped", &c->args_escaped);
}

static void default_string(char **s)
{
	if (!*s)
		*s = gt_xstrdup("");
}

struct gt_error *gt_image_config_parse(const void *data, size_t len, struct gt_image_config *out)
{
	static const char what[] = "image config";
	gt_auto(gt_image_config) c = { 0 };
	gt_autojson doc = NULL;

	GT_TRY(gt_json_parse(what, data, len, GT_DOCUMENT_MAX, GT_DOCUMENT_DEPTH, &doc));
	if (!json_is_object(doc))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: is no object", what);
	if (json_object_get(doc, "manifests") || json_object_get(doc, "layers") ||
	    json_object_get(doc, "fsLayers"))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: is a manifest or index", what);
	GT_TRY(gt_json_string(what, doc, "os", &c.platform.os));
	GT_TRY(gt_json_string(what, doc, "architecture", &c.platform.arch));
	GT_TRY(gt_json_string(what, doc, "variant", &c.platform.variant));
	GT_TRY(gt_json_string(what, doc, "os.version", &c.platform.os_version));
	gt_platform_normalise(&c.platform);
	GT_TRY(gt_json_string(what, doc, "created", &c.created));
	GT_TRY(rootfs_parse(what, doc, &c.diff_ids));
	GT_TRY(process_parse(what, doc, &c));
	default_string(&c.user);
	default_string(&c.working_dir);
	default_string(&c.stop_signal);
	default_string(&c.created);
	*out = c;
	c = (struct gt_image_config){ 0 };
	return NULL;
}

void gt_image_config_done(struct gt_image_config *c)
{
	gt_platform_done(&c->platform);
	gt_strv_done(&c->diff_ids);
	gt_strv_done(&c->env);
	gt_strv_done(&c->entrypoint);
	gt_strv_done(&c->cmd);
	gt_strv_done(&c->volumes);
	gt_strv_done(&c->exposed_ports);
	gt_labels_done(&c->labels);
	free(c->user);
	free(c->working_dir);
	free(c->stop_signal);
	free(c->created);
	*c = (struct gt_image_config){ 0 };
}

static void docker_image_done(struct gt_docker_image *i)
{
	free(i->config);
	gt_strv_done(&i->repo_tags);
	gt_strv_done(&i->layers);
}

struct gt_error *gt_docker_images_parse(const void *data, size_t len, struct gt_docker_images *out)
{
	static const char what[] = "manifest.json";
	gt_auto(gt_docker_images) l = { 0 };
	gt_autojson doc = NULL;
	json_t *j;
	size_t i;

	GT_TRY(gt_json_parse(what, data, len, GT_DOCUMENT_MAX, GT_DOCUMENT_DEPTH, &doc));
	if (!json_is_array(doc))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: is no list", what);
	json_array_foreach(doc, i, j) {
		struct gt_docker_image *image;

		if (!json_is_object(j))
			return gt_error_new(GT_INVALID_ARGUMENT, "%s: entry %zu is no object", what,
					    i);
		GT_GROW(l.v, l.n, l.alloc);
		image = &l.v[l.n++];
		*image = (struct gt_docker_image){ 0 };
		GT_TRY(gt_json_string(what, j, "Config", &image->config));
		GT_TRY(gt_json_strings(what, j, "RepoTags", GT_DOCUMENT_ITEMS, &image->repo_tags));
		GT_TRY(gt_json_strings(what, j, "Layers", GT_DOCUMENT_ITEMS, &image->layers));
		if (!image->config || !*image->config)
			return gt_error_new(GT_INVALID_ARGUMENT, "%s: entry %zu has no Config",
					    what, i);
	}
	*out = l;
	l = (struct gt_docker_images){ 0 };
	return NULL;
}

void gt_docker_images_done(struct gt_docker_images *l)
{
	for (size_t i = 0; i < l->n; i++)
		docker_image_done(&l->v[i]);
	free(l->v);
	*l = (struct gt_docker_images){ 0 };
}

struct gt_error *gt_oci_layout_parse(const void *data, size_t len)
{
	static const char what[] = "oci-layout";
	gt_autofree char *version = NULL;
	gt_autojson doc = NULL;

	GT_TRY(gt_json_parse(what, data, len, 65536, GT_DOCUMENT_DEPTH, &doc));
	if (!json_is_object(doc))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: is no object", what);
	GT_TRY(gt_json_string(what, doc, "imageLayoutVersion", &version));
	if (!version || strncmp(version, "1.", 2))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: version \"%s\" is not supported",
				    what, version ? version : "");
	return NULL;
}
