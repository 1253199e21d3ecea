/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls every method that it reads from its standard input, "SERVICE METHOD" a line, with an empty message,
 * and prints what becomes of it: "SERVICE METHOD CLASS". A call that goes on for half a second is WAITING.
 *
 *	services-walk ADDRESS <services.txt
 */
#include <config.h>

#include <grpc/client.h>

#include <gantry/buf.h>

#include <stdio.h>
#include <string.h>

#include "google/protobuf/empty.pb-c.h"

#define PATIENCE INT64_C(500000000)

static const char *walk(struct gt_grpc_client *c, const char *service, const char *method)
{
	static const Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
	gt_autofree char *path = gt_strf("/%s/%s", service, method);
	const struct gt_grpc_remote remote = { path, &google__protobuf__empty__descriptor };
	struct gt_call call = GT_CALL_INIT;
	struct gt_grpc_stream *stream;
	const char *name = "OK";
	struct gt_error *e;

	call.ns = "services-walk";
	e = gt_grpc_stream_open(c, &call, &remote, NULL, NULL, &stream);
	if (!e) {
		struct gt_call step = call;
		ProtobufCMessage *m = NULL;

		step.deadline = gt_now() + PATIENCE;
		e = gt_grpc_stream_send(stream, &step, &empty.base);
		gt_grpc_stream_close_send(stream);
		if (!e)
			e = gt_grpc_stream_recv(stream, &step, &m);
		gt_grpc_message_free(m);
		gt_grpc_stream_free(stream);
	}
	if (gt_error_class(e) == GT_DEADLINE_EXCEEDED)
		name = "WAITING";
	else if (e)
		name = gt_class_name(gt_error_class(e));
	gt_error_free(e);
	return name;
}

int main(int argc, char **argv)
{
	struct gt_grpc_client *c;
	char service[256], method[256];

	if (argc != 2)
		return 2;
	c = gt_grpc_client_new(argv[1], 5000);
	while (scanf("%255s %255s", service, method) == 2)
		printf("%s %s %s\n", service, method, walk(c, service, method));
	gt_grpc_client_free(c);
	return 0;
}
