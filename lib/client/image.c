/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/image.h>

#include <gantry/api-snapshots.h>

#include <oci/chain.h>
#include <string.h>

#define INDEX_DEPTH 8
/*
 * Index documents read for one image, whatever its shape: an index can name one a thousand times.
 */
#define INDEX_READS 256

void gt_image_view_done(struct gt_image_view *v)
{
	gt_descriptor_done(&v->manifest);
	gt_manifest_done(&v->document);
	gt_image_config_done(&v->config);
	gt_strv_done(&v->chain_ids);
}

struct gt_error *gt_image_set(struct gt_services *s, struct gt_call *call, const struct gt_image *image,
			      const struct gt_strv *mask, struct gt_image *out)
{
	struct gt_error *e = NULL;

	for (int i = 0; i < GT_IMAGE_SET_TRIES; i++) {
		gt_error_free(e);
		e = gt_images_create(s, call, image, out);
		if (gt_error_class(e) != GT_ALREADY_EXISTS)
			return e;
		gt_error_free(e);
		e = gt_images_update(s, call, image, mask, out);
		if (gt_error_class(e) != GT_NOT_FOUND)
			return e;
	}
	return e;
}

const char *gt_image_view_chain_id(const struct gt_image_view *v)
{
	return v->chain_ids.n ? v->chain_ids.v[v->chain_ids.n - 1] : "";
}

struct gt_error *gt_image_read(struct gt_services *s, struct gt_call *call,
			       const struct gt_descriptor *desc, char **out, size_t *len)
{
	gt_autoptr(gt_reader) r = NULL;

	if (desc->size > GT_DOCUMENT_MAX)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "document %s claims %lld bytes, it may have %d",
				    desc->digest, (long long)desc->size, GT_DOCUMENT_MAX);
	GT_TRY(gt_blobs_reader(s, call, desc->digest, &r));
	if (desc->size > 0 && gt_reader_length(r) != desc->size)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "document %s has %lld bytes, %lld expected", desc->digest, (long long)gt_reader_length(r),
				    (long long)desc->size);
	return gt_error_wrap(gt_reader_all(r, GT_DOCUMENT_MAX, out, len), "document %s",
			     desc->digest);
}

struct gt_error *gt_image_read_index(struct gt_services *s, struct gt_call *call,
				     const struct gt_descriptor *d, struct gt_index *out)
{
	gt_autofree char *text = NULL;
	size_t len;

	GT_TRY(gt_image_read(s, call, d, &text, &len));
	return gt_error_wrap(gt_index_parse(text, len, d->media_type, out), "%s", d->digest);
}

struct gt_error *gt_image_read_manifest(struct gt_services *s, struct gt_call *call,
					const struct gt_descriptor *d, struct gt_manifest *out)
{
	gt_autofree char *text = NULL;
	size_t len;

	GT_TRY(gt_image_read(s, call, d, &text, &len));
	return gt_error_wrap(gt_manifest_parse(text, len, d->media_type, out), "%s", d->digest);
}

struct gt_error *gt_image_read_config(struct gt_services *s, struct gt_call *call,
				      const struct gt_descriptor *d, struct gt_image_config *out)
{
	gt_autofree char *text = NULL;
	size_t len;

	GT_TRY(gt_image_read(s, call, d, &text, &len));
	return gt_error_wrap(gt_image_config_parse(text, len, out), "%s", d->digest);
}

/* The best of the manifests below an index so far. */
struct search {
	struct gt_services *s;
	struct gt_call *call;
	const struct gt_platforms *platforms;
	struct gt_descriptor best; /* its digest is NULL: none yet */
	int rank;
	int reads;
};

/* No platform at all comes after every one that suits. */
#define RANK_NO_PLATFORM 100000000

/* What cannot be read as a platform suits nobody. */
static int platform_rank(const struct gt_platforms *platforms, const char *text)
{
	gt_auto(gt_platform) p = { 0 };
	struct gt_error *e = gt_platform_parse(text, &p);

	if (e) {
		gt_error_free(e);
		return -1;
	}
	return platforms->n && gt_platform_is_unknown(&p) ? -1 : gt_platforms_rank(platforms, &p);
}

static struct gt_error *search_index(struct search *x, const struct gt_descriptor *d, int depth)
{
	gt_auto(gt_index) index = { 0 };

	if (depth > INDEX_DEPTH || ++x->reads > INDEX_READS)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: too many indexes", d->digest);
	GT_TRY(gt_image_read_index(x->s, x->call, d, &index));
	for (size_t i = 0; i < index.manifests.n; i++) {
		const struct gt_descriptor *m = &index.manifests.v[i];
		int rank = RANK_NO_PLATFORM;

		if (m->platform) {
			rank = platform_rank(x->platforms, m->platform);
		}
		if (rank < 0)
			continue;
		if (gt_type_is_index(m->media_type)) {
			/* One that is not there cannot hold the manifest that is looked for. */
			GT_TRY(gt_error_unless(search_index(x, m, depth + 1), GT_NOT_FOUND));
		} else if (gt_type_is_manifest(m->media_type) &&
			   (!x->best.digest || rank < x->rank)) {
			gt_descriptor_done(&x->best);
			gt_descriptor_copy(&x->best, m);
			x->rank = rank;
		}
	}
	return NULL;
}

static struct gt_error *no_match(const char *digest)
{
	return gt_error_new(GT_NOT_FOUND, "no match for platform in manifest %s", digest);
}

struct gt_error *gt_image_find_manifest(struct gt_services *s, struct gt_call *call,
					const struct gt_descriptor *target,
					const struct gt_platforms *platforms,
					struct gt_descriptor *out)
{
	struct search x = { .s = s, .call = call, .platforms = platforms };
	struct gt_error *e;

	if (gt_type_is_manifest(target->media_type)) {
		gt_descriptor_copy(out, target);
		return NULL;
	}
	if (!gt_type_is_index(target->media_type))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: %s is neither manifest nor index",
				    target->digest, target->media_type);
	e = search_index(&x, target, 0);
	if (!e && !x.best.digest)
		e = no_match(target->digest);
	if (e) {
		gt_descriptor_done(&x.best);
		return e;
	}
	*out = x.best;
	return NULL;
}

struct gt_error *gt_image_resolve(struct gt_services *s, struct gt_call *call,
				  const struct gt_descriptor *target,
				  const struct gt_platforms *platforms, struct gt_image_view *out)
{
	gt_auto(gt_image_view) v = { 0 };

	GT_TRY(gt_image_find_manifest(s, call, target, platforms, &v.manifest));
	GT_TRY(gt_image_read_manifest(s, call, &v.manifest, &v.document));
	GT_TRY(gt_image_read_config(s, call, &v.document.config, &v.config));
	/* What stands in an index without a platform is taken by its configuration's. */
	if (!v.manifest.platform && gt_type_is_index(target->media_type) &&
	    *v.config.platform.os && gt_platforms_rank(platforms, &v.config.platform) < 0)
		return no_match(target->digest);
	if (v.config.diff_ids.n != v.document.layers.n)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "image %s: %zu layers, but %zu diff IDs in its config",
				    v.manifest.digest, v.document.layers.n, v.config.diff_ids.n);
	gt_chain_ids(&v.config.diff_ids, &v.chain_ids);
	*out = v;
	v = (struct gt_image_view){ 0 };
	return NULL;
}

static void add_platform(struct gt_strv *out, const struct gt_platform *p)
{
	gt_autofree char *text = NULL;

	if (gt_platform_is_unknown(p) || !p->os || !*p->os || !p->arch || !*p->arch)
		return;
	text = gt_platform_format(p);
	if (!gt_strv_has(out, text))
		gt_strv_add(out, text);
}

static struct gt_error *list_platforms(struct gt_services *s, struct gt_call *call,
				       const struct gt_descriptor *d, int depth, int *reads,
				       struct gt_strv *out, bool *all)
{
	gt_auto(gt_index) index = { 0 };

	if (depth > INDEX_DEPTH || ++*reads > INDEX_READS)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: too many indexes", d->digest);
	if (d->platform) {
		gt_auto(gt_platform) p = { 0 };
		struct gt_error *e = gt_platform_parse(d->platform, &p);

		if (!e)
			add_platform(out, &p);
		gt_error_free(e);
		return NULL;
	}
	if (gt_type_is_manifest(d->media_type)) {
		gt_auto(gt_manifest) m = { 0 };
		gt_auto(gt_image_config) c = { 0 };

		GT_TRY(gt_image_read_manifest(s, call, d, &m));
		GT_TRY(gt_image_read_config(s, call, &m.config, &c));
		add_platform(out, &c.platform);
		return NULL;
	}
	if (!gt_type_is_index(d->media_type))
		return NULL;
	GT_TRY(gt_image_read_index(s, call, d, &index));
	for (size_t i = 0; i < index.manifests.n; i++) {
		struct gt_error *e = list_platforms(s, call, &index.manifests.v[i], depth + 1,
						    reads, out, all);

		*all &= !e;
		GT_TRY(gt_error_unless(e, GT_NOT_FOUND));
	}
	return NULL;
}

struct gt_error *gt_image_platforms(struct gt_services *s, struct gt_call *call,
				    const struct gt_descriptor *target, struct gt_strv *out,
				    bool *all)
{
	gt_auto(gt_strv) found = { 0 };
	bool whole = true;
	int reads = 0;

	GT_TRY(list_platforms(s, call, target, 0, &reads, &found, &whole));
	if (all)
		*all = whole;
	gt_strv_sort(&found);
	gt_strv_addv(out, &found);
	return NULL;
}

/* A sum of sizes that strangers claim. */
static struct gt_error *add_size(int64_t *sum, int64_t size)
{
	if (__builtin_add_overflow(*sum, size, sum))
		return gt_error_new(GT_INVALID_ARGUMENT, "image claims more than 2^63 bytes");
	return NULL;
}

struct gt_error *gt_image_size(struct gt_services *s, struct gt_call *call,
			       const struct gt_descriptor *target,
			       const struct gt_platforms *platforms, int64_t *out)
{
	gt_auto(gt_descriptor) d = { 0 };
	gt_auto(gt_manifest) m = { 0 };
	int64_t sum;

	GT_TRY(gt_image_find_manifest(s, call, target, platforms, &d));
	GT_TRY(gt_image_read_manifest(s, call, &d, &m));
	sum = d.size;
	if (gt_type_is_index(target->media_type)) /* containerd counts it, too */
		GT_TRY(add_size(&sum, target->size));
	GT_TRY(add_size(&sum, m.config.size));
	for (size_t i = 0; i < m.layers.n; i++)
		GT_TRY(add_size(&sum, m.layers.v[i].size));
	*out = sum;
	return NULL;
}

void gt_image_status_done(struct gt_image_status *st)
{
	gt_strv_done(&st->missing);
}

static struct gt_error *count_blob(struct gt_services *s, struct gt_call *call,
				   const struct gt_descriptor *d, struct gt_image_status *st)
{
	gt_auto(gt_blob) b = { 0 };
	struct gt_error *e = gt_blobs_info(s, call, d->digest, &b);

	st->required++;
	GT_TRY(add_size(&st->required_size, d->size));
	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		gt_strv_add(&st->missing, d->digest);
		return NULL;
	}
	GT_TRY(e);
	st->present++;
	return add_size(&st->present_size, b.info.size);
}

struct gt_error *gt_image_check(struct gt_services *s, struct gt_call *call,
				const struct gt_descriptor *target,
				const struct gt_platforms *platforms, struct gt_image_status *out)
{
	gt_auto(gt_image_status) st = { 0 };
	gt_auto(gt_descriptor) d = { 0 };
	gt_auto(gt_manifest) m = { 0 };
	struct gt_error *e = gt_image_find_manifest(s, call, target, platforms, &d);

	if (!e)
		e = gt_image_read_manifest(s, call, &d, &m);
	if (gt_error_class(e) == GT_NOT_FOUND) { /* the index or the manifest is not there */
		gt_error_free(e);
		gt_strv_add(&st.missing, d.digest ? d.digest : target->digest);
		*out = st;
		st = (struct gt_image_status){ 0 };
		return NULL;
	}
	GT_TRY(e);
	st.available = true;
	GT_TRY(count_blob(s, call, &m.config, &st));
	for (size_t i = 0; i < m.layers.n; i++)
		GT_TRY(count_blob(s, call, &m.layers.v[i], &st));
	*out = st;
	st = (struct gt_image_status){ 0 };
	return NULL;
}

struct gt_error *gt_image_unpacked(struct gt_services *s, struct gt_call *call,
				   const struct gt_image_view *v, const char *snapshotter,
				   bool *out)
{
	gt_auto(gt_snapshot_info) info = { 0 };
	struct gt_error *e;

	if (!v->chain_ids.n) {
		*out = true;
		return NULL;
	}
	e = gt_snapshots_stat(s, call, snapshotter, gt_image_view_chain_id(v), &info);
	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		*out = false;
		return NULL;
	}
	GT_TRY(e);
	*out = info.kind == GT_SNAPSHOT_COMMITTED;
	return NULL;
}

#define GC_REF "containerd.io/gc.ref.content."

/* How many children of each kind have a label. */
struct numbers {
	size_t configs, manifests, layers, others;
};

/* containerd's names: a running number a kind, but for the first config. */
static void label_child(struct numbers *n, const struct gt_descriptor *d, struct gt_labels *out)
{
	gt_autofree char *key = NULL;

	if (gt_type_is_config(d->media_type))
		key = n->configs ? gt_strf(GC_REF "config%zu", n->configs)
				 : gt_xstrdup(GC_REF "config");
	else if (gt_type_is_manifest(d->media_type) || gt_type_is_index(d->media_type))
		key = gt_strf(GC_REF "m.%zu", n->manifests++);
	else if (gt_type_is_layer(d->media_type))
		key = gt_strf(GC_REF "l.%zu", n->layers++);
	else
		key = gt_strf(GC_REF "%zu", n->others++);
	n->configs += gt_type_is_config(d->media_type);
	gt_labels_set(out, key, d->digest);
}

void gt_image_manifest_labels(const struct gt_manifest *m, struct gt_labels *out)
{
	struct numbers n = { 0 };

	label_child(&n, &m->config, out);
	for (size_t i = 0; i < m->layers.n; i++)
		label_child(&n, &m->layers.v[i], out);
}

void gt_image_index_labels(const struct gt_index *index,
			   bool (*keep)(void *arg, const struct gt_descriptor *d), void *arg,
			   struct gt_labels *out)
{
	struct numbers n = { 0 };

	for (size_t i = 0; i < index->manifests.n; i++)
		if (!keep || keep(arg, &index->manifests.v[i]))
			label_child(&n, &index->manifests.v[i], out);
}
