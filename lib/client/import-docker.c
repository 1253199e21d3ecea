/* SPDX-License-Identifier: Apache-2.0 */
/* What `docker save` makes: configs and layers by name, for which manifests are written here. */
#include <config.h>

#include <client/import-private.h>

#include <gantry/content.h>
#include <gantry/hash.h>

#include <oci/reference.h>
#include <string.h>

/*
 * A layer that is plain tar has its diff ID as digest, which storing it will check. The digest of a
 * compressed one is known only when all of it has been read.
 */
static struct gt_error *layer_digest(struct import *m, const struct import_entry *e,
				     const char *diff_id, const char *media_type, char **out)
{
	gt_autoptr(gt_hash) hash = NULL;
	gt_autofree char *named = NULL;
	struct gt_error *err;

	if (e->offset < 0) {
		*out = gt_xstrdup(e->digest);
		return NULL;
	}
	if (gt_type_is_plain_layer(media_type)) {
		*out = gt_xstrdup(diff_id);
		return NULL;
	}
	if (!strncmp(e->name, "blobs/sha256/", 13)) {
		named = gt_strf("sha256:%s", e->name + 13);
		err = gt_digest_check(named);
		if (!err) {
			*out = gt_steal(&named);
			return NULL;
		}
		gt_error_free(err);
	}
	GT_TRY(gt_hash_new("sha256", &hash));
	GT_TRY(gt_hash_add_file(hash, m->fd, e->offset, e->size, m->call));
	*out = gt_hash_digest(hash);
	return NULL;
}

/* It is in the content service when this returns. */
static struct gt_error *take_compressed(struct import *m, const struct import_entry *e,
					const char *diff_id, struct gt_descriptors *layers)
{
	gt_auto(gt_descriptor) d = { 0 };
	struct import_blob *b;
	bool fresh;

	GT_TRY(gt_error_wrap(gt_import_entry_compress(m, e, diff_id, &d), "compress %s", e->name));
	d.media_type = gt_xstrdup(GT_TYPE_DOCKER_LAYER_GZIP);
	gt_descriptors_add(layers, &d);
	b = gt_import_blob(m, &d, &fresh);
	b->is_layer = true;
	b->state = IMPORT_BLOB_DONE;
	return NULL;
}

static struct gt_error *take_layer(struct import *m, const char *name, const char *diff_id,
				   struct gt_descriptors *layers)
{
	gt_auto(gt_descriptor) d = { 0 };
	const struct import_entry *e;
	const char *media_type;
	struct import_blob *b;
	bool fresh;

	GT_TRY(gt_import_find(m, name, &e));
	GT_TRY(gt_import_entry_sniff(m, e, &media_type));
	if (gt_type_is_plain_layer(media_type) && m->o->compress_blobs)
		return take_compressed(m, e, diff_id, layers);
	d.media_type = gt_xstrdup(media_type);
	d.size = e->size;
	GT_TRY(layer_digest(m, e, diff_id, media_type, &d.digest));
	gt_descriptors_add(layers, &d);
	b = gt_import_blob(m, &d, &fresh);
	b->entry = e;
	b->is_layer = true;
	return NULL;
}

/* The bytes of a document of ours or the archive's become a blob. */
static struct import_blob *take_text(struct import *m, const char *media_type, struct gt_buf *text,
				     struct gt_descriptor *d)
{
	struct import_blob *b;
	bool fresh;

	d->media_type = gt_xstrdup(media_type);
	d->digest = gt_digest_of(text->s, text->len);
	d->size = text->len;
	b = gt_import_blob(m, d, &fresh);
	if (fresh) {
		gt_buf_add(&b->text, text->s, text->len);
		/* Storing takes the bytes from 'text', also where the scan has stored them. */
		b->entry = NULL;
	}
	return b;
}

static struct gt_error *take_image(struct import *m, const struct gt_docker_image *image,
				   struct gt_index *index)
{
	gt_auto(gt_image_config) config = { 0 };
	gt_auto(gt_manifest) doc = { 0 };
	gt_auto(gt_descriptor) d = { 0 };
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_auto(gt_buf) manifest = GT_BUF_INIT;
	const struct import_entry *e;
	struct import_blob *b;

	GT_TRY(gt_import_find(m, image->config, &e));
	GT_TRY(gt_import_entry_read(m, e, &text));
	GT_TRY(gt_error_wrap(gt_image_config_parse(text.s, text.len, &config), "%s",
			     image->config));
	if (config.diff_ids.n != image->layers.n)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: %zu layers, but %zu diff IDs",
				    image->config, image->layers.n, config.diff_ids.n);
	/* As with an index: what is for other platforms only is not wanted. */
	if (m->o->platforms.n && *config.platform.os &&
	    gt_platforms_rank(&m->o->platforms, &config.platform) < 0) {
		gt_autofree char *have = gt_platform_format(&config.platform);

		return gt_error_new(GT_NOT_FOUND, "%s: image is for %s", image->config, have);
	}
	take_text(m, GT_TYPE_DOCKER_CONFIG, &text, &doc.config);
	for (size_t i = 0; i < image->layers.n; i++)
		GT_TRY(take_layer(m, image->layers.v[i], config.diff_ids.v[i], &doc.layers));
	doc.media_type = gt_xstrdup(GT_TYPE_DOCKER_MANIFEST);
	gt_manifest_write(&doc, &manifest);
	b = take_text(m, GT_TYPE_DOCKER_MANIFEST, &manifest, &d);
	gt_import_manifest_labels(m, &doc, &b->labels);
	if (*config.platform.os && *config.platform.arch)
		d.platform = gt_platform_format(&config.platform);
	for (size_t i = 0; i < image->repo_tags.n; i++) {
		gt_autofree char *name = NULL;

		GT_TRY(gt_error_wrap(gt_reference_normalise(image->repo_tags.v[i], &name),
				     "manifest.json"));
		if (gt_import_wants_name(m, name))
			GT_TRY(gt_import_add_name(m, name, &d));
	}
	GT_TRY(gt_import_add_digest_name(m, image->repo_tags.n > 0, &d));
	gt_descriptors_add(&index->manifests, &d);
	return NULL;
}

struct gt_error *gt_import_plan_docker(struct import *m)
{
	gt_auto(gt_docker_images) images = { 0 };
	gt_auto(gt_index) index = { 0 };

	if (!m->has_docker)
		return gt_error_new(GT_INVALID_ARGUMENT, "archive has no manifest.json");
	GT_TRY(gt_docker_images_parse(m->docker.s, m->docker.len, &images));
	for (size_t i = 0; i < images.n; i++)
		GT_TRY(take_image(m, &images.v[i], &index));
	if (!m->n_names && !m->o->index_name && m->o->names != GT_IMPORT_ALL_NAMES && images.n)
		return gt_import_no_name(m);
	return gt_import_add_index(m, &index);
}
