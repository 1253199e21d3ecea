/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every request of the gRPC API: through the server, the frontend's handlers and the services behind them,
 * with content, metadata and plain snapshots and neither differ, runtime nor resolver. An input is a
 * row of calls, each on a stream of its own: "/SERVICE/METHOD\n", a byte (how many messages, 1 to 4; 128:
 * no namespace), and messages with a length of two bytes before each.
 */
#include <config.h>

#include "fuzz/fuzz.h"
#include "fuzz/host.h"

#include "plugins/grpc-frontend/events-owed.h"
#include "plugins/grpc-frontend/frontend.h"

#include <grpc/server-private.h>

#include <gantry/file.h>

#include <assert.h>
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define CALLS_MAX 16
#define WAIT_NS (10 * INT64_C(1000000000))

static void frontend_close(void);

static struct fuzz_host rig = {
	.name = "requests",
	.active = "frontends = \"grpc-frontend\";",
	.options = "grpc-frontend: { worker = \"/nowhere/gantry-layer\"; };",
	.closing = frontend_close,
};
static struct frontend *frontend;

#define X(table, name_) { .name = name_, .methods = grpc_##table },
static struct gt_grpc_service services[] = { GRPC_SERVICES(X) };
#undef X
#define N_SERVICES (sizeof(services) / sizeof(services[0]))

/* After privileges are gone, and modules are loaded. */
static void frontend_open(void)
{
	static const struct gt_call until = GT_CALL_INIT;
	struct gt_frontend *f;

	fuzz_must(gt_host_frontend(rig.host, "grpc", &f));
	frontend = (struct frontend *)f;
	fuzz_must(gt_need_services(frontend->init, NULL, &frontend->services));
	fuzz_must(gt_file_mkdirs(frontend->init->state, 0700));
	fuzz_must(owed_open(frontend->init->state, &frontend->owed));
	frontend->running = &until;
	for (size_t i = 0; i < N_SERVICES; i++)
		services[i].arg = frontend;
}

static void frontend_close(void)
{
	if (frontend)
		owed_close(gt_steal(&frontend->owed));
	frontend = NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_host_open(&rig);
	for (size_t i = 0; i < N_SERVICES; i++)
		while (services[i].methods[services[i].n_methods].name)
			services[i].n_methods++;
	return 0;
}

/* --- frames ------------------------------------------------------------------------------ */

static void frame_add(struct gt_buf *out, int type, int flags, uint32_t stream, const void *data,
		      size_t len)
{
	const unsigned char head[9] = {
		(unsigned char)(len >> 16), (unsigned char)(len >> 8), (unsigned char)len,
		(unsigned char)type, (unsigned char)flags,
		(unsigned char)(stream >> 24), (unsigned char)(stream >> 16),
		(unsigned char)(stream >> 8), (unsigned char)stream,
	};

	gt_buf_add(out, head, sizeof(head));
	gt_buf_add(out, data, len);
}

static void field_add(struct gt_buf *out, const char *name, const char *value, size_t len)
{
	gt_buf_addc(out, 0); /* literal, not indexed; lengths below 127 */
	gt_buf_addc(out, (char)strlen(name));
	gt_buf_adds(out, name);
	gt_buf_addc(out, (char)len);
	gt_buf_add(out, value, len);
}

static void call_begin(struct gt_buf *out, uint32_t stream, const char *path, size_t len, bool ns)
{
	gt_auto(gt_buf) head = GT_BUF_INIT;

	field_add(&head, ":method", "POST", 4);
	field_add(&head, ":scheme", "http", 4);
	field_add(&head, ":authority", "localhost", 9);
	field_add(&head, ":path", path, len);
	field_add(&head, "content-type", "application/grpc", 16);
	if (ns)
		field_add(&head, "containerd-namespace", "default", 7);
	frame_add(out, 1, 4, stream, head.s, head.len);
}

/* One call from the input; false at its end. */
static bool call_add(struct gt_buf *out, uint32_t stream, const uint8_t **p, const uint8_t *end)
{
	const uint8_t *nl = memchr(*p, '\n', (size_t)(end - *p));
	int messages;

	if (!nl || end - nl < 2 || nl - *p > 120)
		return false;
	call_begin(out, stream, (const char *)*p, (size_t)(nl - *p), !(nl[1] & 128));
	messages = (nl[1] & 3) + 1;
	*p = nl + 2;
	while (messages-- && end - *p >= 2) {
		size_t len = (size_t)((*p)[0] << 8 | (*p)[1]);
		gt_auto(gt_buf) m = GT_BUF_INIT;
		uint32_t be;

		*p += 2;
		if (len > (size_t)(end - *p))
			len = (size_t)(end - *p);
		be = htobe32((uint32_t)len);
		gt_buf_addc(&m, 0);
		gt_buf_add(&m, &be, sizeof(be));
		gt_buf_add(&m, *p, len);
		frame_add(out, 0, 0, stream, m.s, m.len);
		*p += len;
	}
	frame_add(out, 0, 1, stream, NULL, 0);
	return true;
}

/* --- the server ---------------------------------------------------------------------------- */

static bool is_busy(struct gt_grpc_server *s)
{
	for (struct connection *conn = s->connections; conn; conn = conn->next)
		for (struct gt_h2_stream *st = conn->h2.streams; st; st = st->next)
			if (!grpc_call_is_waiting(gt_container_of(st, struct call, stream)))
				return true;
	return false;
}

/* Until all is answered that is answered without anything more happening. */
static void settle(struct gt_grpc_server *s, int peer)
{
	int64_t until = gt_now() + WAIT_NS;
	char room[65536];

	do {
		bool busy = is_busy(s);

		grpc_calls_work(s);
		gt_h2_flush(&s->connections->h2);
		while (recv(peer, room, sizeof(room), MSG_DONTWAIT) > 0)
			;
		if (!busy)
			return;
		usleep(20);
	} while (gt_now() < until);
	assert(!"a handler that does not end");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char start[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
	const uint8_t *p = data, *end = data + size;
	struct gt_grpc_server *s;
	int fds[2];

	if (fuzz_host_next(&rig))
		frontend_open();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return 0;
	fuzz_must(gt_grpc_server_new(services, N_SERVICES, 4, &s));
	fuzz_must(gt_grpc_server_serve_take(s, fds[0]));
	gt_h2_feed(&s->connections->h2, start, sizeof(start) - 1);
	for (uint32_t i = 0; i < CALLS_MAX && !s->connections->h2.broken; i++) {
		gt_auto(gt_buf) frames = GT_BUF_INIT;

		if (!call_add(&frames, 2 * i + 1, &p, end))
			break;
		gt_h2_feed(&s->connections->h2, (const unsigned char *)frames.s, frames.len);
		settle(s, fds[1]);
	}
	gt_grpc_server_free(s);
	close(fds[1]);
	return 0;
}
