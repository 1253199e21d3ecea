/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <shim/process.h>

#include <gantry/file.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define CMDLINE_MAX 65536

void gt_pidfds_done(struct gt_pidfds *p)
{
	for (size_t i = 0; i < p->n; i++)
		close(p->v[i].fd);
	free(p->v);
	*p = (struct gt_pidfds){ 0 };
}

bool gt_pidfds_add(struct gt_pidfds *p, int pid)
{
	int fd;

	for (size_t i = p->n; i-- > 0;)
		if (p->v[i].pid == pid)
			return false;
	fd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (fd < 0)
		return false;
	GT_GROW(p->v, p->n, p->alloc);
	p->v[p->n++] = (struct gt_pidfd){ .fd = fd, .pid = pid };
	return true;
}

void gt_pidfds_drop(struct gt_pidfds *p)
{
	close(p->v[--p->n].fd);
}

void gt_pidfds_kill(struct gt_pidfds *p)
{
	for (size_t i = 0; i < p->n; i++)
		syscall(SYS_pidfd_send_signal, p->v[i].fd, SIGKILL, NULL, 0);
}

/* In state D, from which only what it waits for gets it out. */
static bool waits_in_kernel(int pid)
{
	gt_autofree char *path = gt_strf("/proc/%d/stat", pid);
	gt_auto(gt_buf) stat = GT_BUF_INIT;
	gt_autoptr(gt_error) e = gt_file_read(AT_FDCWD, path, CMDLINE_MAX, &stat);
	const char *name_end = e ? NULL : strrchr(stat.s, ')');

	return name_end && !strncmp(name_end, ") D", 3);
}

struct gt_error *gt_pidfds_wait(struct gt_pidfds *p, int64_t deadline)
{
	while (p->n) {
		struct pollfd poll_fd = { .fd = p->v[p->n - 1].fd, .events = POLLIN };
		int64_t left = (deadline - gt_now() + 999999) / 1000000;

		if (poll(&poll_fd, 1, left > 0 ? (int)left : 0) == 1)
			gt_pidfds_drop(p);
		else if (left <= 0)
			return gt_error_new(GT_DEADLINE_EXCEEDED,
					    "process %d does not end though it was killed%s",
					    p->v[p->n - 1].pid,
					    waits_in_kernel(p->v[p->n - 1].pid)
						    ? ": it waits for a device or a file system"
						    : "");
	}
	return NULL;
}

/* Whether a list of strings, each ended by a NUL, has the word. */
static bool has_word(const struct gt_buf *list, const char *word)
{
	for (size_t i = 0; i < list->len; i += strlen(list->s + i) + 1)
		if (!strcmp(list->s + i, word))
			return true;
	return false;
}

/* Which processes are looked for. */
struct wanted {
	const struct gt_bundle *bundle;
	struct stat folder; /* the bundle, if there is one */
	const char *program; /* NULL: the bundle has been deleted */
};

static bool names_task(const char *pid, const struct wanted *w)
{
	gt_autofree char *cmdline = gt_strf("/proc/%s/cmdline", pid);
	gt_auto(gt_buf) words = GT_BUF_INIT;

	gt_error_free(gt_file_read(AT_FDCWD, cmdline, CMDLINE_MAX, &words));
	return has_word(&words, w->bundle->id);
}

/* One whose working directory was the bundle. */
static bool is_lost(const char *cwd, const struct wanted *w)
{
	gt_autofree char *want = gt_strf("%s (deleted)", w->bundle->path);
	gt_autofree char *is = gt_xmalloc(PATH_MAX);
	ssize_t n = readlink(cwd, is, PATH_MAX);

	return n >= 0 && (size_t)n == strlen(want) && !memcmp(is, want, n);
}

static bool is_shim(const char *pid, const struct wanted *w)
{
	gt_autofree char *cwd = gt_strf("/proc/%s/cwd", pid);
	gt_autofree char *exe = gt_strf("/proc/%s/exe", pid);
	struct stat at, runs, want;

	if (!w->program)
		return is_lost(cwd, w) && names_task(pid, w);
	if (stat(cwd, &at) < 0 || at.st_dev != w->folder.st_dev || at.st_ino != w->folder.st_ino)
		return false;
	return (stat(exe, &runs) == 0 && stat(w->program, &want) == 0 &&
		runs.st_dev == want.st_dev && runs.st_ino == want.st_ino) ||
	       names_task(pid, w);
}

/* Adds the shim's processes that there are now. */
static struct gt_error *find(const struct wanted *w, struct gt_pidfds *found)
{
	DIR *d = opendir("/proc");
	struct dirent *ent;

	if (!d)
		return gt_error_errno(GT_UNKNOWN, errno, "read /proc");
	while ((ent = readdir(d))) {
		int pid = 0;

		for (const char *p = ent->d_name; isdigit((unsigned char)*p) && pid < 100000000; p++)
			pid = pid * 10 + (*p - '0');
		if (!pid || pid == getpid() || !is_shim(ent->d_name, w))
			continue;
		/* Looked at again once the descriptor pins it: the number may have changed hands. */
		if (gt_pidfds_add(found, pid) && !is_shim(ent->d_name, w))
			gt_pidfds_drop(found);
	}
	closedir(d);
	return NULL;
}

static struct gt_error *kill_wanted(const struct wanted *w, int64_t deadline, bool *any)
{
	*any = false;
	for (;;) {
		gt_auto(gt_pidfds) found = { 0 };

		GT_TRY(find(w, &found));
		if (!found.n)
			return NULL;
		*any = true;
		/* They may have forked while they were looked for: only an empty round is the last. */
		gt_pidfds_kill(&found);
		GT_TRY(gt_error_wrap(gt_pidfds_wait(&found, deadline), "end the shim of task %s",
				     w->bundle->id));
	}
}

struct gt_error *gt_shim_processes_kill(const struct gt_bundle *b, const char *program,
					int64_t deadline)
{
	struct wanted w = { .bundle = b, .program = program };
	bool any;

	if (fstat(b->fd, &w.folder) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "stat bundle %s", b->path);
	return kill_wanted(&w, deadline, &any);
}

struct gt_error *gt_shim_processes_kill_lost(const struct gt_bundle *b, int64_t deadline, bool *any)
{
	return kill_wanted(&(struct wanted){ .bundle = b }, deadline, any);
}
