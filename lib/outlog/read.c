/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <outlog/outlog.h>

#include <gantry/buf.h>
#include <gantry/file.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 65536
#define LINE_MAX_LEN 65536 /* a writer's are shorter */

struct gt_outlog_reader {
	char *path;
	int fd; /* -1: none yet */
	ino_t ino;
	int inotify;
	struct gt_buf data; /* read, and not yet handed out from 'at' on */
	size_t at;
};

static int file_open(const char *path, ino_t *ino)
{
	gt_autofd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	*ino = st.st_ino;
	return gt_steal_fd(&fd);
}

static char *file_name(const struct gt_outlog_reader *r, unsigned i)
{
	return i ? gt_strf("%s.%u", r->path, i) : gt_xstrdup(r->path);
}

/*
 * The number of the file that is read now, should it still have a name, else of the oldest that there is
 * and one more; so the next to read is one less. 0: it is the present one.
 */
static unsigned number_now(const struct gt_outlog_reader *r)
{
	for (unsigned i = 0;; i++) {
		gt_autofree char *name = file_name(r, i);
		struct stat st;

		if (stat(name, &st) < 0) {
			gt_autofree char *behind = file_name(r, i + 1);

			/* Between two renames of a rotation one is missing. */
			if (stat(behind, &st) < 0)
				return i;
			continue;
		}
		if (r->fd >= 0 && st.st_ino == r->ino)
			return i;
	}
}

/* Goes on to the next younger file. False: there is none. */
static bool file_next(struct gt_outlog_reader *r)
{
	unsigned i = number_now(r);
	gt_autofree char *name = i ? file_name(r, i - 1) : NULL;
	ino_t ino;
	int fd = name ? file_open(name, &ino) : -1;

	if (fd < 0)
		return false;
	if (r->fd >= 0 && ino == r->ino) {
		close(fd);
		return false;
	}
	if (r->fd >= 0)
		close(r->fd);
	r->fd = fd;
	r->ino = ino;
	/* half a line that its writer did not come to end */
	gt_buf_setlen(&r->data, 0);
	r->at = 0;
	return true;
}

static bool more(struct gt_outlog_reader *r)
{
	ssize_t n;

	if (r->fd < 0)
		return false;
	if (r->at) {
		memmove(r->data.s, r->data.s + r->at, r->data.len - r->at);
		gt_buf_setlen(&r->data, r->data.len - r->at);
		r->at = 0;
	}
	if (r->data.len > LINE_MAX_LEN) /* no line of ours */
		gt_buf_setlen(&r->data, 0);
	do
		n = read(r->fd, gt_buf_reserve(&r->data, CHUNK), CHUNK);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	gt_buf_setlen(&r->data, r->data.len + (size_t)n);
	return true;
}

/* "2026-01-02T15:04:05.123456789Z " at the beginning; what follows is returned, NULL: it is none. */
static const char *time_read(const char *s, const char *end, struct timespec *out)
{
	struct tm tm = { 0 };
	int n = 0;

	if (end - s < 31 || s[30] != ' ' || s[29] != 'Z' || s[19] != '.' ||
	    sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d.%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
		   &tm.tm_min, &tm.tm_sec, &n) != 6 ||
	    n != 20)
		return NULL;
	out->tv_nsec = 0;
	for (const char *p = s + 20; p < s + 29; p++) {
		if (!isdigit((unsigned char)*p))
			return NULL;
		out->tv_nsec = out->tv_nsec * 10 + (*p - '0');
	}
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	out->tv_sec = timegm(&tm);
	return s + 31;
}

static bool line_read(const char *line, size_t len, struct gt_outlog_entry *out)
{
	const char *end = line + len, *p;

	*out = (struct gt_outlog_entry){ 0 };
	p = time_read(line, end, &out->at);
	if (!p)
		return false;
	out->is_lost = end - p >= 7 && !memcmp(p, "lost F ", 7);
	out->is_err = end - p >= 9 && !memcmp(p, "stderr ", 7);
	if (!out->is_lost && !out->is_err && (end - p < 9 || memcmp(p, "stdout ", 7) != 0))
		return false;
	p += out->is_lost ? 5 : 7;
	if ((p[0] != 'F' && p[0] != 'P') || p[1] != ' ')
		return false;
	out->ends_line = p[0] == 'F';
	out->bytes = p + 2;
	out->len = (size_t)(end - out->bytes);
	return true;
}

static bool here(struct gt_outlog_reader *r, struct gt_outlog_entry *out)
{
	do {
		char *line, *newline;

		while ((newline = memchr(r->data.s + r->at, '\n', r->data.len - r->at))) {
			line = r->data.s + r->at;
			r->at = (size_t)(newline + 1 - r->data.s);
			if (line_read(line, (size_t)(newline - line), out))
				return true;
		}
	} while (more(r));
	return false;
}

bool gt_outlog_next(struct gt_outlog_reader *r, struct gt_outlog_entry *out)
{
	char events[4096];

	for (;;) {
		if (here(r, out))
			return true;
		while (r->inotify >= 0 && read(r->inotify, events, sizeof(events)) > 0)
			;
		/* once more: it may have been written to before it was put aside */
		if (here(r, out))
			return true;
		if (!file_next(r))
			return false;
	}
}

struct gt_error *gt_outlog_reader_new(const char *path, struct gt_outlog_reader **out)
{
	struct gt_outlog_reader *r;

	if (path[0] != '/')
		return gt_error_new(GT_INVALID_ARGUMENT, "log %s is no absolute path", path);
	r = gt_xcalloc(1, sizeof(*r));
	r->path = gt_xstrdup(path);
	r->fd = r->inotify = -1;
	gt_buf_init(&r->data);
	*out = r;
	return NULL;
}

void gt_outlog_reader_free(struct gt_outlog_reader *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	if (r->inotify >= 0)
		close(r->inotify);
	gt_buf_done(&r->data);
	free(r->path);
	free(r);
}

struct gt_error *gt_outlog_watch(struct gt_outlog_reader *r, int *fd)
{
	gt_autofree char *dir = gt_xstrdup(r->path);

	*strrchr(dir, '/') = '\0';
	GT_TRY(gt_file_mkdirs(dir, 0700));
	r->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (r->inotify < 0 ||
	    inotify_add_watch(r->inotify, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "watch %s", dir);
	*fd = r->inotify;
	return NULL;
}
