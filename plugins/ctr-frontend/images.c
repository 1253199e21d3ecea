/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "images.h"
#include "lookup.h"
#include "table.h"

#include <gantry/api-images.h>
#include <gantry/api-snapshots.h>
#include <gantry/buf.h>

#include <client/defaults.h>
#include <client/image.h>
#include <oci/reference.h>

#include <inttypes.h>
#include <search.h>
#include <string.h>

struct listing {
	struct ctr *c;
	struct gt_services *s;
	struct ctr_table *table;
	struct gt_platforms host;
	const char *snapshotter;
	bool quiet;
	struct gt_error *kept; /* the first, of a listing that goes on */
	void *summaries; /* tsearch's tree of struct summary */
	char *host_name; /* the host's platform, which decides what the size is */
	struct gt_strv digests, notes; /* what the next listing need not read */
};

/* What a listing shows of a target, read once however many names it has. */
struct summary {
	char *digest;
	char *type;
	bool has_size;
	int64_t size;
	struct gt_strv platforms;
};

static int by_target(const void *a, const void *b)
{
	const struct summary *x = a, *y = b;
	int order = strcmp(x->digest, y->digest);

	return order ? order : strcmp(x->type, y->type);
}

static void summary_free(void *p)
{
	struct summary *s = p;

	free(s->digest);
	free(s->type);
	gt_strv_done(&s->platforms);
	free(s);
}

static struct gt_error *list_images(struct ctr *c, const struct ctr_column *columns, unsigned bits,
				    struct gt_error *(*add)(void *, const struct gt_image *),
				    const char *snapshotter, bool empty)
{
	struct listing l = { .c = c, .quiet = ctr_bool(c, "quiet"), .snapshotter = snapshotter };
	gt_autoptr(ctr_table) table = NULL;
	gt_auto(gt_platform) host = { 0 };
	struct gt_error *e;

	GT_TRY(ctr_services(c, &l.s));
	l.table = table = ctr_table_new(c, columns, 1, 1, bits);
	gt_platforms_add_host(&l.host);
	gt_platform_host(&host);
	l.host_name = gt_platform_format(&host);
	e = gt_images_list(l.s, &c->call, &c->level->args, add, &l);
	gt_platforms_done(&l.host);
	tdestroy(l.summaries, summary_free);
	if (!e && l.digests.n) /* where that cannot be, the next listing reads them again */
		gt_error_free(gt_blobs_set_notes(l.s, &c->call, &l.digests, &l.notes));
	gt_strv_done(&l.digests);
	gt_strv_done(&l.notes);
	free(l.host_name);
	if (!e && !l.quiet)
		ctr_table_print(gt_steal(&table), empty);
	return gt_error_first(gt_error_wrap(e, "failed to list images"), l.kept);
}

/* "VERSION TYPE HOST SIZE PLATFORM..."; the first three say whether it is of use. */
#define NOTE "1 %s %s "

static void note_write(struct listing *l, const struct summary *s)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	size_t words = 0;

	gt_buf_addf(&b, NOTE "%" PRId64, s->type, l->host_name, s->size);
	for (size_t i = 0; i < s->platforms.n; i++) {
		gt_buf_addf(&b, " %s", s->platforms.v[i]);
		words += strchr(s->platforms.v[i], ' ') ? 2 : 1; /* a stranger named it */
	}
	if (b.len > GT_NOTE_MAX || strchr(s->type, ' ') || words > s->platforms.n)
		return;
	gt_strv_add(&l->digests, s->digest);
	gt_strv_add(&l->notes, b.s);
}

static bool note_read(struct listing *l, struct summary *s)
{
	gt_autofree char *head = gt_strf(NOTE, s->type, l->host_name);
	gt_auto(gt_strv) words = { 0 };
	gt_autofree char *text = NULL;
	struct gt_error *e = gt_blobs_note(l->s, &l->c->call, s->digest, &text);

	if (e || strncmp(text, head, strlen(head))) {
		gt_error_free(e);
		return false;
	}
	gt_strv_split(&words, text + strlen(head), ' ');
	if (!words.n || sscanf(words.v[0], "%" SCNd64, &s->size) != 1)
		return false;
	s->has_size = true;
	for (size_t i = 1; i < words.n; i++)
		gt_strv_add(&s->platforms, words.v[i]);
	return true;
}

/* An image of another platform alone, or one that is not all here, is nothing to complain about. */
static struct gt_error *summary_read(struct listing *l, const struct gt_descriptor *target,
				     struct summary *s)
{
	struct gt_error *e = gt_image_size(l->s, &l->c->call, target, &l->host, &s->size);
	bool all;

	s->has_size = !e;
	GT_TRY(gt_error_unless(e, GT_NOT_FOUND));
	e = gt_image_platforms(l->s, &l->c->call, target, &s->platforms, &all);
	if (!e && all && s->has_size)
		note_write(l, s);
	return gt_error_unless(e, GT_NOT_FOUND);
}

static const struct summary *summary_of(struct listing *l, const struct gt_image *i)
{
	struct summary key = { .digest = i->target.digest, .type = i->target.media_type };
	struct summary **found = tfind(&key, &l->summaries, by_target);
	struct summary *s;
	struct gt_error *e = NULL;

	if (found)
		return *found;
	s = gt_xcalloc(1, sizeof(*s));
	s->digest = gt_xstrdup(key.digest);
	s->type = gt_xstrdup(key.type);
	tsearch(s, &l->summaries, by_target);
	if (!note_read(l, s))
		e = summary_read(l, &i->target, s);
	if (e)
		ctr_log(l->c, "error", e, "failed to read image %s", i->name);
	gt_error_free(e);
	return s;
}

static struct gt_error *add_image(void *arg, const struct gt_image *i)
{
	const struct summary *s;
	struct listing *l = arg;

	if (l->quiet) {
		fprintf(l->c->out, "%s\n", i->name);
		return NULL;
	}
	s = summary_of(l, i);
	ctr_cell(l->table, i->name);
	ctr_cell(l->table, i->target.media_type);
	ctr_cell(l->table, i->target.digest);
	if (s->has_size)
		ctr_cell_binary(l->table, s->size);
	else
		ctr_cell_or_dash(l->table, NULL);
	ctr_cell_strings(l->table, &s->platforms);
	ctr_cell_labels(l->table, &i->labels, "-");
	return gt_call_check(&l->c->call);
}

static const struct ctr_column list_columns[] = {
	{ "REF", "ref" },   { "TYPE", "type" },		  { "DIGEST", "digest" },
	{ "SIZE", "size" }, { "PLATFORMS", "platforms" }, { "LABELS", "labels" },
	{ 0 },
};

static struct gt_error *run_list(struct ctr *c)
{
	return list_images(c, list_columns, 0, add_image, NULL, true);
}

/* STATUS, SIZE and UNPACKED of one image. */
struct check {
	bool complete, unpacked;
	char *status, *size;
};

static struct gt_error *check(struct listing *l, const struct gt_image *i, struct check *out)
{
	gt_auto(gt_image_status) st = { 0 };
	gt_auto(gt_image_view) view = { 0 };
	gt_autofree char *have = NULL, *need = NULL;

	GT_TRY(gt_image_check(l->s, &l->c->call, &i->target, &l->host, &st));
	have = ctr_size_binary(st.present_size);
	if (st.available) {
		need = ctr_size_binary(st.required_size);
		out->complete = st.present == st.required;
		out->status = gt_strf("%s (%zu/%zu)", out->complete ? "complete" : "incomplete",
				      st.present, st.required);
	} else {
		out->status = gt_strf("unavailable (%zu/?)", st.present);
	}
	out->size = gt_strf("%s/%s", have, need ? need : "?");
	GT_TRY(gt_image_resolve(l->s, &l->c->call, &i->target, &l->host, &view));
	return gt_image_unpacked(l->s, &l->c->call, &view, l->snapshotter, &out->unpacked);
}

static struct gt_error *add_check(void *arg, const struct gt_image *i)
{
	struct check found = { 0 };
	struct listing *l = arg;
	struct gt_error *e = check(l, i, &found);

	if (l->quiet) {
		if (found.complete && found.unpacked)
			fprintf(l->c->out, "%s\n", i->name);
	} else {
		ctr_cell(l->table, i->name);
		ctr_cell(l->table, i->target.media_type);
		ctr_cell(l->table, i->target.digest);
		ctr_cell(l->table, found.status ? found.status : "error");
		ctr_cell_or_dash(l->table, found.size);
		ctr_cell_bool(l->table, found.unpacked);
	}
	if (e) {
		ctr_log(l->c, "error", e, "unable to check %s", i->name);
		l->kept = gt_error_first(l->kept,
					 gt_error_wrap(e, "unable to check %s", i->name));
	}
	free(found.status);
	free(found.size);
	return gt_call_check(&l->c->call);
}

static const struct ctr_column check_columns[] = {
	{ "REF", "ref" },	{ "TYPE", "type" }, { "DIGEST", "digest" },
	{ "STATUS", "status" }, { "SIZE", "size" }, { "UNPACKED", "unpacked" },
	{ 0 },
};

static struct gt_error *run_check(struct ctr *c)
{
	return list_images(c, check_columns, CTR_OPEN, add_check, ctr_snapshotter(c), false);
}

static struct gt_error *run_delete(struct ctr *c)
{
	struct gt_error *kept = NULL;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	for (size_t i = 0; i < ctr_n_args(c); i++) {
		bool sync = ctr_bool(c, "sync") && i + 1 == ctr_n_args(c);
		const char *name = ctr_arg(c, i);
		gt_auto(gt_image) image = { 0 };
		struct gt_error *e = ctr_find_image(c, s, name, &image);

		if (!e)
			e = gt_images_remove(s, &c->call, image.name, sync);
		if (gt_error_class(e) == GT_NOT_FOUND) {
			ctr_log(c, "warning", NULL, "%s: image not found%s", name,
				c->hint ? c->hint : "");
			gt_error_free(e);
			free(gt_steal(&c->hint));
		} else if (!ctr_keep_error(c, &kept, e, "unable to delete %s", name)) {
			fprintf(c->out, "%s\n", image.name);
		}
	}
	return kept;
}

static struct gt_error *run_tag(struct ctr *c)
{
	gt_auto(gt_image) source = { 0 };
	struct gt_services *s;

	if (!*ctr_arg(c, 0))
		return ctr_usage_error("please provide an image reference to tag from");
	if (!*ctr_arg(c, 1))
		return ctr_usage_error("please provide an image reference to tag to");
	for (size_t i = 1; !ctr_bool(c, "skip-reference-check") && i < ctr_n_args(c); i++) {
		gt_autofree char *full = NULL;

		GT_TRY(gt_error_wrap(gt_reference_normalise(ctr_arg(c, i), &full),
				     "error parsing reference"));
	}
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_image(c, s, ctr_arg(c, 0), &source));
	for (size_t i = 1; i < ctr_n_args(c); i++) {
		struct gt_image copy = source;

		copy.name = (char *)ctr_arg(c, i);
		GT_TRY(ctr_bool(c, "force") ? gt_image_set(s, &c->call, &copy, NULL, NULL)
					    : gt_images_create(s, &c->call, &copy, NULL));
		fprintf(c->out, "%s\n", copy.name);
	}
	return NULL;
}

static struct gt_error *run_label(struct ctr *c)
{
	const struct gt_strv rest = ctr_args_from(c, 1);
	gt_auto(gt_image) image = { 0 };
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_strv) mask = { 0 };
	gt_autofree char *line = NULL;
	struct gt_services *s;

	if (!*ctr_arg(c, 0))
		return ctr_usage_error("please specify an image");
	ctr_labels_parse(&labels, &rest, "true");
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_image(c, s, ctr_arg(c, 0), &image));
	if (ctr_bool(c, "replace-all"))
		gt_strv_add(&mask, "labels");
	else
		for (size_t i = 0; i < labels.n; i++)
			gt_strv_addf(&mask, "labels.%s", labels.v[i].key);
	if (mask.n) {
		struct gt_image changed = image;
		gt_auto(gt_image) now = { 0 };

		changed.labels = labels;
		GT_TRY(gt_images_update(s, &c->call, &changed, &mask, &now));
		line = ctr_labels(&now.labels, "");
	} else {
		line = ctr_labels(&image.labels, "");
	}
	fprintf(c->out, "%s\n", line);
	return NULL;
}

static const struct ctr_column usage_columns[] = {
	{ "KEY", "key" }, { "SIZE", "size" }, { "INODES", "inodes" }, { 0 },
};

static struct gt_error *run_usage(struct ctr *c)
{
	gt_auto(gt_image) image = { 0 };
	gt_auto(gt_image_view) view = { 0 };
	gt_auto(gt_platforms) host = { 0 };
	gt_autoptr(ctr_table) table = NULL;
	struct gt_services *s;

	if (!*ctr_arg(c, 0))
		return ctr_usage_error("please provide an image reference");
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_find_image(c, s, ctr_arg(c, 0), &image));
	gt_platforms_add_host(&host);
	GT_TRY(gt_image_resolve(s, &c->call, &image.target, &host, &view));
	table = ctr_table_new(c, usage_columns, 1, 1, 0);
	for (size_t i = view.chain_ids.n; i-- > 0;) {
		const char *key = view.chain_ids.v[i];
		struct gt_usage usage;
		struct gt_error *e = gt_snapshots_usage(s, &c->call, ctr_snapshotter(c), key,
							&usage);

		if (gt_error_class(e) == GT_NOT_FOUND && i + 1 == view.chain_ids.n) {
			gt_autofree char *name = NULL;

			gt_error_free(e);
			GT_TRY(gt_default_snapshotter(s, &c->call, ctr_snapshotter(c), &name));
			return ctr_usage_error("image %s isn't unpacked in snapshotter %s",
					       image.name, name);
		}
		GT_TRY(e);
		ctr_cell(table, key);
		ctr_cell_binary(table, usage.size);
		ctr_cell_int(table, usage.inodes);
	}
	ctr_table_print(gt_steal(&table), true);
	return NULL;
}

const struct ctr_flag ctr_local_flag[] = {
	{ .name = "local",
	  .type = CTR_BOOL,
	  .value = "true",
	  .text = "work from here; false: through the transfer service. Both come to the same" },
	{ 0 },
};

static const struct ctr_flag quiet_flag[] = {
	{ .name = "quiet", .alias = "q", .type = CTR_BOOL, .text = "print the names only" },
	{ 0 },
};

static const struct ctr_flag check_flags[] = {
	{ .name = "quiet",
	  .alias = "q",
	  .type = CTR_BOOL,
	  .text = "print the names of those that are complete and unpacked" },
	{ 0 },
};

static const struct ctr_flag delete_flags[] = {
	{ .name = "sync",
	  .type = CTR_BOOL,
	  .text = "have what only the images kept removed when the command ends" },
	{ 0 },
};

static const struct ctr_flag tag_flags[] = {
	{ .name = "force", .type = CTR_BOOL, .text = "move a name that is there already" },
	{ .name = "skip-reference-check",
	  .type = CTR_BOOL,
	  .text = "take names that no registry would take" },
	{ 0 },
};

static const struct ctr_flag label_flags[] = {
	{ .name = "replace-all",
	  .alias = "r",
	  .type = CTR_BOOL,
	  .text = "clear all labels that are not given" },
	{ 0 },
};

static const struct ctr_command check_command = {
	.name = "check",
	.text = "say which images are here in full",
	.args = "[flags] [<filter>, ...]",
	.flags = (const struct ctr_flag *const[]){ check_flags, ctr_snapshotter_flag, ctr_json_flag,
						   NULL },
	.run = run_check,
};

static const struct ctr_command list = {
	.name = "list",
	.aliases = "ls",
	.text = "list the images",
	.args = "[flags] [<filter>, ...]",
	.flags = (const struct ctr_flag *const[]){ quiet_flag, ctr_json_flag, NULL },
	.run = run_list,
};

static const struct ctr_command delete_command = {
	.name = "delete",
	.aliases = "del, remove, rm",
	.text = "remove names of images",
	.args = "[flags] <ref> [<ref>, ...]",
	.flags = (const struct ctr_flag *const[]){ delete_flags, NULL },
	.run = run_delete,
	.bits = CTR_COLLECTS,
};

static const struct ctr_command tag = {
	.name = "tag",
	.text = "give an image further names",
	.args = "[flags] <source_ref> <target_ref> [<target_ref>, ...]",
	.flags = (const struct ctr_flag *const[]){ tag_flags, ctr_local_flag, NULL },
	.run = run_tag,
};

static const struct ctr_command label = {
	.name = "label",
	.text = "set labels of an image; an empty value clears one",
	.args = "[flags] <name> [<key>=<value>, ...]",
	.flags = (const struct ctr_flag *const[]){ label_flags, NULL },
	.run = run_label,
};

static const struct ctr_command usage = {
	.name = "usage",
	.text = "show what each of an image's layers takes on disk, the top one first",
	.args = "[flags] <ref>",
	.flags = (const struct ctr_flag *const[]){ ctr_snapshotter_flag, ctr_json_flag, NULL },
	.run = run_usage,
};

const struct ctr_command ctr_images = {
	.name = "images",
	.aliases = "image, i",
	.text = "manage images",
	.commands =
		(const struct ctr_command *const[]){
			&check_command,
			&ctr_image_export,
			&ctr_image_import,
			&ctr_image_inspect,
			&list,
			&ctr_image_mount,
			&ctr_image_unmount,
			&ctr_image_pull,
			&ctr_image_push,
			&ctr_image_prune,
			&delete_command,
			&tag,
			&label,
			&ctr_image_convert,
			&usage,
			NULL,
		},
};
