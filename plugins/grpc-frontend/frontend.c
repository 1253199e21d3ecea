/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "frontend.h"

#include <string.h>

struct gt_strv grpc_strings(char *const *v, size_t n)
{
	return (struct gt_strv){ .v = (char **)(uintptr_t)v, .n = n };
}

struct gt_error *grpc_required(const void *message, const char *what)
{
	return message ? NULL : gt_error_new(GT_INVALID_ARGUMENT, "%s is required", what);
}

void grpc_run_ahead(struct frontend *f)
{
	if (pthread_mutex_trylock(&f->grace_lock))
		return;
	if (!f->grace.runs || f->grace.over) {
		gt_grace_done(&f->grace);
		gt_grace_begin(&f->grace);
	}
	pthread_mutex_unlock(&f->grace_lock);
}

static void batch_send(struct grpc_batch *b)
{
	struct gt_grpc_bytes *bytes = gt_grpc_bytes_new(b->buf.len);

	memcpy(bytes->data + GT_GRPC_PREFIX, b->buf.s, b->buf.len);
	gt_buf_setlen(&b->buf, 0);
	b->n = 0;
	gt_grpc_send_bytes_take(b->call, bytes);
}

struct gt_error *grpc_batch_add(struct grpc_batch *b, const ProtobufCMessage *m)
{
	GT_TRY(gt_call_check(&b->call->call));
	if (b->buf.len + protobuf_c_message_get_packed_size(m) > GT_GRPC_MESSAGE_MAX - 16 && b->n)
		batch_send(b);
	gt_grpc_field_add(&b->buf, 1, m);
	if (b->buf.len > GT_GRPC_MESSAGE_MAX)
		return gt_error_new(GT_RESOURCE_EXHAUSTED, "one entry is longer than a message");
	if (++b->n == b->most)
		batch_send(b);
	return NULL;
}

void grpc_batch_end_take(struct grpc_batch *b, struct gt_error *e)
{
	if (!e && b->n)
		batch_send(b);
	gt_buf_done(&b->buf);
	gt_grpc_answer_error_take(b->call, e);
}
