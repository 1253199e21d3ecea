/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <client/stdio.h>

#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define CHUNK 32768
#define SILENCE_MS 2000
#define FOLDER "fifo-" /* how the folders of FIFOs begin: a base of the user's may hold others */
#define TRIES 16 /* at a folder that another's sweep took for a dead one's */

/* Bytes on their way from one descriptor to another. */
struct stream {
	int from, to; /* neither is owned here */
	char *buf;
	size_t off, len;
	bool bounded; /* 'to' may take only PIPE_BUF at once without blocking */
	bool broken; /* nobody takes what we write: it is read and dropped */
	bool done;
};

enum { STREAM_IN, STREAM_OUT, STREAM_ERR, STREAMS };

struct gt_copier {
	char *dir;
	int dir_fd; /* locked, as long as this process may yet need what is in it */
	char *path[STREAMS]; /* NULL: not there */
	int fifo[STREAMS];
	struct stream stream[STREAMS];
	struct gt_stdio stdio;
	int eof_fd;
	int wake_fd;
	atomic_bool stop; /* at once */
	atomic_bool deleted; /* the process is: end when nothing comes any more */
	atomic_bool close_in;
	bool started;
	pthread_t thread;
};

static bool nobody_has(const char *path)
{
	gt_autofd int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 && errno == ENXIO;
}

static bool is_ours(const char *name)
{
	static const char *const suffixes[] = { "-stdin", "-stdout", "-stderr" };
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		size_t n = strlen(suffixes[i]);

		if (len > n && !strcmp(name + len - n, suffixes[i]))
			return true;
	}
	return false;
}

/* -1: it is gone, or somebody works with it. */
static int dir_lock(const char *dir)
{
	gt_autofd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0 || !st.st_nlink)
		return -1;
	return gt_steal_fd(&fd);
}

/* Removes a folder of FIFOs whose maker has ended and that no shim has open. */
static void sweep_one(const char *dir)
{
	gt_autofd int lock = dir_lock(dir);
	gt_auto(gt_strv) paths = { 0 };
	struct dirent *ent;
	struct stat st;
	DIR *d;

	if (lock < 0)
		return;
	d = opendir(dir);
	if (!d)
		return;
	while ((ent = readdir(d)) && paths.n <= STREAMS) {
		if (is_ours(ent->d_name))
			gt_strv_addf(&paths, "%s/%s", dir, ent->d_name);
	}
	closedir(d);
	if (paths.n > STREAMS)
		return;
	for (size_t i = 0; i < paths.n; i++) {
		if (lstat(paths.v[i], &st) < 0 || !S_ISFIFO(st.st_mode) || !nobody_has(paths.v[i]))
			return;
	}
	for (size_t i = 0; i < paths.n; i++)
		unlink(paths.v[i]);
	rmdir(dir);
}

void gt_fifos_sweep(const char *base)
{
	DIR *d = opendir(base);
	struct dirent *ent;

	if (!d)
		return;
	while ((ent = readdir(d))) {
		gt_autofree char *dir = NULL;

		if (strncmp(ent->d_name, FOLDER, strlen(FOLDER)))
			continue;
		dir = gt_strf("%s/%s", base, ent->d_name);
		sweep_one(dir);
	}
	closedir(d);
}

static struct gt_error *fifo_open(struct gt_copier *c, int which, const char *name,
				  const char *suffix)
{
	/* Our end of stdin is also a reader, so that it opens and takes bytes before the shim's. */
	int flags = which == STREAM_IN ? O_RDWR : O_RDONLY;

	c->path[which] = gt_strf("%s/%s-%s", c->dir, name, suffix);
	if (mkfifo(c->path[which], 0700) < 0)
		return gt_error_errno(gt_file_class(errno), errno, "make FIFO %s", c->path[which]);
	c->fifo[which] = open(c->path[which], flags | O_NONBLOCK | O_CLOEXEC);
	if (c->fifo[which] < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open FIFO %s", c->path[which]);
	return NULL;
}

static void stream_init(struct stream *s, int from, int to)
{
	struct stat st;

	*s = (struct stream){ .from = from, .to = to, .done = from < 0 || to < 0 };
	if (s->done)
		return;
	s->buf = gt_xmalloc(CHUNK);
	s->bounded = fstat(to, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

static bool is_null(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(1, 3);
}

/* A new folder, locked before a sweep can have taken it away again. */
static struct gt_error *dir_make(struct gt_copier *c, const char *base)
{
	for (int i = 0; i < TRIES; i++) {
		gt_autofree char *dir = gt_strf("%s/" FOLDER "XXXXXX", base);

		if (!mkdtemp(dir))
			return gt_error_errno(gt_file_class(errno), errno, "make folder %s", dir);
		c->dir_fd = dir_lock(dir);
		if (c->dir_fd < 0)
			continue;
		c->dir = gt_steal(&dir);
		return NULL;
	}
	return gt_error_new(GT_UNAVAILABLE, "make folder for FIFOs in %s: others remove it", base);
}

static struct gt_error *copier_bare(struct gt_copier **out)
{
	gt_autoptr(gt_copier) c = gt_xcalloc(1, sizeof(*c));

	c->dir_fd = -1;
	for (int i = 0; i < STREAMS; i++) {
		c->fifo[i] = -1;
		c->stream[i].done = true;
	}
	c->eof_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->eof_fd < 0 || c->wake_fd < 0)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, errno, "make event descriptors");
	*out = gt_steal(&c);
	return NULL;
}

/* FIFOs in a new folder, and our ends of them. */
static struct gt_error *copier_new(const char *base, const char *name, const bool wanted[STREAMS],
				   struct gt_copier **out)
{
	static const char *const suffixes[STREAMS] = { "stdin", "stdout", "stderr" };
	gt_autoptr(gt_copier) c = NULL;

	GT_TRY(copier_bare(&c));
	GT_TRY(gt_file_mkdirs(base, 0700));
	gt_fifos_sweep(base);
	GT_TRY(dir_make(c, base));
	for (int i = 0; i < STREAMS; i++)
		if (wanted[i])
			GT_TRY(fifo_open(c, i, name, suffixes[i]));
	c->stdio = (struct gt_stdio){
		.in = c->path[STREAM_IN],
		.out = c->path[STREAM_OUT],
		.err = c->path[STREAM_ERR],
	};
	*out = gt_steal(&c);
	return NULL;
}

struct gt_error *gt_copier_open(const char *base, const char *name, int in, int out, int err,
				bool terminal, struct gt_copier **out_copier)
{
	/* The shim has a /dev/null of its own: no FIFO, and no CloseIO when that has been read. */
	const bool wanted[STREAMS] = { in >= 0 && !is_null(in), out >= 0, err >= 0 && !terminal };
	struct gt_copier *c;

	GT_TRY(copier_new(base, name, wanted, &c));
	c->stdio.terminal = terminal;
	stream_init(&c->stream[STREAM_IN], in, c->fifo[STREAM_IN]);
	stream_init(&c->stream[STREAM_OUT], c->fifo[STREAM_OUT], out);
	stream_init(&c->stream[STREAM_ERR], c->fifo[STREAM_ERR], err);
	*out_copier = c;
	return NULL;
}

struct gt_error *gt_copier_for_others(const char *base, const char *name, bool outputs, bool terminal,
				      struct gt_copier **out)
{
	const bool wanted[STREAMS] = { true, outputs, outputs && !terminal };

	GT_TRY(copier_new(base, name, wanted, out));
	(*out)->stdio.terminal = terminal;
	return NULL;
}

const struct gt_stdio *gt_copier_stdio(const struct gt_copier *c)
{
	return &c->stdio;
}

int gt_copier_eof_fd(const struct gt_copier *c)
{
	return c->eof_fd;
}

static void stream_read(struct stream *s)
{
	ssize_t n = read(s->from, s->buf, CHUNK);

	if (n > 0) {
		s->off = 0;
		s->len = s->broken ? 0 : n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		s->done = true;
	}
}

static void stream_write(struct stream *s)
{
	size_t len = s->len;
	ssize_t n;

	if (s->bounded && len > 4096)
		len = 4096;
	n = write(s->to, s->buf + s->off, len);
	if (n > 0) {
		s->off += n;
		s->len -= n;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		/* The process goes on: it must not hang because nobody reads what it says. */
		s->broken = true;
		s->len = 0;
	}
}

/* What a stream waits for now. */
static void stream_poll(const struct stream *s, struct pollfd *p)
{
	*p = (struct pollfd){ .fd = -1 };
	if (s->done)
		return;
	*p = s->len ? (struct pollfd){ .fd = s->to, .events = POLLOUT }
		    : (struct pollfd){ .fd = s->from, .events = POLLIN };
}

/*
 * A regular file polls as ready; an end of file on stdin with everything written is told once. What
 * is left unread in the FIFO stays there after CloseIO, as long as the shim has it open.
 */
static void stdin_ended(struct gt_copier *c)
{
	eventfd_write(c->eof_fd, 1);
}

static void *copy(void *arg)
{
	struct gt_copier *c = arg;
	struct stream *s = c->stream;
	bool told = s[STREAM_IN].done;

	while (!atomic_load(&c->stop)) {
		bool deleted = atomic_load(&c->deleted);
		struct pollfd p[STREAMS + 1];
		int n;

		if (deleted)
			s[STREAM_IN].done = true;
		if (atomic_load(&c->close_in) && c->fifo[STREAM_IN] >= 0) {
			s[STREAM_IN].done = true;
			close(c->fifo[STREAM_IN]);
			c->fifo[STREAM_IN] = -1;
		}
		if (s[STREAM_OUT].done && s[STREAM_ERR].done && deleted)
			break;
		for (int i = 0; i < STREAMS; i++)
			stream_poll(&s[i], &p[i]);
		p[STREAMS] = (struct pollfd){ .fd = c->wake_fd, .events = POLLIN };
		n = poll(p, STREAMS + 1, deleted ? SILENCE_MS : -1);
		if (n < 0 && errno != EINTR)
			break;
		/* A user who does not read gets all the time; a FIFO that stays silent does not. */
		if (n == 0 && !s[STREAM_OUT].len && !s[STREAM_ERR].len)
			break;
		if (n <= 0)
			continue;
		if (p[STREAMS].revents) {
			eventfd_t v;

			eventfd_read(c->wake_fd, &v);
		}
		for (int i = 0; i < STREAMS; i++) {
			if (p[i].fd < 0 || !p[i].revents)
				continue;
			if (s[i].len)
				stream_write(&s[i]);
			else
				stream_read(&s[i]);
		}
		if (s[STREAM_IN].broken)
			s[STREAM_IN].done = true;
		if (s[STREAM_IN].done && !told) {
			told = true;
			stdin_ended(c);
		}
	}
	return NULL;
}

struct gt_error *gt_copier_start(struct gt_copier *c)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&c->thread, NULL, copy, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return gt_error_errno(GT_RESOURCE_EXHAUSTED, err, "start thread");
	c->started = true;
	return NULL;
}

void gt_copier_close_in(struct gt_copier *c)
{
	atomic_store(&c->close_in, true);
	eventfd_write(c->wake_fd, 1);
}

static void join(struct gt_copier *c)
{
	eventfd_write(c->wake_fd, 1);
	if (c->started)
		pthread_join(c->thread, NULL);
	c->started = false;
}

void gt_copier_drain(struct gt_copier *c)
{
	atomic_store(&c->deleted, true);
	join(c);
}

/* -1: there is no such FIFO, or nobody to write to. */
static int fifo_join(const char *path, int flags)
{
	gt_autofd int fd = path && *path == '/' ?
				   open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW) :
				   -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return -1;
	return gt_steal_fd(&fd);
}

struct gt_error *gt_copier_attach(const struct gt_stdio *fifos, int in, int out, int err,
				  struct gt_copier **out_copier)
{
	struct gt_copier *c;

	GT_TRY(copier_bare(&c));
	c->fifo[STREAM_IN] = fifo_join(fifos->in, O_WRONLY);
	c->fifo[STREAM_OUT] = fifo_join(fifos->out, O_RDONLY);
	c->fifo[STREAM_ERR] = fifo_join(fifos->err, O_RDONLY);
	stream_init(&c->stream[STREAM_IN], in, c->fifo[STREAM_IN]);
	stream_init(&c->stream[STREAM_OUT], c->fifo[STREAM_OUT], out);
	stream_init(&c->stream[STREAM_ERR], c->fifo[STREAM_ERR], err);
	*out_copier = c;
	return NULL;
}

void gt_copier_leave(struct gt_copier *c)
{
	if (!c)
		return;
	for (int i = 0; i < STREAMS; i++) {
		free(c->path[i]);
		c->path[i] = NULL;
	}
	free(gt_steal(&c->dir));
	gt_copier_free(c);
}

void gt_fifo_forget(const char *path)
{
	gt_autofree char *dir = gt_xstrdup(path ? path : "");
	char *slash = strrchr(dir, '/');
	struct stat st;

	if (!slash || slash == dir || lstat(path, &st) < 0 || !S_ISFIFO(st.st_mode) ||
	    unlink(path) < 0)
		return;
	*slash = '\0';
	rmdir(dir);
}

void gt_copier_free(struct gt_copier *c)
{
	if (!c)
		return;
	atomic_store(&c->stop, true);
	join(c);
	for (int i = 0; i < STREAMS; i++) {
		if (c->fifo[i] >= 0)
			close(c->fifo[i]);
		if (c->path[i])
			unlink(c->path[i]);
		free(c->path[i]);
		free(c->stream[i].buf);
	}
	if (c->dir)
		rmdir(c->dir);
	free(c->dir);
	if (c->dir_fd >= 0)
		close(c->dir_fd);
	if (c->eof_fd >= 0)
		close(c->eof_fd);
	if (c->wake_fd >= 0)
		close(c->wake_fd);
	free(c);
}
