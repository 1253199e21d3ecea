/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/convert.h>

#include <gantry/api-blobs.h>
#include <gantry/buf.h>
#include <gantry/hash.h>

#include <archive/blob.h>
#include <client/image.h>
#include <client/ingest.h>
#include <client/lease.h>
#include <client/parallel.h>
#include <oci/json.h>
#include <string.h>

#define INDEX_DEPTH 8
#define UNCOMPRESSED "containerd.io/uncompressed"
#define FOREIGN_OCI "application/vnd.oci.image.layer.nondistributable.v1.tar"

struct convert {
	struct gt_services *s;
	struct gt_call *call; /* with the lease */
	const struct gt_convert_options *o;
};

/* --- media types ------------------------------------------------------------------------------ */

static const struct {
	const char *docker, *oci;
} types[] = {
	{ GT_TYPE_DOCKER_INDEX, GT_TYPE_OCI_INDEX },
	{ GT_TYPE_DOCKER_MANIFEST, GT_TYPE_OCI_MANIFEST },
	{ GT_TYPE_DOCKER_CONFIG, GT_TYPE_OCI_CONFIG },
	{ GT_TYPE_DOCKER_LAYER, GT_TYPE_OCI_LAYER },
	{ GT_TYPE_DOCKER_LAYER_GZIP, GT_TYPE_OCI_LAYER "+gzip" },
	{ GT_TYPE_DOCKER_LAYER_ZSTD, GT_TYPE_OCI_LAYER "+zstd" },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar", FOREIGN_OCI },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", FOREIGN_OCI "+gzip" },
};

static const char *oci_type(const struct convert *c, const char *type)
{
	for (size_t i = 0; c->o->oci && i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(type, types[i].docker))
			return types[i].oci;
	return type;
}

static const char *const suffixes[] = {
	[GT_CONVERT_PLAIN] = "", [GT_CONVERT_GZIP] = "gzip", [GT_CONVERT_ZSTD] = "zstd"
};

/* The type of a layer in the wanted compression, a new string. */
static char *layer_type(const struct convert *c, const char *type)
{
	bool docker = !strncmp(type, "application/vnd.docker.", 23);
	const char *tar = strstr(type, ".tar");
	const char *suffix = suffixes[c->o->layers];
	gt_autofree char *made = gt_strf("%.*s.tar%s%s", (int)(tar - type), type,
					 !*suffix ? "" : docker ? "." : "+", suffix);

	return gt_xstrdup(oci_type(c, made));
}

/* --- blobs ------------------------------------------------------------------------------------ */

static struct gt_error *store_document(struct convert *c, const json_t *doc, const char *type,
				       struct gt_labels *labels, struct gt_descriptor *out)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_autofree char *ref = NULL;
	gt_autoptr(gt_writer) w = NULL;
	gt_auto(gt_manifest) m = { 0 };
	gt_auto(gt_index) index = { 0 };
	struct gt_error *e;

	gt_json_write(doc, &text);
	if (gt_type_is_manifest(type)) {
		GT_TRY(gt_manifest_parse(text.s, text.len, type, &m));
		gt_image_manifest_labels(&m, labels);
	} else {
		GT_TRY(gt_index_parse(text.s, text.len, type, &index));
		gt_image_index_labels(&index, NULL, NULL, labels);
	}
	free(out->media_type);
	free(out->digest);
	out->media_type = gt_xstrdup(type);
	out->digest = gt_digest_of(text.s, text.len);
	out->size = text.len;
	ref = gt_strf("convert-write-json-%s", out->digest);
	e = gt_ingest_open_empty(c->s, c->call, ref, out, &w);
	if (!e)
		e = gt_writer_write(w, text.s, text.len);
	if (!e)
		e = gt_blobs_commit(c->s, c->call, w, out->size, out->digest, labels, NULL);
	return gt_error_unless(e, GT_ALREADY_EXISTS);
}

/* A layer of the manifest in work. */
struct layers {
	struct convert *c;
	const struct gt_manifest *doc;
	const struct gt_strv *diff_ids;
	struct gt_descriptor *out; /* one each */
};

static struct gt_error *check_diff_id(const struct layers *l, size_t i,
				      const struct gt_layer_result *r)
{
	if (i >= l->diff_ids->n || !strcmp(l->diff_ids->v[i], r->digest))
		return NULL;
	return gt_error_new(GT_FAILED_PRECONDITION, "its diff id is %s, its configuration says %s",
			    r->digest, l->diff_ids->v[i]);
}

static struct gt_error *recode(struct layers *l, struct gt_call *call, size_t i,
			       const struct gt_descriptor *d, struct gt_descriptor *out)
{
	const char *to = suffixes[l->c->o->layers];
	gt_autofree char *ref = gt_strf("convert-%s-from-%s", *to ? to : "uncompress", d->digest);
	struct gt_layer_result r = { 0 };
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_ingest_info) info = { 0 };
	gt_autoptr(gt_reader) blob = NULL;
	gt_autoptr(gt_writer) w = NULL;
	gt_autofree char *digest = NULL;
	struct gt_error *e;

	GT_TRY(gt_blobs_reader(l->c->s, call, d->digest, &blob));
	GT_TRY(gt_ingest_open_empty(l->c->s, call, ref, NULL, &w));
	e = gt_layer_recode(l->c->o->worker, call, blob,
			    (enum gt_layer_compression)(l->c->o->layers - GT_CONVERT_PLAIN), 0, w,
			    &r);
	if (!e)
		e = check_diff_id(l, i, &r);
	if (!e)
		gt_labels_set(&labels, UNCOMPRESSED, r.digest);
	gt_layer_result_done(&r);
	if (!e)
		e = gt_writer_status(w, &info);
	if (!e)
		e = gt_writer_digest(w, &digest);
	if (!e)
		e = gt_error_unless(gt_blobs_commit(l->c->s, call, w, info.offset, digest, &labels,
						    NULL),
				    GT_ALREADY_EXISTS);
	if (e) {
		gt_writer_free(gt_steal(&w));
		gt_error_free(gt_blobs_abort(l->c->s, call, ref));
		return e;
	}
	out->digest = gt_steal(&digest);
	out->size = info.offset;
	return NULL;
}

static struct gt_error *convert_layer(void *arg, struct gt_call *call, size_t i)
{
	struct layers *l = arg;
	const struct gt_descriptor *d = &l->doc->layers.v[i];
	struct gt_descriptor *out = &l->out[i];
	gt_auto(gt_blob) there = { 0 };

	GT_TRY(gt_blobs_info(l->c->s, call, d->digest, &there));
	if (l->c->o->layers == GT_CONVERT_KEEP || !gt_type_is_tar_layer(d->media_type) ||
	    gt_type_is_foreign(d->media_type)) {
		out->media_type = gt_xstrdup(oci_type(l->c, d->media_type));
	} else {
		const char *now = oci_type(l->c, d->media_type);

		out->media_type = layer_type(l->c, d->media_type);
		if (strcmp(now, out->media_type))
			return gt_error_wrap(recode(l, call, i, d, out), "layer %s", d->digest);
	}
	out->digest = gt_xstrdup(d->digest);
	out->size = d->size;
	return NULL;
}

/* --- documents -------------------------------------------------------------------------------- */

/* Has a descriptor of a document say what 'd' says; whether it said something else. */
static bool put(json_t *j, const struct gt_descriptor *d)
{
	const char *type = json_string_value(json_object_get(j, "mediaType"));
	const char *digest = json_string_value(json_object_get(j, "digest"));

	if (type && digest && !strcmp(type, d->media_type) && !strcmp(digest, d->digest))
		return false;
	json_object_set_new(j, "mediaType", json_string(d->media_type));
	json_object_set_new(j, "digest", json_string(d->digest));
	json_object_set_new(j, "size", json_integer(d->size));
	return true;
}

static struct gt_error *document_read(struct convert *c, const struct gt_descriptor *d,
				      json_t **out)
{
	gt_autofree char *text = NULL;
	size_t len;

	GT_TRY(gt_image_read(c->s, c->call, d, &text, &len));
	return gt_json_parse(d->digest, text, len, GT_DOCUMENT_MAX, GT_DOCUMENT_DEPTH, out);
}

/* The document's own type; absent ones stay absent but where all become OCI's. */
static bool put_type(const struct convert *c, json_t *doc, const char *type)
{
	const char *stated = json_string_value(json_object_get(doc, "mediaType"));

	if (!stated || !strcmp(stated, oci_type(c, type)))
		return false;
	json_object_set_new(doc, "mediaType", json_string(oci_type(c, type)));
	return true;
}

static struct gt_error *convert_layers(struct convert *c, const struct gt_manifest *m,
				       struct gt_descriptor *out)
{
	gt_auto(gt_image_config) config = { 0 };
	struct layers l = { .c = c, .doc = m, .diff_ids = &config.diff_ids, .out = out };
	struct gt_parallel_options each = {
		.n = m->layers.n,
		.jobs = c->o->jobs ? c->o->jobs : gt_processors(),
		.each = convert_layer,
		.arg = &l,
	};

	if (gt_type_is_config(m->config.media_type))
		GT_TRY(gt_image_read_config(c->s, c->call, &m->config, &config));
	return gt_parallel(c->call, &each);
}

/* Puts the converted descriptors into the manifest's document; '*changed' if that changes it. */
static void put_manifest(const struct convert *c, json_t *doc, const struct gt_descriptor *d,
			 const struct gt_manifest *m, const struct gt_descriptor *layers,
			 bool *changed)
{
	struct gt_descriptor config = m->config;

	config.media_type = (char *)oci_type(c, m->config.media_type);
	*changed = put(json_object_get(doc, "config"), &config);
	for (size_t i = 0; i < m->layers.n; i++)
		*changed |= put(json_array_get(json_object_get(doc, "layers"), i), &layers[i]);
	*changed |= put_type(c, doc, d->media_type);
}

static struct gt_error *convert_manifest(struct convert *c, const struct gt_descriptor *d,
					 struct gt_descriptor *out)
{
	gt_auto(gt_manifest) m = { 0 };
	gt_auto(gt_labels) labels = { 0 };
	gt_autojson doc = NULL;
	struct gt_descriptor *layers;
	struct gt_error *e;
	bool changed = false;

	GT_TRY(gt_image_read_manifest(c->s, c->call, d, &m));
	GT_TRY(document_read(c, d, &doc));
	layers = gt_xcalloc(m.layers.n + 1, sizeof(*layers));
	e = convert_layers(c, &m, layers);
	if (!e) {
		put_manifest(c, doc, d, &m, layers, &changed);
		changed |= strcmp(oci_type(c, d->media_type), d->media_type) != 0;
	}
	for (size_t i = 0; i < m.layers.n; i++)
		gt_descriptor_done(&layers[i]);
	free(layers);
	GT_TRY(e);
	gt_descriptor_copy(out, d);
	return changed ? store_document(c, doc, oci_type(c, d->media_type), &labels, out) : NULL;
}

static bool is_kept(const struct convert *c, const struct gt_descriptor *d)
{
	gt_auto(gt_platform) p = { 0 };
	struct gt_error *e;
	int rank = 0;

	if (!c->o->platforms.n || !d->platform)
		return true;
	e = gt_platform_parse(d->platform, &p);
	if (!e)
		rank = gt_platforms_rank(&c->o->platforms, &p);
	if (e)
		rank = -1;
	gt_error_free(e);
	return rank >= 0;
}

static struct gt_error *convert_node(struct convert *c, const struct gt_descriptor *d, int depth,
				     struct gt_descriptor *out);

static struct gt_error *convert_children(struct convert *c, const struct gt_index *index,
					 json_t *list, int depth, bool *changed)
{
	/* from the end, so that what is taken out moves nothing that is still to come */
	for (size_t i = index->manifests.n; i-- > 0;) {
		const struct gt_descriptor *m = &index->manifests.v[i];
		gt_auto(gt_descriptor) made = { 0 };

		if (!is_kept(c, m)) {
			json_array_remove(list, i);
			*changed = true;
			continue;
		}
		GT_TRY(gt_error_wrap(convert_node(c, m, depth + 1, &made), "%s",
				     m->platform ? m->platform : m->digest));
		*changed |= put(json_array_get(list, i), &made);
	}
	return NULL;
}

static struct gt_error *convert_index(struct convert *c, const struct gt_descriptor *d, int depth,
				      struct gt_descriptor *out)
{
	gt_auto(gt_index) index = { 0 };
	gt_auto(gt_labels) labels = { 0 };
	gt_autojson doc = NULL;
	bool changed = strcmp(oci_type(c, d->media_type), d->media_type) != 0;
	json_t *list;

	if (depth > INDEX_DEPTH)
		return gt_error_new(GT_INVALID_ARGUMENT, "indexes nested deeper than %d levels",
				    INDEX_DEPTH);
	GT_TRY(gt_image_read_index(c->s, c->call, d, &index));
	GT_TRY(document_read(c, d, &doc));
	list = json_object_get(doc, "manifests");
	GT_TRY(convert_children(c, &index, list, depth, &changed));
	if (!json_array_size(list))
		return gt_error_new(GT_NOT_FOUND, "no match for platform in manifest %s", d->digest);
	changed |= put_type(c, doc, d->media_type);
	gt_descriptor_copy(out, d);
	return changed ? store_document(c, doc, oci_type(c, d->media_type), &labels, out) : NULL;
}

static struct gt_error *convert_node(struct convert *c, const struct gt_descriptor *d, int depth,
				     struct gt_descriptor *out)
{
	if (gt_type_is_index(d->media_type))
		return convert_index(c, d, depth, out);
	if (gt_type_is_manifest(d->media_type))
		return convert_manifest(c, d, out);
	return gt_error_new(GT_INVALID_ARGUMENT, "%s: %s is neither manifest nor index", d->digest,
			    d->media_type);
}

struct gt_error *gt_image_convert(struct gt_services *s, struct gt_call *call,
				  const struct gt_image *source, const char *name,
				  const struct gt_convert_options *o, struct gt_image *out)
{
	gt_auto(gt_lease_scope) lease = { 0 };
	struct convert c = { .s = s, .o = o };
	gt_auto(gt_image) image = { 0 };
	struct gt_error *e;

	GT_TRY(gt_lease_scope_open(s, call, &lease));
	c.call = &lease.call;
	image.name = gt_xstrdup(name);
	gt_labels_copy(&image.labels, &source->labels);
	e = convert_node(&c, &source->target, 0, &image.target);
	if (!e)
		e = gt_image_set(c.s, c.call, &image, NULL, out);
	lease.sync = e != NULL;
	return gt_error_wrap(e, "convert image %s", source->name);
}
