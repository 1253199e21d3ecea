/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "io.h"

#include "linger.h"

#include <gantry/buf.h>
#include <gantry/call.h>
#include <gantry/file.h>
#include <gantry/log.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define SECOND INT64_C(1000000000)
/* What descendants of an ended process still write is carried for so long, */
#define DRAIN_QUIET (2 * SECOND)
/* and what it wrote itself waits so long for a slow reader. */
#define DRAIN_STUCK (10 * SECOND)
#define DRAIN_LOOK (SECOND / 20)
/* A reader that comes after the end has to wait for this at most until it sees the end. */
#define LATE_LOOK SECOND

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void io_init(struct io *io, struct shim *shim)
{
	*io = (struct io){
		.shim = shim,
		.child = { -1, -1, -1 },
		.out = { { .to = -1, .hold_read = -1, .hold_write = -1 },
			 { .to = -1, .hold_read = -1, .hold_write = -1 } },
		.in_hold = -1,
		.in_to = -1,
		.master = -1,
	};
}

/* Another open file of the same inode, with flags of its own. */
static int reopen(int fd, int flags)
{
	gt_autofree char *path = gt_strf("/proc/self/fd/%d", fd);

	return open(path, flags | O_CLOEXEC | O_NOCTTY);
}

static void pipe_give(const int fds[2], const struct io_spec *spec)
{
	if ((spec->uid || spec->gid) && (fchown(fds[0], spec->uid, spec->gid) < 0 ||
					 fchown(fds[1], spec->uid, spec->gid) < 0))
		gt_log_warn("a pipe cannot be given to %u:%u: %s", spec->uid, spec->gid,
			    strerror(errno));
}

static struct gt_error *stdin_open(struct io *io, const struct io_spec *spec)
{
	struct stat st;
	int fds[2];

	if (!*spec->in)
		return NULL;
	if (stat(spec->in, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open stdin %s", spec->in);
	if (!S_ISFIFO(st.st_mode))
		return gt_error_new(GT_INVALID_ARGUMENT, "stdin %s is no FIFO", spec->in);
	io->in_path = gt_xstrdup(spec->in);
	if (spec->terminal)
		return NULL;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "make a pipe");
	io->child[0] = fds[0];
	io->in_to = fds[1];
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	pipe_give(fds, spec);
	return NULL;
}

static void output_ended(struct stream *s, void *arg);

/* A pipe for the process, and a stream from it to 'to', which it takes. */
static struct gt_error *output_carry_take(struct io *io, size_t i, int to,
					  const struct io_spec *spec)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0) {
		struct gt_error *e = gt_error_errno(GT_UNKNOWN, errno, "make a pipe");

		if (to >= 0)
			close(to);
		return e;
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	pipe_give(fds, spec);
	io->child[1 + i] = fds[1];
	if (io->log)
		return stream_log_take(&io->out[i].stream, io->shim->loop, fds[0], io->log, i == 1,
				       output_ended, io);
	return stream_start_take(&io->out[i].stream, io->shim->loop, fds[0], to, output_ended, io);
}

static struct gt_error *fifo_open(struct io *io, size_t i, const char *path,
				  const struct io_spec *spec)
{
	struct io_output *o = &io->out[i];
	/* Opening it to write tells whether a reader is there: to be asked before we are one. */
	gt_autofd int to = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	bool has_reader = to >= 0;

	if (to < 0 && errno != ENXIO)
		return gt_error_errno(GT_UNKNOWN, errno, "open %s", path);
	o->hold_read = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (o->hold_read < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open %s", path);
	if (to < 0)
		to = reopen(o->hold_read, O_WRONLY | O_NONBLOCK);
	if (to < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open %s", path);
	if (!has_reader) {
		o->hold_write = fcntl(to, F_DUPFD_CLOEXEC, 0);
		if (o->hold_write < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "duplicate %s", path);
	}
	if (spec->terminal) {
		o->to = gt_steal_fd(&to);
		return NULL;
	}
	if (!spec->direct)
		return output_carry_take(io, i, gt_steal_fd(&to), spec);
	io->child[1 + i] = reopen(to, O_WRONLY);
	if (io->child[1 + i] < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open %s", path);
	return NULL;
}

/* A file that is no FIFO: carried, so that the process cannot tamper with what stands in it. */
static struct gt_error *file_open(struct io *io, size_t i, const char *path, int flags,
				  const struct io_spec *spec)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | flags, 0644);

	if (fd < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open %s", path);
	if (spec->terminal) {
		io->out[i].to = fd;
		return NULL;
	}
	return output_carry_take(io, i, fd, spec);
}

static struct gt_error *path_open(struct io *io, size_t i, const char *path,
				  const struct io_spec *spec)
{
	struct stat st;

	if (!strncmp(path, "fifo://", 7))
		path += 7;
	if (!*path)
		return NULL;
	if (stat(path, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open %s", path);
	if (S_ISFIFO(st.st_mode))
		return fifo_open(io, i, path, spec);
	return file_open(io, i, path, 0, spec);
}

static struct gt_error *url_file_open(struct io *io, const char *url, const struct io_spec *spec)
{
	const char *path = url + strlen("file://");
	gt_autofree char *dir = gt_xstrdup(path);
	char *slash = strrchr(dir, '/');

	if (path[0] != '/')
		return gt_error_new(GT_INVALID_ARGUMENT, "log file \"%s\" is no absolute path", path);
	if (slash != dir) {
		*slash = '\0';
		GT_TRY(gt_file_mkdirs(dir, 0755));
	}
	GT_TRY(file_open(io, 0, path, O_CREAT, spec));
	if (spec->terminal)
		return NULL;
	/* Both streams, one file: one pipe keeps their order too. */
	io->child[2] = fcntl(io->child[1], F_DUPFD_CLOEXEC, 0);
	return io->child[2] < 0 ? gt_error_errno(GT_UNKNOWN, errno, "duplicate a pipe") : NULL;
}

static void ready_tell(struct io *io, struct gt_error *e)
{
	void (*ready)(void *, struct gt_error *) = io->ready;
	void *arg = io->ready_arg;

	io->ready = NULL;
	if (e)
		io_close(io);
	if (ready)
		ready(arg, e);
	else
		gt_error_free(e);
}

static void logger_ready(void *arg, struct gt_error *e)
{
	ready_tell(arg, e);
}

/* 'hold_read' keeps the pipes open to read, should the logger die. */
static struct gt_error *logger_open(struct io *io, const char *url, const struct io_spec *spec)
{
	for (size_t i = 0; i < 2; i++) {
		int fds[2];

		if (pipe2(fds, O_CLOEXEC) < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "make a pipe");
		io->out[i].hold_read = fds[0];
		if (spec->terminal && i == 0) {
			fcntl(fds[1], F_SETFL, O_NONBLOCK);
			io->out[i].to = fds[1];
		} else {
			io->child[1 + i] = fds[1];
		}
	}
	return logger_start(io->shim, url, spec->id, io->shim->ns,
			    (const int[]){ io->out[0].hold_read, io->out[1].hold_read }, logger_ready,
			    io, &io->logger);
}

/* Each stream has a pipe of its own: the log tells them apart. */
static struct gt_error *log_open(struct io *io, const char *url, const struct io_spec *spec)
{
	struct gt_outlog_place place = { 0 };

	GT_TRY(gt_outlog_uri_parse(url, &place));
	io->log = gt_outlog_new(&place);
	gt_outlog_place_done(&place);
	if (spec->terminal)
		return NULL;
	GT_TRY(output_carry_take(io, 0, -1, spec));
	return output_carry_take(io, 1, -1, spec);
}

static struct gt_error *outputs_open(struct io *io, const struct io_spec *spec)
{
	const char *colon = strstr(spec->out, "://");
	gt_autofree char *scheme = gt_xstrndup(spec->out, colon ? colon - spec->out : 0);

	if (!colon || !strcmp(scheme, "fifo")) {
		GT_TRY(path_open(io, 0, spec->out, spec));
		if (spec->terminal)
			return NULL;
		if (*spec->err && !strcmp(spec->out, spec->err) && io->out[0].hold_read < 0) {
			io->child[2] = fcntl(io->child[1], F_DUPFD_CLOEXEC, 0);
			return io->child[2] < 0
				       ? gt_error_errno(GT_UNKNOWN, errno, "duplicate a pipe")
				       : NULL;
		}
		return path_open(io, 1, spec->err, spec);
	}
	if (!strcmp(scheme, "file"))
		return url_file_open(io, spec->out, spec);
	if (!strcmp(scheme, "binary") || !strcmp(scheme, "binary-v2"))
		return logger_open(io, spec->out, spec);
	if (gt_outlog_is_uri(spec->out))
		return log_open(io, spec->out, spec);
	return gt_error_new(GT_UNKNOWN, "unknown STDIO scheme %s", scheme);
}

void io_open(struct io *io, const struct io_spec *spec, void (*ready)(void *, struct gt_error *),
	     void *arg)
{
	struct gt_error *e;

	io->terminal = spec->terminal;
	io->ready = ready;
	io->ready_arg = arg;
	e = stdin_open(io, spec);
	if (!e)
		e = outputs_open(io, spec);
	if (e || !io->logger)
		ready_tell(io, e);
}

void io_started(struct io *io)
{
	for (int i = 0; i < 3; i++)
		close_fd(&io->child[i]);
}

static void drain_look(struct io *io)
{
	void (*drained)(void *) = io->drained;
	int64_t now = gt_now();
	bool stuck = false, on = false;

	for (size_t i = 0; i < 2; i++) {
		const struct stream *s = &io->out[i].stream;
		int waiting = 0;

		if (!stream_is_on(s))
			continue;
		on = true;
		stuck = stuck || s->left_len ||
			(ioctl(s->from.fd, FIONREAD, &waiting) == 0 && waiting > 0);
	}
	if (!drained)
		return;
	if (on && now < (stuck ? io->drain_until + DRAIN_STUCK - DRAIN_QUIET : io->drain_until)) {
		gt_loop_at(io->shim->loop, &io->timer, now + DRAIN_LOOK);
		return;
	}
	gt_timer_clear(&io->timer);
	io->drained = NULL;
	if (io->logger) { /* it has got all; what it has written is whole when it is gone */
		for (size_t i = 0; i < 2; i++)
			stream_stop(&io->out[i].stream);
		logger_stop(gt_steal(&io->logger), drained, io->drained_arg);
	} else {
		drained(io->drained_arg);
	}
}

/*
 * Nobody writes any more. Our own ends of a FIFO go, but for the one that keeps the bytes in it until
 * somebody has come to read them.
 */
static void outputs_look(struct io *io)
{
	bool wait = false;

	for (size_t i = 0; i < 2 && io->over; i++) {
		struct io_output *o = &io->out[i];

		if (o->hold_write < 0 || stream_is_on(&o->stream))
			continue;
		close_fd(&o->hold_read);
		if (linger_has_reader(o->hold_write))
			close_fd(&o->hold_write);
		else
			wait = true;
	}
	if (!wait)
		return;
	gt_loop_at(io->shim->loop, &io->late, gt_now() + io->late_step);
	io->late_step = io->late_step * 2 < LATE_LOOK ? io->late_step * 2 : LATE_LOOK;
}

static void late_timer(struct gt_timer *t)
{
	outputs_look(gt_container_of(t, struct io, late));
}

void io_over(struct io *io)
{
	io->over = true;
	io->late.fn = late_timer;
	io->late_step = SECOND / 1000;
	io_close_stdin(io); /* nobody reads it, and our write end would keep its client waiting */
	outputs_look(io);
}

static void output_ended(struct stream *s, void *arg)
{
	(void)s;
	outputs_look(arg);
	drain_look(arg);
}

static void drain_timer(struct gt_timer *t)
{
	drain_look(gt_container_of(t, struct io, timer));
}

void io_drain(struct io *io, void (*drained)(void *), void *arg)
{
	io->drained = drained;
	io->drained_arg = arg;
	io->drain_until = gt_now() + DRAIN_QUIET;
	io->timer.fn = drain_timer;
	drain_look(io);
}

static void input_ended(struct stream *s, void *arg)
{
	(void)s;
	(void)arg;
}

struct gt_error *io_console_take(struct io *io, int master)
{
	int fd;

	io->master = master;
	if (io->size.ws_col && ioctl(master, TIOCSWINSZ, &io->size) < 0)
		gt_log_warn("the size of the terminal is not set: %s", strerror(errno));
	fd = fcntl(master, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "duplicate the console");
	if (io->log)
		return stream_log_take(&io->out[0].stream, io->shim->loop, fd, io->log, false,
				       output_ended, io);
	return stream_start_take(&io->out[0].stream, io->shim->loop, fd,
				 gt_steal_fd(&io->out[0].to), output_ended, io);
}

struct gt_error *io_stdin_begin(struct io *io)
{
	gt_autofree char *path = gt_steal(&io->in_path);
	int from;

	if (!path)
		return NULL;
	if (io->terminal) {
		io->in_to = fcntl(io->master, F_DUPFD_CLOEXEC, 0);
		if (io->in_to < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "duplicate the console");
	}
	if (!io->in_closed) {
		io->in_hold = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		if (io->in_hold < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "open stdin %s", path);
	}
	from = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (from < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open stdin %s", path);
	return stream_start_take(&io->in, io->shim->loop, from, gt_steal_fd(&io->in_to), input_ended,
				 io);
}

struct gt_error *io_resize(struct io *io, uint32_t width, uint32_t height)
{
	struct winsize size = { .ws_col = (unsigned short)width, .ws_row = (unsigned short)height };

	if (width > UINT16_MAX || height > UINT16_MAX)
		return gt_error_new(GT_INVALID_ARGUMENT, "terminal of %u by %u", width, height);
	io->size = size; /* for a console that is not there yet, too */
	if (io->master >= 0 && ioctl(io->master, TIOCSWINSZ, &size) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "resize the terminal");
	return NULL;
}

void io_close_stdin(struct io *io)
{
	io->in_closed = true;
	close_fd(&io->in_hold);
}

void io_close(struct io *io)
{
	gt_timer_clear(&io->timer);
	gt_timer_clear(&io->late);
	io->drained = NULL;
	io_started(io);
	close_fd(&io->in_hold);
	close_fd(&io->in_to);
	free(io->in_path);
	io->in_path = NULL;
	stream_stop(&io->in);
	for (size_t i = 0; i < 2; i++) {
		struct io_output *o = &io->out[i];

		stream_stop(&o->stream);
		close_fd(&o->to);
		close_fd(&o->hold_read);
		if (o->hold_write >= 0)
			linger_take(io->shim, gt_steal_fd(&o->hold_write));
	}
	close_fd(&io->master);
	gt_outlog_free(gt_steal(&io->log));
	if (io->logger)
		logger_stop(gt_steal(&io->logger), NULL, NULL);
}
