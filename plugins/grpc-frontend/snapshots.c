/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include <gantry/api-snapshots.h>

#include "google/protobuf/empty.pb-c.h"

#include <string.h>

#define V1(name) Containerd__Services__Snapshots__V1__##name

GRPC_KEEPS(gt_labels)
GRPC_KEEPS(gt_mounts)
GRPC_KEEPS(gt_snapshot_info)
GRPC_KEEPS(gt_strv)

static struct gt_error *prepare(struct gt_grpc_unary *u)
{
	const V1(PrepareSnapshotRequest) *r = u->request;
	V1(PrepareSnapshotResponse) *m = u->reply;
	struct gt_labels *labels = keep_gt_labels(u);
	struct gt_mounts *mounts = keep_gt_mounts(u);

	gt_wire_labels_get(&r->base, "labels", labels);
	/* A client that unpacks a layer names the snapshot so; any other will run something in it. */
	if (strncmp(r->key, "extract-", 8) != 0)
		grpc_run_ahead(u->arg);
	GT_TRY(gt_snapshots_prepare(SERVICES(u), u->call, r->snapshotter, r->key, r->parent, labels,
				    mounts));
	m->mounts = gt_wire_mounts(&u->arena, mounts, &m->n_mounts);
	return NULL;
}

static struct gt_error *view(struct gt_grpc_unary *u)
{
	const V1(ViewSnapshotRequest) *r = u->request;
	V1(ViewSnapshotResponse) *m = u->reply;
	struct gt_labels *labels = keep_gt_labels(u);
	struct gt_mounts *mounts = keep_gt_mounts(u);

	gt_wire_labels_get(&r->base, "labels", labels);
	GT_TRY(gt_snapshots_view(SERVICES(u), u->call, r->snapshotter, r->key, r->parent, labels,
				 mounts));
	m->mounts = gt_wire_mounts(&u->arena, mounts, &m->n_mounts);
	return NULL;
}

static struct gt_error *mounts_get(struct gt_grpc_unary *u)
{
	const V1(MountsRequest) *r = u->request;
	V1(MountsResponse) *m = u->reply;
	struct gt_mounts *mounts = keep_gt_mounts(u);

	GT_TRY(gt_snapshots_mounts(SERVICES(u), u->call, r->snapshotter, r->key, mounts));
	m->mounts = gt_wire_mounts(&u->arena, mounts, &m->n_mounts);
	return NULL;
}

static struct gt_error *commit(struct gt_grpc_unary *u)
{
	const V1(CommitSnapshotRequest) *r = u->request;
	struct gt_labels *labels = keep_gt_labels(u);
	struct gt_commit_options o = {
		.size = sizeof(o),
		.labels = labels,
		.parent = *r->parent ? r->parent : NULL,
	};

	gt_wire_labels_get(&r->base, "labels", labels);
	return gt_snapshots_commit(SERVICES(u), u->call, r->snapshotter, r->name, r->key, &o);
}

static struct gt_error *remove_one(struct gt_grpc_unary *u)
{
	const V1(RemoveSnapshotRequest) *r = u->request;

	return gt_snapshots_remove(SERVICES(u), u->call, r->snapshotter, r->key);
}

static struct gt_error *stat_one(struct gt_grpc_unary *u)
{
	const V1(StatSnapshotRequest) *r = u->request;
	V1(StatSnapshotResponse) *m = u->reply;
	struct gt_snapshot_info *info = keep_gt_snapshot_info(u);

	GT_TRY(gt_snapshots_stat(SERVICES(u), u->call, r->snapshotter, r->key, info));
	m->info = gt_wire_snapshot(&u->arena, info);
	return NULL;
}

static struct gt_error *update(struct gt_grpc_unary *u)
{
	const V1(UpdateSnapshotRequest) *r = u->request;
	V1(UpdateSnapshotResponse) *m = u->reply;
	struct gt_labels *labels = keep_gt_labels(u);
	struct gt_snapshot_info *info = keep_gt_snapshot_info(u);
	struct gt_strv *mask = keep_gt_strv(u);

	GT_TRY(grpc_required(r->info, "info"));
	gt_wire_labels_get(&r->info->base, "labels", labels);
	gt_wire_mask_get(r->update_mask, mask);
	GT_TRY(gt_snapshots_update(SERVICES(u), u->call, r->snapshotter, r->info->name, labels, mask,
				   info));
	m->info = gt_wire_snapshot(&u->arena, info);
	return NULL;
}

static struct gt_error *usage(struct gt_grpc_unary *u)
{
	const V1(UsageRequest) *r = u->request;
	V1(UsageResponse) *m = u->reply;
	struct gt_usage usage;

	GT_TRY(gt_snapshots_usage(SERVICES(u), u->call, r->snapshotter, r->key, &usage));
	m->size = usage.size;
	m->inodes = usage.inodes;
	return NULL;
}

static struct gt_error *cleanup(struct gt_grpc_unary *u)
{
	const V1(CleanupRequest) *r = u->request;

	return gt_snapshots_cleanup(SERVICES(u), u->call, r->snapshotter);
}

static struct gt_error *add(void *arg, const struct gt_snapshot_info *i)
{
	gt_auto(gt_arena) a = { 0 };

	return grpc_batch_add(arg, &gt_wire_snapshot(&a, i)->base);
}

static void list(struct gt_grpc_call *c, const ProtobufCMessage *request)
{
	const V1(ListSnapshotsRequest) *r = (const void *)request;
	struct gt_strv filters = grpc_strings(r->filters, r->n_filters);
	struct grpc_batch b = { .call = c, .buf = GT_BUF_INIT, .most = 100 };

	grpc_batch_end_take(&b, gt_snapshots_list(SERVICES(c), &c->call, r->snapshotter, &filters, add,
						  &b));
}

#define TYPE(name) containerd__services__snapshots__v1__##name##__descriptor
#define EMPTY google__protobuf__empty__descriptor
const struct gt_grpc_method grpc_snapshots[] = {
	GT_GRPC_UNARY("Prepare", TYPE(prepare_snapshot_request), TYPE(prepare_snapshot_response),
		      prepare, 0),
	GT_GRPC_UNARY("View", TYPE(view_snapshot_request), TYPE(view_snapshot_response), view, 0),
	GT_GRPC_UNARY("Mounts", TYPE(mounts_request), TYPE(mounts_response), mounts_get, 0),
	GT_GRPC_UNARY("Commit", TYPE(commit_snapshot_request), EMPTY, commit, 0),
	GT_GRPC_UNARY("Remove", TYPE(remove_snapshot_request), EMPTY, remove_one, 0),
	GT_GRPC_UNARY("Stat", TYPE(stat_snapshot_request), TYPE(stat_snapshot_response), stat_one, 0),
	GT_GRPC_UNARY("Update", TYPE(update_snapshot_request), TYPE(update_snapshot_response), update, 0),
	GT_GRPC_UNARY("Usage", TYPE(usage_request), TYPE(usage_response), usage, 0),
	GT_GRPC_UNARY("Cleanup", TYPE(cleanup_request), EMPTY, cleanup, 0),
	{ .name = "List",
	  .request = &TYPE(list_snapshots_request),
	  .response = &TYPE(list_snapshots_response),
	  .flags = GT_GRPC_SERVER_STREAM,
	  .handle = list },
	{ 0 }
};
