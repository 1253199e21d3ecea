/* SPDX-License-Identifier: Apache-2.0 */
/* The content service but for reading and writing. */
#include <config.h>

#include "remote.h"

#include "google/protobuf/empty.pb-c.h"

#define V1(name) Containerd__Services__Content__V1__##name
#define INIT(name) CONTAINERD__SERVICES__CONTENT__V1__##name##__INIT
#define TYPE(name) containerd__services__content__v1__##name##__descriptor
#define SERVICE "containerd.services.content.v1.Content"
#define EMPTY google__protobuf__empty__descriptor

METHOD(info_method, SERVICE, "Info", TYPE(info_response));
METHOD(update_method, SERVICE, "Update", TYPE(update_response));
METHOD(list_method, SERVICE, "List", TYPE(list_content_response));
METHOD(delete_method, SERVICE, "Delete", EMPTY);
METHOD(status_method, SERVICE, "Status", TYPE(status_response));
METHOD(statuses_method, SERVICE, "ListStatuses", TYPE(list_statuses_response));
METHOD(abort_method, SERVICE, "Abort", EMPTY);

static struct gt_error *info_get(const V1(Info) *m, const struct gt_grpc_remote *method,
				 struct gt_blob *out)
{
	GT_TRY(remote_answered(m, method));
	if (out)
		gt_wire_blob_get(m, out);
	return NULL;
}

static struct gt_error *info(struct gt_services *s, struct gt_call *call, const char *digest,
			     struct gt_blob *out)
{
	V1(InfoRequest) q = INIT(INFO_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;

	q.digest = gt_wire_string(digest);
	GT_TRY(gt_grpc_call(remote_client(s), call, &info_method, &q.base, &m));
	return info_get(((V1(InfoResponse) *)m)->info, &info_method, out);
}

static struct gt_error *update(struct gt_services *s, struct gt_call *call, const char *digest,
			       const struct gt_labels *labels, const struct gt_strv *mask,
			       struct gt_blob *out)
{
	V1(UpdateRequest) q = INIT(UPDATE_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	gt_auto(gt_arena) a = { 0 };
	V1(Info) given = INIT(INFO);

	given.digest = gt_wire_string(digest);
	if (labels)
		gt_wire_labels(&a, &given.base, "labels", labels);
	q.info = &given;
	q.update_mask = gt_wire_mask(&a, mask);
	GT_TRY(gt_grpc_call(remote_client(s), call, &update_method, &q.base, &m));
	return info_get(((V1(UpdateResponse) *)m)->info, &update_method, out);
}

struct listing {
	struct gt_error *(*fn)(void *arg, const struct gt_blob *b);
	void *arg;
};

static struct gt_error *listed(void *arg, const ProtobufCMessage *m)
{
	const V1(ListContentResponse) *r = (const void *)m;
	const struct listing *l = arg;

	for (size_t i = 0; i < r->n_info; i++) {
		gt_auto(gt_blob) b = { 0 };

		gt_wire_blob_get(r->info[i], &b);
		GT_TRY(l->fn(l->arg, &b));
	}
	return NULL;
}

static struct gt_error *list(struct gt_services *s, struct gt_call *call,
			     const struct gt_strv *filters,
			     struct gt_error *(*fn)(void *arg, const struct gt_blob *b), void *arg)
{
	V1(ListContentRequest) q = INIT(LIST_CONTENT_REQUEST);
	struct listing l = { fn, arg };

	REMOTE_STRINGS(q, filters, filters);
	return remote_each(s, call, &list_method, &q.base, listed, &l);
}

static struct gt_error *remove_one(struct gt_services *s, struct gt_call *call, const char *digest)
{
	V1(DeleteContentRequest) q = INIT(DELETE_CONTENT_REQUEST);

	q.digest = gt_wire_string(digest);
	return remote_do(s, call, &delete_method, &q.base);
}

static struct gt_error *status(struct gt_services *s, struct gt_call *call, const char *ref,
			       struct gt_ingest_info *out)
{
	V1(StatusRequest) q = INIT(STATUS_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(Status) *found;

	q.ref = gt_wire_string(ref);
	GT_TRY(gt_grpc_call(remote_client(s), call, &status_method, &q.base, &m));
	found = ((V1(StatusResponse) *)m)->status;
	GT_TRY(remote_answered(found, &status_method));
	gt_wire_ingest_get(found, out);
	return NULL;
}

static struct gt_error *list_ingests(struct gt_services *s, struct gt_call *call,
				     const struct gt_strv *filters,
				     struct gt_error *(*fn)(void *arg,
							    const struct gt_ingest_info *i),
				     void *arg)
{
	V1(ListStatusesRequest) q = INIT(LIST_STATUSES_REQUEST);
	remote_autoreply ProtobufCMessage *m = NULL;
	const V1(ListStatusesResponse) *r;

	REMOTE_STRINGS(q, filters, filters);
	GT_TRY(gt_grpc_call(remote_client(s), call, &statuses_method, &q.base, &m));
	r = (const void *)m;
	for (size_t i = 0; i < r->n_statuses; i++) {
		gt_auto(gt_ingest_info) found = { 0 };

		gt_wire_ingest_get(r->statuses[i], &found);
		GT_TRY(fn(arg, &found));
	}
	return NULL;
}

static struct gt_error *abort_one(struct gt_services *s, struct gt_call *call, const char *ref)
{
	V1(AbortRequest) q = INIT(ABORT_REQUEST);

	q.ref = gt_wire_string(ref);
	return remote_do(s, call, &abort_method, &q.base);
}

const struct gt_blobs_ops remote_blobs = {
	.size = sizeof(remote_blobs),
	.info = info,
	.update = update,
	.list = list,
	.remove = remove_one,
	.reader = remote_reader,
	.writer = remote_writer,
	.commit = remote_commit,
	.status = status,
	.list_ingests = list_ingests,
	.abort = abort_one,
};
