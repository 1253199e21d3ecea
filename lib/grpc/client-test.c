/* SPDX-License-Identifier: Apache-2.0 */
/* Client and server against each other, over real sockets. */
#include <config.h>

#include <grpc/rig-test.h>

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct rig rig;
static struct gt_grpc_client *client;
static struct gt_call plain = GT_CALL_INIT;

static void set_up(void)
{
	rig_start(&rig);
	client = gt_grpc_client_new(rig.address, 5000);
}

static void tear_down(void)
{
	gt_grpc_client_free(client);
	rig_stop(&rig);
	ck_assert_int_eq(rig.kept, 0);
	ck_assert_int_eq(rig.begun, rig.ended);
}

static struct gt_error *ask(const struct gt_call *call, const struct gt_grpc_remote *m, const char *text,
			    char **out)
{
	Google__Protobuf__StringValue q = rig_text(text);
	ProtobufCMessage *reply;

	GT_TRY(gt_grpc_call(client, call, m, &q.base, &reply));
	if (out)
		*out = gt_xstrdup(((Google__Protobuf__StringValue *)reply)->value);
	gt_grpc_message_free(reply);
	return NULL;
}

#define expect(call, m, text, want)                                                               \
	do {                                                                                       \
		gt_autofree char *got_ = NULL;                                                     \
		ck_assert_ptr_null(ask(call, m, text, &got_));                                     \
		ck_assert_str_eq(got_, want);                                                      \
	} while (0)
#define expect_error(e_, cls, text)                                                               \
	do {                                                                                       \
		gt_autoptr(gt_error) err_ = e_;                                                    \
		ck_assert_int_eq(gt_error_class(err_), cls);                                       \
		ck_assert_msg(strstr(gt_error_text(err_), text), "%s", gt_error_text(err_));       \
	} while (0)

START_TEST(unary)
{
	struct gt_call call = GT_CALL_INIT;

	expect(&plain, &rig_echo, "a", "a|-|-");
	call.ns = "moby";
	call.lease = "l1";
	expect(&call, &rig_echo, "", "|moby|l1");
	expect(&plain, &rig_work, "1", "done");
	expect_error(ask(&plain, &rig_fail, "x", NULL), GT_NOT_FOUND, "thing \"x\" 100%\n");
	expect_error(ask(&plain, &rig_none, "x", NULL), GT_UNIMPLEMENTED, "unknown method None");
}
END_TEST

START_TEST(limits)
{
	size_t n = GT_GRPC_MESSAGE_MAX;
	gt_autofree char *text = gt_xcalloc(1, n + 2), *got = NULL, *size = gt_strf("%zu", n - 5),
			 *over = gt_strf("%zu", n);

	ck_assert_ptr_null(ask(&plain, &rig_large, size, &got));
	ck_assert_uint_eq(strlen(got), n - 5);
	expect_error(ask(&plain, &rig_large, over, NULL), GT_RESOURCE_EXHAUSTED, "larger than max");
	memset(text, 'y', n - 5); /* with its tag and length just the limit */
	expect_error(ask(&plain, &rig_echo, text, NULL), GT_RESOURCE_EXHAUSTED, "larger than max");
	expect(&plain, &rig_echo, "still", "still|-|-");
	memset(text, 'y', n);
	expect_error(ask(&plain, &rig_echo, text, NULL), GT_RESOURCE_EXHAUSTED, "larger than");
}
END_TEST

START_TEST(server_stream)
{
	Google__Protobuf__StringValue q = rig_text("5000");
	struct gt_grpc_stream *s;
	ProtobufCMessage *m;
	int n = 0;

	ck_assert_ptr_null(gt_grpc_call_async(client, &plain, &rig_count, &q.base, NULL, NULL, &s));
	for (;; n++) {
		ck_assert_ptr_null(gt_grpc_stream_recv(s, &plain, &m));
		if (!m)
			break;
		ck_assert_int_eq(atoi(((Google__Protobuf__StringValue *)m)->value), n);
		gt_grpc_message_free(m);
	}
	ck_assert_int_eq(n, 5000);
	gt_grpc_stream_free(s);
	q = rig_text("-1");
	ck_assert_ptr_null(gt_grpc_call_async(client, &plain, &rig_count, &q.base, NULL, NULL, &s));
	expect_error(gt_grpc_stream_recv(s, &plain, &m), GT_ABORTED, "less than nothing");
	gt_grpc_stream_free(s);
}
END_TEST

START_TEST(client_stream)
{
	gt_autofree char *text = gt_xcalloc(1, 1000001);
	Google__Protobuf__StringValue q = rig_text(text);
	struct gt_grpc_stream *s;
	ProtobufCMessage *m, *end;

	memset(text, 'z', 1000000);
	ck_assert_ptr_null(gt_grpc_stream_open(client, &plain, &rig_gather, NULL, NULL, &s));
	for (int i = 0; i < 40; i++)
		ck_assert_ptr_null(gt_grpc_stream_send(s, &plain, &q.base));
	gt_grpc_stream_close_send(s);
	ck_assert_ptr_null(gt_grpc_stream_recv(s, &plain, &m));
	ck_assert_str_eq(((Google__Protobuf__StringValue *)m)->value, "40000000");
	ck_assert_ptr_null(gt_grpc_stream_recv(s, &plain, &end));
	ck_assert_ptr_null(end);
	gt_grpc_message_free(m);
	gt_grpc_stream_free(s);
	/* One that is left in the middle is told so. */
	ck_assert_ptr_null(gt_grpc_stream_open(client, &plain, &rig_gather, NULL, NULL, &s));
	ck_assert_ptr_null(gt_grpc_stream_send(s, &plain, &q.base));
	rig_wait(rig.begun == 2);
	gt_grpc_stream_free(s);
	rig_wait(rig.ended == 2);
}
END_TEST

START_TEST(both_ways)
{
	struct gt_grpc_stream *s;
	ProtobufCMessage *m;
	Google__Protobuf__StringValue q;

	ck_assert_ptr_null(gt_grpc_stream_open(client, &plain, &rig_chat, NULL, NULL, &s));
	for (int i = 0; i < 100; i++) {
		gt_autofree char *text = gt_strf("message %d", i);

		q = rig_text(text);
		ck_assert_ptr_null(gt_grpc_stream_send(s, &plain, &q.base));
		ck_assert_ptr_null(gt_grpc_stream_recv(s, &plain, &m));
		ck_assert_str_eq(((Google__Protobuf__StringValue *)m)->value, text);
		gt_grpc_message_free(m);
	}
	q = rig_text("bye"); /* the server ends it first */
	ck_assert_ptr_null(gt_grpc_stream_send(s, &plain, &q.base));
	ck_assert_ptr_null(gt_grpc_stream_recv(s, &plain, &m));
	gt_grpc_message_free(m);
	ck_assert_ptr_null(gt_grpc_stream_recv(s, &plain, &m));
	ck_assert_ptr_null(m);
	expect_error(gt_grpc_stream_send(s, &plain, &q.base), GT_FAILED_PRECONDITION, "has ended");
	gt_grpc_stream_free(s);
}
END_TEST

START_TEST(deadline)
{
	struct gt_call call = GT_CALL_INIT;

	call.deadline = gt_now() + 50000000;
	expect_error(ask(&call, &rig_keep, "", NULL), GT_DEADLINE_EXCEEDED, "");
	rig_wait(rig.kept == 0);
	call.deadline = gt_now() - 1;
	expect_error(ask(&call, &rig_echo, "", NULL), GT_DEADLINE_EXCEEDED, "");
}
END_TEST

static void *cancel_later(void *arg)
{
	usleep(50000);
	gt_cancel_set(arg);
	return NULL;
}

START_TEST(cancel)
{
	struct gt_call call = GT_CALL_INIT;
	pthread_t t;

	call.cancel = gt_cancel_new();
	pthread_create(&t, NULL, cancel_later, call.cancel);
	expect_error(ask(&call, &rig_keep, "", NULL), GT_CANCELED, "");
	pthread_join(t, NULL);
	rig_wait(rig.kept == 0);
	gt_cancel_free(call.cancel);
}
END_TEST

struct seen {
	_Atomic int messages, ends;
	_Atomic int cls;
};

static void seen_message(void *arg, ProtobufCMessage *m)
{
	((struct seen *)arg)->messages++;
	gt_grpc_message_free(m);
}

static void seen_end(void *arg, struct gt_error *e)
{
	struct seen *s = arg;

	s->cls = gt_error_class(e);
	gt_error_free(e);
	s->ends++;
}

static const struct gt_grpc_stream_ops seen_ops = { seen_message, seen_end };

START_TEST(callbacks)
{
	struct gt_call call = GT_CALL_INIT;
	Google__Protobuf__StringValue q = rig_text("100");
	struct gt_grpc_stream *s;
	struct seen seen = { 0 };

	ck_assert_ptr_null(
		gt_grpc_call_async(client, &plain, &rig_count, &q.base, &seen_ops, &seen, &s));
	rig_wait(seen.ends == 1);
	ck_assert_int_eq(seen.messages, 100);
	ck_assert_int_eq(seen.cls, GT_OK);
	gt_grpc_stream_free(s);
	/* a cancel and a deadline end one that waits */
	call.cancel = gt_cancel_new();
	ck_assert_ptr_null(gt_grpc_call_async(client, &call, &rig_keep, &q.base, &seen_ops, &seen, &s));
	rig_wait(rig.kept == 1);
	gt_cancel_set(call.cancel);
	rig_wait(seen.ends == 2);
	ck_assert_int_eq(seen.cls, GT_CANCELED);
	gt_grpc_stream_free(s);
	gt_cancel_free(gt_steal(&call.cancel));
	call.deadline = gt_now() + 50000000;
	ck_assert_ptr_null(gt_grpc_call_async(client, &call, &rig_keep, &q.base, &seen_ops, &seen, &s));
	rig_wait(seen.ends == 3);
	ck_assert_int_eq(seen.cls, GT_DEADLINE_EXCEEDED);
	gt_grpc_stream_free(s);
	rig_wait(rig.kept == 0);
}
END_TEST

#define WAITING 10000

START_TEST(many_wait)
{
	static struct gt_grpc_stream *streams[WAITING];
	Google__Protobuf__StringValue q = rig_text("");
	struct seen seen = { 0 };

	for (int i = 0; i < WAITING; i++)
		ck_assert_ptr_null(gt_grpc_call_async(client, &plain, &rig_keep, &q.base, &seen_ops,
						      &seen, &streams[i]));
	rig_wait(rig.kept == WAITING);
	/* They hold no worker. */
	expect(&plain, &rig_work, "0", "done");
	for (int i = 0; i < WAITING; i++)
		gt_grpc_stream_free(streams[i]);
	rig_wait(rig.kept == 0);
	ck_assert_int_eq(seen.ends, 0); /* freed: nothing is called any more */
}
END_TEST

START_TEST(reader_stops)
{
	Google__Protobuf__StringValue q = rig_text("");
	struct gt_grpc_stream *s;
	ProtobufCMessage *m;
	int64_t room;

	ck_assert_ptr_null(gt_grpc_call_async(client, &plain, &rig_flood, &q.base, NULL, NULL, &s));
	rig_wait(rig.room > 1);
	do {
		room = rig.room;
		usleep(200000);
	} while (room != rig.room);
	ck_assert_int_lt(room, 400); /* windows, sockets and queues are full: 64 KiB each */
	expect(&plain, &rig_work, "0", "done");
	for (int i = 0; i < 2000; i++) { /* and goes on */
		ck_assert_ptr_null(gt_grpc_stream_recv(s, &plain, &m));
		gt_grpc_message_free(m);
	}
	ck_assert_int_ge(rig.room, 2000);
	gt_grpc_stream_free(s);
	rig_wait(rig.ended == 1);
}
END_TEST

static void *asker(void *arg)
{
	for (int i = 0; i < 300; i++) {
		gt_autofree char *text = gt_strf("%d", i), *want = gt_strf("%d|-|-", i);

		expect(&plain, &rig_echo, text, want);
		if (i % 50 == 0)
			expect(&plain, &rig_work, "1", "done");
	}
	return arg;
}

START_TEST(threads)
{
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, asker, NULL);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
}
END_TEST

START_TEST(again)
{
	struct gt_call soon = GT_CALL_INIT;
	struct seen seen = { 0 };
	Google__Protobuf__StringValue q = rig_text("");
	struct gt_grpc_stream *s;

	expect(&plain, &rig_echo, "a", "a|-|-");
	ck_assert_ptr_null(gt_grpc_call_async(client, &plain, &rig_keep, &q.base, &seen_ops, &seen, &s));
	rig_wait(rig.kept == 1);
	/* The server ends what only waits, and goes; calls fail, and work again with the next one. */
	rig_stop(&rig);
	rig_wait(seen.ends == 1);
	ck_assert_int_eq(seen.cls, GT_UNAVAILABLE);
	gt_grpc_stream_free(s);
	soon.deadline = gt_now() + 2000000000;
	expect_error(ask(&soon, &rig_echo, "a", NULL), GT_UNAVAILABLE, "");
	gt_grpc_client_free(client);
	set_up();
	expect(&plain, &rig_echo, "b", "b|-|-");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("grpc client and server");
	TCase *t = tcase_create("calls");
	SRunner *r;

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, unary);
	tcase_add_test(t, limits);
	tcase_add_test(t, server_stream);
	tcase_add_test(t, client_stream);
	tcase_add_test(t, both_ways);
	tcase_add_test(t, deadline);
	tcase_add_test(t, cancel);
	tcase_add_test(t, callbacks);
	tcase_add_test(t, many_wait);
	tcase_add_test(t, reader_stops);
	tcase_add_test(t, threads);
	tcase_add_test(t, again);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
