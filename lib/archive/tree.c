/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <archive/tree.h>

#include <archive/attributes.h>
#include <gantry/file.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#define MAX_LINKS 255
#define MAX_FOLDERS 8192
#define TABLE_SIZE 4096
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

/* The hash of a path is the chain of the hashes of its names. */
static uint64_t path_hash(const char *path, size_t len)
{
	uint64_t h = LAYER_SEEN_ROOT;

	for (size_t i = 0; i < len;) {
		const char *end = memchr(path + i, '/', len - i);
		size_t n = end ? (size_t)(end - path) - i : len - i;

		h = layer_seen_hash(h, path + i, n);
		i += n + 1;
	}
	return h;
}

static struct layer_folder *find(struct layer_tree *t, const char *path, size_t len)
{
	uint64_t hash = path_hash(path, len);
	struct layer_folder *f = t->table[hash % TABLE_SIZE];

	if (!len)
		return t->root;
	while (f && (f->hash != hash || f->len != len || memcmp(f->path, path, len)))
		f = f->next;
	return f;
}

static struct layer_folder *add(struct layer_tree *t, struct layer_folder *parent, const char *name,
				int fd, const struct stat *st)
{
	size_t n = strlen(name), len = parent->len + (parent->len > 0) + n;
	struct layer_folder *f = gt_xcalloc(1, sizeof(*f) + len + 1);
	struct layer_folder **slot;

	memcpy(f->path, parent->path, parent->len);
	if (parent->len)
		f->path[parent->len] = '/';
	memcpy(f->path + len - n, name, n);
	f->len = len;
	f->parent = parent;
	f->fd = fd;
	f->hash = layer_seen_hash(parent->hash, name, n);
	f->setgid = st->st_mode & S_ISGID;
	f->times[0] = st->st_atim;
	f->times[1] = st->st_mtim;
	slot = &t->table[f->hash % TABLE_SIZE];
	f->next = *slot;
	*slot = f;
	t->n++;
	return f;
}

void layer_tree_init(struct layer_tree *t, int root, const char *opaque, const int *below,
		     size_t n_below, struct layer_seen *seen)
{
	struct rlimit l;

	*t = (struct layer_tree){ .max = MAX_FOLDERS, .opaque = opaque, .below = below,
				  .n_below = n_below, .seen = seen };
	t->table = gt_xcalloc(TABLE_SIZE, sizeof(*t->table));
	t->root = gt_xcalloc(1, sizeof(*t->root) + 1);
	/* Its own times are nobody's concern: layers say nothing of the root. */
	*t->root = (struct layer_folder){ .fd = root, .hash = LAYER_SEEN_ROOT, .setgid = true,
					  .seen = true };
	t->top = t->root;
	/* Half is left for the path that is being walked when the number is reached. */
	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur / 2 < t->max)
		t->max = l.rlim_cur / 2;
}

static void close_all(struct layer_tree *t)
{
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		while (t->table[i]) {
			struct layer_folder *f = t->table[i];

			/* It may be gone meanwhile, which is no concern of anybody's then. */
			if (f->dirty)
				futimens(f->fd, f->times);
			close(f->fd);
			t->table[i] = f->next;
			free(f);
		}
	}
	t->top = t->root;
	t->n = 0;
	t->stale = false;
}

void layer_tree_done(struct layer_tree *t)
{
	if (t->table)
		close_all(t);
	free(t->table);
	free(t->root);
	t->table = NULL;
	t->root = t->top = NULL;
}

void layer_tree_mark(struct layer_tree *t, const char *name)
{
	layer_seen_add(t->seen, layer_seen_hash(t->top->hash, name, strlen(name)));
	for (struct layer_folder *f = t->top; !f->seen; f = f->parent) {
		layer_seen_add(t->seen, f->hash);
		f->seen = true;
	}
}

void layer_tree_keep(struct layer_tree *t, const char *name, int fd, const struct stat *st)
{
	gt_autofree char *path = t->top->len ? gt_strf("%s/%s", t->top->path, name)
					     : gt_xstrdup(name);
	struct layer_folder *f = find(t, path, strlen(path));

	if (!f) {
		f = add(t, t->top, name, fd, st);
	} else {
		close(fd);
		f->setgid = st->st_mode & S_ISGID;
		f->times[0] = st->st_atim;
		f->times[1] = st->st_mtim;
	}
	f->dirty = true;
}

struct gt_error *layer_tree_remove(struct layer_tree *t, int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return NULL;
	if (errno != EISDIR && errno != EPERM)
		return gt_error_errno(layer_tree_class(errno), errno, "delete %s", name);
	t->stale = true;
	return gt_file_remove_tree(dir, name);
}

/* The attributes of a folder that the layer left out are those it has in the layers below. */
static struct gt_error *copy_from_below(struct layer_tree *t, const char *path, int fd,
					struct stat *st)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

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

static struct gt_error *make_missing(struct layer_tree *t, const char *name)
{
	gt_autofree char *path = t->top->len ? gt_strf("%s/%s", t->top->path, name)
					     : gt_xstrdup(name);
	gt_autofd int fd = -1;
	struct stat st;

	t->top->dirty = true;
	if (mkdirat(t->top->fd, name, 0755) < 0 && errno != EEXIST)
		return gt_error_errno(layer_tree_class(errno), errno, "make folder %s", name);
	fd = openat(t->top->fd, name, OPEN_FOLDER);
	if (fd < 0 || fstat(fd, &st) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "open folder %s", name);
	GT_TRY(copy_from_below(t, path, fd, &st));
	t->top = add(t, t->top, name, gt_steal_fd(&fd), &st);
	t->top->dirty = t->n_below > 0;
	return NULL;
}

/* This layer deletes the lower folder and makes a new one in its place. */
static struct gt_error *make_over_whiteout(struct layer_tree *t, const char *name)
{
	size_t n_below = t->n_below;
	struct gt_error *e;
	struct stat st;

	if (!t->opaque || fstatat(t->top->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISCHR(st.st_mode) || st.st_rdev)
		return gt_error_errno(GT_INVALID_ARGUMENT, ENOTDIR, "enter %s", name);
	if (unlinkat(t->top->fd, name, 0) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "delete whiteout %s", name);
	t->n_below = 0; /* it is not the one below */
	e = make_missing(t, name);
	t->n_below = n_below;
	GT_TRY(e);
	if (fsetxattr(t->top->fd, t->opaque, "y", 1, 0) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "make %s opaque", name);
	return NULL;
}

/* What stands at 'name' is no folder: a link is put in front of what is left to walk. */
static struct gt_error *follow(struct layer_tree *t, const char *name, struct gt_buf *rest,
			       int *links)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(t->top->fd, name, target, sizeof(target));
	gt_auto(gt_buf) b = GT_BUF_INIT;

	if (n < 0)
		return make_over_whiteout(t, name);
	if (++*links > MAX_LINKS || (size_t)n == sizeof(target) || n + rest->len > 16 * PATH_MAX)
		return gt_error_errno(GT_INVALID_ARGUMENT, ELOOP, "enter %s", name);
	if (target[0] == '/')
		t->top = t->root;
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
	struct layer_folder *known;
	gt_autofree char *path = NULL;
	gt_autofd int fd = -1;
	struct stat st;

	if (!*name || !strcmp(name, "."))
		return NULL;
	if (!strcmp(name, "..")) { /* only links have them; above the root is the root */
		t->top = t->top->parent ? t->top->parent : t->root;
		return NULL;
	}
	path = t->top->len ? gt_strf("%s/%s", t->top->path, name) : gt_xstrdup(name);
	known = find(t, path, strlen(path));
	if (known) {
		t->top = known;
		return NULL;
	}
	fd = openat(t->top->fd, name, OPEN_FOLDER);
	if (fd < 0 && errno == ENOENT && t->alone)
		return gt_error_new(GT_FAILED_PRECONDITION,
				    "folder %s is not in the layer, but below it", path);
	if (fd < 0 && errno == ENOENT)
		return make_missing(t, name);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return follow(t, name, rest, links);
	if (fd < 0 || fstat(fd, &st) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "enter %s", name);
	t->top = add(t, t->top, name, gt_steal_fd(&fd), &st);
	return NULL;
}

/* Goes to the deepest folder on the way that is open; returns how much of the path that is. */
static size_t start_walk(struct layer_tree *t, const char *path, size_t len)
{
	for (;;) {
		const char *slash;
		struct layer_folder *f = find(t, path, len);

		if (f) {
			t->top = f;
			return len;
		}
		slash = memrchr(path, '/', len);
		len = slash ? slash - path : 0;
	}
}

struct gt_error *layer_tree_enter(struct layer_tree *t, const char *path, size_t len)
{
	gt_auto(gt_buf) rest = GT_BUF_INIT;
	int links = 0;
	size_t done;

	if (t->stale || t->n >= t->max)
		close_all(t);
	done = start_walk(t, path, len);
	if (done == len)
		return NULL;
	gt_buf_add(&rest, path + done, len - done);
	while (rest.len) {
		char *end = strchrnul(rest.s, '/');
		size_t used = end - rest.s + (*end == '/');
		gt_autofree char *name = gt_xstrndup(rest.s, end - rest.s);

		memmove(rest.s, rest.s + used, rest.len - used);
		gt_buf_setlen(&rest, rest.len - used);
		GT_TRY(walk_one(t, name, &rest, &links));
	}
	return NULL;
}

struct gt_error *layer_tree_lookup(struct layer_tree *t, const char *path, size_t len, int *fd,
				   bool *own)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	struct layer_folder *f = t->stale ? NULL : find(t, path, len);
	gt_autofree char *copy = len ? gt_xstrndup(path, len) : gt_xstrdup(".");

	*own = !f;
	*fd = f ? f->fd : (int)syscall(SYS_openat2, t->root->fd, copy, &how, sizeof(how));
	if (*fd < 0)
		return gt_error_errno(errno == ENOENT ? GT_NOT_FOUND : layer_tree_class(errno),
				      errno, "enter %s", copy);
	return NULL;
}
