/* SPDX-License-Identifier: Apache-2.0 */
/* Index and manifest. */
#include <config.h>

#include <oci/document.h>

#include <gantry/content.h>

#include <oci/json.h>

#include <string.h>

void gt_descriptors_add(struct gt_descriptors *l, const struct gt_descriptor *d)
{
	GT_GROW(l->v, l->n, l->alloc);
	gt_descriptor_copy(&l->v[l->n++], d);
}

void gt_descriptors_done(struct gt_descriptors *l)
{
	for (size_t i = 0; i < l->n; i++)
		gt_descriptor_done(&l->v[i]);
	free(l->v);
	*l = (struct gt_descriptors){ 0 };
}

static struct gt_error *platform_parse(const char *what, const json_t *obj, char **out)
{
	gt_auto(gt_platform) p = { 0 };
	json_t *j = NULL;

	GT_TRY(gt_json_object(what, obj, "platform", &j));
	if (!j)
		return NULL;
	GT_TRY(gt_json_string(what, j, "os", &p.os));
	GT_TRY(gt_json_string(what, j, "architecture", &p.arch));
	GT_TRY(gt_json_string(what, j, "variant", &p.variant));
	GT_TRY(gt_json_string(what, j, "os.version", &p.os_version));
	if (!p.os || !*p.os || !p.arch || !*p.arch)
		return NULL;
	gt_platform_normalise(&p);
	*out = gt_platform_format(&p);
	return NULL;
}

static struct gt_error *descriptor_parse(const char *what, const json_t *j,
					 struct gt_descriptor *out)
{
	gt_auto(gt_descriptor) d = { 0 };

	if (!json_is_object(j))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s is no object", what);
	d.size = -1;
	GT_TRY(gt_json_string(what, j, "mediaType", &d.media_type));
	GT_TRY(gt_json_string(what, j, "digest", &d.digest));
	GT_TRY(gt_json_int(what, j, "size", &d.size));
	GT_TRY(gt_json_string(what, j, "artifactType", &d.artifact_type));
	GT_TRY(gt_json_labels(what, j, "annotations", GT_DOCUMENT_ITEMS, &d.annotations));
	GT_TRY(gt_json_strings(what, j, "urls", GT_DOCUMENT_ITEMS, &d.urls));
	GT_TRY(platform_parse(what, j, &d.platform));
	if (!d.media_type || !*d.media_type)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s has no mediaType", what);
	if (!d.digest)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s has no digest", what);
	GT_TRY(gt_error_wrap(gt_digest_check(d.digest), "%s", what));
	if (d.size < 0)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s has no size", what);
	*out = d;
	d = (struct gt_descriptor){ 0 };
	return NULL;
}

static struct gt_error *descriptors_parse(const char *what, const json_t *doc, const char *key,
					  struct gt_descriptors *out)
{
	json_t *list = NULL;
	json_t *j;
	size_t i;

	GT_TRY(gt_json_array(what, doc, key, GT_DOCUMENT_ITEMS, &list));
	json_array_foreach(list, i, j) {
		gt_autofree char *which = gt_strf("%s: %s[%zu]", what, key, i);

		GT_GROW(out->v, out->n, out->alloc);
		GT_TRY(descriptor_parse(which, j, &out->v[out->n]));
		out->n++;
	}
	return NULL;
}

/*
 * One document read as two kinds is how an image can be one thing to who checks it and another to
 * who runs it; so what is not plainly of the kind that it was fetched as is refused.
 */
static struct gt_error *kind_check(const char *what, const json_t *doc, const char *type,
				   const char *stated, bool index)
{
	static const char *const of_index[] = { "manifests", NULL };
	static const char *const of_manifest[] = { "config", "layers", NULL };

	if (json_object_get(doc, "fsLayers"))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: fsLayers (schema 1) is not supported",
				    what);
	for (const char *const *k = index ? of_manifest : of_index; *k; k++) {
		if (json_object_get(doc, *k))
			return gt_error_new(GT_INVALID_ARGUMENT, "%s: has %s, which belongs to %s",
					    what, *k, index ? "a manifest" : "an index");
	}
	if (stated && !(index ? gt_type_is_index(stated) : gt_type_is_manifest(stated)))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: mediaType %s is not that of %s", what,
				    stated, index ? "an index" : "a manifest");
	if (type && !(index ? gt_type_is_index(type) : gt_type_is_manifest(type)))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: fetched as %s", what, type);
	if (type && stated && strcmp(type, stated))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: mediaType %s, fetched as %s", what,
				    stated, type);
	return NULL;
}

static struct gt_error *head_parse(const char *what, const json_t *doc, const char *type,
				   bool index, char **media_type)
{
	int64_t version = 2;

	GT_TRY(gt_json_string(what, doc, "mediaType", media_type));
	if (*media_type && !**media_type) {
		free(*media_type);
		*media_type = NULL;
	}
	GT_TRY(gt_json_int(what, doc, "schemaVersion", &version));
	GT_TRY(kind_check(what, doc, type, *media_type, index));
	if (version != 2)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: schemaVersion is not 2", what);
	return NULL;
}

static struct gt_error *object_parse(const char *what, const void *data, size_t len, json_t **out)
{
	GT_TRY(gt_json_parse(what, data, len, GT_DOCUMENT_MAX, GT_DOCUMENT_DEPTH, out));
	if (!json_is_object(*out))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: is no object", what);
	return NULL;
}

struct gt_error *gt_index_parse(const void *data, size_t len, const char *type,
				struct gt_index *out)
{
	static const char what[] = "image index";
	gt_auto(gt_index) i = { 0 };
	gt_autojson doc = NULL;

	GT_TRY(object_parse(what, data, len, &doc));
	GT_TRY(head_parse(what, doc, type, true, &i.media_type));
	if (!json_is_array(json_object_get(doc, "manifests")))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: has no list of manifests", what);
	GT_TRY(descriptors_parse(what, doc, "manifests", &i.manifests));
	GT_TRY(gt_json_labels(what, doc, "annotations", GT_DOCUMENT_ITEMS, &i.annotations));
	*out = i;
	i = (struct gt_index){ 0 };
	return NULL;
}

void gt_index_done(struct gt_index *i)
{
	free(i->media_type);
	gt_descriptors_done(&i->manifests);
	gt_labels_done(&i->annotations);
	*i = (struct gt_index){ 0 };
}

struct gt_error *gt_manifest_parse(const void *data, size_t len, const char *type,
				   struct gt_manifest *out)
{
	static const char what[] = "image manifest";
	gt_auto(gt_manifest) m = { 0 };
	gt_autojson doc = NULL;
	json_t *subject = NULL;

	GT_TRY(object_parse(what, data, len, &doc));
	GT_TRY(head_parse(what, doc, type, false, &m.media_type));
	GT_TRY(gt_json_string(what, doc, "artifactType", &m.artifact_type));
	if (!json_object_get(doc, "config"))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: has no config", what);
	GT_TRY(descriptor_parse("image manifest: config", json_object_get(doc, "config"),
				&m.config));
	GT_TRY(descriptors_parse(what, doc, "layers", &m.layers));
	GT_TRY(gt_json_object(what, doc, "subject", &subject));
	if (subject)
		GT_TRY(descriptor_parse("image manifest: subject", subject, &m.subject));
	GT_TRY(gt_json_labels(what, doc, "annotations", GT_DOCUMENT_ITEMS, &m.annotations));
	*out = m;
	m = (struct gt_manifest){ 0 };
	return NULL;
}

void gt_manifest_done(struct gt_manifest *m)
{
	free(m->media_type);
	free(m->artifact_type);
	gt_descriptor_done(&m->config);
	gt_descriptors_done(&m->layers);
	gt_descriptor_done(&m->subject);
	gt_labels_done(&m->annotations);
	*m = (struct gt_manifest){ 0 };
}

static void set_string(json_t *obj, const char *key, const char *value)
{
	if (value && *value)
		json_object_set_new(obj, key, json_string(value));
}

static void set_labels(json_t *obj, const char *key, const struct gt_labels *l)
{
	json_t *map;

	if (!l->n)
		return;
	map = json_object();
	for (size_t i = 0; i < l->n; i++)
		json_object_set_new(map, l->v[i].key, json_string(l->v[i].value));
	json_object_set_new(obj, key, map);
}

static json_t *descriptor_json(const struct gt_descriptor *d)
{
	json_t *j = json_object();

	set_string(j, "mediaType", d->media_type);
	set_string(j, "digest", d->digest);
	json_object_set_new(j, "size", json_integer(d->size));
	if (d->urls.n) {
		json_t *urls = json_array();

		for (size_t i = 0; i < d->urls.n; i++)
			json_array_append_new(urls, json_string(d->urls.v[i]));
		json_object_set_new(j, "urls", urls);
	}
	set_labels(j, "annotations", &d->annotations);
	if (d->platform) {
		gt_auto(gt_platform) p = { 0 };
		struct gt_error *e = gt_platform_parse(d->platform, &p);

		if (!e) {
			json_t *pj = json_object();

			set_string(pj, "architecture", p.arch);
			set_string(pj, "os", p.os);
			set_string(pj, "os.version", p.os_version);
			set_string(pj, "variant", p.variant);
			json_object_set_new(j, "platform", pj);
		}
		gt_error_free(e);
	}
	set_string(j, "artifactType", d->artifact_type);
	return j;
}

static json_t *descriptors_json(const struct gt_descriptors *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(list, descriptor_json(&l->v[i]));
	return list;
}

static json_t *head_json(const char *media_type)
{
	json_t *j = json_object();

	json_object_set_new(j, "schemaVersion", json_integer(2));
	set_string(j, "mediaType", media_type);
	return j;
}

void gt_index_write(const struct gt_index *i, struct gt_buf *out)
{
	gt_autojson j = head_json(i->media_type);

	json_object_set_new(j, "manifests", descriptors_json(&i->manifests));
	set_labels(j, "annotations", &i->annotations);
	gt_json_write(j, out);
}

void gt_manifest_write(const struct gt_manifest *m, struct gt_buf *out)
{
	gt_autojson j = head_json(m->media_type);

	set_string(j, "artifactType", m->artifact_type);
	json_object_set_new(j, "config", descriptor_json(&m->config));
	json_object_set_new(j, "layers", descriptors_json(&m->layers));
	if (m->subject.digest)
		json_object_set_new(j, "subject", descriptor_json(&m->subject));
	set_labels(j, "annotations", &m->annotations);
	gt_json_write(j, out);
}
