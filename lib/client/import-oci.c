/* SPDX-License-Identifier: Apache-2.0 */
/* An OCI layout: which of its blobs make the images that are wanted. */
#include <config.h>

#include <client/import-private.h>

#include <gantry/api-blobs.h>
#include <gantry/hash.h>

#include <client/image.h>
#include <string.h>

#define INDEX_DEPTH 8
#define ANNOTATION_NAME "io.containerd.image.name"
#define ANNOTATION_REF "org.opencontainers.image.ref.name"

/* NOT_FOUND if the archive has no such blob; INVALID_ARGUMENT if its size is another. */
static struct gt_error *entry_of(struct import *m, const struct gt_descriptor *d,
				 const struct import_entry **out)
{
	const struct import_entry *e = gt_import_find_blob(m, d->digest);

	if (!e)
		return gt_error_new(GT_NOT_FOUND, "blob %s is not in the archive", d->digest);
	if (e->size != d->size)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "blob %s has %lld bytes, its descriptor says %lld", d->digest,
				    (long long)e->size, (long long)d->size);
	*out = e;
	return NULL;
}

static struct gt_error *document_of(struct import *m, const struct gt_descriptor *d,
				    struct gt_buf *out)
{
	const struct import_entry *e = NULL;

	GT_TRY(entry_of(m, d, &e));
	GT_TRY(gt_import_entry_read(m, e, out));
	return gt_error_reclass(gt_error_wrap(gt_digest_verify(d->digest, out->s, out->len), "%s",
					      e->name),
				GT_INVALID_ARGUMENT);
}

/* The blob goes into the plan; '*fresh' if it was not there yet. */
static struct gt_error *take(struct import *m, const struct gt_descriptor *d, bool is_layer,
			     struct import_blob **out, bool *fresh)
{
	const struct import_entry *e = NULL;
	struct import_blob *b;

	GT_TRY(entry_of(m, d, &e));
	b = gt_import_blob(m, d, fresh);
	b->entry = e;
	b->is_layer |= is_layer;
	*out = b;
	return NULL;
}

/* Whether everything that a manifest needs is in the archive. */
static struct gt_error *check_whole(struct import *m, const struct gt_manifest *doc)
{
	const struct import_entry *e = NULL;

	GT_TRY(entry_of(m, &doc->config, &e));
	for (size_t i = 0; i < doc->layers.n; i++) {
		/* What a registry may not hand on need not be here. */
		if (!gt_type_is_foreign(doc->layers.v[i].media_type) ||
		    gt_import_find_blob(m, doc->layers.v[i].digest))
			GT_TRY(entry_of(m, &doc->layers.v[i], &e));
	}
	return NULL;
}

static struct gt_error *take_manifest(struct import *m, const struct gt_descriptor *d)
{
	gt_auto(gt_manifest) doc = { 0 };
	gt_auto(gt_buf) text = GT_BUF_INIT;
	struct import_blob *b;
	bool fresh;

	GT_TRY(document_of(m, d, &text));
	GT_TRY(gt_manifest_parse(text.s, text.len, d->media_type, &doc));
	GT_TRY(check_whole(m, &doc));
	GT_TRY(take(m, d, false, &b, &fresh));
	if (!fresh)
		return NULL;
	gt_import_manifest_labels(m, &doc, &b->labels);
	GT_TRY(take(m, &doc.config, false, &b, &fresh));
	for (size_t i = 0; i < doc.layers.n; i++) {
		if (gt_import_find_blob(m, doc.layers.v[i].digest))
			GT_TRY(take(m, &doc.layers.v[i], true, &b, &fresh));
	}
	return NULL;
}

/* -1: not wanted at all. */
static int rank_of(struct import *m, const struct gt_descriptor *d)
{
	gt_auto(gt_platform) p = { 0 };
	struct gt_error *e;

	if (!d->platform)
		return 0;
	e = gt_platform_parse(d->platform, &p);
	if (e || gt_platform_is_unknown(&p)) {
		gt_error_free(e);
		return -1;
	}
	return gt_platforms_rank(&m->o->platforms, &p);
}

static struct gt_error *take_node(struct import *m, const struct gt_descriptor *d, int depth);

static bool is_kept(void *arg, const struct gt_descriptor *d)
{
	return gt_import_blob_find(arg, d->digest) != NULL;
}

/*
 * The best manifest must be here and whole. Others come along if they are whole, and are left out
 * if the archive was made without them.
 */
static struct gt_error *take_children(struct import *m, const struct gt_index *doc, int depth)
{
	size_t best = doc->manifests.n, taken = 0;
	int best_rank = -1;

	for (size_t i = 0; i < doc->manifests.n; i++) {
		int rank = rank_of(m, &doc->manifests.v[i]);

		if (m->o->platforms.n && rank >= 0 && (best_rank < 0 || rank < best_rank)) {
			best = i;
			best_rank = rank;
		}
	}
	for (size_t i = 0; i < doc->manifests.n; i++) {
		struct gt_error *e = take_node(m, &doc->manifests.v[i], depth + 1);

		if (i != best)
			e = gt_error_unless(e, GT_NOT_FOUND);
		GT_TRY(e);
		taken += is_kept(m, &doc->manifests.v[i]);
	}
	if (!taken && doc->manifests.n)
		return gt_error_new(GT_NOT_FOUND, "the archive has none of an index's manifests");
	return NULL;
}

static struct gt_error *take_index(struct import *m, const struct gt_descriptor *d, int depth)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_auto(gt_index) doc = { 0 };
	struct import_blob *b;
	bool fresh;

	if (depth > INDEX_DEPTH)
		return gt_error_new(GT_INVALID_ARGUMENT, "indexes nested deeper than %d levels",
				    INDEX_DEPTH);
	if (gt_import_blob_find(m, d->digest))
		return NULL;
	GT_TRY(document_of(m, d, &text));
	GT_TRY(gt_index_parse(text.s, text.len, d->media_type, &doc));
	GT_TRY(take_children(m, &doc, depth));
	GT_TRY(take(m, d, false, &b, &fresh));
	gt_image_index_labels(&doc, is_kept, m, &b->labels);
	return NULL;
}

static struct gt_error *take_node(struct import *m, const struct gt_descriptor *d, int depth)
{
	struct import_blob *b;
	bool fresh;

	if (gt_type_is_index(d->media_type))
		return gt_error_wrap(take_index(m, d, depth), "index %s", d->digest);
	if (gt_type_is_manifest(d->media_type))
		return gt_error_wrap(take_manifest(m, d), "manifest %s", d->digest);
	if (depth) /* as the parts of a checkpoint are */
		return take(m, d, false, &b, &fresh);
	return gt_error_new(GT_INVALID_ARGUMENT, "%s: %s is neither manifest nor index", d->digest,
			    d->media_type);
}

/* A new string, "" if the entry has no name that is wanted. */
static char *name_of(struct import *m, const struct gt_descriptor *d)
{
	const char *name = gt_labels_get(&d->annotations, ANNOTATION_NAME);
	gt_autofree char *prefix = NULL;
	gt_autofree char *whole = NULL;

	if (!name || !*name)
		name = gt_labels_get(&d->annotations, ANNOTATION_REF);
	if (!name || !*name)
		return gt_xstrdup("");
	if (strpbrk(name, "/:@")) {
		whole = gt_xstrdup(name);
	} else {
		prefix = gt_import_prefix(m);
		whole = gt_strf("%s:%s", prefix, name);
	}
	return gt_import_wants_name(m, whole) ? gt_steal(&whole) : gt_xstrdup("");
}

/* An entry that somebody wants: it gets a name, or names are none of the caller's conditions. */
static bool is_wanted(struct import *m, const char *name)
{
	return m->o->names == GT_IMPORT_ALL_NAMES || *name || m->o->digests || m->o->index_name;
}

/* Why nothing of the index is taken; 'n' entries are for other platforms than is wanted. */
static struct gt_error *nothing_wanted(const struct import *m, const struct gt_index *index, size_t n)
{
	gt_auto(gt_strv) have = { 0 };
	gt_auto(gt_buf) text = GT_BUF_INIT;

	for (size_t i = 0; n && i < index->manifests.n; i++) {
		const char *p = index->manifests.v[i].platform;

		if (p && !gt_strv_has(&have, p))
			gt_strv_add(&have, p);
	}
	gt_strv_sort(&have);
	for (size_t i = 0; i < have.n; i++)
		gt_buf_addf(&text, "%s%s", i ? ", " : "", have.v[i]);
	if (have.n)
		return gt_error_new(GT_NOT_FOUND,
				    "the archive has no image for the platform that is wanted; it has "
				    "%s", text.s);
	return gt_import_no_name(m);
}

struct gt_error *gt_import_plan_oci(struct import *m)
{
	gt_auto(gt_index) index = { 0 };
	size_t n_taken = 0, n_others = 0;

	if (!m->has_index)
		return gt_error_new(GT_INVALID_ARGUMENT, "archive has no index.json");
	GT_TRY(gt_error_wrap(gt_index_parse(m->index.s, m->index.len, NULL, &index),
			     "index.json"));
	for (size_t i = 0; i < index.manifests.n; i++) {
		struct gt_descriptor *d = &index.manifests.v[i];
		gt_autofree char *name = name_of(m, d);

		if (!is_wanted(m, name))
			continue;
		if (m->o->platforms.n && rank_of(m, d) < 0) {
			n_others++;
			continue;
		}
		n_taken++;
		GT_TRY(take_node(m, d, 0));
		if (*name)
			GT_TRY(gt_import_add_name(m, name, d));
		GT_TRY(gt_import_add_digest_name(m, *name, d));
	}
	if (!n_taken && index.manifests.n)
		return nothing_wanted(m, &index, n_others);
	return gt_import_add_index(m, &index);
}
