/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing and writing one entry of a difference. */
#include <config.h>

#include <archive/diff.h>

#include <archive/tree.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/xattr.h>

#define CAPABILITY "security.capability"
#define CAPABILITY_MAX 64
#define OPEN_FILE (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static struct diff_inode *inode_slot(struct diff *d, dev_t dev, ino_t ino)
{
	size_t i = (ino * UINT64_C(0x9e3779b97f4a7c15) ^ dev) & (d->inodes_size - 1);

	while (d->inodes[i].ino && (d->inodes[i].ino != ino || d->inodes[i].dev != dev))
		i = (i + 1) & (d->inodes_size - 1);
	return &d->inodes[i];
}

/* The record of an inode, made if it is not there. */
static struct diff_inode *inode_get(struct diff *d, const struct stat *st)
{
	struct diff_inode *n;

	if (2 * (d->n_inodes + 1) > d->inodes_size) {
		struct diff_inode *old = d->inodes;
		size_t size = d->inodes_size;

		d->inodes_size = size ? 2 * size : 256;
		d->inodes = gt_xcalloc(d->inodes_size, sizeof(*d->inodes));
		for (size_t i = 0; i < size; i++)
			if (old[i].ino)
				*inode_slot(d, old[i].dev, old[i].ino) = old[i];
		free(old);
	}
	n = inode_slot(d, st->st_dev, st->st_ino);
	if (!n->ino) {
		d->n_inodes++;
		n->dev = st->st_dev;
		n->ino = st->st_ino;
	}
	return n;
}

void diff_inodes_done(struct diff *d)
{
	for (size_t i = 0; i < d->inodes_size; i++) {
		for (size_t k = 0; k < d->inodes[i].n; k++)
			free(d->inodes[i].left_out[k]);
		free(d->inodes[i].left_out);
		free(d->inodes[i].written);
	}
	free(d->inodes);
}

static struct gt_error *write_header(struct diff *d)
{
	int r = archive_write_header(d->a, d->entry);

	if (r >= ARCHIVE_WARN) /* a warning: the name is not ASCII, and is written as it is */
		return NULL;
	return d->error ? gt_steal(&d->error)
			: gt_error_new(GT_INTERNAL, "write header: %s",
				       archive_error_string(d->a));
}

static void begin_entry(struct diff *d, const char *path, const struct stat *st)
{
	int64_t mtime = st->st_mtim.tv_sec;

	if (d->o->epoch >= 0 && mtime > d->o->epoch)
		mtime = d->o->epoch;
	archive_entry_clear(d->entry);
	archive_entry_copy_pathname(d->entry, path);
	archive_entry_set_mode(d->entry, st->st_mode);
	archive_entry_set_uid(d->entry, st->st_uid);
	archive_entry_set_gid(d->entry, st->st_gid);
	archive_entry_set_mtime(d->entry, mtime, 0);
	archive_entry_set_size(d->entry, S_ISREG(st->st_mode) ? st->st_size : 0);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		archive_entry_set_rdev(d->entry, st->st_rdev);
}

/* The folders above that were not written yet: an entry's parents come before it. */
static struct gt_error *write_parents(struct diff *d, struct diff_level *l)
{
	gt_autofree char *path = NULL;

	if (l->written)
		return NULL;
	GT_TRY(write_parents(d, l->up));
	path = gt_xstrndup(d->path.s, l->path_len);
	begin_entry(d, path, &l->st);
	l->written = true;
	return write_header(d);
}

static struct gt_error *write_link(struct diff *d, const char *path, const char *to,
				   const struct stat *st)
{
	begin_entry(d, path, st);
	archive_entry_copy_hardlink(d->entry, to);
	archive_entry_set_size(d->entry, 0);
	return write_header(d);
}

static struct gt_error *write_content(struct diff *d, int fd, int64_t size)
{
	while (size) {
		ssize_t n = read(fd, d->block, size < DIFF_BLOCK ? size : DIFF_BLOCK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "read");
		if (n == 0)
			return gt_error_new(GT_ABORTED, "it became shorter while it was read");
		if (archive_write_data(d->a, d->block, n) < n)
			return d->error ? gt_steal(&d->error)
					: gt_error_new(GT_INTERNAL, "write: %s",
						       archive_error_string(d->a));
		size -= n;
	}
	return NULL;
}

static struct gt_error *write_file(struct diff *d, struct diff_level *l, const char *name)
{
	gt_autofd int fd = openat(l->upper, name, OPEN_FILE);
	char value[CAPABILITY_MAX];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "open");
	if (!S_ISREG(st.st_mode))
		return gt_error_new(GT_ABORTED, "it became something else while it was read");
	begin_entry(d, d->path.s, &st);
	n = fgetxattr(fd, CAPABILITY, value, sizeof(value));
	if (n > 0)
		archive_entry_xattr_add_entry(d->entry, CAPABILITY, value, n);
	GT_TRY(write_header(d));
	return write_content(d, fd, st.st_size);
}

static struct gt_error *write_symlink(struct diff *d, struct diff_level *l, const char *name,
				      const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(l->upper, name, target, sizeof(target) - 1);

	if (n < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "read link");
	target[n] = '\0';
	begin_entry(d, d->path.s, st);
	archive_entry_set_size(d->entry, 0);
	archive_entry_copy_symlink(d->entry, target);
	return write_header(d);
}

static struct gt_error *write_one(struct diff *d, struct diff_level *l, const char *name,
				  const struct stat *st)
{
	if (S_ISREG(st->st_mode))
		return write_file(d, l, name);
	if (S_ISLNK(st->st_mode))
		return write_symlink(d, l, name, st);
	begin_entry(d, d->path.s, st);
	return write_header(d);
}

struct gt_error *diff_write(struct diff *d, struct diff_level *l, const char *name,
			    const struct stat *st)
{
	struct diff_inode *n;

	GT_TRY(write_parents(d, l));
	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return write_one(d, l, name, st);
	n = inode_get(d, st);
	if (n->written)
		return write_link(d, d->path.s, n->written, st);
	GT_TRY(write_one(d, l, name, st));
	n->written = gt_xstrdup(d->path.s);
	for (size_t i = 0; i < n->n; i++)
		GT_TRY(write_link(d, n->left_out[i], n->written, st));
	return NULL;
}

struct gt_error *diff_leave_out(struct diff *d, const struct stat *st)
{
	struct diff_inode *n = inode_get(d, st);

	if (n->written)
		return write_link(d, d->path.s, n->written, st);
	GT_GROW(n->left_out, n->n, n->alloc);
	n->left_out[n->n++] = gt_xstrdup(d->path.s);
	return NULL;
}

struct gt_error *diff_write_whiteout(struct diff *d, struct diff_level *l, const char *name)
{
	gt_autofree char *folder = gt_xstrndup(d->path.s, l->path_len);
	gt_autofree char *path = gt_strf("%s%s.wh.%s", folder, *folder ? "/" : "", name);

	GT_TRY(write_parents(d, l));
	begin_entry(d, path, &(struct stat){ .st_mode = S_IFREG });
	return write_header(d);
}

/* Opens both and looks whether their capabilities are the same. */
static struct gt_error *compare_capabilities(int lower, int upper, bool *same)
{
	char a[CAPABILITY_MAX], b[CAPABILITY_MAX];
	ssize_t na = fgetxattr(lower, CAPABILITY, a, sizeof(a));
	ssize_t nb = fgetxattr(upper, CAPABILITY, b, sizeof(b));

	na = na < 0 ? 0 : na;
	nb = nb < 0 ? 0 : nb;
	*same = na == nb && !memcmp(a, b, na);
	return NULL;
}

static ssize_t read_full(int fd, char *buf, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(fd, buf + have, len - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += n;
	}
	return have;
}

static struct gt_error *compare_content(struct diff *d, int lower, int upper, bool *same)
{
	ssize_t a, b;

	do {
		a = read_full(lower, d->block, DIFF_BLOCK);
		b = read_full(upper, d->block2, DIFF_BLOCK);
		if (a < 0 || b < 0)
			return gt_error_errno(GT_UNKNOWN, errno, "compare");
		*same = a == b && !memcmp(d->block, d->block2, a);
	} while (*same && a);
	return NULL;
}

static struct gt_error *compare_files(struct diff *d, struct diff_level *l, const char *name,
				      bool content, bool *same)
{
	gt_autofd int lower = openat(l->lower, name, OPEN_FILE);
	gt_autofd int upper = openat(l->upper, name, OPEN_FILE);

	if (lower < 0 || upper < 0)
		return gt_error_errno(layer_tree_class(errno), errno, "open to compare");
	GT_TRY(compare_capabilities(lower, upper, same));
	return *same && content ? compare_content(d, lower, upper, same) : NULL;
}

static struct gt_error *compare_links(struct diff_level *l, const char *name, bool *same)
{
	char a[PATH_MAX], b[PATH_MAX];
	ssize_t na = readlinkat(l->lower, name, a, sizeof(a));
	ssize_t nb = readlinkat(l->upper, name, b, sizeof(b));

	if (na < 0 || nb < 0)
		return gt_error_errno(GT_UNKNOWN, errno, "read link");
	*same = na == nb && !memcmp(a, b, na);
	return NULL;
}

struct gt_error *diff_compare(struct diff *d, struct diff_level *l, const char *name,
			      const struct stat *a, const struct stat *b, bool *same)
{
	bool whole_seconds = !a->st_mtim.tv_nsec && !b->st_mtim.tv_nsec;

	*same = a->st_dev == b->st_dev && a->st_ino == b->st_ino;
	if (*same)
		return NULL;
	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid ||
	    a->st_rdev != b->st_rdev)
		return NULL;
	*same = true;
	if (S_ISDIR(a->st_mode)) /* its times and size follow from its entries */
		return NULL;
	*same = a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
		a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
	if (!*same)
		return NULL;
	/* Times cut to seconds, as layers have them, do not tell a change within one. */
	if (S_ISREG(a->st_mode))
		return compare_files(d, l, name, whole_seconds && a->st_size, same);
	if (S_ISLNK(a->st_mode) && whole_seconds)
		return compare_links(l, name, same);
	return NULL;
}
