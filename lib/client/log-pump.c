/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/log-pump.h>

#include <gantry/buf.h>
#include <gantry/file.h>

#include <outlog/outlog.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#define BACKLOG 65536
#define PIECE 4096 /* what a pipe that polls as writable takes without blocking */

struct gt_log_pump {
	char *path;
	char *seen_path;
	struct gt_outlog_reader *reader;
	struct timespec seen; /* when the last that was shown was written */
	uint64_t skip; /* bytes that are too old to be shown */
	int out, err;
	int fd; /* readable when there is more */
	int wake;
	atomic_bool stop, drain;
	bool started;
	pthread_t thread;
};

static bool is_new(const struct gt_log_pump *p, const struct gt_outlog_entry *e)
{
	return e->at.tv_sec > p->seen.tv_sec ||
	       (e->at.tv_sec == p->seen.tv_sec && e->at.tv_nsec > p->seen.tv_nsec);
}

static void seen_read(struct gt_log_pump *p)
{
	gt_auto(gt_buf) text = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_file_read(AT_FDCWD, p->seen_path, 64, &text);
	int64_t sec, nsec;

	if (!e && sscanf(text.s, "%" SCNd64 " %" SCNd64, &sec, &nsec) == 2)
		p->seen = (struct timespec){ .tv_sec = sec, .tv_nsec = nsec };
}

/* Should this fail, the next who attaches sees some of it again. */
static void seen_write(const struct gt_log_pump *p)
{
	gt_autofree char *text = gt_strf("%" PRId64 " %ld\n", (int64_t)p->seen.tv_sec,
					 p->seen.tv_nsec);

	gt_error_free(gt_file_write(AT_FDCWD, p->seen_path, text, strlen(text), 0600, false));
}

static struct gt_error *backlog_count(struct gt_log_pump *p)
{
	gt_autoptr(gt_outlog_reader) r = NULL;
	struct gt_outlog_entry e;
	uint64_t n = 0;

	GT_TRY(gt_outlog_reader_new(p->path, &r));
	while (gt_outlog_next(r, &e))
		if (is_new(p, &e))
			n += e.len + e.ends_line;
	p->skip = n > BACKLOG ? n - BACKLOG : 0;
	return NULL;
}

/* False: nobody takes it, or we are to stop. */
static bool show(struct gt_log_pump *p, int to, const char *bytes, size_t len)
{
	while (len) {
		struct pollfd w[2] = { { .fd = to, .events = POLLOUT },
				       { .fd = p->wake, .events = POLLIN } };
		ssize_t n;

		if (atomic_load(&p->stop))
			return false;
		/* a wake-up to drain does not end a wait for the user */
		if (poll(w, atomic_load(&p->drain) ? 1 : 2, -1) < 0 && errno != EINTR)
			return false;
		if (!w[0].revents)
			continue;
		n = write(to, bytes, len > PIECE ? PIECE : len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static void show_entry(struct gt_log_pump *p, const struct gt_outlog_entry *e)
{
	int to = e->is_err ? p->err : p->out;
	uint64_t len = e->len + e->ends_line;

	if (e->is_lost || !is_new(p, e) || to < 0)
		return;
	if (p->skip) {
		p->skip -= p->skip < len ? p->skip : len;
		return;
	}
	if (show(p, to, e->bytes, e->len) && e->ends_line)
		show(p, to, "\n", 1);
}

/* All of one moment is shown before it counts as seen: one write of the process has one time. */
static void *pump(void *arg)
{
	struct gt_log_pump *p = arg;

	while (!atomic_load(&p->stop)) {
		struct pollfd w[2] = { { .fd = p->fd, .events = POLLIN },
				       { .fd = p->wake, .events = POLLIN } };
		bool drain = atomic_load(&p->drain);
		struct gt_outlog_entry e;
		struct timespec last = p->seen;

		while (!atomic_load(&p->stop) && gt_outlog_next(p->reader, &e)) {
			show_entry(p, &e);
			last = e.at;
		}
		if (last.tv_sec != p->seen.tv_sec || last.tv_nsec != p->seen.tv_nsec) {
			p->seen = last;
			seen_write(p);
		}
		if (drain)
			break;
		if (poll(w, 2, -1) < 0 && errno != EINTR)
			break;
	}
	return NULL;
}

static struct gt_error *thread_start(struct gt_log_pump *p)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&p->thread, NULL, pump, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	p->started = !err;
	return err ? gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start thread") : NULL;
}

static struct gt_error *pump_open(struct gt_log_pump *p, const char *uri)
{
	gt_auto(gt_outlog_place) place = { 0 };

	GT_TRY(gt_outlog_uri_parse(uri, &place));
	p->path = gt_steal(&place.path);
	p->seen_path = gt_strf("%s.seen", p->path);
	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->wake < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "make event descriptor");
	seen_read(p);
	GT_TRY(backlog_count(p));
	GT_TRY(gt_outlog_reader_new(p->path, &p->reader));
	GT_TRY(gt_outlog_watch(p->reader, &p->fd));
	return thread_start(p);
}

struct gt_error *gt_log_pump_open(const char *uri, int out, int err, struct gt_log_pump **result)
{
	struct gt_log_pump *p = gt_xcalloc(1, sizeof(*p));
	struct gt_error *e;

	p->out = out;
	p->err = err;
	p->wake = -1;
	e = pump_open(p, uri);
	if (e)
		gt_log_pump_free(p);
	else
		*result = p;
	return e;
}

static void join(struct gt_log_pump *p)
{
	eventfd_write(p->wake, 1);
	if (p->started)
		pthread_join(p->thread, NULL);
	p->started = false;
}

void gt_log_pump_drain(struct gt_log_pump *p)
{
	atomic_store(&p->drain, true);
	join(p);
}

void gt_log_pump_free(struct gt_log_pump *p)
{
	if (!p)
		return;
	atomic_store(&p->stop, true);
	if (p->wake >= 0) {
		join(p);
		close(p->wake);
	}
	gt_outlog_reader_free(p->reader);
	free(p->path);
	free(p->seen_path);
	free(p);
}
