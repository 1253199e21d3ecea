/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/push.h>

#include <gantry/api-blobs.h>
#include <gantry/buf.h>

#include <client/fetch.h>
#include <client/image.h>
#include <client/parallel.h>
#include <oci/reference.h>
#include <string.h>

#define INDEX_DEPTH 8
#define UPLOADS 3
#define SOURCE "containerd.io/distribution.source."

struct push {
	struct gt_services *s;
	struct gt_call *call;
	const struct gt_push_image_options *o;
	char *ref; /* NAME:TAG@DIGEST of the top, which fits all pieces */
	struct gt_descriptors blobs; /* layers and configurations, each once */
	struct gt_descriptors documents; /* each behind what it names */
};

/* --- what there is to push -------------------------------------------------------------------- */

static bool has(const struct gt_descriptors *l, const char *digest)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i].digest, digest))
			return true;
	return false;
}

static struct gt_error *add_blob(struct push *p, const struct gt_descriptor *d)
{
	gt_auto(gt_blob) there = { 0 };

	if ((gt_type_is_foreign(d->media_type) && !p->o->foreign) || has(&p->blobs, d->digest))
		return NULL;
	GT_TRY(gt_blobs_info(p->s, p->call, d->digest, &there));
	gt_descriptors_add(&p->blobs, d);
	return NULL;
}

static struct gt_error *add_manifest(struct push *p, const struct gt_descriptor *d)
{
	gt_auto(gt_manifest) m = { 0 };
	struct gt_error *e;

	if (has(&p->documents, d->digest))
		return NULL;
	e = gt_image_read_manifest(p->s, p->call, d, &m);
	if (gt_error_class(e) == GT_NOT_FOUND)
		return gt_error_wrap(e, "%s is not here", d->platform ? d->platform : "the manifest");
	GT_TRY(e);
	GT_TRY(add_blob(p, &m.config));
	for (size_t i = 0; i < m.layers.n; i++)
		GT_TRY(add_blob(p, &m.layers.v[i]));
	gt_descriptors_add(&p->documents, d);
	return NULL;
}

static bool is_wanted(const struct push *p, const struct gt_descriptor *d)
{
	gt_auto(gt_platform) have = { 0 };
	struct gt_error *e;
	bool wanted;

	if (!p->o->platforms.n || !d->platform)
		return true;
	e = gt_platform_parse(d->platform, &have);
	wanted = !e && gt_platforms_rank(&p->o->platforms, &have) >= 0;
	gt_error_free(e);
	return wanted;
}

static struct gt_error *add_node(struct push *p, const struct gt_descriptor *d, int depth);

static struct gt_error *add_index(struct push *p, const struct gt_descriptor *d, int depth)
{
	gt_auto(gt_index) index = { 0 };

	if (depth > INDEX_DEPTH)
		return gt_error_new(GT_INVALID_ARGUMENT, "indexes nested deeper than %d levels",
				    INDEX_DEPTH);
	GT_TRY(gt_image_read_index(p->s, p->call, d, &index));
	for (size_t i = 0; i < index.manifests.n; i++) {
		const struct gt_descriptor *m = &index.manifests.v[i];

		if (is_wanted(p, m))
			GT_TRY(gt_error_wrap(add_node(p, m, depth + 1),
					     "an index needs all its manifests (--platform pushes one alone)"));
	}
	if (!has(&p->documents, d->digest))
		gt_descriptors_add(&p->documents, d);
	return NULL;
}

static struct gt_error *add_node(struct push *p, const struct gt_descriptor *d, int depth)
{
	if (gt_type_is_index(d->media_type))
		return add_index(p, d, depth);
	if (gt_type_is_manifest(d->media_type))
		return add_manifest(p, d);
	if (depth)
		return add_blob(p, d);
	return gt_error_new(GT_INVALID_ARGUMENT, "%s: %s is neither manifest nor index", d->digest,
			    d->media_type);
}

static struct gt_error *whole_ref(const char *ref, const char *digest, char **out)
{
	gt_auto(gt_reference) r = { 0 };
	const char *given;

	GT_TRY(gt_reference_parse(ref, &r));
	given = gt_reference_digest(&r);
	if (given && strcmp(given, digest))
		return gt_error_new(GT_INVALID_ARGUMENT, "%s names another image than %s", ref,
				    digest);
	*out = given ? gt_xstrdup(ref) : gt_strf("%s@%s", ref, digest);
	return NULL;
}

/* --- sending it -------------------------------------------------------------------------------- */

/* The repositories on the registry of 'ref' that the blob is known to be in. */
static struct gt_error *sources(struct gt_services *s, struct gt_call *call, const char *ref,
				const char *digest, struct gt_strv *out)
{
	gt_auto(gt_reference) r = { 0 };
	gt_auto(gt_blob) b = { 0 };
	gt_autofree char *key = NULL;
	const char *list;

	GT_TRY(gt_reference_parse(ref, &r));
	GT_TRY(gt_blobs_info(s, call, digest, &b));
	key = gt_strf(SOURCE "%.*s", (int)strcspn(r.locator, "/"), r.locator);
	list = gt_labels_get(&b.labels, key);
	gt_strv_split(out, list ? list : "", ',');
	return NULL;
}

struct sending {
	struct gt_progress *progress;
	size_t line;
};

static void sent(void *arg, int64_t done)
{
	const struct sending *x = arg;

	gt_progress_done(x->progress, x->line, done, true);
}

struct gt_error *gt_push_object(struct gt_services *s, struct gt_call *call, const char *ref,
				const struct gt_descriptor *d,
				const struct gt_push_image_options *o)
{
	gt_autofree char *name = gt_fetch_ref(d);
	struct sending x = { o->progress, gt_progress_line(o->progress, name, d->size) };
	struct gt_push_options po = GT_PUSH_OPTIONS_INIT;
	gt_autoptr(gt_reader) blob = NULL;
	gt_auto(gt_strv) from = { 0 };
	enum gt_push_end end;

	GT_TRY(sources(s, call, ref, d->digest, &from));
	GT_TRY(gt_blobs_reader(s, call, d->digest, &blob));
	po.from = &from;
	po.progress = sent;
	po.progress_arg = &x;
	gt_progress_state(o->progress, x.line, GT_PROGRESS_UPLOADING);
	GT_TRY(gt_resolver_push(o->resolver, call, ref, d, blob, o->registry, &po, &end));
	gt_progress_done(o->progress, x.line, d->size, end == GT_PUSH_SENT);
	gt_progress_state(o->progress, x.line,
			  end == GT_PUSH_SENT ? GT_PROGRESS_DONE : GT_PROGRESS_EXISTS);
	return NULL;
}

static struct gt_error *push_blob(void *arg, struct gt_call *call, size_t i)
{
	struct push *p = arg;

	return gt_push_object(p->s, call, p->ref, &p->blobs.v[i], p->o);
}

static void list_lines(const struct push *p, const struct gt_descriptors *l)
{
	for (size_t i = 0; i < l->n; i++) {
		gt_autofree char *name = gt_fetch_ref(&l->v[i]);

		gt_progress_line(p->o->progress, name, l->v[i].size);
	}
}

static struct gt_error *course(struct push *p, const char *ref, const struct gt_descriptor *target)
{
	struct gt_parallel_options each = {
		.jobs = p->o->uploads ? p->o->uploads : UPLOADS, .each = push_blob, .arg = p
	};

	GT_TRY(whole_ref(ref, target->digest, &p->ref));
	GT_TRY(add_node(p, target, 0));
	list_lines(p, &p->documents);
	list_lines(p, &p->blobs);
	each.n = p->blobs.n;
	GT_TRY(gt_parallel(p->call, &each));
	for (size_t i = 0; i < p->documents.n; i++)
		GT_TRY(gt_push_object(p->s, p->call, p->ref, &p->documents.v[i], p->o));
	return NULL;
}

struct gt_error *gt_image_push(struct gt_services *s, struct gt_call *call, const char *ref,
			       const struct gt_descriptor *target,
			       const struct gt_push_image_options *o)
{
	struct push p = { .s = s, .call = call, .o = o };
	gt_auto(gt_descriptor) one = { 0 };
	struct gt_error *e = NULL;

	if (o->platforms.n == 1 && gt_type_is_index(target->media_type))
		e = gt_image_find_manifest(s, call, target, &o->platforms, &one);
	if (!e)
		e = course(&p, ref, one.digest ? &one : target);
	free(p.ref);
	gt_descriptors_done(&p.blobs);
	gt_descriptors_done(&p.documents);
	return gt_error_wrap(e, "push %s", ref);
}
