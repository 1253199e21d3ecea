/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ttrpc's frames. The first byte says who reads the rest: a server (0, 1 of 4), a client with open calls
 * (2 of 4), the reader of one answer's body (3 of 4).
 */
#include <config.h>

#include "fuzz/fuzz.h"

#include <gantry/call.h>
#include <ttrpc/client.h>
#define gt_ttrpc_method gt_ttrpc_served /* each side has its own struct of that name */
#include <ttrpc/server.h>
#undef gt_ttrpc_method

#include "google/protobuf/wrappers.pb-c.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TEXT google__protobuf__string_value__descriptor
#define KEPT_MAX 64
#define TURNS_MAX 100000

/* --- the server ---------------------------------------------------------------------- */

static struct gt_ttrpc_call *kept[KEPT_MAX];
static size_t n_kept;

static void echo(void *arg, struct gt_ttrpc_call *call)
{
	(void)arg;
	gt_ttrpc_answer(call, call->request);
}

static void kept_ended(struct gt_ttrpc_call *call)
{
	for (size_t i = 0; i < n_kept; i++)
		if (kept[i] == call) {
			kept[i] = kept[--n_kept];
			return;
		}
	assert(!"a call that was not kept");
}

static void keep(void *arg, struct gt_ttrpc_call *call)
{
	(void)arg;
	if (n_kept == KEPT_MAX) {
		gt_ttrpc_answer_error_take(call, gt_error_new(GT_RESOURCE_EXHAUSTED, "enough"));
		return;
	}
	call->ended = kept_ended;
	kept[n_kept++] = call;
}

static const struct gt_ttrpc_served methods[] = {
	{ "Echo", &TEXT, echo },
	{ "Keep", &TEXT, keep },
};
static const struct gt_ttrpc_service service = { .name = "t.T", .methods = methods, .n_methods = 2 };

static void nothing(struct gt_timer *t)
{
	(void)t;
}

static void answers_drop(int fd)
{
	char room[65536];

	while (recv(fd, room, sizeof(room), MSG_DONTWAIT) > 0)
		;
}

static void server_read(const uint8_t *data, size_t size)
{
	struct gt_timer soon = { .fn = nothing };
	struct gt_ttrpc_server *s;
	struct gt_loop *loop;
	size_t sent = 0;
	int fds[2], turns = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return;
	gt_error_free(gt_loop_new(&loop));
	s = gt_ttrpc_server_new(loop, &service, 1);
	gt_error_free(gt_ttrpc_server_serve_take(s, fds[0]));
	while (gt_ttrpc_server_connections(s) && ++turns < TURNS_MAX) {
		/* In two parts: what is cut in the middle must be put together again. */
		size_t part = sent < size / 2 ? size / 2 - sent : size - sent;
		ssize_t n = part ? send(fds[1], data + sent, part, MSG_NOSIGNAL) : 0;

		if (n > 0)
			sent += (size_t)n;
		if (sent == size || (n < 0 && errno != EAGAIN))
			shutdown(fds[1], SHUT_WR);
		gt_loop_at(loop, &soon, gt_now() + 1000000);
		gt_error_free(gt_loop_step(loop));
		answers_drop(fds[1]);
		while (n_kept && turns % 2) {
			struct gt_ttrpc_call *call = kept[--n_kept];

			gt_ttrpc_answer(call, call->request);
		}
	}
	assert(turns < TURNS_MAX);
	gt_timer_clear(&soon);
	gt_ttrpc_server_free(s);
	assert(!n_kept);
	gt_loop_free(loop);
	close(fds[1]);
}

/* --- the client ---------------------------------------------------------------------- */

static int listener = -1;
static char *address;

static void listen_once(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *tmp = getenv("TMPDIR");

	if (listener >= 0)
		return;
	address = gt_strf("%s/fuzz-ttrpc.%d", tmp ? tmp : "/tmp", (int)getpid());
	if (strlen(address) >= sizeof(sa.sun_path))
		abort();
	strcpy(sa.sun_path, address);
	unlink(address);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(listener, 8) < 0)
		abort();
}

static void answered(void *arg, struct gt_error *e, ProtobufCMessage *reply)
{
	++*(_Atomic int *)arg;
	assert(!e != !reply);
	gt_error_free(e);
	gt_ttrpc_message_free(reply);
}

static void client_read(const uint8_t *data, size_t size)
{
	static const struct gt_ttrpc_method echo_method = { "t.T", "Echo", &TEXT };
	Google__Protobuf__StringValue q = GOOGLE__PROTOBUF__STRING_VALUE__INIT;
	struct gt_call call = GT_CALL_INIT;
	struct gt_ttrpc_engine *engine = gt_ttrpc_engine_new();
	struct gt_ttrpc_client *c;
	_Atomic int answers = 0;
	int peer, asked = 0;

	listen_once();
	if (gt_ttrpc_connect(engine, &call, address, 1000, &c))
		abort();
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	for (int i = 0; i < 3; i++) {
		struct gt_error *e =
			gt_ttrpc_call_async(c, &call, &echo_method, &q.base, answered, &answers);

		asked += !e;
		gt_error_free(e);
	}
	for (size_t sent = 0; sent < size;) {
		ssize_t n = send(peer, data + sent, size - sent, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	shutdown(peer, SHUT_RDWR);
	if (gt_ttrpc_client_wait_closed(c, 10000))
		abort(); /* it must see that its peer has gone */
	gt_ttrpc_client_free(c);
	gt_ttrpc_engine_free(engine);
	assert(answers == asked);
	close(peer);
}

static void answer_read(const uint8_t *data, size_t size)
{
	ProtobufCMessage *m = NULL;
	struct gt_error *e = gt_ttrpc_response_read(data, size, &TEXT, &m);

	assert(!e != !m);
	gt_error_free(e);
	gt_ttrpc_message_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] % 4 == 3)
		answer_read(data + 1, size - 1);
	else if (data[0] % 4 == 2)
		client_read(data + 1, size - 1);
	else
		server_read(data + 1, size - 1);
	return 0;
}
