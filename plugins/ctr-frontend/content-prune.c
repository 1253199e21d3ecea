/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ctr content prune references`: takes away the labels by which manifests keep their layers, so that a
 * collection removes the blobs of layers that are unpacked.
 */
#include <config.h>

#include "commands.h"
#include "format.h"

#include <gantry/api-blobs.h>
#include <gantry/api-system.h>
#include <gantry/buf.h>

#include <string.h>

#define PREFIX "containerd.io/gc.ref.content."

/* "l.N", and a number over 0: the first of those is the config. */
static bool is_layer(const char *label)
{
	const char *rest = label + strlen(PREFIX);

	if (strncmp(label, PREFIX, strlen(PREFIX)))
		return false;
	if (!strncmp(rest, "l.", 2))
		return true;
	return *rest && strspn(rest, "0123456789") == strlen(rest) &&
	       strspn(rest, "0") != strlen(rest);
}

struct found {
	char *digest;
	struct gt_strv labels;
};

struct founds {
	struct found *v;
	size_t n, alloc;
};

static void founds_done(struct founds *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->v[i].digest);
		gt_strv_done(&f->v[i].labels);
	}
	free(f->v);
}

static struct gt_error *look(void *arg, const struct gt_blob *b)
{
	struct founds *f = arg;
	struct found one = { 0 };

	for (size_t i = 0; i < b->labels.n; i++)
		if (is_layer(b->labels.v[i].key))
			gt_strv_add(&one.labels, b->labels.v[i].key);
	if (!one.labels.n)
		return NULL;
	one.digest = gt_xstrdup(b->info.digest);
	GT_GROW(f->v, f->n, f->alloc);
	f->v[f->n++] = one;
	return NULL;
}

static struct gt_error *strip(struct ctr *c, struct gt_services *s, const struct found *f)
{
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_strv) mask = { 0 };

	if (ctr_bool(c, "dry")) {
		gt_autofree char *text = ctr_join(&f->labels, " ");

		ctr_log(c, "info", NULL, "would remove from %s: %s", f->digest, text);
		return NULL;
	}
	for (size_t i = 0; i < f->labels.n; i++) {
		gt_labels_set(&labels, f->labels.v[i], "");
		gt_strv_addf(&mask, "labels.%s", f->labels.v[i]);
	}
	/* It may have gone meanwhile. */
	return gt_error_unless(gt_blobs_update(s, &c->call, f->digest, &labels, &mask, NULL),
			       GT_NOT_FOUND);
}

static struct gt_error *run_references(struct ctr *c)
{
	gt_auto(founds) f = { 0 };
	struct gt_collected went;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	GT_TRY(gt_blobs_list(s, &c->call, NULL, look, &f));
	for (size_t i = 0; i < f.n; i++)
		GT_TRY(strip(c, s, &f.v[i]));
	if (ctr_bool(c, "dry") || ctr_bool(c, "async"))
		return NULL;
	return gt_system_collect(s, &c->call, 0, &went);
}

static const struct ctr_flag flags[] = {
	{ .name = "async",
	  .type = CTR_BOOL,
	  .text = "leave the removal of blobs to a later collection" },
	{ .name = "dry", .type = CTR_BOOL, .text = "only say what would be changed" },
	{ 0 },
};

static const struct ctr_command references = {
	.name = "references",
	.text = "let manifests keep their layers' blobs no longer, and remove those",
	.args = "[flags]",
	.flags = (const struct ctr_flag *const[]){ flags, NULL },
	.run = run_references,
};

const struct ctr_command ctr_content_prune = {
	.name = "prune",
	.text = "remove content that is not needed once it is unpacked",
	.commands = (const struct ctr_command *const[]){ &references, NULL },
};
