/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "commands.h"
#include "format.h"
#include "lookup.h"
#include "snapshots.h"
#include "table.h"

#include <gantry/api-blobs.h>
#include <gantry/api-images.h>
#include <gantry/api-snapshots.h>
#include <gantry/buf.h>
#include <gantry/file.h>

#include <client/unpack.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const struct ctr_column list_columns[] = {
	{ "KEY", "key" }, { "PARENT", "parent" }, { "KIND", "kind" }, { 0 },
};

static struct gt_error *add_row(void *arg, const struct gt_snapshot_info *i)
{
	struct ctr_table *t = arg;

	ctr_cell(t, i->key);
	ctr_cell(t, i->parent);
	ctr_cell(t, gt_snapshot_kind_name(i->kind));
	return NULL;
}

static struct gt_error *run_list(struct ctr *c)
{
	gt_autoptr(ctr_table) table = NULL;
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	table = ctr_table_new(c, list_columns, 1, 1, 0);
	GT_TRY(gt_snapshots_list(s, &c->call, ctr_snapshotter(c), NULL, add_row, table));
	ctr_table_print(gt_steal(&table), true);
	return NULL;
}

static struct gt_error *add_key(void *arg, const struct gt_snapshot_info *i)
{
	gt_strv_add(arg, i->key);
	return NULL;
}

static const struct ctr_column usage_columns[] = {
	{ "KEY", "key" }, { "SIZE", "size" }, { "INODES", "inodes" }, { 0 },
};

static struct gt_error *run_usage(struct ctr *c)
{
	gt_autoptr(ctr_table) table = NULL;
	gt_auto(gt_strv) keys = { 0 };
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	gt_strv_addv(&keys, &c->level->args);
	if (!keys.n)
		GT_TRY(gt_snapshots_list(s, &c->call, ctr_snapshotter(c), NULL, add_key, &keys));
	table = ctr_table_new(c, usage_columns, 1, 1, 0);
	for (size_t i = 0; i < keys.n; i++) {
		struct gt_usage u;

		GT_TRY(gt_snapshots_usage(s, &c->call, ctr_snapshotter(c), keys.v[i], &u));
		ctr_cell(table, keys.v[i]);
		if (ctr_bool(c, "b"))
			ctr_cell_int(table, u.size);
		else
			ctr_cell_binary(table, u.size);
		ctr_cell_int(table, u.inodes);
	}
	ctr_table_print(gt_steal(&table), true);
	return NULL;
}

static struct gt_error *snapshot_exists(struct ctr *c, struct gt_services *s, struct gt_call *call,
					const char *key)
{
	gt_auto(gt_snapshot_info) i = { 0 };

	return gt_snapshots_stat(s, call, ctr_snapshotter(c), key, &i);
}

static struct gt_error *run_info(struct ctr *c)
{
	gt_auto(gt_snapshot_info) i = { 0 };
	gt_autofree char *created = NULL, *updated = NULL;
	struct gt_services *s;
	json_t *o;

	if (ctr_n_args(c) != 1)
		return ctr_show_help(c);
	GT_TRY(ctr_services(c, &s));
	GT_TRY(ctr_hint_namespaces(
		c, s, gt_snapshots_stat(s, &c->call, ctr_snapshotter(c), ctr_arg(c, 0), &i),
		ctr_arg(c, 0), snapshot_exists));
	o = json_pack("{s:s}", "Kind", gt_snapshot_kind_name(i.kind));
	json_object_set_new(o, "Name", ctr_json_text(i.key));
	if (i.parent && *i.parent)
		json_object_set_new(o, "Parent", ctr_json_text(i.parent));
	if (i.labels.n)
		json_object_set_new(o, "Labels", ctr_json_labels(&i.labels));
	created = ctr_time_utc(i.created_at);
	updated = ctr_time_utc(i.updated_at);
	json_object_set_new(o, "Created", json_string(created));
	json_object_set_new(o, "Updated", json_string(updated));
	ctr_json_print(c->out, o, 4);
	return NULL;
}

/* containerd's ctr has the collector leave what it prepares or commits by hand. */
static void root_label(struct gt_labels *l)
{
	gt_autofree char *now = ctr_time_now();

	gt_labels_set(l, "containerd.io/gc.root", now);
}

static struct gt_error *run_commit(struct ctr *c)
{
	gt_auto(gt_labels) labels = { 0 };
	struct gt_commit_options o = { .size = sizeof(o), .labels = &labels };
	struct gt_services *s;

	if (ctr_n_args(c) != 2)
		return ctr_show_help(c);
	root_label(&labels);
	GT_TRY(ctr_services(c, &s));
	return gt_snapshots_commit(s, &c->call, ctr_snapshotter(c), ctr_arg(c, 0), ctr_arg(c, 1),
				   &o);
}

static void print_mounts(FILE *out, const char *target, const struct gt_mounts *m)
{
	for (size_t i = 0; i < m->n; i++) {
		gt_autofree char *options = ctr_join(&m->v[i].options, ",");

		fprintf(out, "mount -t %s %s %s%s", m->v[i].type, m->v[i].source, target,
			*m->v[i].target == '/' || !*m->v[i].target ? "" : "/");
		fprintf(out, "%s%s%s\n", m->v[i].target, *options ? " -o " : "", options);
	}
}

static void print_mounts_json(FILE *out, const struct gt_mounts *m)
{
	json_t *a = json_array();

	for (size_t i = 0; i < m->n; i++)
		json_array_append_new(
			a, json_pack("{s:o, s:o, s:o, s:o}", "Type", ctr_json_text(m->v[i].type),
				     "Source", ctr_json_text(m->v[i].source), "Target",
				     ctr_json_text(m->v[i].target), "Options",
				     ctr_json_strings(&m->v[i].options)));
	ctr_json_print(out, a, 4);
}

/* A mount that is soon undone is undone in an orderly way: what it wrote shall be on disk then. */
static void make_temporary(struct gt_mounts *m)
{
	for (size_t i = 0; i < m->n; i++) {
		gt_auto(gt_strv) all = m->v[i].options;

		m->v[i].options = (struct gt_strv){ 0 };
		for (size_t o = 0; o < all.n; o++)
			if (strcmp(m->v[i].type, "overlay") ||
			    (strcmp(all.v[o], "volatile") && strcmp(all.v[o], "fsync=volatile")))
				gt_strv_add(&m->v[i].options, all.v[o]);
	}
}

static struct gt_error *run_mounts(struct ctr *c)
{
	gt_auto(gt_mounts) m = { 0 };
	struct gt_services *s;

	if (ctr_n_args(c) != 2)
		return ctr_show_help(c);
	GT_TRY(ctr_services(c, &s));
	GT_TRY(gt_snapshots_mounts(s, &c->call, ctr_snapshotter(c), ctr_arg(c, 1), &m));
	if (ctr_bool(c, "temp"))
		make_temporary(&m);
	print_mounts(c->out, ctr_arg(c, 0), &m);
	return NULL;
}

static struct gt_error *run_prepare(struct ctr *c)
{
	bool view = !strcmp(c->command->name, "view");
	const char *target = ctr_string(c, "target");
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_mounts) m = { 0 };
	struct gt_services *s;

	if (ctr_n_args(c) < 1 || ctr_n_args(c) > 2)
		return ctr_show_help(c);
	if (!view)
		root_label(&labels);
	GT_TRY(ctr_services(c, &s));
	GT_TRY((view ? gt_snapshots_view : gt_snapshots_prepare)(
		s, &c->call, ctr_snapshotter(c), ctr_arg(c, 0), ctr_arg(c, 1), &labels, &m));
	if (*target)
		print_mounts(c->out, target, &m);
	if (ctr_bool(c, "mounts"))
		print_mounts_json(c->out, &m);
	return NULL;
}

static struct gt_error *run_delete(struct ctr *c)
{
	struct gt_services *s;

	GT_TRY(ctr_services(c, &s));
	for (size_t i = 0; i < ctr_n_args(c); i++) {
		gt_auto(gt_buf) name = GT_BUF_INIT;

		gt_buf_addq(&name, ctr_arg(c, i));
		GT_TRY(gt_error_wrap(
			gt_snapshots_remove(s, &c->call, ctr_snapshotter(c), ctr_arg(c, i)),
			"failed to remove %s", name.s));
	}
	return NULL;
}

static struct gt_error *run_label(struct ctr *c)
{
	const struct gt_strv rest = ctr_args_from(c, 1);
	gt_auto(gt_labels) labels = { 0 };
	gt_auto(gt_strv) mask = { 0 };
	gt_auto(gt_snapshot_info) now = { 0 };
	gt_autofree char *line = NULL;
	struct gt_services *s;

	ctr_labels_parse(&labels, &rest, "true");
	for (size_t i = 0; i < labels.n; i++)
		gt_strv_addf(&mask, "labels.%s", labels.v[i].key);
	GT_TRY(ctr_services(c, &s));
	if (mask.n)
		GT_TRY(gt_snapshots_update(s, &c->call, ctr_snapshotter(c), ctr_arg(c, 0), &labels,
					   &mask, &now));
	else
		GT_TRY(gt_snapshots_stat(s, &c->call, ctr_snapshotter(c), ctr_arg(c, 0), &now));
	line = ctr_labels(&now.labels, "");
	fprintf(c->out, "%s\n", line);
	return NULL;
}

/* Full durability has done it already. */
static struct gt_error *sync_root(struct ctr *c)
{
	gt_autofd int fd = open(c->init->base_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "sync the file system of %s",
				      c->init->base_root);
	return NULL;
}

static struct gt_error *take_target(void *arg, const struct gt_image *i)
{
	struct gt_descriptor *target = arg;

	if (!target->media_type)
		gt_descriptor_copy(target, &i->target);
	return NULL;
}

/* What an image's name stands for, or else a manifest that only an index knows. */
static struct gt_error *find_target(struct ctr *c, struct gt_services *s, const char *digest,
				    struct gt_descriptor *out)
{
	gt_autofree char *filter = gt_strf("target.digest==%s", digest);
	gt_auto(gt_strv) filters = { 0 };
	gt_auto(gt_blob) blob = { 0 };

	gt_strv_add(&filters, filter);
	GT_TRY(gt_images_list(s, &c->call, &filters, take_target, out));
	if (out->media_type)
		return NULL;
	GT_TRY(ctr_hint_content(c, s, gt_blobs_info(s, &c->call, digest, &blob), digest));
	out->digest = gt_xstrdup(digest);
	out->size = blob.info.size;
	out->media_type = gt_xstrdup(GT_TYPE_OCI_MANIFEST);
	return NULL;
}

static struct gt_error *run_unpack(struct ctr *c)
{
	gt_auto(gt_image_view) view = { 0 };
	gt_auto(gt_platforms) host = { 0 };
	struct gt_unpack_options o = { .snapshotter = ctr_snapshotter(c) };
	gt_auto(gt_descriptor) target = { 0 };
	struct gt_services *s;
	struct gt_error *e;

	GT_TRY(gt_digest_check(ctr_arg(c, 0)));
	GT_TRY(ctr_services(c, &s));
	GT_TRY(find_target(c, s, ctr_arg(c, 0), &target));
	gt_platforms_add_host(&host);
	e = gt_image_resolve(s, &c->call, &target, &host, &view);
	if (gt_error_class(e) == GT_INVALID_ARGUMENT) { /* some other blob */
		gt_error_free(e);
		return ctr_usage_error("manifest not found");
	}
	GT_TRY(e);
	fprintf(c->out, "unpacking %s (%s)...", target.digest, target.media_type);
	fflush(c->out);
	GT_TRY(gt_image_unpack(s, &c->call, &view, &o));
	if (ctr_bool(c, "sync-fs"))
		GT_TRY(sync_root(c));
	fprintf(c->out, "done\n");
	return NULL;
}

static const struct ctr_flag usage_flags[] = {
	{ .name = "b", .type = CTR_BOOL, .text = "print sizes in bytes" },
	{ 0 },
};

static const struct ctr_flag prepare_flags[] = {
	{ .name = "target",
	  .alias = "t",
	  .type = CTR_STRING,
	  .text = "print the commands that mount the snapshot on this folder" },
	{ .name = "mounts", .type = CTR_BOOL, .text = "print the mounts as JSON" },
	{ 0 },
};

static const struct ctr_command commit = {
	.name = "commit",
	.text = "make a committed snapshot out of an active one",
	.args = "<key> <active>",
	.run = run_commit,
};

static const struct ctr_command info = {
	.name = "info",
	.text = "print a snapshot's record as JSON",
	.args = "<key>",
	.run = run_info,
};

static const struct ctr_command list = {
	.name = "list",
	.aliases = "ls",
	.text = "list the snapshots",
	.flags = (const struct ctr_flag *const[]){ ctr_json_flag, NULL },
	.run = run_list,
};

static const struct ctr_flag mounts_flags[] = {
	{ .name = "temp", .type = CTR_BOOL, .text = "for a mount that is soon undone" },
	{ 0 },
};

static const struct ctr_command mounts = {
	.name = "mounts",
	.aliases = "m, mount",
	.text = "print the commands that mount a snapshot",
	.args = "[flags] <target> <key>",
	.flags = (const struct ctr_flag *const[]){ mounts_flags, NULL },
	.run = run_mounts,
};

static const struct ctr_command prepare = {
	.name = "prepare",
	.text = "begin an active snapshot, on top of a committed one or empty",
	.args = "[flags] <key> [<parent>]",
	.flags = (const struct ctr_flag *const[]){ prepare_flags, NULL },
	.run = run_prepare,
};

static const struct ctr_command view_command = {
	.name = "view",
	.text = "make a read-only snapshot of a committed one",
	.args = "[flags] <key> [<parent>]",
	.flags = (const struct ctr_flag *const[]){ prepare_flags, NULL },
	.run = run_prepare,
};

static const struct ctr_command delete_command = {
	.name = "delete",
	.aliases = "del, remove, rm",
	.text = "delete snapshots",
	.args = "<key> [<key>, ...]",
	.run = run_delete,
	.bits = CTR_COLLECTS,
};

static const struct ctr_command label = {
	.name = "label",
	.text = "set labels of a snapshot; an empty value clears one",
	.args = "<name> [<label>=<value> ...]",
	.run = run_label,
};

static const struct ctr_flag unpack_flags[] = {
	{ .name = "sync-fs", .type = CTR_BOOL, .text = "sync the file system before it is done" },
	{ 0 },
};

static const struct ctr_command unpack = {
	.name = "unpack",
	.text = "unpack the layers of a manifest",
	.args = "[flags] <digest>",
	.flags = (const struct ctr_flag *const[]){ unpack_flags, ctr_snapshotter_flag, NULL },
	.run = run_unpack,
};

static const struct ctr_command usage = {
	.name = "usage",
	.text = "show what snapshots take on disk, without their parents",
	.args = "[flags] [<key>, ...]",
	.flags = (const struct ctr_flag *const[]){ usage_flags, ctr_json_flag, NULL },
	.run = run_usage,
};

const struct ctr_command ctr_snapshots = {
	.name = "snapshots",
	.aliases = "snapshot",
	.text = "manage snapshots",
	.flags = (const struct ctr_flag *const[]){ ctr_snapshotter_flag, NULL },
	.commands = (const struct ctr_command *const[]){ &commit, &ctr_snapshot_diff, &info, &list, &mounts, &prepare,
							 &delete_command, &label,
							 &ctr_snapshot_tree, &unpack, &usage,
							 &view_command, NULL },
};
