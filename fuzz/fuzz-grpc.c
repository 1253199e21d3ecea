/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 and gRPC framing. The first byte says which side reads the rest: a server whose client begins
 * well (even), a server from the first byte on (1 of 4), or a client with an open call (3 of 4).
 */
#include <config.h>

#include "fuzz/fuzz.h"

#include <grpc/server-private.h>

#include "google/protobuf/wrappers.pb-c.h"

#include <string.h>
#include <sys/socket.h>

static void echo(struct gt_grpc_call *c, const ProtobufCMessage *q)
{
	gt_grpc_answer(c, q);
}

static void gather(struct gt_grpc_call *c, const ProtobufCMessage *q)
{
	if (q)
		gt_grpc_send(c, q);
	else
		gt_grpc_answer_error_take(c, NULL);
}

#define TEXT google__protobuf__string_value__descriptor
static const struct gt_grpc_method methods[] = {
	{ "Echo", &TEXT, &TEXT, GT_GRPC_QUICK, echo, NULL },
	{ "Work", &TEXT, &TEXT, 0, echo, NULL },
	{ "Chat", &TEXT, &TEXT, GT_GRPC_CLIENT_STREAM | GT_GRPC_SERVER_STREAM, gather, NULL },
};
static const struct gt_grpc_service service = { .name = "t.T", .methods = methods, .n_methods = 3 };

static void server_read(const uint8_t *data, size_t size, bool well)
{
	static const unsigned char start[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	struct gt_grpc_server *s;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return;
	gt_error_free(gt_grpc_server_new(&service, 1, 4, &s));
	gt_error_free(gt_grpc_server_serve_take(s, fds[0]));
	if (well)
		gt_h2_feed(&s->connections->h2, start, sizeof(start) - 1);
	/* In two parts: what is cut in the middle must be put together again. */
	gt_h2_feed(&s->connections->h2, data, size / 2);
	if (!s->connections->h2.broken)
		gt_h2_feed(&s->connections->h2, data + size / 2, size - size / 2);
	grpc_calls_work(s);
	gt_h2_flush(&s->connections->h2);
	gt_grpc_server_free(s);
	close(fds[1]);
}

/* --- the client's side ------------------------------------------------------------ */

static bool op_header(struct gt_h2_stream *s, const char *name, size_t name_len, const char *value,
		      size_t len)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;

	(void)s, (void)name, (void)name_len;
	gt_grpc_percent_decode(value, len, &text);
	return true;
}

static void op_nothing(struct gt_h2_stream *s)
{
	(void)s;
}

static void op_message(struct gt_h2_stream *s, unsigned char *data, size_t len)
{
	(void)s, (void)len;
	free(data);
}

static void op_refuse(struct gt_h2_stream *s, struct gt_error *e)
{
	gt_error_free(e);
	gt_h2_stream_reset(s, NGHTTP2_CANCEL);
}

static void op_finish(struct gt_h2_stream *s, uint32_t *flags)
{
	(void)s, (void)flags;
}

static void op_sent(struct gt_h2_stream *s, size_t len)
{
	(void)s, (void)len;
}

static void op_closed(struct gt_h2_stream *s, uint32_t code)
{
	(void)s, (void)code;
}

static const struct gt_h2_ops client_ops = {
	.header = op_header,
	.headers_end = op_nothing,
	.message = op_message,
	.remote_end = op_nothing,
	.refuse = op_refuse,
	.finish = op_finish,
	.sent = op_sent,
	.closed = op_closed,
};

static void client_read(const uint8_t *data, size_t size)
{
	const nghttp2_nv nv[] = {
		GT_H2_FIELD(":method", "POST"), GT_H2_FIELD(":scheme", "http"),
		GT_H2_FIELD(":path", "/t.T/Echo"), GT_H2_FIELD(":authority", "localhost"),
		GT_H2_FIELD("content-type", "application/grpc"),
	};
	struct gt_h2_stream stream = { 0 };
	nghttp2_data_provider provider = gt_h2_stream_data(&stream);
	struct gt_buf spare = GT_BUF_INIT;
	struct gt_h2 h2;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return;
	gt_error_free(gt_h2_init(&h2, &client_ops, fds[0], true, &spare));
	gt_h2_stream_add(&h2, &stream,
			 nghttp2_submit_request(h2.session, NULL, nv, 5, &provider, NULL));
	gt_h2_stream_finish(&stream);
	gt_h2_flush(&h2);
	gt_h2_feed(&h2, data, size);
	gt_h2_flush(&h2);
	gt_h2_done(&h2);
	gt_buf_done(&spare);
	close(fds[0]);
	close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t ns;

	if (!size)
		return 0;
	gt_grpc_timeout_parse((const char *)data + 1, size - 1, &ns);
	if (data[0] % 4 == 3)
		client_read(data + 1, size - 1);
	else
		server_read(data + 1, size - 1, data[0] % 2 == 0);
	return 0;
}
