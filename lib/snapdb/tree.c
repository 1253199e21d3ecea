/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tree.h"

#include <gantry/buf.h>
#include <gantry/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* A folder that the walk is in: which one, and the folders in it that are still to be visited. */
struct level {
	struct stat st;
	struct gt_strv folders;
	size_t next;
};

struct walk {
	const struct gt_tree_visitor *v;
	void *arg;
	dev_t dev;
	int fd; /* of the innermost level */
	struct level *levels;
	size_t n, alloc;
};

static struct gt_error *visit(struct walk *w, const struct dirent *ent, struct level *level)
{
	struct stat st;
	bool have = false;

	if (!w->v->no_stat || ent->d_type == DT_UNKNOWN) {
		if (fstatat(w->fd, ent->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT
				       ? NULL
				       : gt_error_errno(GT_UNKNOWN, errno, "stat %s", ent->d_name);
		have = true;
	}
	if (have ? S_ISDIR(st.st_mode) : ent->d_type == DT_DIR) {
		gt_strv_add(&level->folders, ent->d_name);
		return NULL;
	}
	return w->v->file(w->arg, w->fd, ent->d_name, have ? &st : NULL);
}

/* Visits what is in the folder 'w->fd' now, and notes the folders for later. */
static struct gt_error *read_level(struct walk *w, struct level *level)
{
	int fd = fcntl(w->fd, F_DUPFD_CLOEXEC, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct gt_error *e = NULL;
	struct dirent *ent;

	if (!d) {
		e = gt_error_errno(gt_file_class(errno), errno, "read a folder");
		if (fd >= 0)
			close(fd);
		return e;
	}
	while (!e && (errno = 0, ent = readdir(d)))
		if (strcmp(ent->d_name, ".") != 0 && strcmp(ent->d_name, "..") != 0)
			e = visit(w, ent, level);
	if (!e && errno)
		e = gt_error_errno(GT_UNKNOWN, errno, "read a folder");
	closedir(d);
	return e;
}

/* Takes 'fd', the folder 'st', and makes it the innermost. */
static struct gt_error *push_take(struct walk *w, int fd, const struct stat *st)
{
	close(w->fd);
	w->fd = fd;
	GT_GROW(w->levels, w->n, w->alloc);
	w->levels[w->n] = (struct level){ .st = *st };
	return read_level(w, &w->levels[w->n++]);
}

static struct gt_error *descend(struct walk *w, const char *name)
{
	gt_autofd int fd = -1;
	bool skip = false;
	struct stat st;

	if (w->v->folder)
		GT_TRY(w->v->folder(w->arg, w->fd, name, &skip));
	if (skip)
		return NULL;
	fd = openat(w->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			       ? NULL
			       : gt_error_errno(gt_file_class(errno), errno, "open folder %s",
						name);
	if (fstat(fd, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "stat %s", name);
	if (st.st_dev != w->dev)
		return NULL;
	if (w->v->enter)
		GT_TRY(w->v->enter(w->arg, fd, name, &st));
	return push_take(w, gt_steal_fd(&fd), &st);
}

/* Back from the innermost folder to the one around it, which must be where we came from. */
static struct gt_error *ascend(struct walk *w)
{
	gt_autofd int fd = openat(w->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct level *done = &w->levels[--w->n], *up = &w->levels[w->n - 1];
	struct stat was = done->st, st;

	gt_strv_done(&done->folders);
	if (fd < 0 || fstat(fd, &st) < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "open the folder above");
	if (st.st_dev != up->st.st_dev || st.st_ino != up->st.st_ino)
		return gt_error_new(GT_ABORTED, "a folder was moved while its tree was read");
	close(w->fd);
	w->fd = gt_steal_fd(&fd);
	return w->v->leave ? w->v->leave(w->arg, w->fd, up->folders.v[up->next - 1], &was) : NULL;
}

struct gt_error *gt_tree_walk(int fd, const struct gt_tree_visitor *v, void *arg)
{
	struct walk w = { .v = v, .arg = arg, .fd = -1 };
	int top = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct gt_error *e;
	struct stat st;

	if (top < 0 || fstat(top, &st) < 0) {
		e = gt_error_errno(gt_file_class(errno), errno, "open the top of a tree");
		if (top >= 0)
			close(top);
		return e;
	}
	w.dev = st.st_dev;
	w.fd = open("/", O_PATH | O_CLOEXEC); /* so that there always is one to close */
	e = push_take(&w, top, &st);
	while (!e) {
		struct level *in = &w.levels[w.n - 1];

		if (in->next < in->folders.n)
			e = descend(&w, in->folders.v[in->next++]);
		else if (w.n > 1)
			e = ascend(&w);
		else
			break;
	}
	while (w.n)
		gt_strv_done(&w.levels[--w.n].folders);
	free(w.levels);
	close(w.fd);
	return e;
}
