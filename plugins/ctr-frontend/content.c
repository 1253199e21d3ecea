/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "lookup.h"
#include "table.h"

#include <gantry/api-blobs.h>
#include <gantry/buf.h>

#include <errno.h>
#include <string.h>

#define CHUNK (1024 * 1024)

struct listing {
	struct ctr *c;
	struct ctr_table *table;
};

static const struct ctr_column list_columns[] = {
	{ "DIGEST", "digest" }, { "SIZE", "size" }, { "AGE", "createdAt" }, { "LABELS", "labels" },
	{ 0 },
};

static struct gt_error *add_blob(void *arg, const struct gt_blob *b)
{
	struct listing *l = arg;

	if (ctr_bool(l->c, "quiet")) {
		fprintf(l->c->out, "%s\n", b->info.digest);
		return NULL;
	}
	ctr_cell(l->table, b->info.digest);
	ctr_cell_decimal(l->table, b->info.size);
	ctr_cell_age(l->table, b->info.created_at);
	ctr_cell_labels(l->table, &b->labels, "-");
	return NULL;
}

static struct gt_error *run_list(struct ctr *c)
{
	struct listing l = { .c = c };
	gt_autoptr(ctr_table) table = NULL;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	l.table = table = ctr_table_new(c, list_columns, 1, 1, CTR_TABS | CTR_OPEN | CTR_OPEN_TITLE);
	GT_TRY(gt_blobs_list(s, &c->call, &c->level->args, add_blob, &l));
	if (!ctr_bool(c, "quiet"))
		ctr_table_print(gt_steal(&table), true);
	return NULL;
}

static const struct ctr_column active_columns[] = {
	{ "REF", "ref" }, { "SIZE", "size" }, { "AGE", "startedAt" }, { 0 },
};

static struct gt_error *add_ingest(void *arg, const struct gt_ingest_info *i)
{
	struct listing *l = arg;

	ctr_cell(l->table, i->ref);
	ctr_cell_decimal(l->table, i->offset);
	ctr_cell_age(l->table, i->started_at);
	return NULL;
}

static struct gt_error *run_active(struct ctr *c)
{
	struct listing l = { .c = c };
	gt_autoptr(ctr_table) table = NULL;
	gt_auto(gt_strv) filters = { 0 };
	struct gt_services *s;

	if (*ctr_arg(c, 0))
		gt_strv_add(&filters, ctr_arg(c, 0));
	GT_TRY(ctr_services(c, &s));
	l.table = table = ctr_table_new(c, active_columns, 1, 1, CTR_TABS);
	GT_TRY(gt_blobs_list_ingests(s, &c->call, &filters, add_ingest, &l));
	ctr_table_print(gt_steal(&table), true);
	return NULL;
}

static struct gt_error *run_delete(struct ctr *c)
{
	struct gt_error *kept = NULL;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	for (size_t i = 0; i < ctr_n_args(c); i++) {
		const char *digest = ctr_arg(c, i);
		struct gt_error *e = gt_digest_check(digest);

		if (!e)
			e = gt_blobs_remove(s, &c->call, digest);
		if (gt_error_class(e) == GT_NOT_FOUND)
			gt_error_free(e);
		else if (!ctr_keep_error(c, &kept, e, "could not delete %s", digest))
			fprintf(c->out, "%s\n", digest);
	}
	return kept;
}

static struct gt_error *run_get(struct ctr *c)
{
	const char *digest = ctr_arg(c, 0);
	gt_autoptr(gt_reader) r = NULL;
	gt_autofree char *chunk = NULL;
	struct gt_services *s;
	size_t n;

	GT_TRY(gt_digest_check(digest));
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_hint_content(c, s, gt_blobs_reader(s, &c->call, digest, &r), digest));
	chunk = gt_xmalloc(CHUNK);
	for (int64_t at = 0;; at += (int64_t)n) {
		GT_TRY(gt_call_check(&c->call));
		GT_TRY(gt_reader_pread(r, chunk, CHUNK, at, &n));
		if (!n)
			return NULL;
		if (fwrite(chunk, 1, n, c->out) != n)
			return gt_error_errno(GT_UNKNOWN, errno, "write %s", digest);
	}
}

static struct gt_error *copy_stdin(struct ctr *c, struct gt_writer *w, int64_t expected)
{
	gt_autofree char *chunk = gt_xmalloc(CHUNK);
	int64_t total = 0;

	for (;;) {
		ssize_t n;

		GT_TRY(gt_call_check(&c->call));
		n = read(STDIN_FILENO, chunk, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "read standard input");
		if (!n)
			break;
		GT_TRY(gt_writer_write(w, chunk, (size_t)n));
		total += n;
	}
	if (expected > 0 && total < expected)
		return gt_error_new(GT_UNKNOWN,
				    "failed to read expected number of bytes: unexpected EOF");
	return NULL;
}

static struct gt_error *run_ingest(struct ctr *c)
{
	const char *ref = ctr_arg(c, 0), *digest = ctr_string(c, "expected-digest");
	int64_t size = ctr_int(c, "expected-size");
	struct gt_descriptor desc = { .size = size, .digest = *digest ? (char *)digest : NULL };
	gt_autoptr(gt_writer) w = NULL;
	struct gt_services *s;
	struct gt_error *e;

	if (!*ref)
		return ctr_usage_error("must specify a transaction reference");
	if (size < 0)
		return ctr_usage_error("--expected-size %lld: no input is that short",
				       (long long)size);
	if (*digest)
		GT_TRY(gt_digest_check(digest));
	GT_TRY(ctr_services(c, &s));
	e = gt_blobs_writer(s, &c->call, ref, &desc, &w);
	if (gt_error_class(e) == GT_ALREADY_EXISTS) {
		gt_error_free(e);
		return NULL;
	}
	GT_TRY(e);
	/* standard input starts anew, whatever an earlier attempt has stored */
	GT_TRY(gt_writer_truncate(w, 0));
	GT_TRY(copy_stdin(c, w, size));
	e = gt_blobs_commit(s, &c->call, w, size, desc.digest, NULL, NULL);
	return gt_error_unless(e, GT_ALREADY_EXISTS);
}

static struct gt_error *run_label(struct ctr *c)
{
	const struct gt_strv rest = ctr_args_from(c, 1);
	const char *digest = ctr_arg(c, 0);
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_strv) mask = { 0 };
	gt_auto(gt_blob) now = { 0 };
	gt_autofree char *line = NULL;
	struct gt_services *s;
	struct gt_error *e;

	GT_TRY(gt_digest_check(digest));
	ctr_labels_parse(&labels, &rest, "true");
	for (size_t i = 0; i < labels.n; i++)
		gt_strv_addf(&mask, "labels.%s", labels.v[i].key);
	GT_TRY(ctr_services(c, &s));
	e = mask.n ? gt_blobs_update(s, &c->call, digest, &labels, &mask, &now) :
		     gt_blobs_info(s, &c->call, digest, &now);
	GT_TRY(ctr_hint_content(c, s, e, digest));
	line = ctr_labels(&now.labels, "");
	fprintf(c->out, "%s\n", line);
	return NULL;
}

static const struct ctr_flag list_flags[] = {
	{ .name = "quiet", .alias = "q", .type = CTR_BOOL, .text = "print the digests only" },
	{ 0 },
};

/* Of no effect in containerd's ctr either. */
static const struct ctr_flag active_flags[] = {
	{ .name = "timeout",
	  .alias = "t",
	  .type = CTR_DURATION,
	  .text = "total time for a fetch (not used)",
	  .env = "CONTAINERD_FETCH_TIMEOUT" },
	{ .name = "root",
	  .type = CTR_STRING,
	  .value = "/tmp/content",
	  .text = "where a content store lies (not used)" },
	{ 0 },
};

static const struct ctr_flag ingest_flags[] = {
	{ .name = "expected-size", .type = CTR_INT, .text = "bytes that must arrive" },
	{ .name = "expected-digest", .type = CTR_STRING, .text = "digest that they must have" },
	{ 0 },
};

static const struct ctr_command active = {
	.name = "active",
	.text = "list the ingests, those of ended processes among them",
	.args = "[flags] [<filter>]",
	.flags = (const struct ctr_flag *const[]){ active_flags, ctr_json_flag, NULL },
	.run = run_active,
};

static const struct ctr_command delete_command = {
	.name = "delete",
	.aliases = "del, remove, rm",
	.text = "delete blobs; prints those that were there",
	.args = "[<digest>, ...]",
	.run = run_delete,
	.bits = CTR_COLLECTS,
};

static const struct ctr_command get = {
	.name = "get",
	.text = "write a blob to standard output",
	.args = "[<digest>, ...]",
	.run = run_get,
};

static const struct ctr_command ingest = {
	.name = "ingest",
	.text = "store standard input as a blob",
	.args = "[flags] <key>",
	.flags = (const struct ctr_flag *const[]){ ingest_flags, NULL },
	.run = run_ingest,
};

static const struct ctr_command list = {
	.name = "list",
	.aliases = "ls",
	.text = "list the blobs",
	.args = "[flags] [<filter>, ...]",
	.flags = (const struct ctr_flag *const[]){ list_flags, ctr_json_flag, NULL },
	.run = run_list,
};

static const struct ctr_command label = {
	.name = "label",
	.text = "set labels of a blob; an empty value clears one",
	.args = "<digest> [<label>=<value> ...]",
	.run = run_label,
};

const struct ctr_command ctr_content = {
	.name = "content",
	.text = "manage content",
	.commands =
		(const struct ctr_command *const[]){
			&active,
			&delete_command,
			&ctr_content_edit,
			&ctr_content_fetch,
			&ctr_content_fetch_object,
			&ctr_content_fetch_blob,
			&get,
			&ingest,
			&list,
			&ctr_content_push_object,
			&label,
			&ctr_content_prune,
			NULL,
		},
};
