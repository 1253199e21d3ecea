/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes over a stream (containerd's transfer streaming): the reader grants windows of 64 KiB, the writer
 * sends Data of at most 32 KiB within them. Here a thread moves them between the stream and a pipe.
 */
#include <config.h>

#include "transfer.h"

#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#define WINDOW 65536
#define DATA_MAX 32768

struct transfer_bytes {
	struct transfer *t;
	struct stream *stream;
	pthread_t thread;
	int fd; /* the thread's end */
	int user_fd;
	bool is_out;
	struct gt_error *error; /* the thread's */
};

static struct gt_error *grant(struct transfer_bytes *b)
{
	TRANSFER(WindowUpdate) m = CONTAINERD__TYPES__TRANSFER__WINDOW_UPDATE__INIT;

	m.update = WINDOW;
	return grpc_stream_send(b->stream, &m.base);
}

/* False: the reader wants no more. */
static struct gt_error *data_pass(struct transfer_bytes *b, const struct gt_any *any, int64_t *window,
				  bool *wanted)
{
	ProtobufCMessage *m = NULL;
	const TRANSFER(Data) *d;
	struct gt_error *e;

	GT_TRY(gt_wire_any_unpack(any, &containerd__types__transfer__data__descriptor, &m));
	d = (const void *)m;
	*window -= (int64_t)d->data.len;
	e = gt_file_write_all(b->fd, d->data.data, d->data.len, "a pipe");
	gt_wire_free(m);
	*wanted = !e; /* a reader that has its archive does not read what is behind it */
	gt_error_free(e);
	return NULL;
}

static struct gt_error *bytes_receive(struct transfer_bytes *b)
{
	int64_t window = 0;
	bool wanted = true;

	while (wanted) {
		gt_auto(gt_any) any = { 0 };

		for (; window < WINDOW; window += WINDOW)
			GT_TRY(grant(b));
		GT_TRY(grpc_stream_recv(b->stream, b->t->call, &any));
		if (!any.type_url)
			return NULL;
		GT_TRY(data_pass(b, &any, &window, &wanted));
	}
	return NULL;
}

/* Waits for room; false at the end of the client's side. */
static struct gt_error *window_wait(struct transfer_bytes *b, int64_t *window)
{
	gt_auto(gt_any) any = { 0 };
	ProtobufCMessage *m = NULL;

	GT_TRY(grpc_stream_recv(b->stream, b->t->call, &any));
	if (!any.type_url)
		return gt_error_new(GT_UNAVAILABLE, "the reader wants no more");
	GT_TRY(gt_wire_any_unpack(&any, &containerd__types__transfer__window_update__descriptor, &m));
	if (((TRANSFER(WindowUpdate) *)m)->update > 0)
		*window += ((TRANSFER(WindowUpdate) *)m)->update;
	gt_wire_free(m);
	return NULL;
}

static struct gt_error *bytes_send(struct transfer_bytes *b)
{
	gt_autofree unsigned char *data = gt_xmalloc(DATA_MAX);
	int64_t window = 0;

	for (;;) {
		TRANSFER(Data) m = CONTAINERD__TYPES__TRANSFER__DATA__INIT;
		ssize_t n;

		while (window <= 0)
			GT_TRY(window_wait(b, &window));
		n = read(b->fd, data, window < DATA_MAX ? (size_t)window : DATA_MAX);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "read from a pipe");
		if (!n)
			return NULL;
		m.data = (ProtobufCBinaryData){ .data = data, .len = (size_t)n };
		GT_TRY(grpc_stream_send(b->stream, &m.base));
		window -= n;
	}
}

static void *bytes_thread(void *arg)
{
	struct transfer_bytes *b = arg;

	b->error = b->is_out ? bytes_send(b) : bytes_receive(b);
	close(b->fd); /* the other end sees it */
	return NULL;
}

static struct gt_error *bytes_begin(struct transfer *t, const char *name, bool is_out,
				    struct transfer_bytes **out, int *fd)
{
	struct transfer_bytes *b;
	struct stream *stream;
	int fds[2], err;

	GT_TRY(grpc_stream_take(t->f->streams, t->call->ns, name, &stream));
	if (pipe2(fds, O_CLOEXEC) < 0) {
		err = errno;
		grpc_stream_end(stream);
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "make a pipe");
	}
	b = gt_xcalloc(1, sizeof(*b));
	b->t = t;
	b->stream = stream;
	b->is_out = is_out;
	b->fd = fds[!is_out];
	b->user_fd = fds[is_out];
	err = pthread_create(&b->thread, NULL, bytes_thread, b);
	if (err) {
		close(fds[0]);
		close(fds[1]);
		grpc_stream_end(stream);
		free(b);
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start a thread");
	}
	*out = b;
	*fd = b->user_fd;
	return NULL;
}

struct gt_error *transfer_bytes_in(struct transfer *t, const char *stream,
				   struct transfer_bytes **out, int *fd)
{
	return bytes_begin(t, stream, false, out, fd);
}

struct gt_error *transfer_bytes_out(struct transfer *t, const char *stream,
				    struct transfer_bytes **out, int *fd)
{
	return bytes_begin(t, stream, true, out, fd);
}

struct gt_error *transfer_bytes_end(struct transfer_bytes *b, struct gt_error *e)
{
	struct gt_error *moved;

	/* A writer sees the end of what it reads; a reader, and one that failed, is stopped. */
	close(b->user_fd);
	if (!b->is_out || e)
		grpc_stream_stop(b->stream);
	pthread_join(b->thread, NULL);
	moved = gt_steal(&b->error);
	grpc_stream_end(b->stream);
	free(b);
	return gt_error_first(e, moved);
}
