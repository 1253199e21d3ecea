/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/export.h>

#include <gantry/api-blobs.h>
#include <gantry/file.h>
#include <gantry/hash.h>

#include <archive/tar-write.h>
#include <client/image.h>
#include <oci/json.h>
#include <oci/reference.h>
#include <string.h>

#define CHUNK (256 * 1024) /* stays in the second-level cache between read, hash and write */
#define INDEX_DEPTH 8
#define ANNOTATION_NAME "io.containerd.image.name"
#define ANNOTATION_REF "org.opencontainers.image.ref.name"

/* An entry of the archive. */
struct entry {
	char *name;
	mode_t mode;
	int64_t size;
	char *digest; /* of the blob that it is; NULL: 'text' */
	char *text;
};

/* A manifest of manifest.json. */
struct usable {
	struct gt_descriptor manifest;
	struct gt_strv names; /* familiar ones */
};

struct export {
	struct gt_services *s;
	struct gt_call *call;
	const struct gt_export_options *o;
	int fd;
	struct entry *entries;
	size_t n, alloc;
	struct usable *usable;
	size_t n_usable, alloc_usable;
	struct gt_index index; /* index.json */
};

/* The entries of one image on the way. */
struct visit {
	struct export *x;
	const struct gt_image *image;
	struct gt_descriptor best; /* for manifest.json; its digest is NULL: none yet */
	int rank;
	size_t whole; /* manifests that are in */
};

static void entry_done(struct entry *e)
{
	free(e->name);
	free(e->digest);
	free(e->text);
}

static struct entry *add_entry(struct export *x, char *name_taken, mode_t mode, int64_t size)
{
	GT_GROW(x->entries, x->n, x->alloc);
	x->entries[x->n] = (struct entry){ .name = name_taken, .mode = mode, .size = size };
	return &x->entries[x->n++];
}

static void add_text(struct export *x, const char *name, mode_t mode, const char *text)
{
	add_entry(x, gt_xstrdup(name), mode, strlen(text))->text = gt_xstrdup(text);
}

static char *blob_name(const char *digest)
{
	const char *hex = gt_digest_hex(digest);

	return gt_strf("blobs/%.*s/%s", (int)(hex - 1 - digest), digest, hex);
}

static struct gt_error *add_blob(struct export *x, const struct gt_descriptor *d)
{
	gt_auto(gt_blob) b = { 0 };

	if (x->o->skip_non_distributable && gt_type_is_foreign(d->media_type))
		return NULL;
	GT_TRY(gt_blobs_info(x->s, x->call, d->digest, &b));
	if (b.info.size != d->size)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "blob %s has %lld bytes, its descriptor says %lld", d->digest,
				    (long long)b.info.size, (long long)d->size);
	add_entry(x, blob_name(d->digest), 0444, d->size)->digest = gt_xstrdup(d->digest);
	return NULL;
}

static struct gt_error *add_manifest(struct export *x, const struct gt_descriptor *d)
{
	gt_auto(gt_manifest) m = { 0 };

	GT_TRY(gt_image_read_manifest(x->s, x->call, d, &m));
	GT_TRY(add_blob(x, d));
	GT_TRY(add_blob(x, &m.config));
	for (size_t i = 0; i < m.layers.n; i++)
		GT_TRY(add_blob(x, &m.layers.v[i]));
	return NULL;
}

/* Where all platforms are wanted it takes what is whole: then an error leaves no trace. */
static struct gt_error *take_manifest(struct visit *v, const struct gt_descriptor *d)
{
	struct export *x = v->x;
	size_t before = x->n;
	struct gt_error *e = add_manifest(x, d);

	if (!e) {
		v->whole++;
		return NULL;
	}
	if (gt_error_class(e) != GT_NOT_FOUND || !x->o->all_platforms)
		return gt_error_wrap(e, "%s is not here in full", d->platform ? d->platform :
									       d->digest);
	while (x->n > before)
		entry_done(&x->entries[--x->n]);
	if (x->o->left_out)
		x->o->left_out(x->o->arg, v->image, d, e);
	gt_error_free(e);
	return NULL;
}

/* How good a manifest is by its platform: -1 not at all; one without comes last. */
static int rank_of(const struct export *x, const struct gt_descriptor *d)
{
	gt_auto(gt_platform) p = { 0 };
	struct gt_error *e;

	if (!d->platform)
		return INT32_MAX;
	e = gt_platform_parse(d->platform, &p);
	if (e || gt_platform_is_unknown(&p)) {
		gt_error_free(e);
		return -1;
	}
	return gt_platforms_rank(&x->o->platforms, &p);
}

static struct gt_error *take_index(struct visit *v, const struct gt_descriptor *d, int depth)
{
	gt_auto(gt_index) index = { 0 };

	if (depth > INDEX_DEPTH)
		return gt_error_new(GT_INVALID_ARGUMENT, "indexes nested deeper than %d levels",
				    INDEX_DEPTH);
	GT_TRY(gt_image_read_index(v->x->s, v->x->call, d, &index));
	GT_TRY(add_blob(v->x, d));
	for (size_t i = 0; i < index.manifests.n; i++) {
		const struct gt_descriptor *m = &index.manifests.v[i];
		int rank = rank_of(v->x, m);
		size_t whole = v->whole;

		if (rank < 0 && !v->x->o->all_platforms)
			continue;
		if (gt_type_is_index(m->media_type)) {
			GT_TRY(take_index(v, m, depth + 1));
			continue;
		}
		if (!gt_type_is_manifest(m->media_type))
			continue; /* nothing that an image consists of */
		GT_TRY(take_manifest(v, m));
		if (v->whole > whole && rank >= 0 && (!v->best.digest || rank < v->rank)) {
			gt_descriptor_done(&v->best);
			gt_descriptor_copy(&v->best, m);
			v->rank = rank;
		}
	}
	return NULL;
}

/* The image's line of index.json. */
static void add_line(struct export *x, const struct gt_image *image)
{
	gt_auto(gt_descriptor) d = { 0 };
	gt_auto(gt_reference) r = { 0 };
	struct gt_error *e = gt_reference_parse(image->name, &r);

	gt_descriptor_copy(&d, &image->target);
	gt_labels_set(&d.annotations, ANNOTATION_NAME, image->name);
	gt_labels_set(&d.annotations, ANNOTATION_REF, e ? image->name : r.object);
	gt_error_free(e);
	gt_descriptors_add(&x->index.manifests, &d);
}

/* Notes the manifest for manifest.json, with the image's name if Docker can take it. */
static void add_usable(struct export *x, const struct gt_descriptor *manifest, const char *name)
{
	gt_autofree char *full = NULL;
	struct gt_error *e = gt_reference_normalise(name, &full);
	struct usable *u = NULL;

	for (size_t i = 0; i < x->n_usable && !u; i++)
		if (!strcmp(x->usable[i].manifest.digest, manifest->digest))
			u = &x->usable[i];
	if (!u) {
		GT_GROW(x->usable, x->n_usable, x->alloc_usable);
		u = &x->usable[x->n_usable++];
		*u = (struct usable){ 0 };
		gt_descriptor_copy(&u->manifest, manifest);
	}
	if (!e)
		gt_strv_add_take(&u->names, gt_reference_familiar(full));
	gt_error_free(e);
}

static struct gt_error *no_manifest(const struct visit *v)
{
	gt_auto(gt_strv) have = { 0 };
	gt_auto(gt_buf) text = GT_BUF_INIT;

	if (v->x->o->all_platforms)
		return gt_error_new(GT_NOT_FOUND, "none of its platforms is here in full");
	gt_error_free(gt_image_platforms(v->x->s, v->x->call, &v->image->target, &have, NULL));
	for (size_t i = 0; i < have.n; i++)
		gt_buf_addf(&text, "%s%s", i ? ", " : "", have.v[i]);
	return gt_error_new(GT_NOT_FOUND,
			    "no manifest found for platform; the image is for %s",
			    have.n ? text.s : "none that it names");
}

static struct gt_error *take_image(struct visit *v)
{
	const struct gt_descriptor *target = &v->image->target;
	struct export *x = v->x;

	if (gt_type_is_manifest(target->media_type)) {
		GT_TRY(add_manifest(x, target));
		gt_descriptor_copy(&v->best, target);
	} else if (gt_type_is_index(target->media_type)) {
		GT_TRY(take_index(v, target, 0));
		if (!v->whole)
			return no_manifest(v);
	} else {
		return gt_error_new(GT_INVALID_ARGUMENT, "only manifests may be exported");
	}
	add_line(x, v->image);
	if (v->best.digest)
		add_usable(x, &v->best, v->image->name);
	return NULL;
}

static void add_index_json(struct export *x)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;

	gt_index_write(&x->index, &text);
	add_text(x, "index.json", 0644, text.s);
}

static json_t *docker_image(const struct usable *u, const struct gt_manifest *m)
{
	json_t *layers = json_array(), *tags = json_array();
	gt_autofree char *config = blob_name(m->config.digest);

	for (size_t i = 0; i < m->layers.n; i++) {
		gt_autofree char *name = blob_name(m->layers.v[i].digest);

		json_array_append_new(layers, json_string(name));
	}
	for (size_t i = 0; i < u->names.n; i++)
		json_array_append_new(tags, json_string(u->names.v[i]));
	return json_pack("{s:s, s:o, s:o}", "Config", config, "RepoTags", tags, "Layers", layers);
}

static struct gt_error *add_manifest_json(struct export *x)
{
	gt_autojson list = json_array();
	gt_auto(gt_buf) text = GT_BUF_INIT;

	for (size_t i = 0; i < x->n_usable; i++) {
		gt_auto(gt_manifest) m = { 0 };

		GT_TRY(gt_image_read_manifest(x->s, x->call, &x->usable[i].manifest, &m));
		if (gt_type_is_config(m.config.media_type)) /* else no image that Docker knows */
			json_array_append_new(list, docker_image(&x->usable[i], &m));
	}
	if (!json_array_size(list))
		return NULL;
	gt_json_write(list, &text);
	add_text(x, "manifest.json", 0644, text.s);
	return NULL;
}

static void add_folders(struct export *x)
{
	gt_auto(gt_strv) algs = { 0 };

	for (size_t i = 0; i < x->n; i++) {
		const char *digest = x->entries[i].digest;
		gt_autofree char *alg = NULL;

		if (!digest)
			continue;
		alg = gt_strf("blobs/%.*s/", (int)strcspn(digest, ":"), digest);
		if (!gt_strv_has(&algs, alg))
			gt_strv_add(&algs, alg);
	}
	add_entry(x, gt_xstrdup("blobs/"), 0755, 0);
	for (size_t i = 0; i < algs.n; i++)
		add_entry(x, gt_xstrdup(algs.v[i]), 0755, 0);
}

static struct gt_error *collect(struct export *x, const struct gt_image *images, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct visit v = { .x = x, .image = &images[i] };
		struct gt_error *e = take_image(&v);

		gt_descriptor_done(&v.best);
		GT_TRY(gt_error_wrap(e, "export image %s", images[i].name));
	}
	add_text(x, "oci-layout", 0444, "{\"imageLayoutVersion\":\"1.0.0\"}");
	add_index_json(x);
	if (!x->o->skip_manifest_json)
		GT_TRY(add_manifest_json(x));
	add_folders(x);
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static struct gt_error *copy_blob(struct export *x, const struct entry *e, char *chunk)
{
	gt_autoptr(gt_reader) r = NULL;
	gt_autoptr(gt_hash) h = NULL;
	int64_t at = 0;

	GT_TRY(gt_blobs_reader(x->s, x->call, e->digest, &r));
	GT_TRY(gt_hash_new(e->digest, &h));
	while (at < e->size) {
		size_t want = e->size - at < CHUNK ? e->size - at : CHUNK, n;

		GT_TRY(gt_call_check(x->call));
		GT_TRY(gt_reader_pread(r, chunk, want, at, &n));
		if (!n)
			return gt_error_new(GT_DATA_LOSS, "blob %s is shorter than it was",
					    e->digest);
		gt_hash_add(h, chunk, n);
		GT_TRY(gt_file_write_all(x->fd, chunk, n, "archive"));
		at += n;
	}
	return gt_error_wrap(gt_hash_check(h, e->digest), "blob %s is damaged", e->digest);
}

static struct gt_error *write_entry(struct export *x, const struct entry *e, char *chunk)
{
	static const char zeros[GT_TAR_BLOCK];
	gt_auto(gt_buf) head = GT_BUF_INIT;

	gt_tar_header(&head, e->name, e->mode, e->size);
	GT_TRY(gt_file_write_all(x->fd, head.s, head.len, "archive"));
	if (e->digest)
		GT_TRY(copy_blob(x, e, chunk));
	else if (e->text)
		GT_TRY(gt_file_write_all(x->fd, e->text, e->size, "archive"));
	return gt_file_write_all(x->fd, zeros, gt_tar_padding(e->size), "archive");
}

static struct gt_error *write_archive(struct export *x)
{
	gt_autofree char *chunk = gt_xmalloc(CHUNK);
	gt_auto(gt_buf) end = GT_BUF_INIT;

	qsort(x->entries, x->n, sizeof(*x->entries), by_name);
	for (size_t i = 0; i < x->n; i++)
		if (!i || strcmp(x->entries[i].name, x->entries[i - 1].name))
			GT_TRY(write_entry(x, &x->entries[i], chunk));
	gt_tar_end(&end);
	return gt_file_write_all(x->fd, end.s, end.len, "archive");
}

struct gt_error *gt_image_export(struct gt_services *s, struct gt_call *call,
				 const struct gt_image *images, size_t n, int fd,
				 const struct gt_export_options *o)
{
	struct export x = { .s = s, .call = call, .o = o, .fd = fd };
	struct gt_error *e = collect(&x, images, n);

	if (!e)
		e = write_archive(&x);
	for (size_t i = 0; i < x.n; i++)
		entry_done(&x.entries[i]);
	for (size_t i = 0; i < x.n_usable; i++) {
		gt_descriptor_done(&x.usable[i].manifest);
		gt_strv_done(&x.usable[i].names);
	}
	free(x.entries);
	free(x.usable);
	gt_index_done(&x.index);
	return e;
}
