/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <ttrpc/client.h>

#include <ttrpc/frame.h>

#include <gantry/file.h>

#include <check.h>
#include <containerd.task.v2.pb-c.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SERVICE "containerd.task.v2.Task"

/* A peer whose manners follow from the method that it is asked for. One connection, one thread. */
struct peer {
	pthread_t thread;
	int listener, fd;
	struct gt_buf held; /* answers that wait for "Flush" */
	struct gt_ttrpc_reader in;
	uint32_t last;
	bool deaf, ordered;
	atomic_int requests;
	atomic_int go; /* "Deaf" waits for it */
};

static char *dir;
static struct gt_ttrpc_engine *engine;

static void answer(struct gt_buf *out, uint32_t stream, const char *text)
{
	Containerd__Task__V2__ConnectResponse m = CONTAINERD__TASK__V2__CONNECT_RESPONSE__INIT;

	m.task_pid = stream;
	m.version = (char *)text;
	gt_ttrpc_add_response(out, stream, &m.base);
}

static void raw(struct gt_buf *out, uint32_t length, uint32_t stream, uint8_t type)
{
	struct gt_ttrpc_header h = { .length = length, .stream = stream, .type = type };
	unsigned char bytes[GT_TTRPC_HEADER];

	gt_ttrpc_header_write(bytes, &h);
	gt_buf_add(out, bytes, sizeof(bytes));
}

static bool peer_frame(void *arg, const struct gt_ttrpc_header *h, const unsigned char *body)
{
	struct peer *p = arg;
	Ttrpc__Request *r = (Ttrpc__Request *)gt_ttrpc_message_unpack(&ttrpc__request__descriptor,
								      body, h->length);
	gt_auto(gt_buf) out = GT_BUF_INIT;
	gt_autofree char *big = NULL;
	bool go_on = true;

	p->requests++;
	if (h->stream != p->last + 2 && !(p->last == 0 && h->stream == 1))
		p->ordered = false;
	p->last = h->stream;
	if (!strcmp(r->method, "Echo")) {
		answer(&out, h->stream, gt_ttrpc_metadata(r, GT_TTRPC_NAMESPACE_KEY));
	} else if (!strcmp(r->method, "Hold")) {
		answer(&p->held, h->stream, "held");
	} else if (!strcmp(r->method, "Flush")) {
		answer(&out, h->stream, "first");
		gt_buf_add(&out, p->held.s, p->held.len);
		gt_buf_setlen(&p->held, 0);
	} else if (!strcmp(r->method, "NotFound")) {
		gt_ttrpc_add_status(&out, h->stream, GT_NOT_FOUND, "container x: not found");
	} else if (!strcmp(r->method, "TooLong")) {
		raw(&out, GT_TTRPC_BODY_MAX + 1, h->stream, GT_TTRPC_RESPONSE);
		big = gt_xcalloc(1, GT_TTRPC_BODY_MAX + 1);
		gt_buf_add(&out, big, GT_TTRPC_BODY_MAX + 1);
	} else if (!strcmp(r->method, "Data")) {
		raw(&out, 0, h->stream, GT_TTRPC_DATA);
	} else if (!strcmp(r->method, "Malformed")) {
		raw(&out, 3, h->stream, GT_TTRPC_RESPONSE);
		gt_buf_add(&out, "\xff\xff\xff", 3);
	} else if (!strcmp(r->method, "Strays")) {
		for (uint32_t i = 0; i < 1000; i++)
			raw(&out, 0, 100001 + 2 * i, GT_TTRPC_RESPONSE);
	} else if (!strcmp(r->method, "Half")) {
		raw(&out, 4000000, h->stream, GT_TTRPC_RESPONSE);
	} else if (!strcmp(r->method, "Hangup")) {
		go_on = false;
	} else if (!strcmp(r->method, "Deaf")) {
		while (!p->go)
			usleep(1000);
	}
	gt_ttrpc_message_free(&r->base);
	gt_error_free(gt_file_write_all(p->fd, out.s, out.len, "peer"));
	return go_on;
}

static void *peer_main(void *arg)
{
	struct peer *p = arg;
	char block[65536];
	ssize_t n;

	p->fd = accept(p->listener, NULL, NULL);
	while ((n = read(p->fd, block, sizeof(block))) > 0)
		if (!gt_ttrpc_reader_feed(&p->in, block, n, peer_frame, p))
			break;
	close(p->fd);
	return NULL;
}

static struct peer *peer_new(const char *name, struct gt_ttrpc_client **c)
{
	struct peer *p = gt_xcalloc(1, sizeof(*p));
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	gt_autofree char *path = gt_strf("%s/%s", dir, name);
	gt_autofree char *address = gt_strf("unix://%s", path);
	struct gt_call call = GT_CALL_INIT;

	gt_buf_init(&p->held);
	gt_buf_init(&p->in.part);
	p->ordered = true;
	ck_assert_uint_lt(strlen(path), sizeof(sa.sun_path));
	memcpy(sa.sun_path, path, strlen(path) + 1);
	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(p->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(p->listener, 4), 0);
	ck_assert_int_eq(pthread_create(&p->thread, NULL, peer_main, p), 0);
	ck_assert_ptr_null(gt_ttrpc_connect(engine, &call, address, 5000, c));
	return p;
}

static void peer_free(struct peer *p)
{
	pthread_join(p->thread, NULL);
	close(p->listener);
	gt_buf_done(&p->held);
	gt_ttrpc_reader_done(&p->in);
	free(p);
}

static struct gt_error *ask(struct gt_ttrpc_client *c, struct gt_call *call, const char *method,
			    char **version)
{
	Containerd__Task__V2__ConnectRequest m = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;
	struct gt_ttrpc_method how = { SERVICE, method,
				       &containerd__task__v2__connect_response__descriptor };
	ProtobufCMessage *reply = NULL;

	m.id = "c1";
	GT_TRY(gt_ttrpc_call(c, call, &how, &m.base, &reply));
	if (version)
		*version = gt_xstrdup(((Containerd__Task__V2__ConnectResponse *)reply)->version);
	gt_ttrpc_message_free(reply);
	return NULL;
}

static void ask_class(struct gt_ttrpc_client *c, int64_t within_ms, const char *method,
		      enum gt_class want)
{
	struct gt_call call = GT_CALL_INIT;
	struct gt_error *e;

	call.ns = "default";
	call.deadline = gt_now() + within_ms * 1000000;
	e = ask(c, &call, method, NULL);
	ck_assert_msg(gt_error_class(e) == want, "%s: %s", method, gt_error_text(e));
	gt_error_free(e);
}

static void setup(void)
{
	const char *tmp = getenv("TMPDIR");

	dir = gt_strf("%s/ttrpc-XXXXXX", tmp ? tmp : "/tmp");
	signal(SIGPIPE, SIG_IGN);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	engine = gt_ttrpc_engine_new();
}

static void teardown(void)
{
	gt_ttrpc_engine_free(engine);
	gt_error_free(gt_file_remove_tree(AT_FDCWD, dir));
	free(dir);
}

START_TEST(calls)
{
	struct gt_ttrpc_client *c;
	struct peer *p = peer_new("a", &c);
	struct gt_call call = GT_CALL_INIT;
	gt_autofree char *ns = NULL;

	call.ns = "k8s.io";
	ck_assert_ptr_null(ask(c, &call, "Echo", &ns));
	ck_assert_str_eq(ns, "k8s.io");
	for (int i = 0; i < 1000; i++)
		ask_class(c, 5000, "Echo", GT_OK);
	ck_assert(gt_ttrpc_client_is_open(c));
	gt_ttrpc_client_free(c);
	peer_free(p);
}
END_TEST

START_TEST(errors)
{
	struct gt_ttrpc_client *c;
	struct peer *p = peer_new("a", &c);
	struct gt_call call = GT_CALL_INIT;
	gt_autoptr(gt_error) e = ask(c, &call, "NotFound", NULL);

	ck_assert_int_eq(gt_error_class(e), GT_NOT_FOUND);
	ck_assert_str_eq(gt_error_text(e), "container x");
	ask_class(c, 5000, "TooLong", GT_RESOURCE_EXHAUSTED);
	ask_class(c, 5000, "Data", GT_INTERNAL);
	ask_class(c, 5000, "Malformed", GT_DATA_LOSS);
	ask_class(c, 5000, "Echo", GT_OK);
	gt_ttrpc_client_free(c);
	peer_free(p);
}
END_TEST

struct waits {
	atomic_int ok, closed, canceled;
};

static void wait_done(void *arg, struct gt_error *e, ProtobufCMessage *reply)
{
	struct waits *w = arg;

	if (!e)
		w->ok++;
	else if (gt_error_class(e) == GT_CANCELED)
		w->canceled++;
	else if (!strcmp(gt_error_text(e), "ttrpc: closed") && gt_error_class(e) == GT_UNAVAILABLE)
		w->closed++;
	gt_error_free(e);
	if (reply)
		gt_ttrpc_message_free(reply);
}

static void hold(struct gt_ttrpc_client *c, struct gt_call *call, struct waits *w, int n)
{
	Containerd__Task__V2__ConnectRequest m = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;
	struct gt_ttrpc_method how = { SERVICE, "Hold",
				       &containerd__task__v2__connect_response__descriptor };

	while (n--)
		ck_assert_ptr_null(gt_ttrpc_call_async(c, call, &how, &m.base, wait_done, w));
}

static void settle(atomic_int *count, int want)
{
	for (int i = 0; i < 5000 && *count != want; i++)
		usleep(1000);
	ck_assert_int_eq(*count, want);
}

START_TEST(asynchronous)
{
	struct gt_ttrpc_client *c;
	struct peer *p = peer_new("a", &c);
	struct gt_call call = GT_CALL_INIT;
	struct waits w = { 0 };

	hold(c, &call, &w, 500);
	ck_assert_int_eq(w.ok, 0);
	ask_class(c, 5000, "Flush", GT_OK);
	settle(&w.ok, 500);
	hold(c, &call, &w, 100);
	ask_class(c, 5000, "Hangup", GT_UNAVAILABLE);
	settle(&w.closed, 100);
	ck_assert(!gt_ttrpc_client_is_open(c));
	ask_class(c, 5000, "Echo", GT_UNAVAILABLE);
	gt_ttrpc_client_free(c);
	peer_free(p);
}
END_TEST

START_TEST(cancels)
{
	struct gt_ttrpc_client *c;
	struct peer *p = peer_new("a", &c);
	struct gt_call call = GT_CALL_INIT;
	struct waits w = { 0 }, kept = { 0 };

	hold(c, &call, &kept, 3);
	call.cancel = gt_cancel_new();
	hold(c, &call, &w, 100);
	gt_cancel_set(call.cancel);
	settle(&w.canceled, 100);
	gt_cancel_free(call.cancel);
	/* Answers to the canceled are no strays; the others still get theirs. */
	ask_class(c, 5000, "Flush", GT_OK);
	settle(&kept.ok, 3);
	ck_assert_int_eq(w.ok, 0);
	ask_class(c, 5000, "Echo", GT_OK);
	/* Ended by the engine's end. */
	call.cancel = NULL;
	hold(c, &call, &kept, 7);
	gt_ttrpc_engine_free(engine);
	ck_assert_int_eq(kept.closed, 7);
	engine = gt_ttrpc_engine_new();
	peer_free(p);
}
END_TEST

START_TEST(deadlines)
{
	struct gt_ttrpc_client *c;
	struct peer *p = peer_new("a", &c);
	int64_t before = gt_now();

	ask_class(c, 100, "Never", GT_DEADLINE_EXCEEDED);
	ck_assert_int_ge(gt_now() - before, 100 * 1000000);
	ck_assert_int_lt(gt_now() - before, 2000 * 1000000LL);
	ask_class(c, -1, "Echo", GT_DEADLINE_EXCEEDED);
	ask_class(c, 5000, "Echo", GT_OK);
	ask_class(c, 50, "Half", GT_DEADLINE_EXCEEDED);
	gt_ttrpc_client_free(c);
	peer_free(p);
}
END_TEST

/* One peer does not read, one sends nonsense: a third is served as if they were not there. */
START_TEST(bad_neighbours)
{
	struct gt_ttrpc_client *deaf, *noisy, *good;
	struct peer *d = peer_new("deaf", &deaf), *n = peer_new("noisy", &noisy),
		    *g = peer_new("good", &good);
	Containerd__Task__V2__ConnectRequest m = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;
	struct gt_ttrpc_method how = { SERVICE, "Deaf",
				       &containerd__task__v2__connect_response__descriptor };
	gt_autofree char *big = gt_xmalloc(1000001);
	struct gt_call call = GT_CALL_INIT;
	struct gt_error *e = NULL;
	struct waits w = { 0 };
	int sent = 0;

	memset(big, 'x', 1000000);
	big[1000000] = '\0';
	m.id = big;
	while (!(e = gt_ttrpc_call_async(deaf, &call, &how, &m.base, wait_done, &w)))
		ck_assert_int_lt(++sent, 100);
	ck_assert_int_eq(gt_error_class(e), GT_RESOURCE_EXHAUSTED);
	gt_error_free(e);
	ask_class(noisy, 5000, "Strays", GT_UNAVAILABLE);
	for (int i = 0; i < 100; i++)
		ask_class(good, 5000, "Echo", GT_OK);
	d->go = 1;
	settle(&d->requests, sent); /* nothing that was accepted is lost */
	ck_assert(d->ordered);
	gt_ttrpc_client_free(deaf);
	settle(&w.closed, sent);
	gt_ttrpc_client_free(noisy);
	gt_ttrpc_client_free(good);
	peer_free(d);
	peer_free(n);
	peer_free(g);
}
END_TEST

struct hammer {
	struct gt_ttrpc_client *c;
	atomic_int bad;
};

static void *hammer_main(void *arg)
{
	struct hammer *h = arg;
	struct gt_call call = GT_CALL_INIT;

	call.cancel = gt_cancel_new();
	for (int i = 0; i < 200; i++) {
		struct gt_error *e;

		call.deadline = gt_now() + 5000000000;
		e = ask(h->c, &call, "Echo", NULL);
		if (e)
			h->bad++;
		gt_error_free(e);
	}
	gt_cancel_free(call.cancel);
	return NULL;
}

START_TEST(threads)
{
	struct gt_ttrpc_client *c;
	struct peer *p = peer_new("a", &c);
	struct hammer h = { .c = c };
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, hammer_main, &h), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	ck_assert_int_eq(h.bad, 0);
	ck_assert_int_eq(p->requests, 1600);
	ck_assert(p->ordered);
	gt_ttrpc_client_free(c);
	peer_free(p);
}
END_TEST

static void from_completion(void *arg, struct gt_error *e, ProtobufCMessage *reply)
{
	struct gt_call call = GT_CALL_INIT;
	atomic_int *class = ((void **)arg)[0];
	struct gt_ttrpc_client *c = ((void **)arg)[1];
	struct gt_error *inner = ask(c, &call, "Echo", NULL);

	*class = gt_error_class(inner);
	gt_error_free(inner);
	gt_error_free(e);
	if (reply)
		gt_ttrpc_message_free(reply);
}

START_TEST(completion_may_not_wait)
{
	struct gt_ttrpc_client *c;
	struct peer *p = peer_new("a", &c);
	Containerd__Task__V2__ConnectRequest m = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;
	struct gt_ttrpc_method how = { SERVICE, "Echo",
				       &containerd__task__v2__connect_response__descriptor };
	struct gt_call call = GT_CALL_INIT;
	atomic_int class = GT_OK;
	void *arg[] = { &class, c };

	ck_assert_ptr_null(gt_ttrpc_call_async(c, &call, &how, &m.base, from_completion, arg));
	settle(&class, GT_INTERNAL);
	gt_ttrpc_client_free(c);
	peer_free(p);
}
END_TEST

START_TEST(addresses)
{
	struct gt_call call = GT_CALL_INIT;
	struct gt_ttrpc_client *c = NULL;
	gt_autofree char *missing = gt_strf("unix://%s/missing", dir);
	gt_autofree char *refused = gt_strf("%s/refused", dir);
	gt_autofree char *far = gt_strf("%s/%0100d", dir, 0);
	gt_autofree char *long_path = gt_strf("%s/s", far);
	struct { const char *address; enum gt_class want; } cases[] = {
		{ missing, GT_NOT_FOUND },
		{ refused, GT_NOT_FOUND },
		{ "", GT_INVALID_ARGUMENT },
		{ "vsock://2:1024", GT_UNIMPLEMENTED },
		{ "gantry-no-such-abstract-socket", GT_NOT_FOUND },
		{ long_path, GT_NOT_FOUND },
	};
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	gt_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	gt_autofd int stuck = -1;
	gt_autofd int at = -1;
	struct gt_error *e;

	memcpy(sa.sun_path, refused, strlen(refused) + 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_ptr_null(gt_file_mkdirs(far, 0700));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		e = gt_ttrpc_connect(engine, &call, cases[i].address, 1000, &c);
		ck_assert_msg(gt_error_class(e) == cases[i].want, "'%s': %s", cases[i].address,
			      gt_error_text(e));
		gt_error_free(e);
	}
	/* Longer than an address can be, and there. */
	at = open(far, O_PATH | O_CLOEXEC);
	stuck = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/s", at);
	ck_assert_int_eq(bind(stuck, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(stuck, 0), 0);
	ck_assert_ptr_null(gt_ttrpc_connect(engine, &call, long_path, 1000, &c));
	gt_ttrpc_client_free(c);
	/* Nobody accepts, and there is no room to wait: the attempt ends in time. */
	for (int i = 0; i < 3; i++) {
		int64_t before = gt_now();

		e = gt_ttrpc_connect(engine, &call, long_path, 100, &c);
		ck_assert_int_lt(gt_now() - before, 2000 * 1000000LL);
		if (!e)
			continue;
		ck_assert_int_eq(gt_error_class(e), GT_DEADLINE_EXCEEDED);
		gt_error_free(e);
		return;
	}
	ck_abort_msg("no connect timed out");
}
END_TEST

START_TEST(waits_for_the_end)
{
	struct gt_ttrpc_client *c;
	struct peer *p = peer_new("a", &c);
	struct gt_error *e = gt_ttrpc_client_wait_closed(c, 20);

	ck_assert_int_eq(gt_error_class(e), GT_DEADLINE_EXCEEDED);
	gt_error_free(e);
	ask_class(c, 5000, "Hangup", GT_UNAVAILABLE);
	ck_assert_ptr_null(gt_ttrpc_client_wait_closed(c, 5000));
	gt_ttrpc_client_free(c);
	peer_free(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ttrpc client");
	TCase *t = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, calls);
	tcase_add_test(t, errors);
	tcase_add_test(t, asynchronous);
	tcase_add_test(t, cancels);
	tcase_add_test(t, deadlines);
	tcase_add_test(t, bad_neighbours);
	tcase_add_test(t, threads);
	tcase_add_test(t, completion_may_not_wait);
	tcase_add_test(t, addresses);
	tcase_add_test(t, waits_for_the_end);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
