/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "remote.h"

#include <gantry/api-namespaces.h>
#include <gantry/api-snapshots.h>
#include <gantry/buf.h>

#include "google/protobuf/empty.pb-c.h"

#define V1(name) Containerd__Services__Snapshots__V1__##name
#define INIT(name) CONTAINERD__SERVICES__SNAPSHOTS__V1__##name##__INIT
#define TYPE(name) containerd__services__snapshots__v1__##name##__descriptor
#define SERVICE "containerd.services.snapshots.v1.Snapshots"
#define EMPTY google__protobuf__empty__descriptor

METHOD(prepare_method, SERVICE, "Prepare", TYPE(prepare_snapshot_response));
METHOD(view_method, SERVICE, "View", TYPE(prepare_snapshot_response));
METHOD(mounts_method, SERVICE, "Mounts", TYPE(mounts_response));
METHOD(commit_method, SERVICE, "Commit", EMPTY);
METHOD(remove_method, SERVICE, "Remove", EMPTY);
METHOD(stat_method, SERVICE, "Stat", TYPE(stat_snapshot_response));
METHOD(update_method, SERVICE, "Update", TYPE(update_snapshot_response));
METHOD(list_method, SERVICE, "List", TYPE(list_snapshots_response));
METHOD(usage_method, SERVICE, "Usage", TYPE(usage_response));
METHOD(cleanup_method, SERVICE, "Cleanup", EMPTY);

/*
 * The snapshotter that is meant where none is named. containerd leaves that to its clients: the namespace's
 * label says so, else it is the one that containerd's own take.
 */
static struct gt_error *name_of(struct gt_services *s, struct gt_call *call, const char *given,
				char **out)
{
	gt_auto(gt_labels) labels = { 0 };
	const char *label = NULL;

	if (!given || !*given) {
		GT_TRY(gt_namespaces_get(s, call, call->ns, &labels));
		label = gt_labels_get(&labels, "containerd.io/defaults/snapshotter");
		given = label && *label ? label : "overlayfs";
	}
	*out = gt_xstrdup(given);
	return NULL;
}

static struct gt_error *info_get(const V1(Info) *m, const struct gt_grpc_remote *method,
				 struct gt_snapshot_info *out)
{
	GT_TRY(remote_answered(m, method));
	if (out)
		gt_wire_snapshot_get(m, out);
	return NULL;
}

static struct gt_error *stat_one(struct gt_services *s, struct gt_call *call, const char *snapshotter,
				 const char *key, struct gt_snapshot_info *out)
{
	V1(StatSnapshotRequest) q = INIT(STAT_SNAPSHOT_REQUEST);
	gt_autofree char *name = NULL;
	remote_autoreply ProtobufCMessage *m = NULL;

	GT_TRY(name_of(s, call, snapshotter, &name));
	q.snapshotter = name;
	q.key = gt_wire_string(key);
	GT_TRY(gt_grpc_call(remote_client(s), call, &stat_method, &q.base, &m));
	return info_get(((V1(StatSnapshotResponse) *)m)->info, &stat_method, out);
}

/* By either method: View's messages have Prepare's fields by other names. */
static struct gt_error *begin(struct gt_services *s, struct gt_call *call,
			      const struct gt_grpc_remote *method, const char *snapshotter,
			      const char *key, const char *parent, const struct gt_labels *labels,
			      struct gt_mounts *out)
{
	V1(PrepareSnapshotRequest) q = INIT(PREPARE_SNAPSHOT_REQUEST);
	gt_autofree char *name = NULL;
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };
	const V1(PrepareSnapshotResponse) *r;

	GT_TRY(name_of(s, call, snapshotter, &name));
	q.snapshotter = name;
	q.key = gt_wire_string(key);
	q.parent = gt_wire_string(parent);
	if (labels)
		gt_wire_labels(&a, &q.base, "labels", labels);
	GT_TRY(gt_grpc_call(remote_client(s), call, method, &q.base, &m));
	r = (const void *)m;
	gt_wire_mounts_get(r->mounts, r->n_mounts, out);
	return NULL;
}

static struct gt_error *prepare(struct gt_services *s, struct gt_call *call, const char *snapshotter,
				const char *key, const char *parent, const struct gt_labels *labels,
				struct gt_mounts *out)
{
	return begin(s, call, &prepare_method, snapshotter, key, parent, labels, out);
}

static struct gt_error *view(struct gt_services *s, struct gt_call *call, const char *snapshotter,
			     const char *key, const char *parent, const struct gt_labels *labels,
			     struct gt_mounts *out)
{
	return begin(s, call, &view_method, snapshotter, key, parent, labels, out);
}

static struct gt_error *mounts(struct gt_services *s, struct gt_call *call, const char *snapshotter,
			       const char *key, struct gt_mounts *out)
{
	V1(MountsRequest) q = INIT(MOUNTS_REQUEST);
	gt_autofree char *name = NULL;
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(MountsResponse) *r;

	GT_TRY(name_of(s, call, snapshotter, &name));
	q.snapshotter = name;
	q.key = gt_wire_string(key);
	GT_TRY(gt_grpc_call(remote_client(s), call, &mounts_method, &q.base, &m));
	r = (const void *)m;
	gt_wire_mounts_get(r->mounts, r->n_mounts, out);
	return NULL;
}

/* What the far side keeps on its disk it syncs by itself: 'synced' has no place in the API. */
static struct gt_error *commit(struct gt_services *s, struct gt_call *call, const char *snapshotter,
			       const char *name, const char *key, const struct gt_commit_options *o)
{
	V1(CommitSnapshotRequest) q = INIT(COMMIT_SNAPSHOT_REQUEST);
	gt_autofree char *which = NULL;
	gt_auto(gt_arena) a = { 0 };

	GT_TRY(name_of(s, call, snapshotter, &which));
	q.snapshotter = which;
	q.name = gt_wire_string(name);
	q.key = gt_wire_string(key);
	if (o && o->labels)
		gt_wire_labels(&a, &q.base, "labels", o->labels);
	q.parent = gt_wire_string(o ? o->parent : NULL);
	return remote_do(s, call, &commit_method, &q.base);
}

static struct gt_error *remove_one(struct gt_services *s, struct gt_call *call,
				   const char *snapshotter, const char *key)
{
	V1(RemoveSnapshotRequest) q = INIT(REMOVE_SNAPSHOT_REQUEST);
	gt_autofree char *name = NULL;

	GT_TRY(name_of(s, call, snapshotter, &name));
	q.snapshotter = name;
	q.key = gt_wire_string(key);
	return remote_do(s, call, &remove_method, &q.base);
}

struct listing {
	struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i);
	void *arg;
};

static struct gt_error *listed(void *arg, const ProtobufCMessage *m)
{
	const V1(ListSnapshotsResponse) *r = (const void *)m;
	const struct listing *l = arg;

	for (size_t i = 0; i < r->n_info; i++) {
		gt_auto(gt_snapshot_info) info = { 0 };

		gt_wire_snapshot_get(r->info[i], &info);
		GT_TRY(l->fn(l->arg, &info));
	}
	return NULL;
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call, const char *snapshotter,
			     const struct gt_strv *filters,
			     struct gt_error *(*fn)(void *arg, const struct gt_snapshot_info *i),
			     void *arg)
{
	V1(ListSnapshotsRequest) q = INIT(LIST_SNAPSHOTS_REQUEST);
	gt_autofree char *name = NULL;
	struct listing l = { fn, arg };

	GT_TRY(name_of(s, call, snapshotter, &name));
	q.snapshotter = name;
	REMOTE_STRINGS(q, filters, filters);
	return remote_each(s, call, &list_method, &q.base, listed, &l);
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call, const char *snapshotter,
			       const char *key, const struct gt_labels *labels,
			       const struct gt_strv *mask, struct gt_snapshot_info *out)
{
	V1(UpdateSnapshotRequest) q = INIT(UPDATE_SNAPSHOT_REQUEST);
	gt_autofree char *name = NULL;
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };
	V1(Info) info = INIT(INFO);

	info.name = gt_wire_string(key);
	if (labels)
		gt_wire_labels(&a, &info.base, "labels", labels);
	GT_TRY(name_of(s, call, snapshotter, &name));
	q.snapshotter = name;
	q.info = &info;
	q.update_mask = gt_wire_mask(&a, mask);
	GT_TRY(gt_grpc_call(remote_client(s), call, &update_method, &q.base, &m));
	return info_get(((V1(UpdateSnapshotResponse) *)m)->info, &update_method, out);
}

static struct gt_error *usage(struct gt_services *s, struct gt_call *call, const char *snapshotter,
			      const char *key, struct gt_usage *out)
{
	V1(UsageRequest) q = INIT(USAGE_REQUEST);
	gt_autofree char *name = NULL;
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(UsageResponse) *r;

	GT_TRY(name_of(s, call, snapshotter, &name));
	q.snapshotter = name;
	q.key = gt_wire_string(key);
	GT_TRY(gt_grpc_call(remote_client(s), call, &usage_method, &q.base, &m));
	r = (const void *)m;
	out->size = r->size;
	out->inodes = r->inodes;
	return NULL;
}

static struct gt_error *cleanup(struct gt_services *s, struct gt_call *call, const char *snapshotter)
{
	V1(CleanupRequest) q = INIT(CLEANUP_REQUEST);
	gt_autofree char *name = NULL;

	GT_TRY(name_of(s, call, snapshotter, &name));
	q.snapshotter = name;
	return remote_do(s, call, &cleanup_method, &q.base);
}

/* Each commit does it over there. */
static struct gt_error *sync_all(struct gt_services *s, struct gt_call *call, const char *snapshotter)
{
	(void)s, (void)call, (void)snapshotter;
	return NULL;
}

/*
 * Layers are unpacked one after the other here. A Commit names a parent since containerd 2.2, but no reply says
 * whether the daemon heeds it: an older one skips the field, and would commit a layer that has no parent. So
 * the daemon would have to be asked first, by a capability of its snapshotter, which gantryd's do not tell yet.
 */
static struct gt_error *can_rebase(struct gt_services *s, struct gt_call *call,
				   const char *snapshotter, bool *out)
{
	(void)s, (void)call, (void)snapshotter;
	*out = false;
	return NULL;
}

const struct gt_snapshots_ops remote_snapshots = {
	.size = sizeof(remote_snapshots),
	.stat = stat_one,
	.prepare = prepare,
	.view = view,
	.mounts = mounts,
	.commit = commit,
	.remove = remove_one,
	.list = list,
	.update = update,
	.usage = usage,
	.cleanup = cleanup,
	.sync = sync_all,
	.can_rebase = can_rebase,
};
