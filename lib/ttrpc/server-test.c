/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <ttrpc/server.h>

#include <gantry/call.h>

#include <containerd.task.v2.pb-c.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define SERVICE "test.Service"
#define TIME_LIMIT 20

typedef Containerd__Task__V2__ConnectRequest Request;
typedef Containerd__Task__V2__ConnectResponse Answer;

struct fixture {
	struct gt_loop *loop;
	struct gt_ttrpc_server *server;
	struct gt_ttrpc_call *kept[8];
	size_t n_kept;
	size_t n_ended;
	char *ns; /* of the last call */
	int fd; /* the client's end */
	struct gt_buf in; /* what the client read and did not use */
};

/* Answers with the length of the id as pid; an id "big" makes an answer of a megabyte. */
static void echo(void *arg, struct gt_ttrpc_call *call)
{
	const Request *r = (const Request *)call->request;
	const char *ns = gt_ttrpc_metadata(call->envelope, GT_TTRPC_NAMESPACE_KEY);
	Answer a = CONTAINERD__TASK__V2__CONNECT_RESPONSE__INIT;
	struct fixture *f = arg;
	gt_autofree char *big = NULL;

	free(f->ns);
	f->ns = gt_xstrdup(ns);
	a.shim_pid = strlen(r->id);
	if (!strcmp(r->id, "big")) {
		big = gt_xcalloc(1, (1 << 20) + 1);
		memset(big, 'x', 1 << 20);
		a.version = big;
	}
	gt_ttrpc_answer(call, &a.base);
}

static void keep_ended(struct gt_ttrpc_call *call)
{
	struct fixture *f = call->keeper;

	f->n_ended++;
	for (size_t i = 0; i < f->n_kept; i++)
		if (f->kept[i] == call)
			f->kept[i] = NULL;
}

static void keep(void *arg, struct gt_ttrpc_call *call)
{
	struct fixture *f = arg;

	call->keeper = f;
	call->ended = keep_ended;
	ck_assert_uint_lt(f->n_kept, 8);
	f->kept[f->n_kept++] = call;
}

static void refuse(void *arg, struct gt_ttrpc_call *call)
{
	(void)arg;
	gt_ttrpc_answer_error_take(call, gt_error_new(GT_NOT_FOUND, "it"));
}

#define REQUEST_TYPE &containerd__task__v2__connect_request__descriptor
static const struct gt_ttrpc_method methods[] = {
	{ .name = "Echo", .request = REQUEST_TYPE, .handle = echo },
	{ .name = "Keep", .request = REQUEST_TYPE, .handle = keep },
	{ .name = "Fail", .request = REQUEST_TYPE, .handle = refuse },
};

static struct gt_ttrpc_service service; /* of the one test that runs in this process */

static int connect_pair(struct fixture *f)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	ck_assert_ptr_null(gt_ttrpc_server_serve_take(f->server, fds[0]));
	return fds[1];
}

static void setup(struct fixture *f)
{
	*f = (struct fixture){ .in = GT_BUF_INIT };
	service = (struct gt_ttrpc_service){
		.name = SERVICE, .methods = methods, .n_methods = 3, .arg = f
	};
	ck_assert_ptr_null(gt_loop_new(&f->loop));
	f->server = gt_ttrpc_server_new(f->loop, &service, 1);
	f->fd = connect_pair(f);
}

static void teardown(struct fixture *f)
{
	gt_ttrpc_server_free(f->server);
	gt_loop_free(f->loop);
	close(f->fd);
	free(f->ns);
	gt_buf_done(&f->in);
}

/* Steps that are sure not to wait for ever: the tests' timer ends them. */
static void nothing(struct gt_timer *t)
{
	(void)t;
}

static void step(struct fixture *f)
{
	struct gt_timer t = { .fn = nothing };

	gt_loop_at(f->loop, &t, gt_now() + 2000000);
	ck_assert_ptr_null(gt_loop_step(f->loop));
	gt_timer_clear(&t);
}

static void send_bytes(struct fixture *f, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(f->fd, p, len);

		if (n < 0 && errno == EAGAIN) {
			step(f);
			continue;
		}
		ck_assert_int_gt(n, 0);
		p += n;
		len -= n;
	}
}

static void request(struct fixture *f, uint32_t stream, const char *svc, const char *method,
		    const char *id, int64_t timeout)
{
	Request m = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;
	gt_auto(gt_buf) b = GT_BUF_INIT;

	m.id = (char *)id;
	ck_assert_ptr_null(
		gt_ttrpc_add_request(&b, stream, svc, method, &m.base, timeout, "default"));
	send_bytes(f, b.s, b.len);
}

/* The next response frame from 'fd': its stream, and what it says. */
static uint32_t receive_on(struct fixture *f, int fd, struct gt_error **e, Answer **a)
{
	struct gt_ttrpc_header h;
	ProtobufCMessage *m = NULL;
	char bytes[65536];

	for (;;) {
		ssize_t n;

		if (f->in.len >= GT_TTRPC_HEADER) {
			gt_ttrpc_header_read(&h, (unsigned char *)f->in.s);
			if (f->in.len >= GT_TTRPC_HEADER + h.length)
				break;
		}
		step(f);
		n = read(fd, bytes, sizeof(bytes));
		ck_assert(n > 0 || (n < 0 && errno == EAGAIN));
		if (n > 0)
			gt_buf_add(&f->in, bytes, n);
	}
	ck_assert_int_eq(h.type, GT_TTRPC_RESPONSE);
	ck_assert_int_eq(h.flags, 0);
	*e = gt_ttrpc_response_read(f->in.s + GT_TTRPC_HEADER, h.length,
				    &containerd__task__v2__connect_response__descriptor, &m);
	*a = (Answer *)m;
	memmove(f->in.s, f->in.s + GT_TTRPC_HEADER + h.length,
		f->in.len - GT_TTRPC_HEADER - h.length);
	gt_buf_setlen(&f->in, f->in.len - GT_TTRPC_HEADER - h.length);
	return h.stream;
}

static uint32_t receive(struct fixture *f, struct gt_error **e, Answer **a)
{
	return receive_on(f, f->fd, e, a);
}

static void expect_answer(struct fixture *f, uint32_t stream, uint32_t pid)
{
	struct gt_error *e = NULL;
	Answer *a = NULL;

	ck_assert_uint_eq(receive(f, &e, &a), stream);
	ck_assert_str_eq(gt_error_text(e), "");
	ck_assert_uint_eq(a->shim_pid, pid);
	gt_ttrpc_message_free(&a->base);
}

static void expect_error(struct fixture *f, uint32_t stream, enum gt_class cls, const char *text)
{
	struct gt_error *e = NULL;
	Answer *a = NULL;

	ck_assert_uint_eq(receive(f, &e, &a), stream);
	ck_assert_int_eq(gt_error_class(e), cls);
	ck_assert_str_eq(gt_error_text(e), text);
	gt_error_free(e);
}

START_TEST(answers_and_hands_over_the_metadata)
{
	struct fixture f;

	setup(&f);
	request(&f, 1, SERVICE, "Echo", "abc", 0);
	expect_answer(&f, 1, 3);
	ck_assert_str_eq(f.ns, "default");
	request(&f, 3, SERVICE, "Fail", "abc", 0);
	expect_error(&f, 3, GT_NOT_FOUND, "it");
	teardown(&f);
}
END_TEST

START_TEST(answers_in_any_order)
{
	Answer a = CONTAINERD__TASK__V2__CONNECT_RESPONSE__INIT;
	struct fixture f;

	setup(&f);
	request(&f, 1, SERVICE, "Keep", "a", 0);
	request(&f, 3, SERVICE, "Keep", "b", 0);
	request(&f, 5, SERVICE, "Echo", "cc", 0);
	expect_answer(&f, 5, 2);
	ck_assert_uint_eq(f.n_kept, 2);
	a.shim_pid = 30;
	gt_ttrpc_answer(f.kept[1], &a.base);
	a.shim_pid = 10;
	gt_ttrpc_answer(f.kept[0], &a.base);
	expect_answer(&f, 3, 30);
	expect_answer(&f, 1, 10);
	ck_assert_uint_eq(f.n_ended, 0);
	teardown(&f);
}
END_TEST

START_TEST(checks_stream_ids)
{
	struct fixture f;

	setup(&f);
	request(&f, 2, SERVICE, "Echo", "a", 0);
	expect_error(&f, 2, GT_INVALID_ARGUMENT,
		     "StreamID must be odd for client initiated streams");
	request(&f, 5, SERVICE, "Echo", "a", 0);
	expect_answer(&f, 5, 1);
	request(&f, 5, SERVICE, "Echo", "a", 0);
	expect_error(&f, 5, GT_INVALID_ARGUMENT, "StreamID cannot be re-used and must increment");
	request(&f, 3, SERVICE, "Echo", "a", 0);
	expect_error(&f, 3, GT_INVALID_ARGUMENT, "StreamID cannot be re-used and must increment");
	send_bytes(&f, "\0\0\0\0\0\0\0\5\3\5", 10);
	expect_error(&f, 5, GT_INVALID_ARGUMENT, "StreamID is no longer active");
	request(&f, 7, SERVICE, "Echo", "a", 0);
	expect_answer(&f, 7, 1);
	teardown(&f);
}
END_TEST

START_TEST(names_what_it_does_not_have)
{
	struct fixture f;

	setup(&f);
	request(&f, 1, "no.Such", "Echo", "a", 0);
	expect_error(&f, 1, GT_UNIMPLEMENTED, "service no.Such");
	request(&f, 3, SERVICE, "Nothing", "a", 0);
	expect_error(&f, 3, GT_UNIMPLEMENTED, "method Nothing");
	teardown(&f);
}
END_TEST

START_TEST(survives_malformed_frames)
{
	/* A Request whose payload claims more than there is, and a payload that is no message. */
	static const char cut[] = "\0\0\0\3\0\0\0\1\1\0\x1a\x7f" "a";
	static char bad[] = "\0\0\0\x18\0\0\0\3\1\0\x0a\x0c" "test.Service" "\x12\x04" "Echo"
				  "\x1a\x02\x0a\x7f";
	static const char unknown[] = "\0\0\0\1\0\0\0\5\x63\0z";
	struct gt_error *e = NULL;
	struct fixture f;
	Answer *a = NULL;

	setup(&f);
	send_bytes(&f, cut, sizeof(cut) - 1);
	ck_assert_uint_eq(receive(&f, &e, &a), 1);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	ck_assert_ptr_nonnull(strstr(gt_error_text(e), "unmarshal request error: "));
	gt_error_free(e);
	bad[3] = sizeof(bad) - 1 - GT_TTRPC_HEADER;
	send_bytes(&f, bad, sizeof(bad) - 1);
	ck_assert_uint_eq(receive(&f, &e, &a), 3);
	ck_assert_int_eq(gt_error_class(e), GT_INVALID_ARGUMENT);
	gt_error_free(e);
	/* Frames of unknown types are dropped. */
	send_bytes(&f, unknown, sizeof(unknown) - 1);
	request(&f, 5, SERVICE, "Echo", "a", 0);
	expect_answer(&f, 5, 1);
	teardown(&f);
}
END_TEST

START_TEST(refuses_what_is_too_long_and_goes_on)
{
	static const char head[] = "\0\x40\0\1\0\0\0\1\1\0"; /* 4194305 */
	gt_autofree char *body = gt_xcalloc(1, GT_TTRPC_BODY_MAX + 1);
	struct fixture f;

	setup(&f);
	send_bytes(&f, head, sizeof(head) - 1);
	send_bytes(&f, body, GT_TTRPC_BODY_MAX + 1);
	expect_error(&f, 1, GT_RESOURCE_EXHAUSTED,
		     "message length 4194305 exceed maximum message size of 4194304");
	request(&f, 1, SERVICE, "Echo", "a", 0);
	expect_answer(&f, 1, 1);
	teardown(&f);
}
END_TEST

START_TEST(deadline_ends_a_call)
{
	struct fixture f;

	setup(&f);
	request(&f, 1, SERVICE, "Keep", "a", 5000000);
	expect_error(&f, 1, GT_DEADLINE_EXCEEDED, "context deadline exceeded");
	ck_assert_uint_eq(f.n_ended, 1);
	ck_assert_ptr_null(f.kept[0]);
	request(&f, 3, SERVICE, "Echo", "a", -1);
	expect_error(&f, 3, GT_DEADLINE_EXCEEDED, "context deadline exceeded");
	teardown(&f);
}
END_TEST

START_TEST(lost_connection_ends_its_calls_only)
{
	Answer a = CONTAINERD__TASK__V2__CONNECT_RESPONSE__INIT;
	struct fixture f;
	int first, second;

	setup(&f);
	request(&f, 1, SERVICE, "Keep", "a", 0);
	first = f.fd;
	second = connect_pair(&f);
	f.fd = second;
	request(&f, 1, SERVICE, "Keep", "b", 0);
	while (f.n_kept < 2)
		step(&f);
	close(first);
	while (!f.n_ended)
		step(&f);
	ck_assert_uint_eq(f.n_ended, 1);
	ck_assert_uint_eq(gt_ttrpc_server_connections(f.server), 1);
	gt_ttrpc_answer(f.kept[0] ? f.kept[0] : f.kept[1], &a.base);
	expect_answer(&f, 1, 0);
	teardown(&f);
}
END_TEST

START_TEST(client_that_does_not_read_costs_only_itself)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	struct fixture f;
	uint32_t stream = 1;
	size_t sent = 0;
	int deaf, good;

	setup(&f);
	deaf = f.fd;
	good = connect_pair(&f);
	/* Answers of 1 MiB each, 2000 times: the server must stop taking requests long before. */
	for (int i = 0; i < 2000; i++, stream += 2) {
		Request m = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;

		m.id = (char *)"big";
		ck_assert_ptr_null(
			gt_ttrpc_add_request(&b, stream, SERVICE, "Echo", &m.base, 0, NULL));
	}
	for (int i = 0; i < 300; i++) {
		ssize_t n = write(deaf, b.s + sent, b.len - sent < 200 ? b.len - sent : 200);

		if (n > 0)
			sent += n;
		step(&f);
	}
	f.fd = good;
	request(&f, 1, SERVICE, "Echo", "abcd", 0);
	expect_answer(&f, 1, 4);
	ck_assert(!gt_ttrpc_server_is_flushed(f.server));
	ck_assert_uint_eq(gt_ttrpc_server_connections(f.server), 2);
	/* When it reads at last, it gets what it asked for. */
	for (uint32_t want = 1; want <= 41; want += 2) {
		struct gt_error *e = NULL;
		Answer *a = NULL;

		ck_assert_uint_eq(receive_on(&f, deaf, &e, &a), want);
		ck_assert_str_eq(gt_error_text(e), "");
		ck_assert_uint_eq(strlen(a->version), 1 << 20);
		gt_ttrpc_message_free(&a->base);
	}
	close(deaf);
	teardown(&f);
}
END_TEST

START_TEST(floods_of_kept_calls_are_bounded)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	struct gt_error *e = NULL;
	struct fixture f;
	Answer *a = NULL;

	setup(&f);
	/* The eight that the fixture keeps, then nothing but unknown methods: all are answered. */
	for (uint32_t i = 0; i < 20000; i++) {
		Request m = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;

		m.id = (char *)"";
		ck_assert_ptr_null(gt_ttrpc_add_request(&b, 2 * i + 1, SERVICE, i < 8 ? "Keep" : "No",
							&m.base, 0, NULL));
	}
	for (size_t sent = 0, got = 0; got < 20000 - 8;) {
		if (sent < b.len) {
			ssize_t n = write(f.fd, b.s + sent, b.len - sent);

			if (n > 0)
				sent += n;
		}
		ck_assert_uint_eq(receive(&f, &e, &a), 2 * (got + 8) + 1);
		ck_assert_int_eq(gt_error_class(e), GT_UNIMPLEMENTED);
		gt_error_free(e);
		got++;
	}
	ck_assert_uint_eq(f.n_kept, 8);
	teardown(&f);
	ck_assert_uint_eq(f.n_ended, 8);
}
END_TEST

START_TEST(listens_on_a_path)
{
	const char *tmp = getenv("TMPDIR");
	gt_autofree char *dir = gt_strf("%s/gantry-ttrpc-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	gt_autofree char *path = NULL;
	struct fixture f;
	int fd;

	setup(&f);
	close(f.fd);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	path = gt_strf("%s/s", dir);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_ptr_null(gt_ttrpc_server_listen_take(f.server, fd));
	f.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(f.fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	fcntl(f.fd, F_SETFL, O_NONBLOCK);
	request(&f, 1, SERVICE, "Echo", "a", 0);
	expect_answer(&f, 1, 1);
	unlink(path);
	rmdir(dir);
	teardown(&f);
}
END_TEST

static int64_t thread_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* What came at once makes it look for a while, and not for longer. */
START_TEST(looks_before_it_sleeps_and_then_sleeps)
{
	struct gt_timer soon = { .fn = nothing }, late = { .fn = nothing };
	struct gt_loop *loop;
	int64_t began;

	ck_assert_ptr_null(gt_loop_new(&loop));
	gt_loop_poll(loop, 2000000);
	for (int i = 0; i < 3; i++) {
		gt_loop_at(loop, &soon, gt_now() + 500000);
		ck_assert_ptr_null(gt_loop_step(loop));
	}
	while (gt_timer_is_set(&soon))
		ck_assert_ptr_null(gt_loop_step(loop));
	began = thread_time();
	gt_loop_at(loop, &late, gt_now() + 300000000);
	while (gt_timer_is_set(&late))
		ck_assert_ptr_null(gt_loop_step(loop));
	ck_assert_int_lt(thread_time() - began, 100000000);
	gt_loop_free(loop);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ttrpc-server");
	TCase *t = tcase_create("server");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, TIME_LIMIT);
	tcase_add_test(t, answers_and_hands_over_the_metadata);
	tcase_add_test(t, answers_in_any_order);
	tcase_add_test(t, checks_stream_ids);
	tcase_add_test(t, names_what_it_does_not_have);
	tcase_add_test(t, survives_malformed_frames);
	tcase_add_test(t, refuses_what_is_too_long_and_goes_on);
	tcase_add_test(t, deadline_ends_a_call);
	tcase_add_test(t, lost_connection_ends_its_calls_only);
	tcase_add_test(t, client_that_does_not_read_costs_only_itself);
	tcase_add_test(t, floods_of_kept_calls_are_bounded);
	tcase_add_test(t, listens_on_a_path);
	tcase_add_test(t, looks_before_it_sleeps_and_then_sleeps);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
