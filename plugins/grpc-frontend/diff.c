/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include <gantry/api-diffs.h>

#include "containerd.services.diff.v1.pb-c.h"

#define V1(name) Containerd__Services__Diff__V1__##name

GRPC_KEEPS(gt_descriptor)
GRPC_KEEPS(gt_mounts)
GRPC_KEEPS(gt_labels)

static struct gt_error *apply(struct gt_grpc_unary *u)
{
	const V1(ApplyRequest) *r = u->request;
	V1(ApplyResponse) *m = u->reply;
	struct gt_descriptor *desc = keep_gt_descriptor(u), *applied = keep_gt_descriptor(u);
	struct gt_mounts *mounts = keep_gt_mounts(u);

	GT_TRY(grpc_required(r->diff, "diff"));
	gt_wire_descriptor_get(r->diff, desc);
	gt_wire_mounts_get(r->mounts, r->n_mounts, mounts);
	GT_TRY(gt_diffs_apply(SERVICES(u), u->call, desc, mounts, applied));
	m->applied = gt_wire_descriptor(&u->arena, applied);
	return NULL;
}

static struct gt_error *diff(struct gt_grpc_unary *u)
{
	const V1(DiffRequest) *r = u->request;
	V1(DiffResponse) *m = u->reply;
	struct gt_mounts *left = keep_gt_mounts(u), *right = keep_gt_mounts(u);
	struct gt_descriptor *made = keep_gt_descriptor(u);
	struct gt_labels *labels = keep_gt_labels(u);
	struct timespec epoch = gt_wire_time_get(r->source_date_epoch);
	struct gt_diff_options o = {
		.size = sizeof(o),
		.media_type = *r->media_type ? r->media_type : NULL,
		.source_date_epoch = r->source_date_epoch ? &epoch : NULL,
	};

	gt_wire_mounts_get(r->left, r->n_left, left);
	gt_wire_mounts_get(r->right, r->n_right, right);
	gt_wire_labels_get(&r->base, "labels", labels);
	GT_TRY(gt_diffs_diff(SERVICES(u), u->call, left, right, &o, *r->ref ? r->ref : NULL, labels,
			     made));
	m->diff = gt_wire_descriptor(&u->arena, made);
	return NULL;
}

#define TYPE(name) containerd__services__diff__v1__##name##__descriptor
const struct gt_grpc_method grpc_diff[] = {
	GT_GRPC_UNARY("Apply", TYPE(apply_request), TYPE(apply_response), apply, 0),
	GT_GRPC_UNARY("Diff", TYPE(diff_request), TYPE(diff_response), diff, 0),
	{ 0 }
};
