/* SPDX-License-Identifier: Apache-2.0 */
/* What a client that means harm, or has gone wrong, can send to a server: bytes, not calls. */
#include <config.h>

#include <grpc/rig-test.h>

#include <gantry/buf.h>

#include <check.h>
#include <endian.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, CONTINUATION = 9 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static struct rig rig;
static struct gt_grpc_client *client;
static const struct gt_call plain = GT_CALL_INIT;

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
}

static void add_frame(struct gt_buf *b, int type, int flags, uint32_t stream, const void *data, size_t len)
{
	uint32_t id = htobe32(stream);
	unsigned char head[9] = { (unsigned char)(len >> 16), (unsigned char)(len >> 8),
				  (unsigned char)len, (unsigned char)type, (unsigned char)flags };

	memcpy(head + 5, &id, 4);
	gt_buf_add(b, head, 9);
	gt_buf_add(b, data, len);
}

/* A literal field, neither indexed nor compressed. */
static void add_field(struct gt_buf *b, const char *name, const char *value)
{
	gt_buf_addc(b, 0);
	gt_buf_addc(b, (char)strlen(name));
	gt_buf_adds(b, name);
	gt_buf_addc(b, (char)strlen(value));
	gt_buf_adds(b, value);
}

static void add_headers(struct gt_buf *b, uint32_t stream, const char *path, const char *type)
{
	gt_auto(gt_buf) block = GT_BUF_INIT;

	add_field(&block, ":method", "POST");
	add_field(&block, ":scheme", "http");
	add_field(&block, ":path", path);
	add_field(&block, ":authority", "localhost");
	if (type)
		add_field(&block, "content-type", type);
	add_frame(b, HEADERS, END_HEADERS, stream, block.s, block.len);
}

static void add_message(struct gt_buf *b, uint32_t stream, int compressed, uint32_t claimed,
			const char *data, size_t len, int flags)
{
	gt_auto(gt_buf) m = GT_BUF_INIT;
	uint32_t n = htobe32(claimed);

	gt_buf_addc(&m, (char)compressed);
	gt_buf_add(&m, &n, 4);
	gt_buf_add(&m, data, len);
	add_frame(b, DATA, flags, stream, m.s, m.len);
}

static void begin(struct gt_buf *b)
{
	gt_buf_adds(b, preface);
	add_frame(b, SETTINGS, 0, 0, "", 0);
}

/* Sends; a peer that has closed the connection meanwhile is fine. */
static void push(int fd, struct gt_buf *b)
{
	for (size_t at = 0; at < b->len;) {
		ssize_t n = send(fd, b->s + at, b->len - at, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	gt_buf_setlen(b, 0);
}

/* Reads 'n' bytes; false at the end of the connection. */
static bool pull(int fd, void *to, size_t n)
{
	for (size_t have = 0; have < n;) {
		ssize_t got = recv(fd, (char *)to + have, n - have, 0);

		if (got <= 0)
			return false;
		have += (size_t)got;
	}
	return true;
}

/* Reads frames until a status of 'stream' comes; -1: the connection or the stream ended without. */
static int status_of(nghttp2_hd_inflater *inflater, int fd, uint32_t stream)
{
	gt_auto(gt_buf) body = GT_BUF_INIT;
	unsigned char head[9];
	int status = -2;

	while (status == -2) {
		uint32_t id;
		size_t len;

		if (!pull(fd, head, 9)) {
			status = -1;
			break;
		}
		len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
		memcpy(&id, head + 5, 4);
		gt_buf_setlen(&body, 0);
		gt_buf_reserve(&body, len);
		if (!pull(fd, body.s, len))
			status = -1;
		gt_buf_setlen(&body, len);
		if (head[3] == RST_STREAM && be32toh(id) == stream)
			status = -1;
		for (size_t at = 0; head[3] == HEADERS;) {
			nghttp2_nv nv;
			int flags = 0;
			ssize_t n = nghttp2_hd_inflate_hd2(inflater, &nv, &flags,
							   (uint8_t *)body.s + at, len - at, 1);

			ck_assert_int_ge(n, 0);
			at += (size_t)n;
			if ((flags & NGHTTP2_HD_INFLATE_EMIT) && be32toh(id) == stream &&
			    nv.namelen == 11 && !memcmp(nv.name, "grpc-status", 11))
				status = atoi((const char *)nv.value);
			if (flags & NGHTTP2_HD_INFLATE_FINAL) {
				nghttp2_hd_inflate_end_headers(inflater);
				break;
			}
		}
	}
	return status;
}

static bool is_closed_soon(int fd)
{
	struct timeval t = { .tv_sec = 40 };
	char bytes[4096];
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

/* Others are served as if nothing was. */
static void others_are_served(void)
{
	Google__Protobuf__StringValue q = rig_text("x");

	ck_assert_ptr_null(gt_grpc_call(client, &plain, &rig_echo, &q.base, NULL));
	q = rig_text("0");
	ck_assert_ptr_null(gt_grpc_call(client, &plain, &rig_work, &q.base, NULL));
}

#define ECHO "/" TEST_SERVICE "/Echo"
#define GRPC "application/grpc"

struct wrong {
	const char *path, *type;
	int compressed;
	uint32_t claimed;
	const char *data;
	size_t len;
	int status;
};

static const struct wrong wrongs[] = {
	{ ECHO, GRPC, 0, 3, "\x0a\x01x", 3, 0 }, /* nothing wrong */
	{ ECHO, "application/grpc+proto", 0, 0, "", 0, 0 },
	{ "/no.Such/Thing", GRPC, 0, 0, "", 0, 12 },
	{ "/" TEST_SERVICE "/Nothing", GRPC, 0, 0, "", 0, 12 },
	{ "nonsense", GRPC, 0, 0, "", 0, -1 }, /* no path */
	{ ECHO, "text/html", 0, 0, "", 0, 3 },
	{ ECHO, NULL, 0, 0, "", 0, 3 },
	{ ECHO, GRPC, 1, 3, "\x0a\x01x", 3, 12 }, /* compressed */
	{ ECHO, GRPC, 0, 0xffffffff, "\x0a\x01x", 3, 8 }, /* claims 4 GiB */
	{ ECHO, GRPC, 0, 4, "\x0a\x01x", 3, 13 }, /* a byte short */
	{ ECHO, GRPC, 0, 2, "\x0a\x01", 2, 13 }, /* no such message */
	{ ECHO, GRPC, 0, 3, "\x0b\x01x", 3, 13 },
};

START_TEST(wrong_requests)
{
	const struct wrong *w = &wrongs[_i];
	gt_auto(gt_buf) b = GT_BUF_INIT;
	nghttp2_hd_inflater *inflater;
	int fd = rig_connect(&rig);

	nghttp2_hd_inflate_new(&inflater);
	begin(&b);
	add_headers(&b, 1, w->path, w->type);
	add_message(&b, 1, w->compressed, w->claimed, w->data, w->len, END_STREAM);
	push(fd, &b);
	ck_assert_int_eq(status_of(inflater, fd, 1), w->status);
	/* The connection goes on. */
	add_headers(&b, 3, ECHO, GRPC);
	add_message(&b, 3, 0, 0, "", 0, END_STREAM);
	push(fd, &b);
	ck_assert_int_eq(status_of(inflater, fd, 3), 0);
	nghttp2_hd_inflate_del(inflater);
	close(fd);
}
END_TEST

START_TEST(no_message_or_two)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	nghttp2_hd_inflater *inflater;
	int fd = rig_connect(&rig);

	nghttp2_hd_inflate_new(&inflater);
	begin(&b);
	add_headers(&b, 1, ECHO, GRPC);
	add_frame(&b, DATA, END_STREAM, 1, "", 0);
	push(fd, &b);
	ck_assert_int_eq(status_of(inflater, fd, 1), 12);
	add_headers(&b, 3, ECHO, GRPC);
	add_message(&b, 3, 0, 0, "", 0, 0);
	add_message(&b, 3, 0, 0, "", 0, END_STREAM);
	push(fd, &b);
	ck_assert_int_eq(status_of(inflater, fd, 3), 12);
	nghttp2_hd_inflate_del(inflater);
	close(fd);
}
END_TEST

START_TEST(broken_connections)
{
	static const char *const starts[] = {
		"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
	};
	gt_auto(gt_buf) b = GT_BUF_INIT;
	int fd = rig_connect(&rig);

	if ((size_t)_i < sizeof(starts) / sizeof(starts[0])) {
		gt_buf_adds(&b, starts[_i]);
		gt_buf_add(&b, preface, 24);
	} else {
		unsigned char frame[9] = { 0xff, 0xff, 0xff, (unsigned char)(_i == 3 ? DATA : 200) };

		begin(&b);
		frame[8] = 1; /* a frame of 16 MiB, which nobody allowed */
		gt_buf_add(&b, frame, 9);
		gt_buf_add(&b, frame, 9);
	}
	push(fd, &b);
	ck_assert(is_closed_soon(fd));
	others_are_served();
	close(fd);
}
END_TEST

START_TEST(rapid_reset)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	uint32_t code = htobe32(8);
	int fd = rig_connect(&rig);

	begin(&b);
	for (uint32_t i = 0; i < 100000; i++) {
		add_headers(&b, 2 * i + 1, "/" TEST_SERVICE "/Keep", GRPC);
		add_message(&b, 2 * i + 1, 0, 0, "", 0, END_STREAM);
		add_frame(&b, RST_STREAM, 0, 2 * i + 1, &code, 4);
		if (b.len > 60000)
			push(fd, &b);
	}
	push(fd, &b);
	ck_assert(is_closed_soon(fd));
	others_are_served();
	close(fd);
	rig_wait(rig.kept == 0);
}
END_TEST

/* Frames that only ask for work. */
START_TEST(floods)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	int type = _i == 0 ? PING : _i == 1 ? SETTINGS : DATA;
	int fd = rig_connect(&rig);

	begin(&b);
	add_headers(&b, 1, "/" TEST_SERVICE "/Gather", GRPC);
	for (int i = 0; i < 200000; i++) {
		add_frame(&b, type, 0, type == DATA ? 1 : 0, "12345678", type == PING ? 8 : 0);
		if (b.len > 60000)
			push(fd, &b);
	}
	push(fd, &b);
	ck_assert(is_closed_soon(fd));
	others_are_served();
	close(fd);
}
END_TEST

START_TEST(endless_headers)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	int fd = rig_connect(&rig);

	begin(&b);
	add_frame(&b, HEADERS, 0, 1, "", 0);
	if (_i == 0) { /* goes on for ever */
		gt_auto(gt_buf) field = GT_BUF_INIT;

		add_field(&field, "x-name", "0123456789012345678901234567890123456789");
		for (int i = 0; i < 100000; i++) {
			add_frame(&b, CONTINUATION, 0, 1, field.s, field.len);
			if (b.len > 60000)
				push(fd, &b);
		}
	} /* or stops: a deadline ends it */
	push(fd, &b);
	ck_assert(is_closed_soon(fd));
	others_are_served();
	close(fd);
}
END_TEST

/* One that sends requests for large answers and reads none of them. */
START_TEST(never_reads)
{
	gt_auto(gt_buf) b = GT_BUF_INIT;
	int fd = rig_connect(&rig);

	begin(&b);
	for (uint32_t i = 0; i < 2000; i++) {
		add_headers(&b, 2 * i + 1, "/" TEST_SERVICE "/Large", GRPC);
		add_message(&b, 2 * i + 1, 0, 10, "\x0a\x08" "10000000", 10, END_STREAM);
		if (b.len > 60000)
			push(fd, &b);
	}
	push(fd, &b);
	for (int i = 0; i < 20; i++) {
		others_are_served();
		usleep(50000);
	}
	close(fd);
}
END_TEST

/* Many messages that never become whole. */
START_TEST(halves)
{
	gt_autofree char *junk = gt_xcalloc(1, 16000);
	gt_auto(gt_buf) b = GT_BUF_INIT;
	int fd = rig_connect(&rig);

	begin(&b);
	for (uint32_t i = 0; i < 8000; i++) { /* 128 MB */
		add_headers(&b, 2 * i + 1, ECHO, GRPC);
		add_message(&b, 2 * i + 1, 0, 16 * 1024 * 1024, junk, 16000, 0);
		if (b.len > 60000)
			push(fd, &b);
	}
	push(fd, &b);
	others_are_served();
	close(fd);
	others_are_served();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("grpc server");
	TCase *t = tcase_create("hostile");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, wrong_requests, 0, (int)(sizeof(wrongs) / sizeof(wrongs[0])));
	tcase_add_test(t, no_message_or_two);
	tcase_add_loop_test(t, broken_connections, 0, 5);
	tcase_add_test(t, rapid_reset);
	tcase_add_loop_test(t, floods, 0, 3);
	tcase_add_loop_test(t, endless_headers, 0, 2);
	tcase_add_test(t, never_reads);
	tcase_add_test(t, halves);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
