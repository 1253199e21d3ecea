/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <gantry/resolver.h>

#include "core/op.h"

#include <gantry/buf.h>

#include <inttypes.h>
#include <string.h>

void gt_resolved_done(struct gt_resolved *r)
{
	free(r->name);
	free(r->host);
	gt_descriptor_done(&r->desc);
	*r = (struct gt_resolved){ 0 };
}

/* What a caller's struct has, in the size of ours: both ends of a call may be older than the other. */
static void options_fill(const struct gt_registry_options *o, struct gt_registry_options *out)
{
	*out = (struct gt_registry_options)GT_REGISTRY_OPTIONS_INIT;
	if (o)
		memcpy(out, o, o->size < sizeof(*out) ? o->size : sizeof(*out));
	out->size = sizeof(*out);
}

static struct gt_error *options_check(const struct gt_registry_options *o)
{
	if (o->user && o->identity_token)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "registry options: both a user and an identity token");
	if (o->key && !o->cert)
		return gt_error_new(GT_INVALID_ARGUMENT,
				    "registry options: a client's key without its certificate");
	for (size_t i = 0; o->headers && i < o->headers->n; i++) {
		const struct gt_label *h = &o->headers->v[i];

		if (!*h->key || strpbrk(h->key, " \t\r\n:") || strpbrk(h->value, "\r\n"))
			return gt_error_new(GT_INVALID_ARGUMENT,
					    "registry options: header %zu is no header", i + 1);
	}
	return NULL;
}

static struct gt_error *descriptor_check(const struct gt_descriptor *desc)
{
	GT_TRY(gt_digest_check(desc->digest));
	return gt_op_required("media type of the content", desc->media_type);
}

struct gt_error *gt_resolver_resolve(struct gt_resolver *r, struct gt_call *call, const char *ref,
				     const struct gt_registry_options *o, struct gt_resolved *out)
{
	struct gt_registry_options all;

	GT_TRY(gt_op_required("reference", ref));
	options_fill(o, &all);
	GT_TRY(options_check(&all));
	GT_TRY(gt_call_check(call));
	return GT_OP(resolver, r, resolve, call, ref, &all, out);
}

struct gt_error *gt_resolver_fetch(struct gt_resolver *r, struct gt_call *call, const char *ref,
				   const struct gt_descriptor *desc,
				   const struct gt_registry_options *o, struct gt_reader **out)
{
	struct gt_registry_options all;

	GT_TRY(gt_op_required("reference", ref));
	GT_TRY(descriptor_check(desc));
	options_fill(o, &all);
	GT_TRY(options_check(&all));
	GT_TRY(gt_call_check(call));
	return GT_OP(resolver, r, fetch, call, ref, desc, &all, out);
}

struct gt_error *gt_resolver_push(struct gt_resolver *r, struct gt_call *call, const char *ref,
				  const struct gt_descriptor *desc, struct gt_reader *blob,
				  const struct gt_registry_options *o,
				  const struct gt_push_options *p, enum gt_push_end *out)
{
	struct gt_push_options push = GT_PUSH_OPTIONS_INIT;
	struct gt_registry_options all;
	enum gt_push_end end;

	GT_TRY(gt_op_check(r->ops->push, r->init, "push"));
	GT_TRY(gt_op_required("reference", ref));
	GT_TRY(descriptor_check(desc));
	if (desc->size != gt_reader_length(blob))
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "push %s: %" PRId64 " bytes, where the descriptor says %" PRId64,
				    desc->digest, gt_reader_length(blob), desc->size);
	options_fill(o, &all);
	GT_TRY(options_check(&all));
	if (p)
		memcpy(&push, p, p->size < sizeof(push) ? p->size : sizeof(push));
	push.size = sizeof(push);
	GT_TRY(gt_call_check(call));
	GT_TRY(GT_OP(resolver, r, push, call, ref, desc, blob, &all, &push, &end));
	if (out)
		*out = end;
	return NULL;
}
