/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <grpc/rig-test.h>

#include <gantry/buf.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef Google__Protobuf__StringValue text_message;
#define TEXT google__protobuf__string_value__descriptor

Google__Protobuf__StringValue rig_text(const char *s)
{
	text_message m = GOOGLE__PROTOBUF__STRING_VALUE__INIT;

	m.value = (char *)(uintptr_t)s;
	return m;
}

static const char *text_of(const ProtobufCMessage *m)
{
	return ((const text_message *)(const void *)m)->value;
}

static void answer(struct gt_grpc_call *c, const char *s)
{
	text_message m = rig_text(s);

	gt_grpc_answer(c, &m.base);
}

static void echo(struct gt_grpc_call *c, const ProtobufCMessage *q)
{
	gt_autofree char *s = gt_strf("%s|%s|%s", text_of(q), c->call.ns ? c->call.ns : "-",
				      c->call.lease ? c->call.lease : "-");

	answer(c, s);
}

static void work(struct gt_grpc_call *c, const ProtobufCMessage *q)
{
	usleep((useconds_t)atoi(text_of(q)) * 1000);
	answer(c, "done");
}

static void keep_gone(struct gt_grpc_call *c)
{
	struct rig *r = c->arg;

	r->kept--;
	gt_grpc_answer_error_take(c, NULL);
}

static void keep(struct gt_grpc_call *c, const ProtobufCMessage *q)
{
	struct rig *r = c->arg;

	(void)q;
	c->gone = keep_gone;
	r->kept++;
}

static void refuse(struct gt_grpc_call *c, const ProtobufCMessage *q)
{
	gt_grpc_answer_error_take(c, gt_error_new(GT_NOT_FOUND, "thing \"%s\" 100%%\n", text_of(q)));
}

static void count(struct gt_grpc_call *c, const ProtobufCMessage *q)
{
	int n = atoi(text_of(q));

	for (int i = 0; i < n; i++) {
		gt_autofree char *s = gt_strf("%d", i);
		text_message m = rig_text(s);

		gt_grpc_send(c, &m.base);
	}
	gt_grpc_answer_error_take(c, n < 0 ? gt_error_new(GT_ABORTED, "less than nothing") : NULL);
}

/* Adds up the texts' lengths, and says them at the end. */
static void gather(struct gt_grpc_call *c, const ProtobufCMessage *q)
{
	struct rig *r = c->arg;
	size_t *sum = c->state;

	if (!sum) {
		c->state = sum = gt_xcalloc(1, sizeof(*sum));
		r->begun++;
	}
	if (q) {
		*sum += strlen(text_of(q));
		return;
	}
	gt_autofree char *s = gt_strf("%zu", *sum);

	free(sum);
	r->ended++;
	answer(c, s);
}

static void chat(struct gt_grpc_call *c, const ProtobufCMessage *q)
{
	if (!q)
		gt_grpc_answer_error_take(c, NULL);
	else if (!strcmp(text_of(q), "bye"))
		answer(c, "bye");
	else
		gt_grpc_send(c, q);
}

static void flood_on(struct gt_grpc_call *c)
{
	struct rig *r = c->arg;
	gt_autofree char *s = gt_xcalloc(1, 65537);
	text_message m;

	memset(s, 'x', 65536);
	m = rig_text(s);
	do
		r->room++;
	while (gt_grpc_send(c, &m.base));
	gt_grpc_when_ready(c);
}

static void flood_gone(struct gt_grpc_call *c)
{
	struct rig *r = c->arg;

	r->ended++;
	gt_grpc_answer_error_take(c, NULL);
}

/* Sends for as long as somebody reads. */
static void flood(struct gt_grpc_call *c, const ProtobufCMessage *q)
{
	struct rig *r = c->arg;

	(void)q;
	r->begun++;
	c->ready = flood_on;
	c->gone = flood_gone;
	flood_on(c);
}

static void large(struct gt_grpc_call *c, const ProtobufCMessage *q)
{
	size_t n = strtoul(text_of(q), NULL, 10);
	gt_autofree char *s = gt_xcalloc(1, n + 1);

	memset(s, 'x', n);
	answer(c, s);
}

#define METHOD(name_, flags_, fn)                                                                 \
	{ .name = name_, .request = &TEXT, .response = &TEXT, .flags = flags_, .handle = fn }
static const struct gt_grpc_method methods[] = {
	METHOD("Echo", GT_GRPC_QUICK, echo),
	METHOD("Work", 0, work),
	METHOD("Keep", 0, keep),
	METHOD("Fail", 0, refuse),
	METHOD("Large", 0, large),
	METHOD("Count", GT_GRPC_SERVER_STREAM, count),
	METHOD("Flood", GT_GRPC_SERVER_STREAM, flood),
	METHOD("Gather", GT_GRPC_CLIENT_STREAM, gather),
	METHOD("Chat", GT_GRPC_CLIENT_STREAM | GT_GRPC_SERVER_STREAM, chat),
};

#define REMOTE(var, name) const struct gt_grpc_remote var = { "/" TEST_SERVICE "/" name, &TEXT }
REMOTE(rig_echo, "Echo");
REMOTE(rig_work, "Work");
REMOTE(rig_keep, "Keep");
REMOTE(rig_fail, "Fail");
REMOTE(rig_large, "Large");
REMOTE(rig_count, "Count");
REMOTE(rig_flood, "Flood");
REMOTE(rig_gather, "Gather");
REMOTE(rig_chat, "Chat");
REMOTE(rig_none, "None");

static struct gt_grpc_service service = {
	.name = TEST_SERVICE,
	.methods = methods,
	.n_methods = sizeof(methods) / sizeof(methods[0]),
};

static void *rig_run(void *arg)
{
	struct rig *r = arg;

	ck_assert_ptr_null(gt_grpc_server_run(r->server, &r->until, 2000));
	return NULL;
}

static struct sockaddr_un address_of(const struct rig *r)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, r->address);
	return a;
}

void rig_start(struct rig *r)
{
	const struct gt_grpc_peers peers = { (uid_t)-1, (gid_t)-1 };
	struct sockaddr_un a;
	int fd;

	*r = (struct rig){ .dir = "/tmp/gantry-grpc-test.XXXXXX" };
	ck_assert_ptr_nonnull(mkdtemp(r->dir));
	r->address = gt_strf("%s/sock", r->dir);
	a = address_of(r);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 128), 0);
	service.arg = r;
	ck_assert_ptr_null(gt_grpc_server_new(&service, 1, 16, &r->server));
	ck_assert_ptr_null(gt_grpc_server_listen_take(r->server, fd, &peers));
	r->cancel = gt_cancel_new();
	r->until = (struct gt_call)GT_CALL_INIT;
	r->until.cancel = r->cancel;
	ck_assert_int_eq(pthread_create(&r->thread, NULL, rig_run, r), 0);
}

void rig_stop(struct rig *r)
{
	gt_cancel_set(r->cancel);
	pthread_join(r->thread, NULL);
	gt_grpc_server_free(r->server);
	gt_cancel_free(r->cancel);
	unlink(r->address);
	rmdir(r->dir);
	free(r->address);
}

int rig_connect(const struct rig *r)
{
	struct sockaddr_un a = address_of(r);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}
