/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <journal/format.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

struct gt_journal {
	char *path;
	char *old;
	int fd; /* the file that is read; -1: none yet */
	ino_t ino;
	off_t at;
	uint64_t next; /* the number of the record there; 0: whatever comes first */
	uint64_t lost;
	int inotify;
	struct gt_buf data;
};

/* Opens one of the two files. False if it is not there, or none of ours. */
static bool file_open(const char *path, int *out, ino_t *ino, struct journal_head *h)
{
	gt_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !journal_head_read(fd, h))
		return false;
	*out = gt_steal_fd(&fd);
	*ino = st.st_ino;
	return true;
}

static void go_to(struct gt_journal *j, int fd, ino_t ino, const struct journal_head *h)
{
	if (j->fd >= 0)
		close(j->fd);
	j->fd = fd;
	j->ino = ino;
	j->at = JOURNAL_HEAD;
	/* A journal that was deleted begins again with 1. */
	if (j->next && h->first > j->next)
		j->lost += h->first - j->next;
	j->next = h->first;
}

/* The file that goes on where the present one ends; false if there is none yet. */
static bool file_next(struct gt_journal *j)
{
	struct journal_head h, older;
	int fd, old_fd;
	ino_t ino, old_ino;

	/* There was none when we began: all that there is now is new. */
	if (j->fd < 0 && file_open(j->old, &fd, &ino, &h)) {
		go_to(j, fd, ino, &h);
		return true;
	}
	if (!file_open(j->path, &fd, &ino, &h))
		return false;
	if (ino == j->ino && j->fd >= 0) {
		close(fd);
		return false;
	}
	/* Rotated more than once since we looked? */
	if (j->fd >= 0 && h.first > j->next && file_open(j->old, &old_fd, &old_ino, &older)) {
		journal_scan(old_fd, &older); /* its head may not know of the last one */
		if (old_ino != j->ino && older.last >= j->next && older.first < h.first) {
			close(fd);
			go_to(j, old_fd, old_ino, &older);
			return true;
		}
		close(old_fd);
	}
	go_to(j, fd, ino, &h);
	return true;
}

static bool is_current(const struct gt_journal *j)
{
	struct stat st;

	return stat(j->path, &st) == 0 && st.st_ino == j->ino;
}

static bool read_here(struct gt_journal *j, struct gt_journal_record *out)
{
	uint64_t seq;
	off_t end;

	if (!journal_record_read(j->fd, j->at, &seq, &j->data, &end) || seq != j->next)
		return false;
	j->at = end;
	j->next = seq + 1;
	*out = (struct gt_journal_record){ .seq = seq, .data = j->data.s, .len = j->data.len };
	return true;
}

static void inotify_drain(struct gt_journal *j)
{
	char bytes[4096];

	while (read(j->inotify, bytes, sizeof(bytes)) > 0)
		;
}

struct gt_error *gt_journal_next(struct gt_journal *j, struct gt_journal_record *out, bool *found)
{
	bool drained = false;

	*found = false;
	for (;;) {
		if (j->fd >= 0 && read_here(j, out)) {
			*found = true;
			return NULL;
		}
		/* What is appended from here on makes the descriptor readable again. */
		if (!drained) {
			inotify_drain(j);
			drained = true;
			continue;
		}
		/* Between the reading and the rotation another may have appended: look once more. */
		if (j->fd >= 0 && !is_current(j) && read_here(j, out)) {
			*found = true;
			return NULL;
		}
		if (!file_next(j))
			return NULL;
		drained = false;
	}
}

/* To the first record that is asked for, in the older file or the present one. */
static struct gt_error *seek(struct gt_journal *j, uint64_t after)
{
	struct gt_journal_record r;
	struct journal_head h;
	bool found = true;
	ino_t ino;
	int fd;

	if (after == GT_JOURNAL_NEW) {
		if (!file_open(j->path, &fd, &ino, &h) && !file_open(j->old, &fd, &ino, &h))
			return NULL;
		journal_scan(fd, &h);
		go_to(j, fd, ino, &h);
		j->at = (off_t)h.end;
		j->next = h.last + 1;
		return NULL;
	}
	if (file_open(j->path, &fd, &ino, &h)) {
		if (h.first <= after + 1)
			go_to(j, fd, ino, &h);
		else
			close(fd);
	}
	while (found && (j->fd < 0 || j->next <= after)) {
		GT_TRY(gt_journal_next(j, &r, &found));
		if (found && r.seq > after) { /* that one is wanted */
			j->at -= (off_t)(JOURNAL_RECORD_HEAD + r.len);
			j->next = r.seq;
			break;
		}
	}
	j->lost = after && j->next > after + 1 ? j->next - after - 1 : 0;
	return NULL;
}

/* Its folder is watched: the file comes and goes with each rotation. */
static struct gt_error *watch(struct gt_journal *j)
{
	gt_autofree char *dir = gt_xstrdup(j->path);
	char *slash = strrchr(dir, '/');

	if (!slash)
		return gt_error_new(GT_INVALID_ARGUMENT, "journal %s is no path", j->path);
	slash[slash == dir] = '\0';
	j->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (j->inotify < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "watch journal %s", j->path);
	if (inotify_add_watch(j->inotify, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : GT_RESOURCE_EXHAUSTED, errno,
				      "watch %s", dir);
	return NULL;
}

struct gt_error *gt_journal_open(const char *path, uint64_t after, struct gt_journal **out)
{
	gt_autoptr(gt_journal) j = gt_xcalloc(1, sizeof(*j));

	j->fd = j->inotify = -1;
	gt_buf_init(&j->data);
	j->path = gt_xstrdup(path);
	j->old = gt_strf("%s.1", path);
	GT_TRY(watch(j));
	GT_TRY(seek(j, after));
	*out = gt_steal(&j);
	return NULL;
}

void gt_journal_free(struct gt_journal *j)
{
	if (!j)
		return;
	if (j->fd >= 0)
		close(j->fd);
	if (j->inotify >= 0)
		close(j->inotify);
	gt_buf_done(&j->data);
	free(j->path);
	free(j->old);
	free(j);
}

int gt_journal_fd(const struct gt_journal *j)
{
	return j->inotify;
}

uint64_t gt_journal_position(const struct gt_journal *j)
{
	return j->next ? j->next - 1 : 0;
}

uint64_t gt_journal_lost(struct gt_journal *j)
{
	uint64_t n = j->lost;

	j->lost = 0;
	return n;
}
