/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "remote.h"

#include <gantry/api-diffs.h>

#include "containerd.services.diff.v1.pb-c.h"

#define V1(name) Containerd__Services__Diff__V1__##name
#define INIT(name) CONTAINERD__SERVICES__DIFF__V1__##name##__INIT
#define TYPE(name) containerd__services__diff__v1__##name##__descriptor
#define SERVICE "containerd.services.diff.v1.Diff"

METHOD(apply_method, SERVICE, "Apply", TYPE(apply_response));
METHOD(diff_method, SERVICE, "Diff", TYPE(diff_response));

static struct gt_error *apply(struct gt_services *s, struct gt_call *call,
			      const struct gt_descriptor *desc, const struct gt_mounts *mounts,
			      struct gt_descriptor *applied)
{
	V1(ApplyRequest) q = INIT(APPLY_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };
	const V1(ApplyResponse) *r;

	q.diff = gt_wire_descriptor(&a, desc);
	q.mounts = gt_wire_mounts(&a, mounts, &q.n_mounts);
	GT_TRY(gt_grpc_call(remote_client(s), call, &apply_method, &q.base, &m));
	r = (const void *)m;
	GT_TRY(remote_answered(r->applied, &apply_method));
	gt_wire_descriptor_get(r->applied, applied);
	return NULL;
}

static struct gt_error *diff(struct gt_services *s, struct gt_call *call,
			     const struct gt_mounts *lower, const struct gt_mounts *upper,
			     const struct gt_diff_options *o, const char *ref,
			     const struct gt_labels *labels, struct gt_descriptor *out)
{
	V1(DiffRequest) q = INIT(DIFF_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };
	const V1(DiffResponse) *r;

	q.left = gt_wire_mounts(&a, lower, &q.n_left);
	q.right = gt_wire_mounts(&a, upper, &q.n_right);
	q.media_type = gt_wire_string(o ? o->media_type : NULL);
	q.ref = gt_wire_string(ref);
	if (labels)
		gt_wire_labels(&a, &q.base, "labels", labels);
	if (o && o->source_date_epoch)
		q.source_date_epoch = gt_wire_time(&a, o->source_date_epoch);
	GT_TRY(gt_grpc_call(remote_client(s), call, &diff_method, &q.base, &m));
	r = (const void *)m;
	GT_TRY(remote_answered(r->diff, &diff_method));
	gt_wire_descriptor_get(r->diff, out);
	return NULL;
}

const struct gt_diffs_ops remote_diffs = {
	.size = sizeof(remote_diffs),
	.apply = apply,
	.diff = diff,
};
