/* SPDX-License-Identifier: Apache-2.0 */
/* The content service but for reading and writing. */
#include <config.h>

#include "frontend.h"

#include <gantry/api-blobs.h>

#include "google/protobuf/empty.pb-c.h"

#define V1(name) Containerd__Services__Content__V1__##name

GRPC_KEEPS(gt_blob)
GRPC_KEEPS(gt_ingest_info)
GRPC_KEEPS(gt_labels)
GRPC_KEEPS(gt_strv)

static struct gt_error *info(struct gt_grpc_unary *u)
{
	const V1(InfoRequest) *r = u->request;
	V1(InfoResponse) *m = u->reply;
	struct gt_blob *blob = keep_gt_blob(u);

	GT_TRY(gt_blobs_info(SERVICES(u), u->call, r->digest, blob));
	m->info = gt_wire_blob(&u->arena, blob);
	return NULL;
}

static struct gt_error *update(struct gt_grpc_unary *u)
{
	const V1(UpdateRequest) *r = u->request;
	V1(UpdateResponse) *m = u->reply;
	struct gt_labels *labels = keep_gt_labels(u);
	struct gt_strv *mask = keep_gt_strv(u);
	struct gt_blob *blob = keep_gt_blob(u);

	GT_TRY(grpc_required(r->info, "info"));
	gt_wire_labels_get(&r->info->base, "labels", labels);
	gt_wire_mask_get(r->update_mask, mask);
	GT_TRY(gt_blobs_update(SERVICES(u), u->call, r->info->digest, labels, mask, blob));
	m->info = gt_wire_blob(&u->arena, blob);
	return NULL;
}

static struct gt_error *remove_one(struct gt_grpc_unary *u)
{
	const V1(DeleteContentRequest) *r = u->request;

	return gt_blobs_remove(SERVICES(u), u->call, r->digest);
}

static struct gt_error *status(struct gt_grpc_unary *u)
{
	const V1(StatusRequest) *r = u->request;
	V1(StatusResponse) *m = u->reply;
	struct gt_ingest_info *i = keep_gt_ingest_info(u);

	GT_TRY(gt_blobs_status(SERVICES(u), u->call, r->ref, i));
	m->status = gt_wire_ingest(&u->arena, i);
	return NULL;
}

static struct gt_error *status_add(void *arg, const struct gt_ingest_info *i)
{
	gt_auto(gt_arena) a = { 0 };

	return gt_grpc_unary_add(arg, 1, &gt_wire_ingest(&a, i)->base);
}

static struct gt_error *list_statuses(struct gt_grpc_unary *u)
{
	const V1(ListStatusesRequest) *r = u->request;
	struct gt_strv filters = grpc_strings(r->filters, r->n_filters);

	return gt_blobs_list_ingests(SERVICES(u), u->call, &filters, status_add, u);
}

static struct gt_error *abort_one(struct gt_grpc_unary *u)
{
	const V1(AbortRequest) *r = u->request;

	return gt_blobs_abort(SERVICES(u), u->call, r->ref);
}

static struct gt_error *add(void *arg, const struct gt_blob *b)
{
	gt_auto(gt_arena) a = { 0 };

	return grpc_batch_add(arg, &gt_wire_blob(&a, b)->base);
}

static void list(struct gt_grpc_call *c, const ProtobufCMessage *request)
{
	const V1(ListContentRequest) *r = (const void *)request;
	struct gt_strv filters = grpc_strings(r->filters, r->n_filters);
	struct grpc_batch b = { .call = c, .buf = GT_BUF_INIT, .most = 100 };

	grpc_batch_end_take(&b, gt_blobs_list(SERVICES(c), &c->call, &filters, add, &b));
}

#define TYPE(name) containerd__services__content__v1__##name##__descriptor
#define EMPTY google__protobuf__empty__descriptor
const struct gt_grpc_method grpc_content[] = {
	GT_GRPC_UNARY("Info", TYPE(info_request), TYPE(info_response), info, GT_GRPC_QUICK),
	GT_GRPC_UNARY("Update", TYPE(update_request), TYPE(update_response), update, 0),
	GT_GRPC_UNARY("Delete", TYPE(delete_content_request), EMPTY, remove_one, 0),
	GT_GRPC_UNARY("Status", TYPE(status_request), TYPE(status_response), status, 0),
	GT_GRPC_UNARY("ListStatuses", TYPE(list_statuses_request), TYPE(list_statuses_response),
		      list_statuses, 0),
	GT_GRPC_UNARY("Abort", TYPE(abort_request), EMPTY, abort_one, 0),
	{ .name = "List",
	  .request = &TYPE(list_content_request),
	  .response = &TYPE(list_content_response),
	  .flags = GT_GRPC_SERVER_STREAM,
	  .handle = list },
	{ .name = "Read",
	  .request = &TYPE(read_content_request),
	  .response = &TYPE(read_content_response),
	  .flags = GT_GRPC_SERVER_STREAM | GT_GRPC_QUICK,
	  .handle = grpc_content_read },
	{ .name = "Write",
	  .request = &TYPE(write_content_request),
	  .response = &TYPE(write_content_response),
	  .flags = GT_GRPC_CLIENT_STREAM | GT_GRPC_SERVER_STREAM,
	  .handle = grpc_content_write },
	{ 0 }
};
