/* SPDX-License-Identifier: Apache-2.0 */
/* The wrappers of the kinds with few ops: differ, metadata, frontend. */
#include <config.h>

#include <gantry/differ.h>
#include <gantry/frontend.h>
#include <gantry/metadata.h>

#include "core/op.h"

#include <gantry/buf.h>

#include <string.h>

#define VALUE_MAX (64 * 1024 * 1024)

void gt_diff_result_done(struct gt_diff_result *r)
{
	free(r->media_type);
	free(r->digest);
	*r = (struct gt_diff_result){ 0 };
}

struct gt_error *gt_differ_apply(struct gt_differ *d, struct gt_call *call,
				 const struct gt_descriptor *desc, struct gt_reader *blob,
				 const struct gt_mounts *mounts, struct gt_diff_result *out)
{
	GT_TRY(gt_op_required("media type of the layer", desc->media_type));
	return GT_OP(differ, d, apply, call, desc, blob, mounts, out);
}

struct gt_error *gt_differ_diff(struct gt_differ *d, struct gt_call *call,
				const struct gt_mounts *lower, const struct gt_mounts *upper,
				const struct gt_diff_options *o, struct gt_writer *w,
				struct gt_diff_result *out)
{
	GT_TRY(gt_op_check(d->ops->diff, d->init, "diff"));
	return GT_OP(differ, d, diff, call, lower, upper, o, w, out);
}

struct gt_error *gt_metadata_update(struct gt_metadata *m, struct gt_call *call,
				    struct gt_error *(*fn)(struct gt_txn *, void *), void *arg)
{
	GT_TRY(gt_call_check(call));
	return GT_OP(metadata, m, update, call, fn, arg);
}

struct gt_error *gt_metadata_view(struct gt_metadata *m, struct gt_call *call,
				  struct gt_error *(*fn)(struct gt_txn *, void *), void *arg)
{
	return GT_OP(metadata, m, view, call, fn, arg);
}

static struct gt_error *key_check(struct gt_slice key)
{
	if (!key.len || key.len > GT_METADATA_KEY_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "metadata key of %zu bytes, where 1 to %d are allowed", key.len,
				    GT_METADATA_KEY_MAX);
	return NULL;
}

struct gt_error *gt_txn_get(struct gt_txn *t, struct gt_slice key, struct gt_slice *out)
{
	GT_TRY(key_check(key));
	return t->m->ops->get(t, key, out);
}

struct gt_error *gt_txn_put(struct gt_txn *t, struct gt_slice key, struct gt_slice value)
{
	GT_TRY(key_check(key));
	if (value.len > VALUE_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "metadata value of %zu bytes, where %d are allowed", value.len,
				    VALUE_MAX);
	return t->m->ops->put(t, key, value);
}

struct gt_error *gt_txn_remove(struct gt_txn *t, struct gt_slice key)
{
	GT_TRY(key_check(key));
	return t->m->ops->remove(t, key);
}

struct gt_error *gt_txn_seek(struct gt_txn *t, struct gt_slice prefix, struct gt_slice from,
			     struct gt_slice *key, struct gt_slice *value)
{
	return t->m->ops->seek(t, prefix, from, key, value);
}

struct gt_error *gt_txn_scan(struct gt_txn *t, struct gt_slice prefix,
			     struct gt_error *(*fn)(void *arg, struct gt_slice key,
						    struct gt_slice value),
			     void *arg)
{
	gt_auto(gt_buf) from = GT_BUF_INIT;
	struct gt_slice at = prefix, key, value;

	for (;;) {
		struct gt_error *e = t->m->ops->seek(t, prefix, at, &key, &value);

		if (e)
			return gt_error_unless(e, GT_NOT_FOUND);
		/* Just behind the key: the same with a NUL at its end. */
		gt_buf_setlen(&from, 0);
		gt_buf_add(&from, key.data, key.len);
		gt_buf_addc(&from, '\0');
		at = (struct gt_slice){ from.s, from.len };
		GT_TRY(fn(arg, key, value));
	}
}

struct gt_error *gt_frontend_run(struct gt_frontend *f, struct gt_call *call, int argc, char **argv,
				 int *status)
{
	return f->ops->run(f, call, argc, argv, status);
}
