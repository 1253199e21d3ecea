/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/pull.h>

#include <gantry/api-blobs.h>
#include <gantry/buf.h>

#include <client/fetch.h>
#include <client/lease.h>
#include <client/parallel.h>
#include <client/unpack.h>
#include <string.h>

#define INDEX_DEPTH 8
#define INDEX_READS 256
#define MANIFESTS_MAX 4096

/* A manifest that is fetched. */
struct leaf {
	struct gt_descriptor desc;
	struct gt_manifest doc;
	bool wanted; /* its layers, too */
};

struct pull {
	struct gt_services *s;
	const struct gt_pull_options *o;
	struct gt_lease_scope lease; /* its call goes to everything */
	struct gt_fetch fetch;
	struct gt_descriptor target;
	struct gt_strv platforms; /* to unpack */
	struct leaf *leaves;
	size_t n_leaves, alloc_leaves;
	struct gt_descriptors blobs; /* configs, then layers; each once */
	struct gt_parallel *downloads; /* of 'blobs' */
	bool *here; /* of 'blobs': known to be done */
	bool fetched; /* all of them, and the caller knows */
	int reads;
};

static struct gt_call *call_of(struct pull *p)
{
	return &p->lease.call;
}

static struct gt_error *step(struct pull *p, enum gt_pull_step what, const char *platform,
			     const struct gt_image_view *v)
{
	return p->o->step ? p->o->step(p->o->arg, what, platform, v) : NULL;
}

/* --- which manifests ------------------------------------------------------------------------- */

static struct gt_error *add_leaf(struct pull *p, const struct gt_descriptor *d, bool wanted)
{
	for (size_t i = 0; i < p->n_leaves; i++) {
		if (!strcmp(p->leaves[i].desc.digest, d->digest)) {
			p->leaves[i].wanted |= wanted;
			return NULL;
		}
	}
	if (p->n_leaves == MANIFESTS_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT, "image has more than %d manifests",
				    MANIFESTS_MAX);
	GT_GROW(p->leaves, p->n_leaves, p->alloc_leaves);
	p->leaves[p->n_leaves] = (struct leaf){ .wanted = wanted };
	gt_descriptor_copy(&p->leaves[p->n_leaves++].desc, d);
	return NULL;
}

static struct gt_error *check_index(void *arg, const struct gt_descriptor *d, const char *text,
				    size_t len, struct gt_labels *labels)
{
	struct gt_index *index = arg;

	GT_TRY(gt_index_parse(text, len, d->media_type, index));
	gt_image_index_labels(index, NULL, NULL, labels);
	return NULL;
}

/* Whether an index below an index can hold something that is wanted. */
static bool may_hold(const struct pull *p, const struct gt_descriptor *d)
{
	gt_auto(gt_platform) have = { 0 };
	struct gt_error *e;
	bool any = p->o->all_platforms || p->o->metadata == GT_PULL_ALL_METADATA;

	if (any || !d->platform)
		return true;
	e = gt_platform_parse(d->platform, &have);
	for (size_t i = 0; !e && !any && i < p->platforms.n; i++) {
		gt_auto(gt_platforms) one = { 0 };

		e = gt_platforms_add(&one, p->platforms.v[i]);
		any = !e && gt_platforms_rank(&one, &have) >= 0;
	}
	gt_error_free(e);
	return any;
}

/* Fetches the index and those below it; of what they list, adds manifests that are wanted anyhow. */
static struct gt_error *fetch_index(struct pull *p, const struct gt_descriptor *d, int depth)
{
	gt_auto(gt_index) index = { 0 };

	if (depth > INDEX_DEPTH || ++p->reads > INDEX_READS)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: too many indexes", d->digest);
	GT_TRY(gt_fetch_document(&p->fetch, call_of(p), d, check_index, &index));
	for (size_t i = 0; i < index.manifests.n; i++) {
		const struct gt_descriptor *m = &index.manifests.v[i];

		if (gt_type_is_index(m->media_type)) {
			if (may_hold(p, m))
				GT_TRY(fetch_index(p, m, depth + 1));
		} else if (gt_type_is_manifest(m->media_type)) {
			if (p->o->all_platforms || p->o->metadata == GT_PULL_ALL_METADATA)
				GT_TRY(add_leaf(p, m, p->o->all_platforms));
		}
	}
	return NULL;
}

static struct gt_error *choose_manifests(struct pull *p)
{
	if (gt_type_is_manifest(p->target.media_type))
		return add_leaf(p, &p->target, true);
	if (!gt_type_is_index(p->target.media_type))
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "%s is neither manifest nor index but %s%s", p->target.digest,
				    p->target.media_type,
				    strstr(p->target.media_type, "manifest.v1+") ?
					    ", a format that is no longer supported" :
					    "");
	GT_TRY(fetch_index(p, &p->target, 0));
	for (size_t i = 0; !p->o->all_platforms && i < p->platforms.n; i++) {
		gt_auto(gt_descriptor) d = { 0 };
		gt_auto(gt_platforms) one = { 0 };

		GT_TRY(gt_platforms_add(&one, p->platforms.v[i]));
		GT_TRY(gt_error_wrap(gt_image_find_manifest(p->s, call_of(p), &p->target, &one, &d),
				     "%s", p->platforms.v[i]));
		GT_TRY(add_leaf(p, &d, true));
	}
	return NULL;
}

/* --- blobs ------------------------------------------------------------------------------------ */

static struct gt_error *check_manifest(void *arg, const struct gt_descriptor *d, const char *text,
				       size_t len, struct gt_labels *labels)
{
	struct gt_manifest *doc = arg;

	GT_TRY(gt_manifest_parse(text, len, d->media_type, doc));
	gt_image_manifest_labels(doc, labels);
	return NULL;
}

static struct gt_error *fetch_manifest(void *arg, struct gt_call *call, size_t i)
{
	struct pull *p = arg;

	return gt_fetch_document(&p->fetch, call, &p->leaves[i].desc, check_manifest,
				 &p->leaves[i].doc);
}

static unsigned downloads(const struct pull *p)
{
	return p->o->downloads ? p->o->downloads : GT_TRANSFERS_DEFAULT;
}

static size_t find_blob(const struct pull *p, const char *digest)
{
	size_t i = 0;

	while (i < p->blobs.n && strcmp(p->blobs.v[i].digest, digest))
		i++;
	return i;
}

static void add_blob(struct pull *p, const struct gt_descriptor *d)
{
	if (find_blob(p, d->digest) == p->blobs.n)
		gt_descriptors_add(&p->blobs, d);
}

static struct gt_error *fetch_blob(void *arg, struct gt_call *call, size_t i)
{
	struct pull *p = arg;
	const struct gt_descriptor *d = &p->blobs.v[i];

	if (!gt_type_is_layer(d->media_type) && strstr(d->media_type, "json") &&
	    d->size > GT_DOCUMENT_MAX)
		return gt_error_new(GT_RESOURCE_EXHAUSTED,
				    "%s claims %lld bytes, a document may have %d", d->digest,
				    (long long)d->size, GT_DOCUMENT_MAX);
	return gt_fetch_blob(&p->fetch, call, d, NULL);
}

/* Lists the blobs, and lets them come. */
static struct gt_error *begin_downloads(struct pull *p)
{
	struct gt_parallel_options each = {
		.n = p->n_leaves, .jobs = downloads(p), .each = fetch_manifest, .arg = p
	};

	GT_TRY(gt_parallel(call_of(p), &each));
	for (size_t i = 0; i < p->n_leaves; i++)
		add_blob(p, &p->leaves[i].doc.config);
	for (size_t i = 0; p->o->metadata != GT_PULL_METADATA_ONLY && i < p->n_leaves; i++)
		for (size_t k = 0; p->leaves[i].wanted && k < p->leaves[i].doc.layers.n; k++)
			add_blob(p, &p->leaves[i].doc.layers.v[k]);
	for (size_t i = 0; i < p->blobs.n; i++) {
		gt_autofree char *ref = gt_fetch_ref(&p->blobs.v[i]);

		gt_progress_line(p->o->progress, ref, p->blobs.v[i].size);
	}
	p->here = gt_xcalloc(p->blobs.n + 1, sizeof(*p->here));
	each.n = p->blobs.n;
	each.each = fetch_blob;
	return gt_parallel_begin(call_of(p), &each, &p->downloads);
}

static struct gt_error *wait_blob(struct pull *p, size_t i)
{
	GT_TRY(gt_parallel_wait(p->downloads, i));
	p->here[i] = true;
	return NULL;
}

/* --- unpacking -------------------------------------------------------------------------------- */

/* Hands a blob that has come to every layer that it is. */
static void tell(const struct pull *p, struct gt_unpack *u, const struct gt_image_view *v, size_t i)
{
	for (size_t k = 0; k < v->document.layers.n; k++)
		if (!strcmp(v->document.layers.v[k].digest, p->blobs.v[i].digest))
			gt_unpack_ready(u, k);
}

static bool all_here(const struct pull *p, const struct gt_image_view *v)
{
	for (size_t k = 0; k < v->document.layers.n; k++)
		if (!p->here[find_blob(p, v->document.layers.v[k].digest)])
			return false;
	return true;
}

static struct gt_error *feed(struct pull *p, struct gt_unpack *u, const struct gt_image_view *v)
{
	for (size_t i = 0; i < p->blobs.n; i++)
		if (p->here[i])
			tell(p, u, v, i);
	while (!all_here(p, v)) {
		size_t i;

		GT_TRY(gt_parallel_next(p->downloads, &i));
		if (i == p->blobs.n)
			return gt_error_new(GT_INTERNAL, "a layer was never fetched");
		if (!p->here[i])
			tell(p, u, v, i);
		p->here[i] = true;
	}
	return NULL;
}

static struct gt_error *tell_fetched(struct pull *p)
{
	if (p->fetched)
		return NULL;
	p->fetched = true;
	return step(p, GT_PULL_FETCHED, NULL, NULL);
}

static struct gt_error *unpack(struct pull *p, const char *platform)
{
	struct gt_unpack_options uo = { .snapshotter = p->o->snapshotter, .jobs = p->o->jobs };
	gt_auto(gt_image_view) v = { 0 };
	gt_auto(gt_platforms) one = { 0 };
	gt_auto(gt_descriptor) d = { 0 };
	gt_autoptr(gt_unpack) u = NULL;

	GT_TRY(gt_platforms_add(&one, platform));
	GT_TRY(gt_image_find_manifest(p->s, call_of(p), &p->target, &one, &d));
	for (size_t i = 0; i < p->n_leaves; i++)
		if (!strcmp(p->leaves[i].desc.digest, d.digest))
			GT_TRY(wait_blob(p, find_blob(p, p->leaves[i].doc.config.digest)));
	GT_TRY(gt_image_resolve(p->s, call_of(p), &p->target, &one, &v));
	GT_TRY(step(p, GT_PULL_UNPACKING, platform, &v));
	GT_TRY(gt_unpack_open(p->s, call_of(p), &v, &uo, &u));
	GT_TRY(feed(p, u, &v));
	if (gt_parallel_is_done(p->downloads))
		GT_TRY(tell_fetched(p));
	GT_TRY(gt_error_wrap(gt_unpack_finish(u), "unpack %s", platform));
	return step(p, GT_PULL_UNPACKED, platform, &v);
}

static struct gt_error *unpack_all(struct pull *p)
{
	if (p->o->all_platforms) {
		/* what an index does not say stands in the configurations */
		for (size_t i = 0; i < p->n_leaves; i++)
			GT_TRY(wait_blob(p, find_blob(p, p->leaves[i].doc.config.digest)));
		GT_TRY(gt_image_platforms(p->s, call_of(p), &p->target, &p->platforms,
					  NULL));
	}
	for (size_t i = 0; i < p->platforms.n; i++)
		GT_TRY(unpack(p, p->platforms.v[i]));
	return NULL;
}

/* --- all of it -------------------------------------------------------------------------------- */

static struct gt_error *set_name(struct pull *p, const char *name, struct gt_image *out)
{
	struct gt_image image = { .name = (char *)name, .target = p->target };
	gt_auto(gt_strv) mask = { 0 };

	if (p->o->labels)
		image.labels = *p->o->labels;
	gt_strv_add(&mask, "target");
	for (size_t i = 0; i < image.labels.n; i++)
		gt_strv_addf(&mask, "labels.%s", image.labels.v[i].key);
	return gt_image_set(p->s, call_of(p), &image, &mask, out);
}

static struct gt_error *resolve(struct pull *p, const char *ref)
{
	size_t line = gt_progress_line(p->o->progress, ref, 0);
	gt_auto(gt_resolved) found = { 0 };

	gt_progress_state(p->o->progress, line, GT_PROGRESS_RESOLVING);
	GT_TRY(gt_error_wrap(gt_resolver_resolve(p->o->resolver, call_of(p), ref, p->o->registry,
						 &found),
			     "resolve reference \"%s\"", ref));
	gt_descriptor_copy(&p->target, &found.desc);
	gt_progress_state(p->o->progress, line, GT_PROGRESS_RESOLVED);
	return NULL;
}

static void choose_platforms(struct pull *p)
{
	gt_auto(gt_platform) host = { 0 };

	if (p->o->all_platforms)
		return;
	gt_strv_addv(&p->platforms, &p->o->platforms);
	if (p->platforms.n)
		return;
	gt_platform_host(&host);
	gt_strv_add_take(&p->platforms, gt_platform_format(&host));
}

static struct gt_error *course(struct pull *p, const char *ref, struct gt_image *out)
{
	choose_platforms(p);
	GT_TRY(resolve(p, ref));
	GT_TRY(choose_manifests(p));
	GT_TRY(begin_downloads(p));
	if (p->o->unpack && p->o->metadata != GT_PULL_METADATA_ONLY)
		GT_TRY(unpack_all(p));
	GT_TRY(gt_parallel_finish(p->downloads));
	GT_TRY(tell_fetched(p));
	return gt_error_wrap(set_name(p, ref, out), "name image %s", ref);
}

static void pull_done(struct pull *p)
{
	gt_parallel_free(p->downloads);
	for (size_t i = 0; i < p->n_leaves; i++) {
		gt_descriptor_done(&p->leaves[i].desc);
		gt_manifest_done(&p->leaves[i].doc);
	}
	free(p->leaves);
	free(p->here);
	gt_descriptors_done(&p->blobs);
	gt_descriptor_done(&p->target);
	gt_strv_done(&p->platforms);
}

struct gt_error *gt_image_pull(struct gt_services *s, struct gt_call *call, const char *ref,
			       const struct gt_pull_options *o, struct gt_image *out)
{
	struct pull p = {
		.s = s,
		.o = o,
		.fetch = { .s = s,
			   .resolver = o->resolver,
			   .registry = o->registry,
			   .progress = o->progress },
	};
	struct gt_error *e, *ended;

	GT_TRY(gt_lease_scope_open(s, call, &p.lease));
	gt_fetch_init(&p.fetch, ref);
	e = course(&p, ref, out);
	pull_done(&p);
	ended = e ? gt_call_check(call) : NULL;
	if (ended) {
		gt_lease_scope_keep(&p.lease);
	} else if (e) {
		gt_fetch_undo(&p.fetch, call);
		p.lease.sync = true;
	}
	gt_error_free(ended);
	gt_fetch_done(&p.fetch);
	gt_lease_scope_done(&p.lease);
	return e;
}
