/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A content service as a content store. Its namespace is one, whoever the caller is: a store knows of
 * none, and a blob that one namespace has brought is read for another.
 */
#include <config.h>

#include "core/proxy.h"

#include "core/config.h"

#include <gantry/api-blobs.h>
#include <gantry/buf.h>

struct store {
	struct gt_content base;
	struct proxy p;
};

static struct proxy *proxy_of(struct gt_content *c)
{
	return &((struct store *)c)->p;
}

/* Of calls that are one question and one answer. */
#define ASK(c, call, far_call, expr)                                                              \
	({                                                                                         \
		struct proxy *p = proxy_of(c);                                                     \
		PROXY_CALL(p, call, GT_PROXY_NAMESPACE, p->timeout, far_call, expr);               \
	})
/* Of those that last as long as the caller likes; each wait in them has its own end. */
#define STREAM(c, call, far_call, expr)                                                           \
	({                                                                                         \
		struct proxy *p = proxy_of(c);                                                     \
		PROXY_CALL(p, call, GT_PROXY_NAMESPACE, 0, far_call, expr);                        \
	})

static struct gt_error *store_open(const struct gt_init *init, struct gt_content **out)
{
	struct store *s = gt_xcalloc(1, sizeof(*s));
	struct gt_error *e = proxy_init(init, &s->p);

	if (e)
		free(s);
	else
		*out = &s->base;
	return e;
}

static void store_close(struct gt_content *c)
{
	if (!c)
		return;
	proxy_done(proxy_of(c));
	free(c);
}

static struct gt_error *info(struct gt_content *c, struct gt_call *call, const char *digest,
			     struct gt_blob_info *out)
{
	gt_auto(gt_blob) b = { 0 };

	GT_TRY(ASK(c, call, far, gt_blobs_info(p->far, &far, digest, &b)));
	*out = b.info;
	b.info = (struct gt_blob_info){ 0 };
	return NULL;
}

static struct gt_error *reader(struct gt_content *c, struct gt_call *call, const char *digest,
			       struct gt_reader **out)
{
	return STREAM(c, call, far, gt_blobs_reader(p->far, &far, digest, out));
}

/* A writer of a service is committed by the service. */
struct writer {
	struct gt_writer base;
	struct proxy *p;
	struct gt_writer *far;
	struct gt_cancel *cancel;
};

static struct writer *writer_of(struct gt_writer *w)
{
	return (struct writer *)w;
}

static struct gt_error *writer_write(struct gt_writer *w, const void *buf, size_t len)
{
	return gt_writer_write(writer_of(w)->far, buf, len);
}

static struct gt_error *writer_truncate(struct gt_writer *w, int64_t size)
{
	return gt_writer_truncate(writer_of(w)->far, size);
}

static struct gt_error *writer_status(struct gt_writer *w, struct gt_ingest_info *out)
{
	return gt_writer_status(writer_of(w)->far, out);
}

static struct gt_error *writer_digest(struct gt_writer *w, char **out)
{
	return gt_writer_digest(writer_of(w)->far, out);
}

static struct gt_error *writer_commit(struct gt_writer *base, int64_t size, const char *expected,
				      char **digest)
{
	struct writer *w = writer_of(base);
	struct gt_call call = GT_CALL_INIT;
	gt_auto(gt_labels) labels = { 0 };

	call.cancel = w->cancel;
	gt_labels_set(&labels, GT_PROXY_LABEL, "gantry");
	return PROXY_CALL(w->p, &call, GT_PROXY_NAMESPACE, w->p->layer_timeout, far,
			  gt_blobs_commit(w->p->far, &far, w->far, size, expected, &labels, digest));
}

static void writer_close(struct gt_writer *w)
{
	gt_writer_free(writer_of(w)->far);
	free(w);
}

static const struct gt_writer_ops writer_ops = {
	.size = sizeof(writer_ops),
	.write = writer_write,
	.truncate = writer_truncate,
	.status = writer_status,
	.digest = writer_digest,
	.commit = writer_commit,
	.close = writer_close,
};

static struct gt_error *writer(struct gt_content *c, struct gt_call *call, const char *ref,
			       int64_t total, const char *expected, struct gt_writer **out)
{
	const struct gt_descriptor desc = { .digest = (char *)expected, .size = total };
	struct gt_writer *far_writer;
	struct writer *w;

	GT_TRY(STREAM(c, call, far, gt_blobs_writer(p->far, &far, ref, &desc, &far_writer)));
	w = gt_xcalloc(1, sizeof(*w));
	w->base.ops = &writer_ops;
	w->p = proxy_of(c);
	w->far = far_writer;
	w->cancel = call->cancel;
	*out = &w->base;
	return NULL;
}

static struct gt_error *remove_blob(struct gt_content *c, struct gt_call *call, const char *digest)
{
	return ASK(c, call, far, gt_blobs_remove(p->far, &far, digest));
}

struct walk {
	struct gt_error *(*fn)(void *arg, const struct gt_blob_info *info);
	void *arg;
};

static struct gt_error *walked(void *arg, const struct gt_blob *b)
{
	const struct walk *w = arg;

	return w->fn(w->arg, &b->info);
}

static struct gt_error *walk(struct gt_content *c, struct gt_call *call,
			     struct gt_error *(*fn)(void *arg, const struct gt_blob_info *info),
			     void *arg)
{
	struct walk w = { fn, arg };

	return ASK(c, call, far, gt_blobs_list(p->far, &far, NULL, walked, &w));
}

static struct gt_error *status(struct gt_content *c, struct gt_call *call, const char *ref,
			       struct gt_ingest_info *out)
{
	return ASK(c, call, far, gt_blobs_status(p->far, &far, ref, out));
}

static struct gt_error *walk_ingests(struct gt_content *c, struct gt_call *call,
				     struct gt_error *(*fn)(void *arg,
							    const struct gt_ingest_info *info),
				     void *arg)
{
	return ASK(c, call, far, gt_blobs_list_ingests(p->far, &far, NULL, fn, arg));
}

static struct gt_error *abort_ingest(struct gt_content *c, struct gt_call *call, const char *ref)
{
	return ASK(c, call, far, gt_blobs_abort(p->far, &far, ref));
}

const struct gt_content_ops proxy_content = {
	.size = sizeof(proxy_content),
	.open = store_open,
	.close = store_close,
	.info = info,
	.reader = reader,
	.writer = writer,
	.remove = remove_blob,
	.walk = walk,
	.status = status,
	.walk_ingests = walk_ingests,
	.abort = abort_ingest,
};
