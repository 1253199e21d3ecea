/* SPDX-License-Identifier: Apache-2.0 */
/* `ctr snapshots diff`: the layer that leads from one snapshot to another, or from a parent to its child. */
#include <config.h>

#include "commands.h"
#include "epoch.h"
#include "format.h"
#include "lookup.h"
#include "snapshots.h"

#include <gantry/api-blobs.h>
#include <gantry/api-diffs.h>
#include <gantry/api-snapshots.h>
#include <gantry/buf.h>
#include <gantry/log.h>

#include <client/lease.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (256 * 1024)

/* The mounts of a snapshot: of a view of it where it is committed. */
struct shown {
	struct gt_services *s;
	struct gt_call *call;
	const char *snapshotter;
	char *view; /* NULL: there is none to be removed */
	struct gt_mounts mounts;
};

static struct gt_error *show_view(struct shown *v, const char *parent, const char *suffix)
{
	gt_autofree char *unique = gt_unique_name();
	gt_autofree char *key = gt_strf("%s-%sview-%s", parent, suffix, unique);

	GT_TRY(gt_snapshots_view(v->s, v->call, v->snapshotter, key, parent, NULL, &v->mounts));
	v->view = gt_steal(&key);
	return NULL;
}

static struct gt_error *show(struct shown *v, const struct gt_snapshot_info *i)
{
	if (i->kind == GT_SNAPSHOT_COMMITTED)
		return show_view(v, i->key, "");
	return gt_snapshots_mounts(v->s, v->call, v->snapshotter, i->key, &v->mounts);
}

static void shown_done(struct shown *v)
{
	struct gt_call last = *v->call; /* also when the command's has ended */

	last.cancel = NULL;
	last.deadline = 0;
	if (v->view)
		gt_log_warn_take(gt_snapshots_remove(v->s, &last, v->snapshotter, v->view),
				 "remove view %s", v->view);
	free(v->view);
	gt_mounts_done(&v->mounts);
}

static struct gt_error *copy(struct ctr *c, struct gt_services *s, struct gt_call *call,
			     const char *digest)
{
	gt_autofree char *chunk = gt_xmalloc(CHUNK);
	gt_autoptr(gt_reader) r = NULL;
	size_t n;

	GT_TRY(gt_blobs_reader(s, call, digest, &r));
	for (int64_t at = 0;; at += (int64_t)n) {
		GT_TRY(gt_call_check(call));
		GT_TRY(gt_reader_pread(r, chunk, CHUNK, at, &n));
		if (!n)
			return NULL;
		if (fwrite(chunk, 1, n, c->out) != n)
			return gt_error_errno(GT_UNKNOWN, errno, "write the difference");
	}
}

static struct gt_error *diff(struct ctr *c, struct gt_services *s, struct gt_call *call,
			     const struct gt_mounts *lower, const struct gt_mounts *upper)
{
	struct gt_diff_options o = {
		.size = sizeof(o),
		.media_type = ctr_string(c, "media-type"),
		.source_date_epoch = gt_call_epoch(call), /* no file of the layer is younger */
	};
	const char *ref = ctr_string(c, "ref");
	gt_auto(gt_descriptor) made = { 0 };
	gt_auto(gt_labels) labels = { 0 };

	ctr_labels_parse(&labels, ctr_list(c, "label"), "");
	if (ctr_bool(c, "keep")) {
		gt_autofree char *now = ctr_time_now();

		gt_labels_set(&labels, "containerd.io/gc.root", now);
	}
	GT_TRY(gt_diffs_diff(s, call, lower, upper, &o, *ref ? ref : NULL, &labels, &made));
	return copy(c, s, call, made.digest);
}

static struct gt_error *snapshot_exists(struct ctr *c, struct gt_services *s, struct gt_call *call,
					const char *key)
{
	gt_auto(gt_snapshot_info) i = { 0 };

	return gt_snapshots_stat(s, call, ctr_snapshotter(c), key, &i);
}

static struct gt_error *info(struct ctr *c, struct gt_services *s, const char *key,
			     struct gt_snapshot_info *out)
{
	return ctr_hint_namespaces(
		c, s, gt_snapshots_stat(s, &c->call, ctr_snapshotter(c), key, out), key,
		snapshot_exists);
}

/* Under a lease: the views and the blob are nobody's else. */
static struct gt_error *run_leased(struct ctr *c, struct gt_services *s, struct gt_call *call)
{
	gt_auto(shown) lower = { .s = s, .call = call, .snapshotter = ctr_snapshotter(c) };
	gt_auto(shown) upper = lower;
	gt_auto(gt_snapshot_info) a = { 0 }, b = { 0 };

	GT_TRY(info(c, s, ctr_arg(c, 0), &a));
	if (*ctr_arg(c, 1)) {
		GT_TRY(info(c, s, ctr_arg(c, 1), &b));
		GT_TRY(show(&lower, &a));
		GT_TRY(show(&upper, &b));
	} else {
		if (*a.parent)
			GT_TRY(show_view(&lower, a.parent, "parent-"));
		GT_TRY(show(&upper, &a));
	}
	return diff(c, s, call, &lower.mounts, &upper.mounts);
}

static struct gt_error *run_diff(struct ctr *c)
{
	gt_auto(gt_lease_scope) lease = { 0 };
	struct gt_services *s;
	struct timespec epoch;

	if (!*ctr_arg(c, 0))
		return ctr_usage_error("snapshot id must be provided");
	GT_TRY(ctr_read_epoch(c, &epoch));
	GT_TRY(ctr_services(c, &s));
	GT_TRY(gt_lease_scope_open(s, &c->call, &lease));
	return run_leased(c, s, &lease.call);
}

static const struct ctr_flag flags[] = {
	{ .name = "media-type",
	  .type = CTR_STRING,
	  .value = "application/vnd.oci.image.layer.v1.tar+gzip",
	  .text = "media type of the difference" },
	{ .name = "ref", .type = CTR_STRING, .text = "name of the ingest while it is written" },
	{ .name = "keep",
	  .type = CTR_BOOL,
	  .text = "keep the difference in the content store until it is deleted" },
	{ .name = "label", .type = CTR_LIST, .text = "label `KEY=VALUE` for the difference" },
	{ 0 },
};

const struct ctr_command ctr_snapshot_diff = {
	.name = "diff",
	.text = "write the difference of two snapshots, or of one to its parent, as a layer",
	.args = "[flags] <idA> [<idB>]",
	.flags = (const struct ctr_flag *const[]){ flags, NULL },
	.run = run_diff,
};
