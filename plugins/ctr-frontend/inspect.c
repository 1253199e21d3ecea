/* SPDX-License-Identifier: Apache-2.0 */
/* An image's documents and blobs as a tree. */
#include <config.h>

#include "format.h"
#include "images.h"
#include "lookup.h"

#include <gantry/api-blobs.h>
#include <gantry/buf.h>

#include <client/image.h>
#include <oci/json.h>

#include <string.h>

#define DEPTH_MAX 16
#define MIDDLE "├── "
#define LAST "└── "
#define ALONG "│   "
#define SPACE "    "

struct inspect {
	struct ctr *c;
	struct gt_services *s;
	bool content;
};

static void print_labels(const struct inspect *x, const struct gt_labels *l, const char *prefix)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;

	if (!l->n)
		return;
	gt_buf_addf(&b, "%s┌────────Labels─────────\n", prefix);
	for (size_t i = 0; i < l->n; i++) {
		gt_buf_addf(&b, "%s│", prefix);
		gt_buf_addq(&b, l->v[i].key);
		gt_buf_adds(&b, ": ");
		gt_buf_addq(&b, l->v[i].value);
		gt_buf_addc(&b, '\n');
	}
	gt_buf_addf(&b, "%s└───────────────────────\n", prefix);
	fputs(b.s, x->c->out);
}

/* A JSON document, three blanks an indent, behind the box's left side. */
static void print_document(const struct inspect *x, const char *text, size_t len, const char *prefix)
{
	gt_autojson doc = NULL;
	gt_autofree char *pretty = NULL;
	struct gt_error *e = gt_json_parse("document", text, len, GT_DOCUMENT_MAX,
					   GT_DOCUMENT_DEPTH, &doc);

	if (e) { /* then as it stands */
		gt_error_free(e);
		pretty = gt_xstrndup(text, len);
	} else {
		pretty = json_dumps(doc, JSON_INDENT(3) | JSON_ENCODE_ANY);
	}
	fprintf(x->c->out, "%s┌────────Content────────\n", prefix);
	for (char *line = pretty, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		fprintf(x->c->out, "%s│%s\n", prefix, line);
	}
	fprintf(x->c->out, "%s└───────────────────────\n", prefix);
}

static struct gt_error *print_content(const struct inspect *x, const struct gt_descriptor *d,
				      const char *prefix)
{
	gt_auto(gt_blob) b = { 0 };
	gt_autofree char *text = NULL;
	size_t n = strlen(d->media_type), len;
	struct gt_error *e;

	if (!x->content)
		return NULL;
	e = gt_blobs_info(x->s, &x->c->call, d->digest, &b);
	if (e)
		return gt_error_unless(e, GT_NOT_FOUND);
	print_labels(x, &b.labels, prefix);
	if (n < 4 || strcmp(d->media_type + n - 4, "json"))
		return NULL;
	GT_TRY(gt_image_read(x->s, &x->c->call, d, &text, &len));
	print_document(x, text, len, prefix);
	return NULL;
}

/* A line of what has nothing below it. */
static struct gt_error *print_leaf(const struct inspect *x, const struct gt_descriptor *d,
				   const char *indent, bool last)
{
	gt_autofree char *below = gt_strf("%s%s", indent, last ? SPACE : ALONG);

	fprintf(x->c->out, "%s%s%s @%s (%lld bytes)\n", indent, last ? LAST : MIDDLE, d->media_type,
		d->digest, (long long)d->size);
	return print_content(x, d, below);
}

static struct gt_error *print_node(const struct inspect *x, const struct gt_descriptor *d,
				   const char *indent, bool last, int depth);

static struct gt_error *print_children(const struct inspect *x, const struct gt_descriptor *d,
				       const char *indent, int depth)
{
	gt_auto(gt_manifest) m = { 0 };
	gt_auto(gt_index) index = { 0 };

	if (gt_type_is_manifest(d->media_type)) {
		GT_TRY(gt_image_read_manifest(x->s, &x->c->call, d, &m));
		GT_TRY(print_leaf(x, &m.config, indent, !m.layers.n));
		for (size_t i = 0; i < m.layers.n; i++)
			GT_TRY(print_leaf(x, &m.layers.v[i], indent, i + 1 == m.layers.n));
	} else if (gt_type_is_index(d->media_type)) {
		GT_TRY(gt_image_read_index(x->s, &x->c->call, d, &index));
		for (size_t i = 0; i < index.manifests.n; i++)
			GT_TRY(print_node(x, &index.manifests.v[i], indent,
					  i + 1 == index.manifests.n, depth + 1));
	}
	return NULL;
}

static struct gt_error *print_node(const struct inspect *x, const struct gt_descriptor *d,
				   const char *indent, bool last, int depth)
{
	gt_autofree char *below = gt_strf("%s%s", indent, last ? SPACE : ALONG);
	gt_auto(gt_blob) b = { 0 };
	struct gt_error *e;

	if (depth > DEPTH_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT, "%s: nested deeper than %d levels",
				    d->digest, DEPTH_MAX);
	fprintf(x->c->out, "%s%s%s @%s (%lld bytes)\n", indent, last ? LAST : MIDDLE, d->media_type,
		d->digest, (long long)d->size);
	if (d->platform)
		fprintf(x->c->out, "%s" ALONG " Platform: %s\n", below, d->platform);
	e = gt_blobs_info(x->s, &x->c->call, d->digest, &b);
	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		fprintf(x->c->out, "%s" LAST " Content does not exist locally, skipping\n", below);
		return NULL;
	}
	GT_TRY(e);
	if (x->content) {
		gt_autofree char *along = gt_strf("%s" ALONG, below);

		GT_TRY(print_content(x, d, along));
	}
	return print_children(x, d, below, depth);
}

static struct gt_error *run_inspect(struct ctr *c)
{
	struct inspect x = { .c = c, .content = ctr_bool(c, "content") };
	gt_auto(gt_image) image = { 0 };
	gt_autofree char *created = NULL, *updated = NULL;

	if (!*ctr_arg(c, 0))
		return ctr_usage_error("please provide an image reference to inspect");
	GT_TRY(ctr_services(c, &x.s));
	GT_TRY(ctr_find_image(c, x.s, ctr_arg(c, 0), &image));
	created = ctr_time_go(image.created_at);
	updated = ctr_time_go(image.updated_at);
	fprintf(c->out, "%s\n" ALONG " Created: %s\n" ALONG " Updated: %s\n", image.name, created,
		updated);
	for (size_t i = 0; i < image.labels.n; i++) {
		gt_auto(gt_buf) b = GT_BUF_INIT;

		gt_buf_addq(&b, image.labels.v[i].key);
		gt_buf_adds(&b, ": ");
		gt_buf_addq(&b, image.labels.v[i].value);
		fprintf(c->out, ALONG " Label %s\n", b.s);
	}
	return print_node(&x, &image.target, "", true, 0);
}

static const struct ctr_flag flags[] = {
	{ .name = "content", .type = CTR_BOOL, .text = "print labels and JSON documents, too" },
	{ 0 },
};

const struct ctr_command ctr_image_inspect = {
	.name = "inspect",
	.aliases = "i",
	.text = "show what an image consists of, as a tree",
	.args = "[flags] <ref>",
	.flags = (const struct ctr_flag *const[]){ flags, NULL },
	.run = run_inspect,
};
