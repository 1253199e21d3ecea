/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of the group `content` that move single things from and to a registry. */
#include <config.h>

#include "commands.h"
#include "lookup.h"
#include "registry.h"

#include <gantry/api-blobs.h>
#include <gantry/buf.h>
#include <gantry/hash.h>

#include <client/push.h>

#include <errno.h>

#define CHUNK (256 * 1024)

/* Prints the bytes of 'd', and says in the end if they were not what it says. */
static struct gt_error *print(struct ctr *c, const struct ctr_registry *r, const char *ref,
			      const struct gt_descriptor *d)
{
	gt_autofree char *chunk = gt_xmalloc(CHUNK);
	gt_autoptr(gt_reader) blob = NULL;
	gt_autoptr(gt_hash) hash = NULL;
	size_t n;

	GT_TRY(gt_hash_new(d->digest, &hash));
	GT_TRY(gt_resolver_fetch(r->resolver, &c->call, ref, d, &r->options, &blob));
	for (int64_t at = 0;; at += (int64_t)n) {
		GT_TRY(gt_reader_pread(blob, chunk, CHUNK, at, &n));
		if (!n)
			return gt_hash_check(hash, d->digest);
		gt_hash_add(hash, chunk, n);
		if (fwrite(chunk, 1, n, c->out) != n)
			return gt_error_errno(GT_UNKNOWN, errno, "write %s", d->digest);
	}
}

static struct gt_error *fetch_object(struct ctr *c, struct ctr_registry *r, const char *ref)
{
	gt_auto(gt_resolved) found = { 0 };

	GT_TRY(gt_resolver_resolve(r->resolver, &c->call, ref, &r->options, &found));
	return print(c, r, ref, &found.desc);
}

static struct gt_error *fetch_blobs(struct ctr *c, struct ctr_registry *r, const char *ref)
{
	const char *type = ctr_string(c, "media-type");

	for (size_t i = 1; i < ctr_n_args(c); i++) {
		struct gt_descriptor d = {
			.media_type = (char *)(*type ? type : "application/octet-stream"),
			.digest = (char *)ctr_arg(c, i),
			.size = -1,
		};

		GT_TRY(gt_digest_check(d.digest));
		GT_TRY(print(c, r, ref, &d));
	}
	return NULL;
}

static struct gt_error *push_object(struct ctr *c, struct ctr_registry *r, const char *ref)
{
	struct gt_push_image_options o = { .resolver = r->resolver, .registry = &r->options };
	struct gt_descriptor d = { .digest = (char *)ctr_arg(c, 1),
				   .media_type = (char *)ctr_arg(c, 2) };
	gt_auto(gt_blob) blob = { 0 };
	struct gt_services *s;

	GT_TRY(gt_digest_check(d.digest));
	if (!*d.media_type)
		return ctr_usage_error("must specify the media type of the object");
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_hint_content(c, s, gt_blobs_info(s, &c->call, d.digest, &blob), d.digest));
	d.size = blob.info.size;
	GT_TRY(gt_push_object(s, &c->call, ref, &d, &o));
	fprintf(c->out, "Pushed %s %s\n", d.digest, d.media_type);
	return NULL;
}

static struct gt_error *with_registry(struct ctr *c,
				      struct gt_error *(*run)(struct ctr *c, struct ctr_registry *r,
							      const char *ref))
{
	struct ctr_registry r = { 0 };
	gt_autofree char *ref = NULL;
	struct gt_error *e;

	GT_TRY(ctr_full_reference(ctr_arg(c, 0), &ref));
	e = ctr_registry_read(c, &r);
	if (!e)
		e = run(c, &r, ref);
	ctr_registry_done(&r);
	return e;
}

static struct gt_error *run_fetch_object(struct ctr *c)
{
	return with_registry(c, fetch_object);
}

static struct gt_error *run_fetch_blob(struct ctr *c)
{
	if (!*ctr_arg(c, 1))
		return ctr_usage_error("must specify digests");
	return with_registry(c, fetch_blobs);
}

static struct gt_error *run_push_object(struct ctr *c)
{
	return with_registry(c, push_object);
}

static const struct ctr_flag blob_flags[] = {
	{ .name = "media-type", .type = CTR_STRING, .text = "media type to ask the registry for" },
	{ 0 },
};

const struct ctr_command ctr_content_fetch_object = {
	.name = "fetch-object",
	.text = "print what a reference stands for in its registry",
	.args = "[flags] <ref>",
	.flags = (const struct ctr_flag *const[]){ ctr_registry_flags, NULL },
	.run = run_fetch_object,
};

const struct ctr_command ctr_content_fetch_blob = {
	.name = "fetch-blob",
	.text = "print blobs of a registry's repository",
	.args = "[flags] <ref> <digest> [<digest>, ...]",
	.flags = (const struct ctr_flag *const[]){ blob_flags, ctr_registry_flags, NULL },
	.run = run_fetch_blob,
};

const struct ctr_command ctr_content_push_object = {
	.name = "push-object",
	.text = "push a blob or a document to a registry",
	.args = "[flags] <ref> <digest> <media type>",
	.flags = (const struct ctr_flag *const[]){ ctr_registry_flags, NULL },
	.run = run_push_object,
};
