/* SPDX-License-Identifier: Apache-2.0 */
/* Content.Write: a question and an answer at a time, over one open ingest. */
#include <config.h>

#include "frontend.h"

#include <gantry/api-blobs.h>

#include <string.h>

#define V1(name) Containerd__Services__Content__V1__##name
#define ACTION(name) CONTAINERD__SERVICES__CONTENT__V1__WRITE_ACTION__##name

struct writing {
	char *ref;
	char *expected; /* "": not known */
	int64_t total;
	int64_t offset;
	struct gt_writer *writer;
};

static void writing_free(struct writing *w)
{
	if (!w)
		return;
	gt_writer_free(w->writer);
	free(w->ref);
	free(w->expected);
	free(w);
}

static void write_end_take(struct gt_grpc_call *c, struct gt_error *e)
{
	writing_free(gt_steal((struct writing **)&c->state));
	gt_grpc_answer_error_take(c, e);
}

static struct gt_error *ingest_open(struct gt_grpc_call *c, const V1(WriteContentRequest) *q)
{
	struct writing *w = c->state;
	struct gt_descriptor desc = {
		.media_type = (char *)"",
		.digest = q->expected,
		.size = q->total,
	};
	gt_auto(gt_ingest_info) i = { 0 };

	if (!*q->ref)
		return gt_error_new(GT_INVALID_ARGUMENT, "first message must have a reference");
	w->ref = gt_xstrdup(q->ref);
	w->total = q->total;
	w->expected = gt_xstrdup(q->expected);
	GT_TRY(gt_blobs_writer(SERVICES(c), &c->call, q->ref, &desc, &w->writer));
	GT_TRY(gt_writer_status(w->writer, &i));
	w->offset = i.offset;
	return NULL;
}

/* What a later message adds to what is known of the blob. */
static struct gt_error *expect(struct gt_grpc_call *c, const V1(WriteContentRequest) *q)
{
	struct writing *w = c->state;
	gt_auto(gt_blob) there = { 0 };
	struct gt_error *e;

	if (*q->ref && strcmp(q->ref, w->ref) != 0)
		return gt_error_new(GT_INVALID_ARGUMENT, "reference \"%s\" was \"%s\" before", q->ref,
				    w->ref);
	if (q->total > 0)
		w->total = q->total;
	if (!*q->expected || !strcmp(q->expected, w->expected))
		return NULL;
	free(w->expected);
	w->expected = gt_xstrdup(q->expected);
	e = gt_blobs_info(SERVICES(c), &c->call, q->expected, &there);
	if (gt_error_class(e) == GT_NOT_FOUND) {
		gt_error_free(e);
		return NULL;
	}
	GT_TRY(e);
	gt_writer_free(gt_steal(&w->writer));
	GT_TRY(gt_error_unless(gt_blobs_abort(SERVICES(c), &c->call, w->ref), GT_NOT_FOUND));
	return gt_error_new(GT_ALREADY_EXISTS, "blob with expected digest %s exists", q->expected);
}

static struct gt_error *data_write(struct writing *w, const V1(WriteContentRequest) *q)
{
	if (q->offset < 0 || (q->offset > 0 && q->offset != w->offset))
		return gt_error_new(GT_OUT_OF_RANGE, "write @%lld must occur at current offset %lld",
				    (long long)q->offset, (long long)w->offset);
	if (!q->offset && w->offset) {
		GT_TRY(gt_writer_truncate(w->writer, 0));
		w->offset = 0;
	}
	if (!q->data.len)
		return NULL;
	GT_TRY(gt_writer_write(w->writer, q->data.data, q->data.len));
	w->offset += (int64_t)q->data.len;
	return NULL;
}

static struct gt_error *commit(struct gt_grpc_call *c, const V1(WriteContentRequest) *q, char **digest)
{
	struct writing *w = c->state;
	gt_auto(gt_labels) labels = { 0 };

	gt_wire_labels_get(&q->base, "labels", &labels);
	return gt_blobs_commit(SERVICES(c), &c->call, w->writer, w->total,
			       *w->expected ? w->expected : NULL, &labels, digest);
}

static struct gt_error *message_handle(struct gt_grpc_call *c, const V1(WriteContentRequest) *q,
				       struct gt_arena *a, V1(WriteContentResponse) *m,
				       char **digest)
{
	struct writing *w = c->state;
	gt_auto(gt_ingest_info) i = { 0 };

	if (!w->writer)
		GT_TRY(ingest_open(c, q));
	else
		GT_TRY(expect(c, q));
	m->action = q->action;
	switch (q->action) {
	case ACTION(STAT):
		GT_TRY(gt_writer_status(w->writer, &i));
		m->started_at = gt_wire_time(a, &i.started_at);
		m->updated_at = gt_wire_time(a, &i.updated_at);
		m->total = i.total ? i.total : w->total;
		break;
	case ACTION(WRITE):
	case ACTION(COMMIT):
		GT_TRY(data_write(w, q));
		break;
	default:
		return gt_error_new(GT_INVALID_ARGUMENT, "unknown write action %d", (int)q->action);
	}
	if (q->action == ACTION(COMMIT))
		GT_TRY(commit(c, q, digest));
	else
		GT_TRY(gt_writer_digest(w->writer, digest));
	m->digest = *digest;
	m->offset = w->offset;
	return NULL;
}

void grpc_content_write(struct gt_grpc_call *c, const ProtobufCMessage *request)
{
	const V1(WriteContentRequest) *q = (const void *)request;
	V1(WriteContentResponse) m = CONTAINERD__SERVICES__CONTENT__V1__WRITE_CONTENT_RESPONSE__INIT;
	gt_auto(gt_arena) a = { 0 };
	gt_autofree char *digest = NULL;
	struct gt_error *e;

	if (!q) { /* what is stored stays, to be resumed */
		write_end_take(c, NULL);
		return;
	}
	if (!c->state)
		c->state = gt_xcalloc(1, sizeof(struct writing));
	e = message_handle(c, q, &a, &m, &digest);
	if (e) {
		write_end_take(c, e);
	} else if (q->action == ACTION(COMMIT)) {
		writing_free(gt_steal((struct writing **)&c->state));
		gt_grpc_answer(c, &m.base);
	} else {
		gt_grpc_send(c, &m.base);
	}
}
