/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <grpc/unary.h>

#include <string.h>

struct gt_grpc_kept {
	struct gt_grpc_kept *next;
	void (*done)(void *);
	void *object;
};

void *gt_grpc_keep(struct gt_grpc_unary *u, size_t size, void (*done)(void *))
{
	void *object = gt_arena_alloc(&u->arena, size);
	struct gt_grpc_kept *k;

	if (done) {
		k = gt_arena_alloc(&u->arena, sizeof(*k));
		k->next = u->kept;
		k->done = done;
		k->object = object;
		u->kept = k;
	}
	return object;
}

static struct gt_error *too_long(size_t len)
{
	return gt_error_new(GT_RESOURCE_EXHAUSTED,
			    "grpc: trying to send message larger than max (%zu vs. %d)", len,
			    GT_GRPC_MESSAGE_MAX);
}

struct gt_error *gt_grpc_unary_add(struct gt_grpc_unary *u, unsigned number,
				   const ProtobufCMessage *m)
{
	gt_grpc_field_add(&u->rest, number, m);
	return u->rest.len > GT_GRPC_MESSAGE_MAX ? too_long(u->rest.len) : NULL;
}

static struct gt_error *reply_pack(const struct gt_grpc_unary *u, struct gt_grpc_bytes **out)
{
	const ProtobufCMessage *m = u->reply;
	size_t n = protobuf_c_message_get_packed_size(m);

	if (n + u->rest.len > GT_GRPC_MESSAGE_MAX)
		return too_long(n + u->rest.len);
	*out = gt_grpc_bytes_new(n + u->rest.len);
	protobuf_c_message_pack(m, (*out)->data + GT_GRPC_PREFIX);
	memcpy((*out)->data + GT_GRPC_PREFIX + n, u->rest.s, u->rest.len);
	return NULL;
}

void gt_grpc_unary(struct gt_grpc_call *c, const ProtobufCMessage *request)
{
	struct gt_grpc_unary u = { .call = &c->call, .arg = c->arg, .request = request };
	struct gt_grpc_bytes *b = NULL;
	struct gt_error *e;

	gt_buf_init(&u.rest);
	u.reply = gt_arena_message(&u.arena, c->method->response);
	e = c->method->unary(&u);
	if (!e)
		e = reply_pack(&u, &b);
	for (struct gt_grpc_kept *k = u.kept; k; k = k->next)
		k->done(k->object);
	gt_buf_done(&u.rest);
	gt_arena_done(&u.arena);
	if (e)
		gt_grpc_answer_error_take(c, e);
	else
		gt_grpc_answer_bytes_take(c, b);
}
