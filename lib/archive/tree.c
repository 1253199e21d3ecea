/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/tree.h>

#include <archive/attributes.h>

#include <errno.h>
#include <fcntl.h>
#include <gantry/file.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#define MAX_LINKS 255
#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

enum gt_class layer_tree_class(int err)
{
	switch (err) {
	case ENAMETOOLONG:
	case ENOTDIR:
	case ELOOP:
	case EISDIR:
	case EINVAL:
	case EMLINK:
		return GT_INVALID_ARGUMENT;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return GT_RESOURCE_EXHAUSTED;
	default:
		return gt_file_class(err);
	}
}

void layer_tree_init(struct layer_tree *t, int root, const int *below, size_t n_below,
		     struct layer_seen *seen)
{
	*t = (struct layer_tree){ .path = GT_BUF_INIT, .resolved = GT_BUF_INIT, .straight = true,
				  .below = below, .n_below = n_below, .seen = seen };
	GT_GROW(t->stack, t->depth, t->alloc);
	/* Its own times are nobody's concern: layers say nothing of the root. */
	t->stack[t->depth++] = (struct layer_folder){ .fd = root, .hash = LAYER_SEEN_ROOT,
						      .setgid = true, .seen = true };
}

static void pop_to(struct layer_tree *t, size_t depth)
{
	while (t->depth > depth) {
		struct layer_folder *f = &t->stack[--t->depth];

		/* It may have been deleted meanwhile; what matters shows in the entries themselves. */
		if (f->dirty)
			futimens(f->fd, f->times);
		close(f->fd);
	}
	gt_buf_reserve(&t->resolved, 0);
	gt_buf_setlen(&t->resolved, t->stack[t->depth - 1].path_len);
}

void layer_tree_done(struct layer_tree *t)
{
	if (t->depth)
		pop_to(t, 1);
	free(t->stack);
	gt_buf_done(&t->path);
	gt_buf_done(&t->resolved);
	t->stack = NULL;
	t->depth = 0;
}

struct layer_folder *layer_tree_top(struct layer_tree *t)
{
	return &t->stack[t->depth - 1];
}

void layer_tree_changed(struct layer_tree *t)
{
	t->stale = !t->straight;
}

void layer_tree_mark(struct layer_tree *t, const char *name)
{
	size_t i = t->depth - 1;

	layer_seen_add(t->seen, layer_seen_hash(t->stack[i].hash, name));
	for (; !t->stack[i].seen; i--) {
		layer_seen_add(t->seen, t->stack[i].hash);
		t->stack[i].seen = true;
	}
}

/* Puts it on the stack without a word to 'path'. */
static void push(struct layer_tree *t, const char *name, int fd, const struct stat *st)
{
	uint64_t hash = layer_seen_hash(layer_tree_top(t)->hash, name);

	GT_GROW(t->stack, t->depth, t->alloc);
	gt_buf_addc(&t->resolved, '/');
	gt_buf_adds(&t->resolved, name);
	t->stack[t->depth++] = (struct layer_folder){
		.fd = fd,
		.hash = hash,
		.path_len = t->resolved.len,
		.setgid = st->st_mode & S_ISGID,
		.times = { st->st_atim, st->st_mtim },
	};
}

void layer_tree_push_take(struct layer_tree *t, const char *name, int fd, const struct stat *st)
{
	push(t, name, fd, st);
	if (t->path.len)
		gt_buf_addc(&t->path, '/');
	gt_buf_adds(&t->path, name);
}

/* The attributes of a folder that the layer left out are those it has in the layers below. */
static struct gt_error *copy_from_below(struct layer_tree *t, int fd, struct stat *st)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	const char *path = t->resolved.s + 1; /* what push has added is the folder itself */

	for (size_t i = 0; i < t->n_below; i++) {
		gt_autofd int from = syscall(SYS_openat2, t->below[i], path, &how, sizeof(how));

		if (from < 0 && errno == ENOENT)
			continue;
		if (from < 0) /* no folder there: it hides those further down */
			return NULL;
		return layer_attributes_copy(from, fd, st);
	}
	return NULL;
}

static struct gt_error *make_missing(struct layer_tree *t, const char *name, int *out)
{
	struct layer_folder *top = layer_tree_top(t);
	gt_autofd int fd = -1;
	struct stat st;

	top->dirty = true;
	if (mkdirat(top->fd, name, 0755) < 0 && errno != EEXIST)
		return gt_error_errno(layer_tree_class(errno), errno, "make folder %s", name);
	fd = openat(top->fd, name, OPEN_FOLDER);
	if (fd < 0 || fstat(fd, &st) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "open folder %s", name);
	push(t, name, fd, &st);
	*out = fd;
	gt_steal_fd(&fd);
	if (!t->n_below)
		return NULL;
	GT_TRY(copy_from_below(t, *out, &st));
	top = layer_tree_top(t);
	top->setgid = st.st_mode & S_ISGID;
	top->times[0] = st.st_atim;
	top->times[1] = st.st_mtim;
	top->dirty = true;
	return NULL;
}

/* What stands at 'name' is no folder: a link is put in front of what is left to walk. */
static struct gt_error *follow(struct layer_tree *t, const char *name, struct gt_buf *rest,
			       int *links)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(layer_tree_top(t)->fd, name, target, sizeof(target));
	gt_auto(gt_buf) b = GT_BUF_INIT;

	if (n < 0)
		return gt_error_errno(GT_INVALID_ARGUMENT, ENOTDIR, "enter %s", name);
	if (++*links > MAX_LINKS || (size_t)n == sizeof(target) || n + rest->len > 16 * PATH_MAX)
		return gt_error_errno(GT_INVALID_ARGUMENT, ELOOP, "enter %s", name);
	t->straight = false;
	if (target[0] == '/')
		pop_to(t, 1);
	gt_buf_add(&b, target, n);
	gt_buf_addc(&b, '/');
	gt_buf_add(&b, rest->s, rest->len);
	gt_buf_done(rest);
	*rest = b;
	gt_buf_init(&b);
	return NULL;
}

static struct gt_error *walk_one(struct layer_tree *t, const char *name, struct gt_buf *rest,
				 int *links)
{
	gt_autofd int fd = -1;
	struct stat st;
	int made;

	if (!*name || !strcmp(name, "."))
		return NULL;
	if (!strcmp(name, "..")) { /* only links have them; above the root is the root */
		if (t->depth > 1)
			pop_to(t, t->depth - 1);
		return NULL;
	}
	fd = openat(layer_tree_top(t)->fd, name, OPEN_FOLDER);
	if (fd < 0 && errno == ENOENT)
		return make_missing(t, name, &made);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return follow(t, name, rest, links);
	if (fd < 0 || fstat(fd, &st) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "enter %s", name);
	push(t, name, gt_steal_fd(&fd), &st);
	return NULL;
}

/* Leaves what the new path does not share with the old; returns how much of the new one is done. */
static size_t leave(struct layer_tree *t, const char *path, size_t len)
{
	size_t done = 0, depth = 1, i = 0;

	if (!t->straight) {
		pop_to(t, 1);
		t->straight = true;
		return 0;
	}
	for (;; i++) {
		bool end_old = i == t->path.len, end_new = i == len;

		if ((end_old || t->path.s[i] == '/') && (end_new || path[i] == '/') && i) {
			depth++;
			done = i;
		}
		if (end_old || end_new || path[i] != t->path.s[i])
			break;
	}
	pop_to(t, depth);
	return done;
}

struct gt_error *layer_tree_enter(struct layer_tree *t, const char *path, size_t len)
{
	gt_auto(gt_buf) rest = GT_BUF_INIT;
	struct gt_error *e = NULL;
	size_t done;
	int links = 0;

	if (!t->stale && len == t->path.len && !memcmp(path, t->path.s, len))
		return NULL;
	t->stale = false;
	done = leave(t, path, len);
	gt_buf_add(&rest, path + done, len - done);
	/* Until it is reached the cached path stands for nothing. */
	gt_buf_reserve(&t->path, len);
	gt_buf_setlen(&t->path, 0);
	while (!e && rest.len) {
		char *end = strchrnul(rest.s, '/');
		size_t used = end - rest.s + (*end == '/');
		gt_autofree char *name = gt_xstrndup(rest.s, end - rest.s);

		memmove(rest.s, rest.s + used, rest.len - used);
		gt_buf_setlen(&rest, rest.len - used);
		e = walk_one(t, name, &rest, &links);
	}
	if (e) {
		pop_to(t, 1);
		t->straight = true;
		return e;
	}
	gt_buf_add(&t->path, path, len);
	return NULL;
}

struct gt_error *layer_tree_lookup(struct layer_tree *t, const char *path, size_t len, int *fd)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	gt_autofree char *copy = len ? gt_xstrndup(path, len) : gt_xstrdup(".");

	if (!t->stale && len == t->path.len && !memcmp(path, t->path.s, len)) {
		*fd = layer_tree_top(t)->fd;
		return NULL;
	}
	*fd = syscall(SYS_openat2, t->stack[0].fd, copy, &how, sizeof(how));
	if (*fd < 0)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : layer_tree_class(errno),
				      errno, "enter %s", copy);
	return NULL;
}
