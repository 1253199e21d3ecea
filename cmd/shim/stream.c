/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "stream.h"

#include <gantry/buf.h>
#include <gantry/log.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define CHUNK 4096 /* what a FIFO that has room at all takes whole */
#define SPLICE_MAX 65536
#define ROUNDS 16 /* then others get their turn */

enum outcome { MOVED, WAIT_FROM, WAIT_TO, ENDED };

static void watch_off(struct stream *s, struct gt_watch *w)
{
	gt_loop_unwatch(s->loop, w);
}

static bool watch_on(struct stream *s, struct gt_watch *w, uint32_t events)
{
	gt_autoptr(gt_error) e = NULL;

	if (w->on)
		return true;
	e = gt_loop_watch(s->loop, w, w->fd, events);
	if (e)
		gt_log_warn("a stream is given up: %s", gt_error_text(e));
	return !e;
}

void stream_stop(struct stream *s)
{
	if (!s->loop)
		return;
	watch_off(s, &s->from);
	watch_off(s, &s->to);
	close(s->from.fd);
	if (s->to.fd >= 0)
		close(s->to.fd);
	free(s->left);
	s->left = NULL;
	s->left_len = 0;
	s->loop = NULL;
}

static bool is_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) > 0;
}

static enum outcome left_write(struct stream *s)
{
	while (s->left_len) {
		ssize_t n = write(s->to.fd, s->left + s->left_at, s->left_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return WAIT_TO;
		if (n < 0)
			return ENDED;
		s->left_at += n;
		s->left_len -= n;
	}
	free(s->left);
	s->left = NULL;
	return MOVED;
}

static enum outcome bytes_move(struct stream *s)
{
	char bytes[CHUNK];
	size_t done = 0;
	ssize_t n;

	if (s->to_polls && !is_writable(s->to.fd))
		return WAIT_TO;
	n = read(s->from.fd, bytes, sizeof(bytes));
	if (n < 0)
		return errno == EAGAIN ? WAIT_FROM : errno == EINTR ? MOVED : ENDED;
	if (n == 0)
		return ENDED;
	while (s->to.fd >= 0 && done < (size_t)n) {
		ssize_t w = write(s->to.fd, bytes + done, n - done);

		if (w >= 0) {
			done += w;
		} else if (errno == EAGAIN) {
			s->left = gt_xmemdup(bytes + done, n - done);
			s->left_at = 0;
			s->left_len = n - done;
			return WAIT_TO;
		} else if (errno != EINTR && s->to_polls) {
			return ENDED;
		} else if (errno != EINTR) {
			/* A full disk: the container shall not notice that its log has a hole. */
			gt_log_warn_limited("output is lost: %s", strerror(errno));
			break;
		}
	}
	return MOVED;
}

/* A file is never waited for; what a full disk does not take is the log's to count. */
static enum outcome log_move(struct stream *s)
{
	char bytes[CHUNK];
	ssize_t n = read(s->from.fd, bytes, sizeof(bytes));

	if (n < 0)
		return errno == EAGAIN ? WAIT_FROM : errno == EINTR ? MOVED : ENDED;
	if (n == 0)
		return ENDED;
	if (!gt_outlog_write(s->log, s->log_err, bytes, (size_t)n))
		gt_log_warn_limited("output is lost: %s", strerror(errno));
	return MOVED;
}

static enum outcome splice_move(struct stream *s)
{
	ssize_t n = splice(s->from.fd, NULL, s->to.fd, NULL, SPLICE_MAX,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	int waiting = 0;

	if (n > 0)
		return MOVED;
	if (n == 0)
		return ENDED;
	if (errno == EAGAIN)
		return ioctl(s->from.fd, FIONREAD, &waiting) == 0 && waiting ? WAIT_TO : WAIT_FROM;
	return errno == EINTR ? MOVED : ENDED;
}

static void stream_end(struct stream *s)
{
	void (*ended)(struct stream *, void *) = s->ended;
	void *arg = s->arg;

	stream_stop(s);
	ended(s, arg);
}

static void stream_pump(struct stream *s)
{
	enum outcome o = s->left_len ? left_write(s) : MOVED;

	for (int i = 0; i < ROUNDS && o == MOVED; i++)
		o = s->splice ? splice_move(s) : s->log ? log_move(s) : bytes_move(s);
	/*
	 * Only the one that is waited for is watched: a hang-up on the other would be told again and
	 * again.
	 */
	if (o == WAIT_TO) {
		watch_off(s, &s->from);
		if (!watch_on(s, &s->to, EPOLLOUT))
			o = ENDED;
	} else if (o != ENDED) {
		watch_off(s, &s->to);
		if (!watch_on(s, &s->from, EPOLLIN))
			o = ENDED;
	}
	if (o == ENDED)
		stream_end(s);
}

static void from_event(struct gt_watch *w, uint32_t events)
{
	(void)events;
	stream_pump(gt_container_of(w, struct stream, from));
}

static void to_event(struct gt_watch *w, uint32_t events)
{
	struct stream *s = gt_container_of(w, struct stream, to);

	/* A terminal that hung up is never writable again. */
	if ((events & (EPOLLHUP | EPOLLERR)) && !(events & EPOLLOUT))
		stream_end(s);
	else
		stream_pump(s);
}

struct gt_error *stream_start_take(struct stream *s, struct gt_loop *loop, int from, int to,
				   void (*ended)(struct stream *, void *), void *arg)
{
	struct stat a = { 0 }, b = { 0 };

	fstat(from, &a);
	if (to >= 0)
		fstat(to, &b);
	*s = (struct stream){
		.loop = loop,
		.from = { .fn = from_event, .fd = from },
		.to = { .fn = to_event, .fd = to },
		.splice = to >= 0 && S_ISFIFO(a.st_mode) && S_ISFIFO(b.st_mode),
		.to_polls = to >= 0 && !S_ISREG(b.st_mode),
		.ended = ended,
		.arg = arg,
	};
	if (!watch_on(s, &s->from, EPOLLIN)) {
		stream_stop(s);
		return gt_error_new(GT_UNKNOWN, "no watch for a stream");
	}
	return NULL;
}

struct gt_error *stream_log_take(struct stream *s, struct gt_loop *loop, int from,
				 struct gt_outlog *log, bool is_err,
				 void (*ended)(struct stream *, void *), void *arg)
{
	GT_TRY(stream_start_take(s, loop, from, -1, ended, arg));
	s->log = log;
	s->log_err = is_err;
	return NULL;
}
