/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <ttrpc/frame.h>

#include <containerd.task.v2.pb-c.h>

#include <check.h>
#include <string.h>

struct seen {
	struct gt_ttrpc_header h[8];
	bool has_body[8];
	char first[8];
	size_t n;
	size_t stop_at; /* 0: never */
};

static bool see(void *arg, const struct gt_ttrpc_header *h, const unsigned char *body)
{
	struct seen *s = arg;

	ck_assert_uint_lt(s->n, 8);
	s->h[s->n] = *h;
	s->has_body[s->n] = body != NULL;
	s->first[s->n] = body && h->length ? (char)body[0] : 0;
	s->n++;
	return s->n != s->stop_at;
}

START_TEST(header_is_big_endian)
{
	static const unsigned char bytes[GT_TTRPC_HEADER] = { 0, 0, 0, 0x4f, 1, 2, 3, 4, 2, 5 };
	unsigned char out[GT_TTRPC_HEADER];
	struct gt_ttrpc_header h;

	gt_ttrpc_header_read(&h, bytes);
	ck_assert_uint_eq(h.length, 0x4f);
	ck_assert_uint_eq(h.stream, 0x01020304);
	ck_assert_uint_eq(h.type, 2);
	ck_assert_uint_eq(h.flags, 5);
	gt_ttrpc_header_write(out, &h);
	ck_assert_mem_eq(out, bytes, sizeof(bytes));
}
END_TEST

START_TEST(request_has_the_documented_bytes)
{
	static const char want[] = "\0\0\0\x4f\0\0\0\1\1\0"
				   "\x0a\x17"
				   "containerd.task.v2.Task"
				   "\x12\x07"
				   "Connect"
				   "\x1a\x04\x0a\x02"
				   "c1"
				   "\x2a\x25\x0a\x1a"
				   "containerd-namespace-ttrpc"
				   "\x12\x07"
				   "default";
	Containerd__Task__V2__ConnectRequest m = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;
	gt_auto(gt_buf) b = GT_BUF_INIT;

	m.id = (char *)"c1";
	ck_assert_ptr_null(gt_ttrpc_add_request(&b, 1, "containerd.task.v2.Task", "Connect",
						&m.base, 0, "default"));
	ck_assert_uint_eq(b.len, sizeof(want) - 1);
	ck_assert_mem_eq(b.s, want, b.len);
}
END_TEST

START_TEST(error_travels_with_its_class)
{
	static const char want[] = "\0\0\0\x12\0\0\0\1\2\0\x0a\x10\x08\x05\x12\x0c"
				   "x: not found";
	gt_autoptr(gt_error) e = gt_error_new(GT_NOT_FOUND, "x");
	gt_autoptr(gt_error) back = NULL;
	gt_auto(gt_buf) b = GT_BUF_INIT;
	ProtobufCMessage *m = NULL;

	gt_ttrpc_add_error(&b, 1, e);
	ck_assert_uint_eq(b.len, sizeof(want) - 1);
	ck_assert_mem_eq(b.s, want, b.len);
	back = gt_ttrpc_response_read(b.s + GT_TTRPC_HEADER, b.len - GT_TTRPC_HEADER,
				      &containerd__task__v2__connect_response__descriptor, &m);
	ck_assert_int_eq(gt_error_class(back), GT_NOT_FOUND);
	ck_assert_str_eq(gt_error_text(back), "x");
	ck_assert_ptr_null(m);
}
END_TEST

START_TEST(words_are_added_once_and_never_to_unknown)
{
	gt_autoptr(gt_error) twice = gt_error_new(GT_NOT_FOUND, "x: not found");
	gt_autoptr(gt_error) bare = gt_error_new(GT_UNIMPLEMENTED, "not implemented");
	gt_autoptr(gt_error) unknown = gt_error_new(GT_UNKNOWN, "cannot start a running process");
	struct gt_error *const in[] = { twice, bare, unknown };
	static const char *const want[] = { "x: not found", "not implemented",
					    "cannot start a running process" };

	for (size_t i = 0; i < 3; i++) {
		gt_auto(gt_buf) b = GT_BUF_INIT;
		Ttrpc__Response *r;

		gt_ttrpc_add_error(&b, 1, in[i]);
		r = ttrpc__response__unpack(NULL, b.len - GT_TTRPC_HEADER,
					    (uint8_t *)b.s + GT_TTRPC_HEADER);
		ck_assert_ptr_nonnull(r);
		ck_assert_str_eq(r->status->message, want[i]);
		ttrpc__response__free_unpacked(r, NULL);
	}
}
END_TEST

START_TEST(response_carries_its_payload)
{
	Containerd__Task__V2__ConnectResponse m = CONTAINERD__TASK__V2__CONNECT_RESPONSE__INIT;
	Containerd__Task__V2__ConnectResponse *back;
	gt_auto(gt_buf) b = GT_BUF_INIT;
	ProtobufCMessage *out = NULL;

	m.shim_pid = 7;
	gt_ttrpc_add_response(&b, 3, &m.base);
	ck_assert_ptr_null(gt_ttrpc_response_read(
		b.s + GT_TTRPC_HEADER, b.len - GT_TTRPC_HEADER,
		&containerd__task__v2__connect_response__descriptor, &out));
	back = (Containerd__Task__V2__ConnectResponse *)out;
	ck_assert_uint_eq(back->shim_pid, 7);
	gt_ttrpc_message_free(out);
}
END_TEST

START_TEST(malformed_response_is_an_error)
{
	static const char *const bad[] = { "\x0a", ("\x0a\x05" "ab"), "\x12\xff\xff\xff\xff\x0f", "\xff" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ProtobufCMessage *m = NULL;
		gt_autoptr(gt_error) e = gt_ttrpc_response_read(
			bad[i], strlen(bad[i]), &containerd__task__v2__connect_response__descriptor,
			&m);

		ck_assert_int_eq(gt_error_class(e), GT_DATA_LOSS);
	}
}
END_TEST

START_TEST(too_long_is_refused_by_the_sender)
{
	Containerd__Task__V2__ConnectRequest m = CONTAINERD__TASK__V2__CONNECT_REQUEST__INIT;
	gt_autofree char *big = gt_xmalloc(GT_TTRPC_BODY_MAX + 1);
	gt_auto(gt_buf) b = GT_BUF_INIT;
	gt_autoptr(gt_error) e = NULL;
	gt_autoptr(gt_error) told = NULL;
	ProtobufCMessage *out = NULL;

	memset(big, 'a', GT_TTRPC_BODY_MAX);
	big[GT_TTRPC_BODY_MAX] = '\0';
	m.id = big;
	e = gt_ttrpc_add_request(&b, 1, "s", "m", &m.base, 0, NULL);
	ck_assert_int_eq(gt_error_class(e), GT_RESOURCE_EXHAUSTED);
	ck_assert_uint_eq(b.len, 0);
	gt_ttrpc_add_response(&b, 1, &m.base);
	told = gt_ttrpc_response_read(b.s + GT_TTRPC_HEADER, b.len - GT_TTRPC_HEADER,
				      &containerd__task__v2__connect_request__descriptor, &out);
	ck_assert_int_eq(gt_error_class(told), GT_RESOURCE_EXHAUSTED);
}
END_TEST

START_TEST(many_tiny_parts_do_not_unpack_into_much_memory)
{
	size_t n = GT_TTRPC_BODY_MAX;
	gt_autofree char *bytes = gt_xmalloc(n);

	/* Two bytes each: an empty metadata pair. */
	for (size_t i = 0; i < n; i += 2) {
		bytes[i] = 0x2a;
		bytes[i + 1] = 0;
	}
	ck_assert_ptr_null(gt_ttrpc_message_unpack(&ttrpc__request__descriptor, bytes, n));
}
END_TEST

START_TEST(reader_cuts_at_any_boundary)
{
	static const char bytes[] = "\0\0\0\2\0\0\0\1\1\0" "ab" "\0\0\0\0\0\0\0\3\1\0"
				    "\0\0\0\1\0\0\0\5\3\1" "c";
	size_t len = sizeof(bytes) - 1;

	for (size_t step = 1; step <= len; step++) {
		struct gt_ttrpc_reader r = GT_TTRPC_READER_INIT;
		struct seen s = { 0 };

		for (size_t at = 0; at < len; at += step)
			ck_assert(gt_ttrpc_reader_feed(&r, bytes + at,
						       step < len - at ? step : len - at, see, &s));
		ck_assert_uint_eq(s.n, 3);
		ck_assert_uint_eq(s.h[0].stream, 1);
		ck_assert_int_eq(s.first[0], 'a');
		ck_assert_uint_eq(s.h[1].length, 0);
		ck_assert(s.has_body[1]);
		ck_assert_uint_eq(s.h[2].flags, 1);
		ck_assert_int_eq(s.first[2], 'c');
		ck_assert_uint_eq(r.part.alloc, 0);
		gt_ttrpc_reader_done(&r);
	}
}
END_TEST

START_TEST(reader_skips_what_is_too_long)
{
	struct gt_ttrpc_reader r = GT_TTRPC_READER_INIT;
	static const char head[] = "\xff\xff\xff\xff\0\0\0\7\1\0";
	static const char next[] = "\0\0\0\1\0\0\0\11\1\0z";
	gt_autofree char *chunk = gt_xcalloc(1, 1 << 20);
	uint32_t left = UINT32_MAX;
	struct seen s = { 0 };

	ck_assert(gt_ttrpc_reader_feed(&r, head, sizeof(head) - 1, see, &s));
	ck_assert_uint_eq(s.n, 1);
	ck_assert(!s.has_body[0]);
	ck_assert_uint_eq(s.h[0].stream, 7);
	while (left) {
		size_t n = left < 1 << 20 ? left : 1 << 20;

		gt_ttrpc_reader_feed(&r, chunk, n, see, &s);
		left -= n;
	}
	ck_assert_uint_eq(r.part.alloc, 0);
	gt_ttrpc_reader_feed(&r, next, sizeof(next) - 1, see, &s);
	ck_assert_uint_eq(s.n, 2);
	ck_assert_int_eq(s.first[1], 'z');
	gt_ttrpc_reader_done(&r);
}
END_TEST

START_TEST(reader_stops_when_told)
{
	static const char bytes[] = "\0\0\0\0\0\0\0\1\1\0\0\0\0\0\0\0\0\3\1\0";
	struct gt_ttrpc_reader r = GT_TTRPC_READER_INIT;
	struct seen s = { .stop_at = 1 };

	ck_assert(!gt_ttrpc_reader_feed(&r, bytes, sizeof(bytes) - 1, see, &s));
	ck_assert_uint_eq(s.n, 1);
	gt_ttrpc_reader_done(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ttrpc-frame");
	TCase *t = tcase_create("frame");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, header_is_big_endian);
	tcase_add_test(t, request_has_the_documented_bytes);
	tcase_add_test(t, error_travels_with_its_class);
	tcase_add_test(t, words_are_added_once_and_never_to_unknown);
	tcase_add_test(t, response_carries_its_payload);
	tcase_add_test(t, malformed_response_is_an_error);
	tcase_add_test(t, too_long_is_refused_by_the_sender);
	tcase_add_test(t, many_tiny_parts_do_not_unpack_into_much_memory);
	tcase_add_test(t, reader_cuts_at_any_boundary);
	tcase_add_test(t, reader_skips_what_is_too_long);
	tcase_add_test(t, reader_stops_when_told);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
