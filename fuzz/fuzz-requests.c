/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every request of the gRPC API: through the server, the frontend's handlers and the services behind them,
 * with content, metadata and plain snapshots and neither differ, runtime nor resolver. An input is a
 * row of calls, each on a stream of its own: "/SERVICE/METHOD\n", a byte (how many messages, 1 to 4; 128:
 * no namespace), and messages with a length of two bytes before each.
 */
#include <config.h>

#include "fuzz/fuzz.h"

#include "core/config.h"
#include "core/host.h"
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
#define ROUND 2000 /* inputs before what they have made is thrown away */
#define WAIT_NS (10 * INT64_C(1000000000))

static struct {
	char *folder;
	struct gt_config *config;
	struct gt_host *host;
	struct frontend *frontend;
	unsigned n;
} rig;

#define X(table, name_) { .name = name_, .methods = grpc_##table },
static struct gt_grpc_service services[] = { GRPC_SERVICES(X) };
#undef X
#define N_SERVICES (sizeof(services) / sizeof(services[0]))

static void must(struct gt_error *e)
{
	if (!e)
		return;
	fprintf(stderr, "fuzz-requests: %s\n", gt_error_text(e));
	abort();
}

static void host_open(void)
{
	const char *build = getenv("abs_top_builddir");
	gt_autofree char *here = build ? gt_xstrdup(build) : getcwd(NULL, 0);
	gt_autofree char *text = gt_strf(
		"root = \"%s/root\"; state = \"%s/state\"; plugin_path = [\"%s/.libs\"];\n"
		"durability = \"fast\"; log: { level = \"error\"; };\n"
		"active: { content = \"content-local\"; metadata = \"metadata-lmdb\";\n"
		"  snapshotters = \"snapshotter-native\"; services = \"services-local\";\n"
		"  frontends = \"grpc-frontend\"; };\n"
		"grpc-frontend: { worker = \"/nowhere/gantry-layer\"; };\n",
		rig.folder, rig.folder, here);

	must(gt_config_load(text, NULL, &rig.config));
	must(gt_host_open(rig.config, true, &rig.host));
}

/* After privileges are gone, and modules are loaded. */
static void frontend_open(void)
{
	static const struct gt_call until = GT_CALL_INIT;
	struct gt_frontend *f;

	must(gt_host_frontend(rig.host, "grpc", &f));
	rig.frontend = (struct frontend *)f;
	must(gt_need_services(rig.frontend->init, NULL, &rig.frontend->services));
	must(gt_file_mkdirs(rig.frontend->init->state, 0700));
	must(owed_open(rig.frontend->init->state, &rig.frontend->owed));
	rig.frontend->running = &until;
	for (size_t i = 0; i < N_SERVICES; i++)
		services[i].arg = rig.frontend;
}

static void host_close(void)
{
	if (rig.frontend)
		owed_close(gt_steal(&rig.frontend->owed));
	gt_host_close(rig.host);
	gt_config_free(rig.config);
	rig.frontend = NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *tmp = getenv("TMPDIR");

	(void)argc, (void)argv;
	rig.folder = gt_strf("%s/fuzz-requests.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(rig.folder) || chmod(rig.folder, 0777))
		return 1;
	/* Whoever runs the inputs may not reach the build folder: modules are loaded now. */
	host_open();
	for (size_t i = 0; i < N_SERVICES; i++)
		while (services[i].methods[services[i].n_methods].name)
			services[i].n_methods++;
	return 0;
}

static void folder_empty(void)
{
	gt_autofree char *root = gt_strf("%s/root", rig.folder);
	gt_autofree char *state = gt_strf("%s/state", rig.folder);

	gt_error_free(gt_file_remove_tree(AT_FDCWD, root));
	gt_error_free(gt_file_remove_tree(AT_FDCWD, state));
}

static void rig_close(void)
{
	host_close();
	folder_empty();
	rmdir(rig.folder);
}

static void rig_prepare(void)
{
	if (!rig.n)
		atexit(rig_close);
	if (rig.n && rig.n % ROUND == 0) {
		host_close();
		folder_empty();
		host_open();
	}
	rig.n++;
	if (!rig.frontend)
		frontend_open();
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

	rig_prepare();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return 0;
	must(gt_grpc_server_new(services, N_SERVICES, 4, &s));
	must(gt_grpc_server_serve_take(s, fds[0]));
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
