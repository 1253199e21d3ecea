/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <outlog/outlog.h>

#include <gantry/buf.h>
#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 8192 /* formatted at once, on the stack */
#define HEAD 48 /* more than a line's time, stream and tag take */

struct gt_outlog {
	struct gt_outlog_place place;
	int fd; /* -1: not open */
	uint64_t size;
	uint64_t lost; /* bytes that were not written since the last that were */
	time_t second; /* that 'stamp' tells */
	char stamp[32];
};

struct gt_outlog *gt_outlog_new(const struct gt_outlog_place *p)
{
	struct gt_outlog *l = gt_xcalloc(1, sizeof(*l));

	l->place = (struct gt_outlog_place){ .path = gt_xstrdup(p->path),
					     .size = p->size,
					     .files = p->files };
	l->fd = -1;
	return l;
}

void gt_outlog_free(struct gt_outlog *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	gt_outlog_place_done(&l->place);
	free(l);
}

static int open_regular(const char *path)
{
	gt_autofd int fd = open(path,
				O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
					O_CLOEXEC | O_NOCTTY,
				0600);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	return gt_steal_fd(&fd);
}

static bool file_open(struct gt_outlog *l)
{
	struct stat st;

	if (l->fd >= 0)
		return true;
	l->fd = open_regular(l->place.path);
	if (l->fd < 0 && errno == ENOENT) {
		gt_autofree char *dir = gt_xstrdup(l->place.path);

		*strrchr(dir, '/') = '\0';
		gt_error_free(gt_file_mkdirs(dir, 0700));
		l->fd = open_regular(l->place.path);
	}
	if (l->fd < 0)
		return false;
	l->size = fstat(l->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	return true;
}

static char *file_name(const struct gt_outlog *l, unsigned i)
{
	return i ? gt_strf("%s.%u", l->place.path, i) : gt_xstrdup(l->place.path);
}

/* Each file takes the next name; the oldest is overwritten. */
static void rotate(struct gt_outlog *l)
{
	bool moved = l->place.files > 1;

	for (unsigned i = l->place.files - 1; i > 0; i--) {
		gt_autofree char *from = file_name(l, i - 1);
		gt_autofree char *to = file_name(l, i);

		if (rename(from, to) < 0 && i == 1)
			moved = false;
	}
	/* What cannot be put aside is emptied: the bound holds. */
	if (!moved && ftruncate(l->fd, 0) == 0) {
		l->size = 0;
		return;
	}
	close(gt_steal_fd(&l->fd));
}

/* Writes whole lines or nothing. */
static bool lines_write(struct gt_outlog *l, const char *lines, size_t len)
{
	ssize_t n;

	if (l->fd >= 0 && l->size && l->size + len > l->place.size)
		rotate(l);
	if (!file_open(l))
		return false;
	n = write(l->fd, lines, len);
	if (n == (ssize_t)len) {
		l->size += len;
		return true;
	}
	if (n >= 0)
		errno = ENOSPC;
	if (n > 0) {
		int err = errno;

		if (ftruncate(l->fd, (off_t)l->size) < 0)
			l->size += (uint64_t)n;
		errno = err;
	}
	return false;
}

static size_t head_put(struct gt_outlog *l, const struct timespec *now, const char *stream, char tag,
		       char out[HEAD])
{
	if (now->tv_sec != l->second || !*l->stamp) {
		struct tm tm;

		gmtime_r(&now->tv_sec, &tm);
		strftime(l->stamp, sizeof(l->stamp), "%Y-%m-%dT%H:%M:%S", &tm);
		l->second = now->tv_sec;
	}
	return (size_t)snprintf(out, HEAD, "%s.%09ldZ %s %c ", l->stamp, now->tv_nsec, stream, tag);
}

/* Tells of what was lost, now that there is room again. */
static bool lost_tell(struct gt_outlog *l, const struct timespec *now)
{
	char line[HEAD + 32];
	size_t len;

	if (!l->lost)
		return true;
	len = head_put(l, now, "lost", 'F', line);
	len += (size_t)snprintf(line + len, sizeof(line) - len, "%" PRIu64 "\n", l->lost);
	if (!lines_write(l, line, len))
		return false;
	l->lost = 0;
	return true;
}

/* Lines that hold 'bytes' of output. */
static bool piece_write(struct gt_outlog *l, const char *lines, size_t len, size_t bytes)
{
	bool done = lines_write(l, lines, len);

	if (!done)
		l->lost += bytes;
	return done;
}

bool gt_outlog_write(struct gt_outlog *l, bool is_err, const void *bytes, size_t len)
{
	const char *p = bytes, *end = p + len;
	char head[2][HEAD], out[PIECE];
	size_t heads[2], n = 0, in_piece = 0;
	bool all = true;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	heads[0] = head_put(l, &now, is_err ? "stderr" : "stdout", 'P', head[0]);
	heads[1] = head_put(l, &now, is_err ? "stderr" : "stdout", 'F', head[1]);
	if (!lost_tell(l, &now)) {
		l->lost += len;
		return false;
	}
	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t line = (size_t)((newline ? newline : end) - p);
		size_t room = PIECE - n < HEAD + 2 ? 0 : PIECE - n - HEAD - 2;
		bool whole = newline && line <= room;

		/* A piece that is full goes out; a long line is cut where the piece ends. */
		if (!room || (line > room && n)) {
			all = piece_write(l, out, n, in_piece) && all;
			n = in_piece = 0;
			continue;
		}
		if (line > room)
			line = room;
		memcpy(out + n, head[whole], heads[whole]);
		n += heads[whole];
		memcpy(out + n, p, line);
		n += line;
		out[n++] = '\n';
		in_piece += line + whole;
		p += line + whole;
	}
	return (!n || piece_write(l, out, n, in_piece)) && all;
}
